//! The listener's side of a console or pidfd socket: takes the descriptor, and talks to the terminal behind it.

use std::io::{IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The descriptor that comes with the first message on a connection.
///
/// # Panics
/// When none comes.
#[must_use]
pub fn receive(listener: &UnixListener) -> OwnedFd {
    let (connection, _) = listener.accept().unwrap();
    let mut bytes = [0_u8; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut rights) = message {
            return rights.next().expect("one descriptor");
        }
    }
    panic!("no descriptor came");
}

/// Types `input` at a terminal and returns what it shows until its other end is closed.
///
/// # Panics
/// When it cannot be written to.
#[must_use]
pub fn converse(master: OwnedFd, input: &[u8]) -> String {
    let mut terminal = std::fs::File::from(master);
    terminal.write_all(input).unwrap();
    let mut text = String::new();
    let mut bytes = [0_u8; 256];
    // The master answers EIO when the last terminal end is closed.
    while let Ok(count) = terminal.read(&mut bytes) {
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    text
}
