//! One message a packet of an `AF_UNIX` `SOCK_SEQPACKET` pair, as JSON, with descriptors by `SCM_RIGHTS`.
//!
//! Used by both sides of the launcher's socket. It must not decide anything: both ends are ours.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest message: a create with the paths of 500 layers fits; `net.core.wmem_default` (208 KiB) is the wall behind.
const BYTES: usize = 128 * 1024;

/// Most descriptors of one message: three of stdio.
const DESCRIPTORS: usize = 4;

/// A connected pair, both ends close-on-exec.
///
/// # Errors
/// As `socketpair(2)`.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends `message` and `descriptors`.
///
/// # Errors
/// `InvalidInput` for a message that is too long, else as `sendmsg(2)`; `WouldBlock` on a full non-blocking socket.
pub(crate) fn send<M: Serialize>(socket: impl AsFd, message: &M, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message of more than 128 KiB"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors in one message"));
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message and its descriptors, close-on-exec. Interrupted calls are repeated.
///
/// # Errors
/// `UnexpectedEof` when the other end is closed, `InvalidData` for what is not a message, else as `recvmsg(2)`.
pub(crate) fn receive<M: DeserializeOwned>(socket: impl AsFd) -> io::Result<(M, Vec<OwnedFd>)> {
    let mut bytes = vec![0_u8; BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let buffers = &mut [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(&socket, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    let descriptors = ancillary
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(fds) = message { Some(fds) } else { None })
        .flatten()
        .collect();
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut"));
    }
    let message = bytes.get(..received.bytes).unwrap_or_default();
    if message.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // Not by `?`: a message that ends too early would become `UnexpectedEof`.
    let message = serde_json::from_slice(message).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok((message, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors_in_order() {
        let (a, b) = pair().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        send(&a, &"hello", &[reader.as_fd(), writer.as_fd()]).unwrap();
        let (message, descriptors) = receive::<String>(&b).unwrap();
        assert_eq!(message, "hello");
        let [first, second] = <[OwnedFd; 2]>::try_from(descriptors).unwrap();
        rustix::io::write(&second, b"x").unwrap();
        assert_eq!(rustix::io::read(&first, &mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn a_closed_end_is_told_from_rubbish() {
        let (a, b) = pair().unwrap();
        rustix::io::write(&a, b"{").unwrap();
        assert_eq!(receive::<String>(&b).unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(a);
        assert_eq!(receive::<String>(&b).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_is_sent() {
        let (a, _b) = pair().unwrap();
        assert_eq!(send(&a, &"x".repeat(BYTES), &[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
