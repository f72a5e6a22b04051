//! Questions to a namespace descriptor (`ioctl_nsfs(2)`) and the loopback interface of a new network namespace.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// `NS_GET_USERNS` of `linux/nsfs.h`: `_IO(0xb7, 0x1)`.
const NS_GET_USERNS: libc::c_ulong = 0xb701;

/// The user namespace that owns the namespace `fd`.
///
/// # Errors
/// `EPERM` when that user namespace is outside the caller's own.
pub fn owner(fd: impl AsFd) -> io::Result<OwnedFd> {
    // SAFETY: NS_GET_USERNS takes no argument.
    let owner = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), NS_GET_USERNS) };
    if owner < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a non-negative result is a new descriptor that nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(owner) })
}

/// `NS_GET_NSTYPE` of `linux/nsfs.h`: `_IO(0xb7, 0x3)`.
const NS_GET_NSTYPE: libc::c_ulong = 0xb703;

/// The kind of the namespace `fd`, as its `CLONE_NEW*` flag.
///
/// # Errors
/// `ENOTTY` when it is no namespace.
pub fn kind(fd: impl AsFd) -> io::Result<i32> {
    // SAFETY: NS_GET_NSTYPE takes no argument.
    let kind = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), NS_GET_NSTYPE) };
    if kind < 0 { Err(io::Error::last_os_error()) } else { Ok(kind) }
}

/// Sets the loopback interface of the current network namespace up, as every engine expects of a new one.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over the namespace.
pub fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: ifreq is plain data, for which zero is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).map_err(io::Error::other)?;
    request.ifr_ifru.ifru_flags = flags;
    // SAFETY: SIOCSIFFLAGS reads a struct ifreq, which `request` is for the length of the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
