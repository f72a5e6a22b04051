//! The container's mounts: new file systems made in its namespaces, and detached trees put in their places.
//!
//! New instances of proc and sysfs are made before the host's tree is dropped: the kernel gives them to a user
//! namespace only while a fully visible one is mounted in its mount namespace (`mount_too_revealing`, fs/namespace.c).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags};

use super::error::InitError;
use super::inside::KernelMounts;
use super::orders::{Below, CgroupHierarchy, MountOrder, MountSource, Orders};
use super::{copy_up, inside, rootfs};
use crate::sys::mount::{MountAttr, mount_setattr};

/// File systems made early, by their place in the orders.
pub(super) type Made = Vec<Option<OwnedFd>>;

/// Makes the instances of every file system among the orders; trees and cgroups are left for [`place`].
pub(super) fn make_filesystems(mounts: &mut [MountOrder]) -> Result<Made, InitError> {
    mounts
        .iter()
        .map(|mount| match &mount.source {
            MountSource::Filesystem { fstype, source, data, .. } => {
                make(fstype, source, data).map(Some).map_err(|error| option_or_mount(mount, error))
            }
            MountSource::Tree { .. } | MountSource::Cgroup { .. } => Ok(None),
        })
        .collect()
}

/// Puts every mount in its place, in the order of the bundle.
pub(super) fn place(orders: &Orders, made: Made) -> Result<KernelMounts, InitError> {
    let mut kernel = KernelMounts::default();
    for (mount, filesystem) in orders.mounts.iter().zip(made) {
        match (&mount.source, filesystem) {
            (MountSource::Tree { tree, directory }, _) => {
                put(orders, mount, tree, *directory)?;
                remember(&mut kernel, mount, tree)
            }
            (MountSource::Filesystem { below, .. }, Some(filesystem)) => {
                take_over(orders, mount, *below, &filesystem)?;
                put(orders, mount, &filesystem, true)?;
                remember(&mut kernel, mount, &filesystem)
            }
            (MountSource::Filesystem { .. }, None) => Ok(()),
            (MountSource::Cgroup { hierarchies }, _) => place_cgroup(orders, mount, hierarchies),
        }?;
    }
    Ok(kernel)
}

/// Gives a new file system what it takes over from the place that it will cover, if there is one.
fn take_over(orders: &Orders, mount: &MountOrder, below: Below, filesystem: &OwnedFd) -> Result<(), InitError> {
    if !below.keep_mode && !below.copy_up {
        return Ok(());
    }
    let place = match inside::find(&orders.root.tree, &mount.destination) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(|source| failed(mount, source))?,
    };
    if below.copy_up {
        copy_up::copy(&place, filesystem, &mount.destination).map_err(|error| InitError::Path {
            operation: "copy up (tmpcopyup)",
            path: error.path,
            source: error.source,
        })?;
    }
    if below.keep_mode {
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&place).map_err(|error| failed(mount, error))?.st_mode);
        rustix::fs::chmodat(filesystem, ".", mode, AtFlags::empty()).map_err(|error| failed(mount, error))?;
    }
    Ok(())
}

fn remember(kernel: &mut KernelMounts, mount: &MountOrder, tree: &OwnedFd) -> Result<(), InitError> {
    let place = match mount.destination.to_str() {
        Some("/proc") => &mut kernel.proc,
        Some("/sys") => &mut kernel.sys,
        _ => return Ok(()),
    };
    *place = Some(tree.try_clone().map_err(|source| failed(mount, source))?);
    Ok(())
}

/// Attaches one tree at its destination inside the root.
fn put(orders: &Orders, mount: &MountOrder, tree: &OwnedFd, directory: bool) -> Result<(), InitError> {
    let attr = MountAttr { set: mount.attr_set, clear: mount.attr_clear, ..MountAttr::default() };
    let placed = || -> io::Result<()> {
        if let MountSource::Filesystem { fstype, .. } = &mount.source
            && [c"proc", c"sysfs"].contains(&fstype.as_c_str())
        {
            refuse_link(orders, mount)?;
        }
        if attr.set | attr.clear != 0 {
            mount_setattr(tree, &attr, false)?;
        }
        let target = if directory {
            inside::make_directory(&orders.root.tree, &mount.destination)?
        } else {
            inside::make_file(&orders.root.tree, &mount.destination)?
        };
        // A link of the image may lead a mount onto kernel interfaces, where it would hide or fake them.
        if !mount.destination.starts_with("/proc") && inside::is_procfs(&target)? {
            return Err(io::Error::other("the destination leads to a procfs"));
        }
        move_to(tree, &target)?;
        if let Some((propagation, recursive)) = mount.propagation {
            let propagation = rootfs::propagation_flag(propagation);
            mount_setattr(tree, &MountAttr { propagation, ..MountAttr::default() }, recursive)?;
        }
        Ok(())
    };
    placed().map_err(|source| failed(mount, source))
}

/// A link of the image in the place of procfs or sysfs would make the masked paths, which are looked up by name, those of
/// another tree (CVE-2019-16884, CVE-2023-27561). The words are runc's.
fn refuse_link(orders: &Orders, mount: &MountOrder) -> io::Result<()> {
    match inside::open(&orders.root.tree, &mount.destination, OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(place) if FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode) != FileType::Directory => {
            Err(io::Error::other("it must be mounted on ordinary directory"))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Attaches a detached tree on an opened place.
pub(super) fn move_to(tree: impl AsFd, target: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree, "", target, "", flags)?)
}

/// A new instance of a file system, as a detached mount.
///
/// # Errors
/// The option that the file system does not take, and why; `None` when it is not about an option.
pub(super) fn make(fstype: &CStr, source: &CStr, data: &[(CString, Option<CString>)]) -> Result<OwnedFd, MakeError> {
    let context = rustix::mount::fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(context.as_fd(), c"source", source)?;
    for (key, value) in data {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(context.as_fd(), key.as_c_str(), value.as_c_str()),
            None => rustix::mount::fsconfig_set_flag(context.as_fd(), key.as_c_str()),
        }
        .map_err(|error| MakeError { option: Some(option_text(key, value.as_deref())), source: error.into() })?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

/// Why an instance of a file system could not be made.
#[derive(Debug)]
pub(super) struct MakeError {
    option: Option<String>,
    source: io::Error,
}

impl From<rustix::io::Errno> for MakeError {
    fn from(error: rustix::io::Errno) -> Self {
        Self { option: None, source: error.into() }
    }
}

impl From<MakeError> for io::Error {
    fn from(error: MakeError) -> Self {
        error.source
    }
}

fn option_text(key: &CStr, value: Option<&CStr>) -> String {
    let key = key.to_string_lossy();
    value.map_or_else(|| key.clone().into_owned(), |value| format!("{key}={}", value.to_string_lossy()))
}

fn option_or_mount(mount: &MountOrder, error: MakeError) -> InitError {
    let Some(option) = error.option else { return failed(mount, error.source) };
    let (fstype, field) = description(mount);
    InitError::MountOption { fstype, destination: mount.destination.clone(), field, option, source: error.source }
}

/// The container's view of its cgroup: cgroup2, or a tmpfs with one folder a v1 hierarchy.
fn place_cgroup(orders: &Orders, mount: &MountOrder, hierarchies: &[CgroupHierarchy]) -> Result<(), InitError> {
    if hierarchies.is_empty() {
        let cgroup2 = make(c"cgroup2", c"cgroup", &[]).map_err(|source| failed(mount, source))?;
        return put(orders, mount, &cgroup2, true);
    }
    let mode = [(c"mode".to_owned(), Some(c"755".to_owned()))];
    let tmpfs = make(c"tmpfs", c"cgroup", &mode).map_err(|source| failed(mount, source))?;
    put(orders, &MountOrder { attr_set: mount.attr_set & !libc::MOUNT_ATTR_RDONLY, ..plain(mount) }, &tmpfs, true)?;
    for shown in hierarchies {
        let destination = mount.destination.join(&shown.folder);
        let order = MountOrder { destination, attr_set: mount.attr_set, ..plain(mount) };
        if let Some(own) = &shown.tree {
            put(orders, &order, own, true)?;
            continue;
        }
        let fstype = if shown.data.is_empty() { c"cgroup2" } else { c"cgroup" };
        let hierarchy = make(fstype, c"cgroup", &shown.data).map_err(|source| failed(mount, source))?;
        put(orders, &order, &hierarchy, true)?;
    }
    let attr = MountAttr { set: mount.attr_set, ..MountAttr::default() };
    mount_setattr(&tmpfs, &attr, false).map_err(|source| failed(mount, source))
}

/// A copy of `mount` without its source, for the parts of a composed mount.
fn plain(mount: &MountOrder) -> MountOrder {
    MountOrder {
        index: mount.index,
        destination: mount.destination.clone(),
        source: MountSource::Cgroup { hierarchies: Vec::new() },
        attr_set: mount.attr_set,
        attr_clear: 0,
        propagation: None,
    }
}

fn failed(mount: &MountOrder, source: impl Into<io::Error>) -> InitError {
    let (fstype, field) = description(mount);
    InitError::Mount { fstype, destination: mount.destination.clone(), field, source: source.into() }
}

/// What a mount is, and where it stands in config.json.
fn description(mount: &MountOrder) -> (String, String) {
    let fstype = match &mount.source {
        MountSource::Tree { .. } => "a bind".to_owned(),
        MountSource::Filesystem { fstype, .. } => fstype.to_string_lossy().into_owned(),
        MountSource::Cgroup { .. } => "cgroup".to_owned(),
    };
    (fstype, mount.index.map_or_else(|| "added by lazaret".to_owned(), |index| format!("mounts[{index}]")))
}
