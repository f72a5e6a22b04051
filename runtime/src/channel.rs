//! The socket pair between the launcher and stage 2: one packet a message, in a fixed order.
//!
//! ```text
//! launcher                          stage 2
//!    | <------------------ Prepared -- |   only with hooks of the launcher's: everything is mounted
//!    | -- Go ------------------------> |   they have run
//!    | <---------------- Traceable -- |   only where a tracer is to trap its calls
//!    | -- Traced or Untraced --------> |
//!    | <---------- Listening listener -|   only with a seccomp agent of the bundle's; at any time before the next
//!    | <------- Confined [listener] -- |   cgroups, namespaces, mounts, identity, filter are in place
//!    | -- Go ------------------------> |   the sentry watches; execute, or wait at the gate
//!    | <---------------- end of file - |   execve succeeded (the descriptor is close-on-exec)
//! ```
//! Instead of any message of its own, stage 2 may send `Failed`, which ends the conversation.

use std::io;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

/// Longest message: a failure with a path and a cause in it.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Launcher to stage 2.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ToInit {
    /// Go on to the gate, or execute.
    Go,
    /// The sentry traces this process.
    Traced,
    /// It cannot.
    Untraced,
}

/// Stage 2 to launcher.
#[derive(Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FromInit {
    /// Everything is mounted and the root not yet changed; stage 2 waits for the launcher's hooks.
    Prepared,
    /// The bundle's own filter stands, and its listener comes along.
    Listening,
    /// No listener, by choice or because the kernel grants none: the process asks to be traced, and may be until it is
    /// answered.
    Traceable,
    /// Everything stands; the listener comes along when the filter has one. Lists what is weaker than asked for.
    Confined {
        /// Protections that this kernel could not give.
        missing: Vec<String>,
    },
    /// A step failed.
    Failed(Failure),
}

/// A failed step of stage 2, as it crosses the channel.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable number of the error.
    pub code: u32,
    /// The whole chain of causes.
    pub message: String,
    /// 125, 126 or 127.
    pub exit_status: u8,
    /// What would help.
    pub hint: Option<String>,
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The socket.
    #[error("the channel between launcher and container failed")]
    Socket(#[source] io::Error),
    /// The other side is gone.
    #[error("the other side closed the channel before it had answered")]
    Closed,
    /// Not one of ours.
    #[error("the other side sent something that is not a message")]
    Malformed(#[source] serde_json::Error),
    /// Not the one that is due.
    #[error("the other side sent a message out of turn")]
    OutOfTurn,
}

/// A connected pair, both ends close-on-exec.
///
/// # Errors
/// [`ChannelError::Socket`].
pub fn pair() -> Result<(OwnedFd, OwnedFd), ChannelError> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|error| ChannelError::Socket(error.into()))
}

/// Connects to a caller's stream socket at `path`.
///
/// # Errors
/// As `connect(2)`.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Sends `message`, and `fd` along with it.
///
/// # Errors
/// [`ChannelError::Socket`], [`ChannelError::Malformed`].
pub fn send<M: serde::Serialize>(socket: impl AsFd, message: &M, fd: Option<&OwnedFd>) -> Result<(), ChannelError> {
    let bytes = serde_json::to_vec(message).map_err(ChannelError::Malformed)?;
    let fds = fd.map(|fd| [fd.as_fd()]);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if let Some(fds) = &fds
        && !ancillary.push(SendAncillaryMessage::ScmRights(fds))
    {
        return Err(ChannelError::Socket(io::ErrorKind::InvalidInput.into()));
    }
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL);
    sent.map(|_count| ()).map_err(|error| ChannelError::Socket(error.into()))
}

/// Passes a descriptor to a caller that is no part of lazaret, in runc's form: `SCM_RIGHTS` with a byte string.
///
/// # Errors
/// As `sendmsg(2)`.
pub fn send_descriptor(socket: &OwnedFd, name: &[u8], fd: &OwnedFd) -> io::Result<()> {
    let fds = [fd.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(name)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for one message and the descriptor that may come with it.
///
/// # Errors
/// See [`ChannelError`].
pub fn receive<M: serde::de::DeserializeOwned>(socket: impl AsFd) -> Result<(M, Option<OwnedFd>), ChannelError> {
    let mut bytes = vec![0_u8; MESSAGE_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let buffers = &mut [IoSliceMut::new(&mut bytes)];
        match rustix::net::recvmsg(&socket, buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(ChannelError::Socket(error.into())),
            Ok(received) => break received.bytes,
        }
    };
    let fd = ancillary
        .drain()
        .find_map(|message| if let RecvAncillaryMessage::ScmRights(mut fds) = message { fds.next() } else { None });
    let message = bytes.get(..received).filter(|message| !message.is_empty()).ok_or(ChannelError::Closed)?;
    Ok((serde_json::from_slice(message).map_err(ChannelError::Malformed)?, fd))
}

/// Waits for [`ToInit::Go`].
///
/// # Errors
/// See [`ChannelError`].
pub fn receive_go(socket: impl AsFd) -> Result<(), ChannelError> {
    match receive::<ToInit>(socket)? {
        (ToInit::Go, _) => Ok(()),
        (ToInit::Traced | ToInit::Untraced, _) => Err(ChannelError::OutOfTurn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_its_descriptor_arrive_together() {
        let (a, b) = pair().unwrap();
        let passed = rustix::pipe::pipe().unwrap().0;
        send(&a, &FromInit::Confined { missing: vec!["landlock".to_owned()] }, Some(&passed)).unwrap();
        let (message, fd) = receive::<FromInit>(&b).unwrap();
        assert_eq!(message, FromInit::Confined { missing: vec!["landlock".to_owned()] });
        let (sent, got) = (rustix::fs::fstat(&passed).unwrap(), rustix::fs::fstat(fd.unwrap()).unwrap());
        assert_eq!((sent.st_dev, sent.st_ino), (got.st_dev, got.st_ino));
    }

    #[test]
    fn a_closed_channel_is_told_from_a_malformed_message() {
        let (a, b) = pair().unwrap();
        drop(a);
        assert!(matches!(receive::<ToInit>(&b), Err(ChannelError::Closed)));
        let (a, b) = pair().unwrap();
        rustix::io::write(&a, b"{").unwrap();
        assert!(matches!(receive::<ToInit>(&b), Err(ChannelError::Malformed(_))));
    }
}
