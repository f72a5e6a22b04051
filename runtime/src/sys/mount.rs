//! `mount_setattr(2)`: attributes, propagation and id mapping of a mount, by file descriptor; and which mount a file is on.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What to change on a mount: `struct mount_attr` of `mount_setattr(2)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MountAttr<'fd> {
    /// `MOUNT_ATTR_*` bits to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` bits to clear.
    pub clear: u64,
    /// One of `MS_PRIVATE`, `MS_SHARED`, `MS_SLAVE`, `MS_UNBINDABLE`, or 0 to leave it.
    pub propagation: u64,
    /// The user namespace whose mapping the mount shall show. Only for a detached mount that has none yet.
    pub idmap: Option<BorrowedFd<'fd>>,
}

/// Changes the mount at `fd` (opened with `O_PATH` or by `open_tree`), or its whole tree.
///
/// # Errors
/// The kernel's own: `EINVAL` when the file system cannot be id-mapped or the mount is not detached, `EPERM` when a
/// flag is locked.
pub fn mount_setattr(fd: impl AsFd, attr: &MountAttr<'_>, recursive: bool) -> io::Result<()> {
    let mut raw =
        libc::mount_attr { attr_set: attr.set, attr_clr: attr.clear, propagation: attr.propagation, userns_fd: 0 };
    if let Some(userns) = attr.idmap {
        raw.attr_set |= libc::MOUNT_ATTR_IDMAP;
        raw.userns_fd = u64::try_from(userns.as_raw_fd()).map_err(io::Error::other)?;
    }
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated literal, `raw` is a live struct mount_attr and its size is passed with it;
    // the kernel reads both and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const raw,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `STATX_ATTR_MOUNT_ROOT` of `linux/stat.h`.
const MOUNT_ROOT: u64 = 0x2000;

/// The id of the mount that `path` below `at` (or `at` itself, when it is empty) is on, as the mount table has it, and
/// whether the file is that mount's root. A link as the last component is not followed.
///
/// # Errors
/// As `statx(2)`; `ENOTSUP` on a kernel that does not tell (before 5.8).
pub fn mount_of(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<(u64, bool)> {
    let path = path.into_c_str()?;
    let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `path` is NUL-terminated and lives through the call; `found` has room for a struct statx, which the kernel fills.
    let result =
        unsafe { libc::statx(at.as_fd().as_raw_fd(), path.as_ptr(), flags, libc::STATX_MNT_ID, found.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: struct statx is plain integers, for which the zeroes it began with are valid values too.
    let found = unsafe { found.assume_init() };
    if found.stx_mask & libc::STATX_MNT_ID == 0 || found.stx_attributes_mask & MOUNT_ROOT == 0 {
        return Err(io::Error::from_raw_os_error(libc::ENOTSUP));
    }
    Ok((found.stx_mnt_id, found.stx_attributes & MOUNT_ROOT != 0))
}
