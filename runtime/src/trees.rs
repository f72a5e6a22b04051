//! The container's mounts and devices, opened on the host's side as detached trees before the clone.
//!
//! A bind source is cloned from the descriptor that policy judged, not from its path, so what was admitted is what is
//! mounted. In sandbox mode every bind is `nosuid,nodev` and id-mapped; a file system that cannot be is refused by name.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use crate::detached::{clone_in_peer_group, clone_tree};
use crate::idmap;
use crate::init::orders::{Below, CgroupHierarchy, DeviceOrder, MountOrder, MountSource};
use crate::network;
use crate::spec::container::{Device, DeviceKind, IdMappings, IdRange, Propagation};
use crate::spec::mounts::{Mount, MountKind, Reach, attr};
use crate::sys::mount::{MountAttr, mount_setattr};

/// The device nodes that every container gets (runtime-spec, "Default Devices").
const DEFAULT_DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Most terminals of one sandbox whose bundle sets no limit.
const TERMINALS: &str = "256";

/// Why a mount or device could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A bind source.
    #[error("could not open mounts[{index}].source {path}")]
    Source {
        /// Index in `mounts`.
        index: usize,
        /// The source.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A bind source on a file system that cannot be id-mapped.
    #[error("the file system of mounts[{index}].source {path} cannot be id-mapped")]
    Idmap {
        /// Index in `mounts`.
        index: usize,
        /// The source.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Attributes of a bind.
    #[error("could not set the options of mounts[{index}] ({path})")]
    Attributes {
        /// Index in `mounts`.
        index: usize,
        /// The source.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A device node of the host.
    #[error("the host's {path} is not the device {major}:{minor}")]
    Device {
        /// Its path.
        path: PathBuf,
        /// Expected major number.
        major: u32,
        /// Expected minor number.
        minor: u32,
        /// The cause, when it could not be opened at all.
        #[source]
        source: Option<io::Error>,
    },
    /// A sysfs for a network namespace that belongs to the host.
    #[error("could not mount a sysfs for the joined network namespace")]
    Sysfs(#[source] io::Error),
}

impl TreeError {
    /// Stable number of this error, 1520-1529.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Source { .. } => 1520,
            Self::Idmap { .. } => 1521,
            Self::Attributes { .. } => 1522,
            Self::Device { .. } => 1524,
            Self::Sysfs(_) => 1525,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Source { .. } => "the source of a bind mount must exist on the host",
            Self::Idmap { .. } => "put the data on ext4, xfs, btrfs or tmpfs, or run this container with --mode native",
            Self::Device { .. } => "lazaret needs a /dev with the standard nodes on the host",
            Self::Attributes { .. } | Self::Sysfs(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// A v1 hierarchy that a cgroup mount shows: as [`CgroupHierarchy`], with the path of the container's own cgroup on the host
/// when that is to be bound.
#[derive(Debug)]
pub struct ShownHierarchy {
    /// The folder's name.
    pub folder: String,
    /// The mount's options.
    pub data: Vec<(CString, Option<CString>)>,
    /// The container's cgroup, when it has no cgroup namespace.
    pub own: Option<PathBuf>,
}

/// What the preparation depends on.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The container's user namespace, if it has one of its own.
    pub userns: Option<BorrowedFd<'a>>,
    /// Its mapping, where known.
    pub mappings: &'a IdMappings,
    /// Sandbox mode: id-map and restrict every bind.
    pub sandbox: bool,
    /// A network namespace that is joined and belongs to the host.
    pub joined_network: Option<BorrowedFd<'a>>,
    /// v1 hierarchies that a cgroup mount shows.
    pub cgroup_hierarchies: &'a [ShownHierarchy],
    /// Whether the container has a cgroup of its own to show.
    pub has_cgroup: bool,
    /// Whether we are an ordinary user, who cannot id-map a mount (and need not: the ids are the user's own).
    pub rootless: bool,
    /// The user ids of the bundle's own mapping, if it has one: what belongs to one of them is not id-mapped.
    pub mapped: &'a [IdRange],
}

/// Prepares the mounts. `judged` yields the descriptor of a bind source that policy opened.
///
/// # Errors
/// See [`TreeError`].
pub fn prepare_mounts<'j>(
    mounts: &[Mount],
    judged: impl Fn(usize) -> Option<&'j OwnedFd>,
    setting: Setting<'_>,
) -> Result<Vec<MountOrder>, TreeError> {
    mounts.iter().map(|mount| prepare_mount(mount, judged(mount.index), setting)).collect()
}

fn prepare_mount(mount: &Mount, judged: Option<&OwnedFd>, setting: Setting<'_>) -> Result<MountOrder, TreeError> {
    let source = match &mount.kind {
        MountKind::Bind { source, recursive } => bind(mount, source, *recursive, judged, setting)?,
        // What a mount would show is where we are, with processes of ours in it.
        MountKind::Filesystem { fstype, .. } if is_cgroup(fstype) && !setting.has_cgroup => nothing(),
        MountKind::Filesystem { fstype, .. } if is_cgroup(fstype) => {
            MountSource::Cgroup { hierarchies: cgroup_hierarchies(mount, setting)? }
        }
        MountKind::Filesystem { fstype, .. } if fstype == "sysfs" && setting.joined_network.is_some() => {
            joined_sysfs(setting)?
        }
        MountKind::Filesystem { fstype, source, data, copy_up } => {
            filesystem((fstype, source), data, *copy_up, setting)
        }
    };
    let is_bind = matches!(mount.kind, MountKind::Bind { .. });
    // The attributes of a bind's tree are set already: here it still is ours alone.
    let (attr_set, attr_clear) = if is_bind { (0, 0) } else { attributes_of_one(mount) };
    Ok(MountOrder {
        index: Some(mount.index),
        destination: mount.destination.clone(),
        source,
        attr_set,
        attr_clear,
        propagation: mount.propagation,
    })
}

fn cgroup_hierarchies(mount: &Mount, setting: Setting<'_>) -> Result<Vec<CgroupHierarchy>, TreeError> {
    let hierarchy = |shown: &ShownHierarchy| {
        let bound = shown.own.as_ref().map(|path| {
            let failed = |source| TreeError::Source { index: mount.index, path: path.clone(), source };
            clone_tree(rustix::fs::CWD, path, false).map_err(failed)
        });
        Ok(CgroupHierarchy { folder: shown.folder.clone(), data: shown.data.clone(), tree: bound.transpose()? })
    };
    setting.cgroup_hierarchies.iter().map(hierarchy).collect()
}

/// The attributes to set and to clear on a mount without a tree: those of the tree are its own, and are named last.
fn attributes_of_one(mount: &Mount) -> (u64, u64) {
    let set = (mount.attr_set & !mount.recursive_attr_clear) | mount.recursive_attr_set;
    (set, (mount.attr_clear | mount.recursive_attr_clear) & (!set | attr::ATIME))
}

fn is_cgroup(fstype: &str) -> bool {
    fstype == "cgroup" || fstype == "cgroup2"
}

/// An empty file system that takes no file.
fn nothing() -> MountSource {
    let data = [("mode", "555"), ("size", "4k"), ("nr_inodes", "1")];
    let data = data.iter().map(|(key, value)| (text(key), Some(text(value)))).collect();
    MountSource::Filesystem { fstype: text("tmpfs"), source: text("cgroup"), data, below: Below::default() }
}

fn bind(
    mount: &Mount,
    path: &Path,
    recursive: bool,
    judged: Option<&OwnedFd>,
    setting: Setting<'_>,
) -> Result<MountSource, TreeError> {
    let index = mount.index;
    // Only a bundle that asks for it, and no sandbox, stays in touch with the mounts of the host.
    let clone = match mount.propagation {
        Some((Propagation::Shared | Propagation::Slave, _)) => clone_in_peer_group,
        Some((Propagation::Private | Propagation::Unbindable, _)) | None => clone_tree,
    };
    let open = || -> io::Result<(OwnedFd, bool)> {
        let tree = match judged {
            Some(fd) => clone(fd.as_fd(), Path::new(""), recursive)?,
            None => clone(rustix::fs::CWD, path, recursive)?,
        };
        let directory = FileType::from_raw_mode(rustix::fs::fstat(&tree)?.st_mode) == FileType::Directory;
        Ok((tree, directory))
    };
    let (tree, directory) = open().map_err(|source| TreeError::Source { index, path: path.to_owned(), source })?;
    let own = mount_userns(mount)?;
    let is_owned = idmap::is_owned(setting.mapped, &tree).map_err(|source| TreeError::Source {
        index,
        path: path.to_owned(),
        source,
    })?;
    let wanted = (setting.sandbox && !setting.rootless && !is_owned) || mount.idmap.is_some();
    let idmap = own.as_ref().map(AsFd::as_fd).or(setting.userns.filter(|_userns| wanted));
    if idmap.is_some() {
        let whole = if setting.sandbox { recursive } else { mount.idmap == Some(Reach::Tree) };
        mount_setattr(&tree, &MountAttr { idmap, ..MountAttr::default() }, whole)
            .map_err(|source| TreeError::Idmap { index, path: path.to_owned(), source })?;
    }
    set_attributes(mount, &tree, setting).map_err(|source| TreeError::Attributes {
        index,
        path: path.to_owned(),
        source,
    })?;
    Ok(MountSource::Tree { tree, directory })
}

/// A user namespace with the mount's own mapping, when it has one.
fn mount_userns(mount: &Mount) -> Result<Option<OwnedFd>, TreeError> {
    if mount.id_mappings.uids.is_empty() {
        return Ok(None);
    }
    idmap::new_user_namespace(&mount.id_mappings).map(Some).map_err(|error| TreeError::Idmap {
        index: mount.index,
        path: mount.destination.clone(),
        source: io::Error::other(error),
    })
}

fn set_attributes(mount: &Mount, tree: &OwnedFd, setting: Setting<'_>) -> io::Result<()> {
    let forced = if setting.sandbox { libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV } else { 0 };
    let own = MountAttr { set: mount.attr_set, clear: mount.attr_clear & !forced, ..MountAttr::default() };
    if own.set | own.clear != 0 {
        mount_setattr(tree, &own, false)?;
    }
    let all = MountAttr {
        set: mount.recursive_attr_set | forced,
        clear: mount.recursive_attr_clear & !forced,
        ..MountAttr::default()
    };
    if all.set | all.clear != 0 {
        mount_setattr(tree, &all, true)?;
    }
    Ok(())
}

fn filesystem(
    (fstype, source): (&str, &str),
    data: &[(String, Option<String>)],
    copy_up: bool,
    setting: Setting<'_>,
) -> MountSource {
    let mapped = |value: &str| {
        value.parse().is_ok_and(|id| setting.userns.is_none() || idmap::to_host(&setting.mappings.gids, id).is_some())
    };
    let keep = |(key, value): &&(String, Option<String>)| {
        // devpts' usual gid=5 is an error in a namespace that does not map group 5; without it the opener's group is used.
        let unmapped = !setting.mappings.gids.is_empty() && !value.as_deref().is_some_and(mapped);
        !(unmapped && fstype == "devpts" && key == "gid")
    };
    // The machine has one pool of terminals (kernel.pty.max); one container shall not take it all.
    let has_mode = data.iter().any(|(key, _)| key == "mode");
    let bounded = data.iter().any(|(key, _)| key == "max");
    let bound = (setting.sandbox && fstype == "devpts" && !bounded).then(|| (text("max"), Some(text(TERMINALS))));
    let data =
        data.iter().filter(keep).map(|(key, value)| (text(key), value.as_deref().map(text))).chain(bound).collect();
    let below = Below { keep_mode: fstype == "tmpfs" && !has_mode, copy_up };
    MountSource::Filesystem { fstype: text(fstype), source: text(source), data, below }
}

/// The text up to a NUL, which JSON can carry and the kernel cannot.
fn text(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

/// A sysfs that shows the joined network namespace, read-only. In it the container's user namespace has no right to
/// mount one, so we do, from within it.
fn joined_sysfs(setting: Setting<'_>) -> Result<MountSource, TreeError> {
    let Some(network_fd) = setting.joined_network else {
        return Err(TreeError::Sysfs(io::ErrorKind::InvalidInput.into()));
    };
    let tree = network::within(network_fd, || {
        let sysfs = crate::init::new_filesystem(c"sysfs", c"sysfs", &[])?;
        mount_setattr(&sysfs, &MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() }, false)?;
        Ok(sysfs)
    });
    Ok(MountSource::Tree { tree: tree.map_err(TreeError::Sysfs)?, directory: true })
}

/// Prepares the default devices and the bundle's own: bound from the host in a user namespace, made otherwise.
///
/// # Errors
/// [`TreeError::Device`].
pub fn prepare_devices(devices: &[Device], null: &OwnedFd, in_userns: bool) -> Result<Vec<DeviceOrder>, TreeError> {
    let defaults = DEFAULT_DEVICES.iter().map(|(path, major, minor)| Device {
        path: path.into(),
        kind: DeviceKind::Character(*major, *minor),
        mode: 0o666,
        uid: 0,
        gid: 0,
    });
    let listed = |path: &Path| devices.iter().any(|device| device.path == path);
    let all = defaults.filter(|device| !listed(&device.path)).chain(devices.iter().cloned());
    all.map(|device| {
        // The null device is bound always: masking clones it from where it is attached.
        let tree = if device.path == Path::new("/dev/null") {
            Some(null.try_clone().map_err(|source| broken(&device, source))?)
        } else if let (true, DeviceKind::Character(major, minor)) = (in_userns, device.kind) {
            Some(host_node(&device.path, major, minor)?)
        } else {
            None
        };
        Ok(DeviceOrder { device, tree })
    })
    .collect()
}

fn broken(device: &Device, source: io::Error) -> TreeError {
    TreeError::Device { path: device.path.clone(), major: 1, minor: 3, source: Some(source) }
}

/// The host's null device, verified, as a detached mount.
///
/// # Errors
/// [`TreeError::Device`].
pub fn null_device() -> Result<OwnedFd, TreeError> {
    host_node(Path::new("/dev/null"), 1, 3)
}

fn host_node(path: &Path, major: u32, minor: u32) -> Result<OwnedFd, TreeError> {
    let refuse = |source| TreeError::Device { path: path.to_owned(), major, minor, source };
    let open = || -> io::Result<(OwnedFd, bool)> {
        let tree = clone_tree(rustix::fs::CWD, path, false)?;
        let stat = rustix::fs::fstat(&tree)?;
        let right = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && stat.st_rdev == rustix::fs::makedev(major, minor);
        let set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
        mount_setattr(&tree, &MountAttr { set, ..MountAttr::default() }, false)?;
        Ok((tree, right))
    };
    match open() {
        Ok((tree, true)) => Ok(tree),
        Ok((_, false)) => Err(refuse(None)),
        Err(source) => Err(refuse(Some(source))),
    }
}
