//! Checked form of one entry of `mounts`: option strings parsed into flags, sources made absolute.

use std::path::PathBuf;

use super::container::{IdMappings, Propagation};

/// One mount of the bundle.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Index in `mounts[]`, for messages.
    pub index: usize,
    /// Where it goes inside the container, absolute.
    pub destination: PathBuf,
    /// What it is.
    pub kind: MountKind,
    /// Per-mount attributes to set (`MOUNT_ATTR_*` bits of `mount_setattr(2)`).
    pub attr_set: u64,
    /// Per-mount attributes to clear.
    pub attr_clear: u64,
    /// Attributes to set on the whole tree (`rro`, `rnosuid` …).
    pub recursive_attr_set: u64,
    /// Attributes to clear on the whole tree (`rrw` …).
    pub recursive_attr_clear: u64,
    /// Propagation to set afterwards, and whether on the whole tree.
    pub propagation: Option<(Propagation, bool)>,
    /// `uidMappings`/`gidMappings` of this mount; empty when none.
    pub id_mappings: IdMappings,
    /// `idmap` or `ridmap` (or mappings of its own): the mount must be id-mapped, with `id_mappings` or, when those are
    /// empty, with the mappings of the container's user namespace.
    pub idmap: Option<Reach>,
}

/// How far an operation on a mount goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The mount alone.
    Mount,
    /// The mount and what is mounted below it.
    Tree,
}

/// The kind of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A bind mount of an absolute host path.
    Bind {
        /// Absolute source on the host.
        source: PathBuf,
        /// `rbind` rather than `bind`.
        recursive: bool,
    },
    /// A new instance of a file system made inside the container's namespaces.
    Filesystem {
        /// `proc`, `sysfs`, `tmpfs`, `devpts`, `mqueue`, `cgroup`, `cgroup2`.
        fstype: String,
        /// The source shown in `/proc/mounts`.
        source: String,
        /// File system parameters (`size=64m`, `mode=1777`, `newinstance` …) as key and value.
        data: Vec<(String, Option<String>)>,
        /// `tmpcopyup`: copy what the image has at the destination into the new tmpfs.
        copy_up: bool,
    },
}

/// `MOUNT_ATTR_*` of `mount_setattr(2)`.
pub mod attr {
    /// Read-only.
    pub const RDONLY: u64 = 0x1;
    /// Set-user-ID bits and file capabilities have no effect.
    pub const NOSUID: u64 = 0x2;
    /// Device nodes cannot be opened.
    pub const NODEV: u64 = 0x4;
    /// Nothing can be executed.
    pub const NOEXEC: u64 = 0x8;
    /// The field of the access-time mode. Relative is 0; a change of the mode must clear the whole field.
    pub const ATIME: u64 = 0x70;
    /// Access times are not written.
    pub const NOATIME: u64 = 0x10;
    /// Access times are always written.
    pub const STRICTATIME: u64 = 0x20;
    /// Access times of directories are not written.
    pub const NODIRATIME: u64 = 0x80;
    /// Symbolic links are not followed.
    pub const NOSYMFOLLOW: u64 = 0x0020_0000;
}
