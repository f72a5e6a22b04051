//! Why a mount is refused to a workload that may mount, and the words for it. Data.

use lazaret_profiles::class::Event;
use serde::{Deserialize, Serialize};

use crate::request::Reason;

/// Why an order is not carried out, though the kernel would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// A file system that is not on the list.
    FileSystem,
    /// An option that is not on the list, or beyond its bounds.
    Option,
    /// A flag that is not on the list.
    Flag,
    /// `MS_MOVE`.
    Move,
    /// `MS_SHARED` or `MS_UNBINDABLE`.
    Propagation,
    /// A remount that would give something back, or change an option.
    Loosening,
    /// The caller is not the container's root, or gave up CAP_SYS_CHROOT.
    Caller,
    /// The caller, or what it names, is not of this container.
    Outside,
    /// The target is a file system of the kernel's own, or `/`.
    Target,
    /// The target is a mount that others share.
    Shared,
    /// A layer on a file system of the kernel's own, or with mounts below it.
    Layer,
    /// A bind of mounts of which some may not be bound.
    Unbindable,
    /// Not mounted by such an order.
    NotOurs,
}

impl Refusal {
    /// The words for the record.
    pub(crate) fn reason(self) -> Reason {
        let (why, allow) = match self {
            Self::FileSystem => (
                "its file system is none of those that may be mounted inside",
                "tmpfs, proc, devpts and overlay may; declare others in config.json (mounts[])",
            ),
            Self::Option => (
                "it has an option that is not on the list, or beyond its bounds",
                "the options and bounds stand in docs/compatibility.md",
            ),
            Self::Flag => ("it has a flag that is not on the list", "the flags stand in docs/compatibility.md"),
            Self::Move => ("moving a mount uncovers what lies under it", "unmount it and mount it anew"),
            Self::Propagation => (
                "a shared mount spreads to where nobody looked, an unbindable one falls out of binds and uncovers",
                "MS_PRIVATE and MS_SLAVE are done",
            ),
            Self::Loosening => ("a remount may only take rights away", "nothing does; unmount it and mount it anew"),
            Self::Caller => (
                "only root of the container with CAP_SYS_CHROOT may mount",
                "call as root, and leave CAP_SYS_CHROOT in process.capabilities",
            ),
            Self::Outside => ("the caller is not of this container", "nothing does"),
            Self::Target => (
                "the kernel's own file systems and the root are not to be covered",
                "mount it elsewhere; nothing may cover masked paths",
            ),
            Self::Shared => ("a mount there would appear elsewhere too", "make it private first (MS_PRIVATE)"),
            Self::Layer => (
                "an overlay would show what the mounts below its layer cover",
                "take directories without mounts below them, on a file system of the container's",
            ),
            Self::Unbindable => (
                "a bind would leave an unbindable mount out and uncover what it covers",
                "declare no mount unbindable in config.json (mounts[])",
            ),
            Self::NotOurs => (
                "it was not mounted from inside by itself; unmounting it may uncover masked paths",
                "unmount the mount that it belongs to; those of config.json stay",
            ),
        };
        Reason { technique: Event::Mount.technique(), why, allow }
    }
}
