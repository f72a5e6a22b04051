//! Flags of mount(2) and umount2(2), as in `include/uapi/linux/mount.h`, and what they make of a call. Data.
//!
//! Read by `nested`, `request` and the runtime.

/// No writes.
pub const RDONLY: u64 = 0x1;
/// No set-user-id.
pub const NOSUID: u64 = 0x2;
/// No devices.
pub const NODEV: u64 = 0x4;
/// No execution.
pub const NOEXEC: u64 = 0x8;
/// Change what is mounted.
pub const REMOUNT: u64 = 0x20;
/// No symbolic links.
pub const NOSYMFOLLOW: u64 = 0x100;
/// No access times.
pub const NOATIME: u64 = 0x400;
/// None of directories.
pub const NODIRATIME: u64 = 0x800;
/// Show a place elsewhere.
pub const BIND: u64 = 0x1000;
/// Move a mount.
pub const MOVE: u64 = 0x2000;
/// With all mounts below.
pub const REC: u64 = 0x4000;
/// Without messages of the kernel.
pub const SILENT: u64 = 0x8000;
/// Not to be bound.
pub const UNBINDABLE: u64 = 0x2_0000;
/// In no peer group.
pub const PRIVATE: u64 = 0x4_0000;
/// Following a peer group.
pub const SLAVE: u64 = 0x8_0000;
/// In a peer group.
pub const SHARED: u64 = 0x10_0000;
/// Access times now and then.
pub const RELATIME: u64 = 0x20_0000;
/// Every access time.
pub const STRICTATIME: u64 = 0x100_0000;
/// The mark of programs of before Linux 2.4.
pub const MAGIC: u64 = 0xc0ed_0000;
/// Where it stands.
pub const MAGIC_MASK: u64 = 0xffff_0000;
/// `MNT_DETACH` of umount2(2).
pub const DETACH: u64 = 2;
/// `UMOUNT_NOFOLLOW` of umount2(2).
pub const NOFOLLOW: u64 = 8;

/// What changes the peer group of a mount.
pub const PROPAGATION: u64 = SHARED | PRIVATE | SLAVE | UNBINDABLE;

/// Whether a mount(2) with these flags is about what is mounted already.
pub(crate) fn is_about_what_is_mounted(flags: u64) -> bool {
    plain(flags) & (REMOUNT | BIND | MOVE | PROPAGATION) != 0
}

/// Without the mark.
pub(crate) fn plain(flags: u64) -> u64 {
    if flags & MAGIC_MASK == MAGIC { flags & !MAGIC_MASK } else { flags }
}
