//! The agent: a process with the caller's rights, root and working directory. It follows the path and connects, and
//! whoever listens sees the caller's user and group (`SO_PEERCRED`; the process id is the agent's).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sched::CloneFlags;
use nix::unistd::{Gid, Uid};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix};
use rustix::process::Pid;

use super::caller::{Caller, Rights};
use super::{Connect, FromAgent, broken};
use crate::channel;
use crate::sys;
use crate::worker;

/// Connects `socket` to `address` for `caller`. A path is first reported over `channel`, with what it leads to, and connected to only
/// when the other side says so.
///
/// # Errors
/// What the caller's own connect(2) would have failed with.
pub(super) fn connect(
    channel: &OwnedFd,
    init: BorrowedFd<'_>,
    caller: &Caller,
    (socket, address): (&OwnedFd, &[u8]),
    us: Pid,
) -> io::Result<()> {
    // Where the numbers of our descriptors are paths; the container's own procfs shows it nothing of this process.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptors = rustix::fs::open("/proc/self/fd", flags, Mode::empty())?;
    nix::sched::setns(init, CloneFlags::CLONE_NEWUSER)?;
    let rights = caller.rights()?;
    rustix::process::fchdir(&caller.root)?;
    rustix::process::chroot(".")?;
    rustix::process::fchdir(&caller.working_directory)?;
    rights.take()?;
    // The change of credentials has taken it back.
    worker::die_with(us)?;
    let at_once = || {
        channel::send(channel, &FromAgent::Connecting, None).map_err(broken)?;
        sys::socket::connect(socket, address)
    };
    let domain = rustix::net::sockopt::socket_domain(socket)?;
    if domain != AddressFamily::UNIX {
        return at_once();
    }
    match path_of(address) {
        Some(path) => {
            let file = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            channel::send(channel, &FromAgent::Found, Some(&file)).map_err(broken)?;
            channel::receive::<Connect>(channel).map_err(broken)?;
            rustix::process::fchdir(&descriptors)?;
            let this = SocketAddrUnix::new(file.as_raw_fd().to_string())?;
            Ok(rustix::net::connect(socket, &this)?)
        }
        // Landlock keeps a sandbox from the abstract sockets of a network namespace that it shares; that wall would not
        // stand around us.
        None if caller.shares_network && is_abstract(address) => Err(io::Error::from_raw_os_error(libc::EPERM)),
        None => at_once(),
    }
}

/// The bytes after the family, of a unix address.
fn name_of(address: &[u8]) -> Option<&[u8]> {
    let (family, name) = address.split_first_chunk::<2>()?;
    (i32::from(u16::from_ne_bytes(*family)) == libc::AF_UNIX && !name.is_empty()).then_some(name)
}

fn is_abstract(address: &[u8]) -> bool {
    name_of(address).is_some_and(|name| name.starts_with(&[0]))
}

/// The path of a unix address (unix(7)): up to its first NUL, or as long as it is.
fn path_of(address: &[u8]) -> Option<&OsStr> {
    let name = name_of(address).filter(|name| !name.starts_with(&[0]))?;
    name.split(|byte| *byte == 0).next().map(OsStr::from_bytes)
}

impl Rights {
    /// Has this process act with them, and with no others.
    fn take(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        nix::unistd::setgroups(&groups)?;
        nix::unistd::setresgid(gid, gid, gid)?;
        caps::securebits::set_keepcaps(true).map_err(io::Error::other)?;
        nix::unistd::setresuid(uid, uid, uid)?;
        let has = |capability: &Capability| self.capabilities & capability.bitmask() != 0;
        let wanted: CapsHashSet = caps::all().into_iter().filter(has).collect();
        // None at first: what is effective has to be permitted.
        let steps =
            [(CapSet::Effective, &CapsHashSet::new()), (CapSet::Permitted, &wanted), (CapSet::Effective, &wanted)];
        steps.into_iter().try_for_each(|(set, value)| caps::set(None, set, value)).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(name: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(libc::AF_UNIX).unwrap().to_ne_bytes().to_vec();
        bytes.extend_from_slice(name);
        bytes
    }

    #[test]
    fn paths_and_abstract_names_are_told_apart() {
        assert_eq!(path_of(&unix(b"/run/x\0y")), Some(OsStr::new("/run/x")));
        assert_eq!(path_of(&unix(b"x")), Some(OsStr::new("x")));
        assert_eq!((path_of(&unix(b"\0x")), is_abstract(&unix(b"\0x"))), (None, true));
        assert_eq!((path_of(&unix(b"")), is_abstract(&unix(b""))), (None, false));
        assert_eq!((path_of(&[2, 0, 1]), is_abstract(&[2, 0, 0]), path_of(&[1])), (None, false, None));
    }
}
