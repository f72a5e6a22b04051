//! Any packet, with any descriptors, is one error or a message that goes through the same channel once more unchanged;
//! no descriptor is left behind.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use lazaret_sentry::handoff;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};

/// Words of the messages.
pub const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\u0000",
    "\"version\":",
    "\"message\":",
    "\"handoff\"",
    "\"jailed\"",
    "\"watching\"",
    "\"failed\"",
    "\"answer\"",
    "\"ticket\":",
    "18446744073709551615",
    "-1",
    "1e400",
    "null",
    "true",
    "\"errno\"",
    "\"kill\"",
    "\"done\"",
    "\"notify\"",
    "\"ptrace\"",
    "\"secs\":",
    "\"nanos\":",
];

/// Descriptors that come along at most: more than a receiver takes.
const DESCRIPTORS: usize = 6;

/// Bytes of a packet at most: more than a receiver takes.
const PACKET: usize = 8192;

/// Runs it.
pub fn run(input: &[u8]) {
    let Some((first, packet)) = input.split_first() else { return };
    let packet = packet.get(..PACKET).unwrap_or(packet);
    let count = usize::from(first >> 1) % (DESCRIPTORS + 1);
    let (ours, theirs) = pair();
    let descriptors = vec![ours.as_fd(); count];
    send(&ours, packet, &descriptors);
    if first & 1 == 0 {
        // Without this end a receiver would wait for the next packet where there was none.
        if let Ok(received) = handoff::receive_from_monitor(theirs.as_fd()) {
            assert!(received.descriptors.len() == count, "{} of {count} descriptors", received.descriptors.len());
            handoff::send_to_sentry(ours.as_fd(), &received.message, &[]).expect("what was a packet fits a packet");
            let again = handoff::receive_from_monitor(theirs.as_fd()).expect("a message");
            assert_eq!(again.message, received.message);
        }
    } else if let Ok(message) = handoff::receive_from_sentry(theirs.as_fd(), Some(Duration::ZERO)) {
        handoff::send_to_monitor(ours.as_fd(), &message).expect("what was a packet fits a packet");
        assert_eq!(handoff::receive_from_sentry(theirs.as_fd(), Some(Duration::ZERO)).expect("a message"), message);
    }
    drop(descriptors);
    let highest = rustix::io::fcntl_dupfd_cloexec(&ours, 0).expect("a descriptor");
    assert!(std::os::fd::AsRawFd::as_raw_fd(&highest) < 64, "descriptors are left behind");
}

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("two sockets")
}

fn send(socket: &OwnedFd, packet: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut ancillary, SendFlags::NOSIGNAL).expect("a packet is sent");
}
