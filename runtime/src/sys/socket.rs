//! connect(2) to an address that comes as bytes.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// Connects to a `struct sockaddr` of any family. The kernel checks length and content.
///
/// # Errors
/// As connect(2).
pub fn connect(socket: impl AsFd, address: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(address.len()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes, which the slice has, and keeps no pointer to them.
    let result = unsafe { libc::connect(socket.as_fd().as_raw_fd(), address.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
