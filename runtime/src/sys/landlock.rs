//! `landlock_create_ruleset(2)`: which version of Landlock the kernel enforces. Domains are made by the crate `landlock`.

use std::io;

/// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
const VERSION: u32 = 1;

/// The version of the kernel's interface, from 1 on.
///
/// # Errors
/// `ENOSYS` before Linux 5.13, `EOPNOTSUPP` where it is not among the security modules of this boot.
pub fn version() -> io::Result<i64> {
    // SAFETY: with LANDLOCK_CREATE_RULESET_VERSION the kernel takes no attributes: a null pointer and the size 0.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    if version >= 0 { Ok(version) } else { Err(io::Error::last_os_error()) }
}
