//! What a mode admits: the judgement on a checked configuration before anything of it is made.
//!
//! `lifecycle::create` calls [`sandbox::admit`] between `spec::check` and the launcher; native mode has no policy. The
//! facts about the machine are gathered by [`host`] and [`object`], the rules are data in [`tables`], and the decision in
//! [`sandbox`] looks at nothing but those. Nothing here mounts, joins or changes anything.

pub mod cel;
mod error;
pub mod finding;
pub mod host;
pub mod host_paths;
pub mod mode;
pub mod mountinfo;
pub mod object;
pub mod pattern;
pub mod pod_security;
pub mod profile;
pub mod rules;
pub mod sandbox;
mod standing;
pub mod tables;

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::os::fd::OwnedFd;

pub use error::PolicyError;
pub use standing::Standing;

use crate::spec::container::Capabilities;

/// What the launcher may use: the objects that were judged, held open, and the rights that are left.
///
/// The launcher clones mounts from these descriptors and joins these namespaces. It never opens the paths again, so that
/// nobody can swap what they name in between.
#[derive(Debug)]
pub struct Admitted {
    /// The root file system's directory, opened with `O_PATH`.
    pub rootfs: Source,
    /// Whether one of the bind mounts brings a directory of the host that no engine made for this container: a socket may
    /// appear there later.
    pub has_host_directory: bool,
    /// Per bind mount (its index in `mounts`): what is bound.
    pub binds: BTreeMap<usize, Source>,
    /// Namespaces to join, opened for `setns(2)`.
    pub joins: Vec<(NamespaceKind, OwnedFd)>,
    /// The capabilities that are left under the sandbox's ceiling.
    pub capabilities: Capabilities,
    /// Names of the capabilities that were asked for and are not granted.
    pub clipped: Vec<&'static str>,
    /// What is weaker or other than asked; the caller logs each once.
    pub warnings: Vec<Warning>,
}

/// One object that was judged, opened with `O_PATH | O_CLOEXEC`.
#[derive(Debug)]
pub struct Source {
    /// The object itself.
    pub fd: OwnedFd,
    /// What the mount point must be.
    pub kind: SourceKind,
}

/// What kind of mount point an object needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A directory.
    Directory,
    /// A regular file, or one of the harmless character devices.
    File,
}

/// The kinds of namespaces(7) that a container can join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamespaceKind {
    /// User.
    User,
    /// Mount.
    Mount,
    /// PID.
    Pid,
    /// Network.
    Network,
    /// IPC.
    Ipc,
    /// UTS.
    Uts,
    /// Cgroup.
    Cgroup,
    /// Time.
    Time,
}

impl NamespaceKind {
    /// Every kind.
    pub const ALL: [Self; 8] =
        [Self::User, Self::Mount, Self::Pid, Self::Network, Self::Ipc, Self::Uts, Self::Cgroup, Self::Time];

    /// The name in `linux.namespaces[].type`.
    #[must_use]
    pub fn oci_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// The name of its link in `/proc/PID/ns`.
    #[must_use]
    pub fn proc_name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mnt",
            Self::Pid => "pid",
            Self::Network => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    /// Its flag of `clone(2)` and `setns(2)`.
    #[must_use]
    pub fn clone_flag(self) -> i32 {
        match self {
            Self::User => libc::CLONE_NEWUSER,
            Self::Mount => libc::CLONE_NEWNS,
            Self::Pid => libc::CLONE_NEWPID,
            Self::Network => libc::CLONE_NEWNET,
            Self::Ipc => libc::CLONE_NEWIPC,
            Self::Uts => libc::CLONE_NEWUTS,
            Self::Cgroup => libc::CLONE_NEWCGROUP,
            Self::Time => libc::CLONE_NEWTIME,
        }
    }
}

/// Something that runs weaker or other than the bundle asks, and safe all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The key of `config.json`.
    pub path: &'static str,
    /// What is done instead, and why.
    pub text: String,
}

impl Display for Warning {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.path, self.text)
    }
}
