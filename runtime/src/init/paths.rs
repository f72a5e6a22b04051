//! Masked and read-only paths.
//!
//! What covers a masked file is a clone of the verified null device that the launcher opened on the host, never the
//! container's own `/dev/null`, which its image may have made a link to something else (CVE-2025-31133).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, OFlags};
use rustix::mount::OpenTreeFlags;

use super::error::InitError;
use super::inside::KernelMounts;
use super::mounts;
use super::orders::Orders;
use crate::sys::mount::{MountAttr, mount_setattr};

/// Hides the masked paths and makes the read-only ones so. A path that the container does not have is passed over,
/// as the runtime spec's callers expect.
pub(super) fn protect(orders: &Orders, kernel: &KernelMounts, null: &OwnedFd) -> Result<(), InitError> {
    for path in &orders.readonly_paths {
        make_readonly(orders, kernel, path).or_else(absent).map_err(|source| InitError::Path {
            operation: "make read-only (linux.readonlyPaths)",
            path: path.clone(),
            source,
        })?;
    }
    let mut empty = None;
    for path in &orders.masked_paths {
        mask(orders, kernel, path, (null, &mut empty)).or_else(absent).map_err(|source| InitError::Path {
            operation: "mask (linux.maskedPaths)",
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

fn absent(error: io::Error) -> io::Result<()> {
    let absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    if absent { Ok(()) } else { Err(error) }
}

fn make_readonly(orders: &Orders, kernel: &KernelMounts, path: &Path) -> io::Result<()> {
    let target = kernel.open(&orders.root.tree, path, OFlags::PATH)?;
    let tree = clone_tree(&target, true)?;
    let readonly = MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    mount_setattr(&tree, &readonly, true)?;
    mounts::move_to(&tree, &target)
}

fn mask(
    orders: &Orders,
    kernel: &KernelMounts,
    path: &Path,
    (null, empty): (&OwnedFd, &mut Option<OwnedFd>),
) -> io::Result<()> {
    let target = kernel.open(&orders.root.tree, path, OFlags::PATH)?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&target)?.st_mode);
    if kind != FileType::Directory {
        return mounts::move_to(clone_tree(null, false)?, &target);
    }
    if let Some(empty) = empty {
        return mounts::move_to(clone_tree(&*empty, false)?, &target);
    }
    let made = empty_directory()?;
    mounts::move_to(&made, &target)?;
    *empty = Some(made);
    Ok(())
}

/// An empty directory that nobody can write to.
fn empty_directory() -> io::Result<OwnedFd> {
    let size = [(c"size".to_owned(), Some(c"0".to_owned())), (c"mode".to_owned(), Some(c"555".to_owned()))];
    let tree = mounts::make(c"tmpfs", c"tmpfs", &size)?;
    let set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    mount_setattr(&tree, &MountAttr { set, ..MountAttr::default() }, false)?;
    Ok(tree)
}

/// A detached clone of the mount at `place`.
fn clone_tree(place: impl AsFd, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(place, "", flags)?)
}
