//! The messages between the runtime ("monitor") and the sentry: JSON, one a packet of a `SOCK_SEQPACKET` socket, in
//! an envelope that carries the version. Descriptors travel by `SCM_RIGHTS`.
//!
//! Order: sentry `Jailed`; monitor `Handoff` + listener; sentry `Watching`; then at any time another `Handoff`, or
//! a question of the sentry (`SetHostname`) and the monitor's `Answer` with the same ticket, in any order. `Failed` may take the place of any
//! message of the sentry and is its last; else that is `Done`.
//!
//! Called by `watch` and `monitor` here and by the runtime. Must not decide anything: both sides treat what comes in
//! as alleged (bounded, known fields alone, right number of descriptors) and what it means is up to the caller.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::nested::{Order, Refusal};
use crate::record_policy::Policy;
use crate::{limits, text};

/// Version of the messages. The two sides are one binary, so any other version is an error.
pub const VERSION: u32 = 1;

/// What the monitor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToSentry {
    /// A container to serve. Comes with descriptors: first the listener, or the pidfd of the process to trace, then the
    /// memory files in the order of the flags.
    Handoff(Handoff),
    /// The outcome of a question, such as [`FromSentry::SetHostname`].
    Answer {
        /// The ticket of the question; an answer to a question that has timed out is told apart by it.
        ticket: u64,
        /// What came of it.
        answer: Answer,
    },
}

/// `ERESTARTNOINTR` of include/linux/errno.h, as an errno of [`Answer::Errno`]: the kernel issues the call anew. Only for
/// a caller that a frost or a signal waits for; another one would see the number.
pub const RESTART: i32 = 513;

/// `ERESTARTSYS`, likewise: the call fails with `EINTR` if a signal is handled whose handler was installed without
/// `SA_RESTART`, and is issued anew otherwise.
pub const RESTART_UNLESS_HANDLED: i32 = 512;

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// 0 when it is done, or the errno that the caller gets.
    Errno(i32),
    /// An order to mount that is refused, whatever the kernel thinks of it.
    Refused(Refusal),
    /// The socket is one that no sandbox may have: EACCES, and a record.
    Forbidden,
}

/// How the calls of a container are trapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interceptor {
    /// By a seccomp listener, which comes along.
    Notify,
    /// By a tracer: the sentry seizes the process, whose pidfd comes along.
    Ptrace,
}

/// One container that the sentry is to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handoff {
    /// Always [`VERSION`].
    pub version: u32,
    /// The container id that stands in its records.
    pub container: String,
    /// Whether root of the container may set its host and domain name (the spec has `CAP_SYS_ADMIN` and a UTS namespace).
    pub may_set_hostname: bool,
    /// Whether root of the container may mount and unmount ([`crate::nested`]).
    pub may_mount: bool,
    /// A descriptor of the cgroup's memory limit file (`memory.max` or `memory.limit_in_bytes`), open for reading, comes along.
    pub has_memory_limit: bool,
    /// A descriptor of the cgroup's memory usage file (`memory.current` or `memory.usage_in_bytes`), open for reading, comes along.
    pub has_memory_usage: bool,
    /// When the container started, on `CLOCK_BOOTTIME`; `sysinfo` counts the uptime from there.
    pub started: Duration,
    /// The process whose calls are trapped, and all that it starts: the container's first, or one that joins it. As the
    /// sentry sees it.
    pub sandbox_pid: i32,
    /// How they are trapped.
    pub interceptor: Interceptor,
    /// How much of each decision is recorded; checked by the receiver.
    pub records: Policy,
}

/// What the sentry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromSentry {
    /// The jail is shut; handoffs may come.
    Jailed,
    /// The container of the last handoff has its thread; the workload may start.
    Watching,
    /// The process of the last handoff cannot be traced. The sentry goes on; that container it does not serve.
    NotWatching {
        /// The error and its causes, in one line.
        why: String,
    },
    /// Root of the container wants this name; the monitor sets it in the container's UTS namespace and answers.
    SetHostname {
        /// To be given back in [`ToSentry::Answer`].
        ticket: u64,
        /// The container, as named in its handoff.
        container: String,
        /// At most [`limits::HOSTNAME`] bytes, as the guest wrote them.
        name: Vec<u8>,
        /// The domain name rather than the host name.
        domain: bool,
    },
    /// Root of the container wants this mounted or unmounted; the monitor has it done inside the container, with the
    /// container's own rights, and answers.
    Mount {
        /// To be given back in [`ToSentry::Answer`].
        ticket: u64,
        /// The container, as named in its handoff.
        container: String,
        /// The thread that calls, as the host counts.
        pid: i32,
        /// What it wants.
        order: Order,
    },
    /// A process of the container wants to connect; the monitor decides by what the socket is, does it and answers.
    Connect {
        /// To be given back in [`ToSentry::Answer`].
        ticket: u64,
        /// The container, as named in its handoff.
        container: String,
        /// The calling thread, in the host's PID namespace.
        pid: i32,
        /// Its descriptor.
        fd: i32,
        /// The address, at most [`limits::SOCKET_ADDRESS`] bytes.
        address: Vec<u8>,
    },
    /// A call was judged such that the container has to end; the monitor kills it.
    Kill {
        /// The container, as named in its handoff.
        container: String,
        /// What it did.
        why: String,
    },
    /// Every container is dead and everything is written: the sentry ends with code 0. Its last message; a sentry that
    /// ends without it, and without [`FromSentry::Failed`], was killed.
    Done,
    /// The sentry cannot go on and ends with code 1.
    Failed {
        /// The error and its causes, in one line.
        why: String,
    },
}

impl FromSentry {
    /// [`FromSentry::NotWatching`] for an error and its causes, as far as a packet holds them.
    pub(crate) fn not_watching(error: &dyn std::error::Error) -> Self {
        Self::NotWatching { why: text::cut(text::chain(error).as_bytes(), limits::RECORDED_TEXT) }
    }

    /// [`FromSentry::Failed`] for an error and its causes, as far as a packet holds them.
    pub(crate) fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed { why: text::cut(text::chain(error).as_bytes(), limits::RECORDED_TEXT) }
    }
}

/// A message with what came along.
#[derive(Debug)]
pub struct Received<M> {
    /// The message.
    pub message: M,
    /// Its descriptors, close-on-exec, in the order in which they were sent.
    pub descriptors: Vec<OwnedFd>,
}

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The other side has closed its end.
    #[error("the other end of the control socket is closed")]
    PeerGone,
    /// Nothing came in time.
    #[error("no message within {0:?}")]
    TimedOut(Duration),
    /// Waiting for a message failed.
    #[error("cannot wait for a control message")]
    Wait(#[source] Errno),
    /// sendmsg(2) failed.
    #[error("cannot send a control message")]
    Send(#[source] Errno),
    /// recvmsg(2) failed.
    #[error("cannot receive a control message")]
    Receive(#[source] Errno),
    /// More bytes than [`limits::CONTROL_PACKET`].
    #[error("a control message of more than {} bytes", limits::CONTROL_PACKET)]
    TooLong,
    /// More descriptors than [`limits::CONTROL_DESCRIPTORS`], or more than this process may hold.
    #[error("a control message with too many descriptors")]
    TooManyDescriptors,
    /// The message cannot be written as JSON.
    #[error("cannot encode a control message")]
    Encode(#[source] serde_json::Error),
    /// The packet is not a message.
    #[error("cannot decode a control message")]
    Decode(#[source] serde_json::Error),
    /// The packet is of another version.
    #[error("a control message of version {0}; only {VERSION} is known")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<M> {
    version: u32,
    message: M,
}

/// Monitor side: sends `message` and `descriptors` to the sentry. Never blocks for long: the socket holds many packets.
pub fn send_to_sentry(
    control: BorrowedFd<'_>,
    message: &ToSentry,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), HandoffError> {
    send(control, message, descriptors)
}

/// Monitor side: receives the next message of the sentry. `wait` bounds the time to its arrival; `None` waits for ever.
/// Descriptors that come along are closed: the sentry has none to give.
pub fn receive_from_sentry(control: BorrowedFd<'_>, wait: Option<Duration>) -> Result<FromSentry, HandoffError> {
    if let Some(limit) = wait {
        await_message(control, limit)?;
    }
    receive(control).map(|received| received.message)
}

/// Sentry side: sends `message` to the monitor.
pub fn send_to_monitor(control: BorrowedFd<'_>, message: &FromSentry) -> Result<(), HandoffError> {
    send(control, message, &[])
}

/// Sentry side: receives the next message of the monitor, waiting for it as long as it takes.
pub fn receive_from_monitor(control: BorrowedFd<'_>) -> Result<Received<ToSentry>, HandoffError> {
    receive(control)
}

fn send<M: Serialize>(
    control: BorrowedFd<'_>,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), HandoffError> {
    let packet = serde_json::to_vec(&Envelope { version: VERSION, message }).map_err(HandoffError::Encode)?;
    if packet.len() > limits::CONTROL_PACKET {
        return Err(HandoffError::TooLong);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(limits::CONTROL_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(HandoffError::TooManyDescriptors);
    }
    loop {
        match rustix::net::sendmsg(control, &[IoSlice::new(&packet)], &mut ancillary, SendFlags::NOSIGNAL) {
            Ok(_whole_packet) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => return Err(HandoffError::PeerGone),
            Err(cause) => return Err(HandoffError::Send(cause)),
        }
    }
}

fn receive<M: DeserializeOwned>(control: BorrowedFd<'_>) -> Result<Received<M>, HandoffError> {
    let mut packet = [0; limits::CONTROL_PACKET];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(limits::CONTROL_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let result = loop {
        match rustix::net::recvmsg(
            control,
            &mut [IoSliceMut::new(&mut packet)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Err(HandoffError::PeerGone),
            other => break other.map_err(HandoffError::Receive)?,
        }
    };
    let mut descriptors = Vec::new();
    for entry in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = entry {
            descriptors.extend(rights);
        }
    }
    if result.flags.contains(ReturnFlags::TRUNC) {
        return Err(HandoffError::TooLong);
    }
    if result.flags.contains(ReturnFlags::CTRUNC) {
        return Err(HandoffError::TooManyDescriptors);
    }
    // A packet of no bytes is what a closed SOCK_SEQPACKET peer looks like (recv(2)); no message is empty.
    let bytes = packet.get(..result.bytes).filter(|bytes| !bytes.is_empty()).ok_or(HandoffError::PeerGone)?;
    let envelope: Envelope<M> = serde_json::from_slice(bytes).map_err(HandoffError::Decode)?;
    if envelope.version != VERSION {
        return Err(HandoffError::Version(envelope.version));
    }
    Ok(Received { message: envelope.message, descriptors })
}

/// Waits until `control` is readable or its peer is gone.
fn await_message(control: BorrowedFd<'_>, limit: Duration) -> Result<(), HandoffError> {
    let timeout = Timespec::try_from(limit).map_err(|_beyond_range| HandoffError::TimedOut(limit))?;
    let mut fds = [PollFd::from_borrowed_fd(control, PollFlags::IN)];
    loop {
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Err(HandoffError::TimedOut(limit)),
            Ok(_ready) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(cause) => return Err(HandoffError::Wait(cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    fn handoff() -> Handoff {
        Handoff {
            version: VERSION,
            container: "c1".to_owned(),
            may_set_hostname: true,
            may_mount: true,
            has_memory_limit: true,
            has_memory_usage: false,
            started: Duration::new(12, 34),
            sandbox_pid: 7,
            interceptor: Interceptor::Ptrace,
            records: Policy::default(),
        }
    }

    #[test]
    fn handoff_arrives_whole_with_its_descriptors_in_order() {
        let (monitor, sentry) = pair();
        let (read, write) = rustix::pipe::pipe().unwrap();
        let message = ToSentry::Handoff(handoff());
        send_to_sentry(monitor.as_fd(), &message, &[read.as_fd(), write.as_fd()]).unwrap();
        let received = receive_from_monitor(sentry.as_fd()).unwrap();
        assert_eq!(received.message, message);
        let [got_read, got_write] = received.descriptors.as_slice() else { panic!("two descriptors") };
        assert_ne!(got_read.as_raw_fd(), read.as_raw_fd());
        rustix::io::write(got_write, b"x").unwrap();
        let mut byte = [0];
        assert_eq!(rustix::io::read(got_read, &mut byte).unwrap(), 1);
        assert!(rustix::io::fcntl_getfd(got_read).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn every_message_of_the_sentry_arrives_whole() {
        let (monitor, sentry) = pair();
        let messages = [
            FromSentry::Jailed,
            FromSentry::Watching,
            FromSentry::NotWatching { why: "x".to_owned() },
            FromSentry::SetHostname { ticket: 3, container: "c1".to_owned(), name: vec![0xff, 0], domain: true },
            FromSentry::Mount {
                ticket: 4,
                container: "c1".to_owned(),
                pid: 5,
                order: Order::Bind { source: vec![b'a'; limits::GUEST_PATH], target: vec![0xff; limits::GUEST_PATH] },
            },
            FromSentry::Connect {
                ticket: 4,
                container: "c1".to_owned(),
                pid: 7,
                fd: -1,
                address: vec![0xff; limits::SOCKET_ADDRESS],
            },
            FromSentry::Kill { container: "c1".to_owned(), why: "reboot".to_owned() },
            FromSentry::Done,
            FromSentry::Failed { why: "x".to_owned() },
        ];
        for message in messages {
            send_to_monitor(sentry.as_fd(), &message).unwrap();
            assert_eq!(receive_from_sentry(monitor.as_fd(), Some(Duration::from_secs(5))).unwrap(), message);
        }
    }

    #[test]
    fn closed_peer_is_told_apart() {
        let (monitor, sentry) = pair();
        drop(monitor);
        assert!(matches!(receive_from_monitor(sentry.as_fd()), Err(HandoffError::PeerGone)));
        assert!(matches!(send_to_monitor(sentry.as_fd(), &FromSentry::Jailed), Err(HandoffError::PeerGone)));
    }

    #[test]
    fn silence_ends_at_the_limit() {
        let (monitor, _sentry) = pair();
        let limit = Duration::from_millis(1);
        assert!(matches!(receive_from_sentry(monitor.as_fd(), Some(limit)), Err(HandoffError::TimedOut(_))));
    }

    #[test]
    fn foreign_version_unknown_field_and_noise_are_refused() {
        let (monitor, sentry) = pair();
        let packets = [
            r#"{"version":2,"message":"jailed"}"#,
            r#"{"version":1,"message":"jailed","more":1}"#,
            r#"{"version":1,"message":"continue"}"#,
            "\u{0}",
        ];
        for packet in packets {
            rustix::net::send(&sentry, packet.as_bytes(), SendFlags::empty()).unwrap();
            let outcome = receive_from_sentry(monitor.as_fd(), None);
            assert!(
                matches!(outcome, Err(HandoffError::Version(2) | HandoffError::Decode(_))),
                "{packet}: {outcome:?}"
            );
        }
    }

    #[test]
    fn oversized_packet_is_refused() {
        let (monitor, sentry) = pair();
        rustix::net::send(&sentry, &[b' '; limits::CONTROL_PACKET + 1], SendFlags::empty()).unwrap();
        assert!(matches!(receive_from_sentry(monitor.as_fd(), None), Err(HandoffError::TooLong)));
        let why = "x".repeat(limits::CONTROL_PACKET);
        assert!(matches!(send_to_monitor(sentry.as_fd(), &FromSentry::Failed { why }), Err(HandoffError::TooLong)));
    }
}
