//! Detached mounts: clones of what is mounted, and new tmpfs, by descriptor and in no mount namespace.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::sys::mount::{MountAttr, mount_setattr};

/// A detached clone of what is at `path` below `at` (the descriptor itself when `path` is empty), with private
/// propagation.
///
/// A clone alone stays in the peer group of what it was cloned from: mounts of the container would appear on the host,
/// and the host's later ones in the container. pivot_root(2) refuses such a root, too.
pub(crate) fn clone_tree(at: BorrowedFd<'_>, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let tree = clone_in_peer_group(at, path, recursive)?;
    let private = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    mount_setattr(&tree, &private, recursive)?;
    Ok(tree)
}

/// The same, in the peer group of the original: for `shared` and `slave` mounts.
pub(crate) fn clone_in_peer_group(at: BorrowedFd<'_>, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(at, path, flags)?)
}

/// A new tmpfs as a detached mount.
pub(crate) fn tmpfs(options: &[(&str, &str)]) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(context.as_fd(), OsString::from(key), *value)?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}
