//! Putting a detached tree in its place, and into the ledger; or taking it back where there are too many.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use lazaret_profiles::nested::FileSystem;
use lazaret_sentry::{limits, mount_flag as flag};
use rustix::mount::{MoveMountFlags, UnmountFlags};

use super::Denied;
use super::caller::mount_of;
use super::inside::Inside;
use super::ledger::Ledger;
use super::table;
use crate::policy::mountinfo::MountTable;
use crate::sys::mount::{MountAttr, mount_setattr};

/// Attaches `tree` on `target`.
pub(super) fn attach(
    tree: &OwnedFd,
    target: &OwnedFd,
    inside: &Inside,
    before: &MountTable,
    ledger: &mut Ledger,
) -> Result<(), Denied> {
    let (id, is_root) = mount_of(target)?;
    table::judge_target(before, id, is_root)?;
    if before.len() >= limits::MOUNTS {
        return Err(Denied::Errno(libc::ENOSPC));
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", target, "", flags)?;
    // How many a tree brings along can be told only now.
    if inside.table()?.len() > limits::MOUNTS {
        inside.go_to_descriptors()?;
        rustix::mount::unmount(tree.as_raw_fd().to_string(), UnmountFlags::DETACH)?;
        return Err(Denied::Errno(libc::ENOSPC));
    }
    ledger.add(mount_of(tree)?.0)
}

/// `MOUNT_ATTR_*` of `MS_*`, as far as they take something away.
pub(super) fn restrictions(flags: u64) -> u64 {
    const PAIRS: [(u64, u64); 5] = [
        (flag::RDONLY, libc::MOUNT_ATTR_RDONLY),
        (flag::NOSUID, libc::MOUNT_ATTR_NOSUID),
        (flag::NODEV, libc::MOUNT_ATTR_NODEV),
        (flag::NOEXEC, libc::MOUNT_ATTR_NOEXEC),
        (flag::NOSYMFOLLOW, libc::MOUNT_ATTR_NOSYMFOLLOW),
    ];
    PAIRS.iter().filter(|(given, _)| flags & given != 0).fold(0, |set, (_, attribute)| set | attribute)
}

/// Gives a new mount the flags that were asked for, and those that every one has. The only devices of a devpts are its own
/// terminals, and nobody can make others there.
pub(super) fn dress(mount: impl AsFd, flags: u64, filesystem: FileSystem) -> Result<(), Denied> {
    let forced = match filesystem {
        FileSystem::Devpts => libc::MOUNT_ATTR_NOSUID,
        FileSystem::Tmpfs | FileSystem::Proc | FileSystem::Overlay => libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
    };
    let times = match flags {
        _ if flags & flag::NOATIME != 0 => libc::MOUNT_ATTR_NOATIME,
        _ if flags & flag::STRICTATIME != 0 => libc::MOUNT_ATTR_STRICTATIME,
        _ => libc::MOUNT_ATTR_RELATIME,
    };
    let directories = if flags & flag::NODIRATIME != 0 { libc::MOUNT_ATTR_NODIRATIME } else { 0 };
    let set = restrictions(flags) | forced | times | directories;
    let attributes = MountAttr { set, clear: libc::MOUNT_ATTR__ATIME, ..MountAttr::default() };
    Ok(mount_setattr(mount, &attributes, false)?)
}
