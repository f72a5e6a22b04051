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
