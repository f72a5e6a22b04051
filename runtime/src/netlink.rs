//! Messages of netlink(7): made, sent, and their answers read. For rtnetlink(7), about network devices and their addresses, and for
//! sock_diag(7), about sockets.
//!
//! Called by `net_devices` and `connect`. Bytes only, in the machine's order: what they mean is decided there.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Message types of linux/rtnetlink.h.
pub(crate) const RTM_NEWLINK: u16 = 16;
/// The same.
pub(crate) const RTM_NEWADDR: u16 = 20;
/// The same.
pub(crate) const RTM_GETADDR: u16 = 22;
/// Flags of linux/netlink.h.
pub(crate) const NLM_F_DUMP: u16 = 0x300;
/// Fails for what is there already.
pub(crate) const NLM_F_EXCL_CREATE: u16 = 0x600;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Largest packet of an answer: the kernel's own limit for dumps is 32 KiB.
const PACKET: usize = 64 * 1024;

/// A message to the kernel: a header, a fixed part, then attributes.
#[derive(Debug)]
pub(crate) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    /// A message of `kind` with its fixed part.
    pub(crate) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut this = Self { kind, flags, body: fixed.to_vec() };
        this.pad();
        this
    }

    /// Appends an attribute (`struct rtattr`).
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> io::Result<Self> {
        let length = u16::try_from(value.len() + 4).map_err(io::Error::other)?;
        self.body.extend(length.to_ne_bytes());
        self.body.extend(kind.to_ne_bytes());
        self.body.extend(value);
        self.pad();
        Ok(self)
    }

    fn pad(&mut self) {
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let length = u32::try_from(HEADER + self.body.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(HEADER + self.body.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend((self.flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        // Sequence and port: one request at a time, on a socket of its own.
        bytes.extend([0; 8]);
        bytes.extend(&self.body);
        Ok(bytes)
    }
}

/// An answer: its type and what follows the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// `RTM_*`.
    pub(crate) kind: u16,
    /// The fixed part and the attributes.
    pub(crate) body: Vec<u8>,
}

/// A socket to a part of the kernel, of the network namespace in which it was opened.
pub(crate) struct Socket(OwnedFd);

/// `NETLINK_SOCK_DIAG` of linux/netlink.h.
const SOCK_DIAG: u32 = 4;

impl Socket {
    /// Opens one to the routing part.
    pub(crate) fn open() -> io::Result<Self> {
        // NETLINK_ROUTE is protocol 0.
        Self::to(None)
    }

    /// Opens one to the part that tells about sockets.
    pub(crate) fn to_sock_diag() -> io::Result<Self> {
        Self::to(std::num::NonZeroU32::new(SOCK_DIAG).map(Protocol::from_raw))
    }

    fn to(protocol: Option<Protocol>) -> io::Result<Self> {
        Ok(Self(rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?))
    }

    /// Sends `request` and collects what the kernel answers, until it says that it is done.
    ///
    /// # Errors
    /// The errno that the kernel answers with; `InvalidData` for an answer that is malformed.
    pub(crate) fn ask(&self, request: &Request) -> io::Result<Vec<Answer>> {
        rustix::net::sendto(&self.0, &request.bytes()?, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut answers = Vec::new();
        let mut packet = vec![0_u8; PACKET];
        loop {
            let (count, _) = rustix::net::recv(&self.0, packet.as_mut_slice(), RecvFlags::empty())?;
            if read_packet(packet.get(..count).unwrap_or_default(), &mut answers)? {
                return Ok(answers);
            }
        }
    }
}

/// Takes the messages of one packet; `true` when one of them is the last.
fn read_packet(mut packet: &[u8], answers: &mut Vec<Answer>) -> io::Result<bool> {
    while !packet.is_empty() {
        let length = number(packet, 0).and_then(|length| usize::try_from(length).ok()).ok_or_else(malformed)?;
        let kind = half(packet, 4).ok_or_else(malformed)?;
        let body = packet.get(HEADER..length).ok_or_else(malformed)?;
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let errno = number(body, 0).ok_or_else(malformed)?.cast_signed();
                return if errno == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(-errno)) };
            }
            _ => answers.push(Answer { kind, body: body.to_vec() }),
        }
        packet = packet.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The attributes after a fixed part of `fixed` bytes, as type and value.
pub(crate) fn attributes(body: &[u8], fixed: usize) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    let mut rest = body.get(fixed..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (half(rest, 0).map(usize::from), half(rest, 2)) {
        let Some(value) = rest.get(4..length) else { break };
        found.push((kind, value));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// The 32-bit number at `at`.
pub(crate) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The 16-bit number at `at`.
fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_padded_and_read_back() {
        let request = Request::new(RTM_NEWLINK, 0, &[1, 2, 3, 4]).attribute(3, b"name\0").unwrap();
        let bytes = request.bytes().unwrap();
        assert_eq!(bytes.len(), 16 + 4 + 12);
        let mut answers = Vec::new();
        assert!(!read_packet(&bytes, &mut answers).unwrap());
        assert_eq!(answers[0].kind, RTM_NEWLINK);
        assert_eq!(attributes(&answers[0].body, 4), [(3, b"name\0".as_slice())]);
    }

    #[test]
    fn errors_ends_and_malformed_packets_are_told_apart() {
        let message = |kind: u16, body: &[u8]| {
            let mut bytes = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            bytes
        };
        let read = |bytes: &[u8]| read_packet(bytes, &mut Vec::new());
        assert!(read(&message(NLMSG_ERROR, &[0; 4])).unwrap());
        assert!(read(&message(NLMSG_DONE, &[])).unwrap());
        let denied = read(&message(NLMSG_ERROR, &(-1_i32).to_ne_bytes())).unwrap_err();
        assert_eq!(denied.raw_os_error(), Some(1));
        for cut in [&message(NLMSG_DONE, &[])[..10], &[0; 16], &[255; 16]] {
            assert_eq!(read(cut).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
