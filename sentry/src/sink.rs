//! A second reader of the records, beside the audit file: a socket, or a pipe. Used by `audit` on the main thread.
//!
//! It gets the same lines as the file, and never holds anything up: its descriptor does not block, and what it does not take is
//! counted and lost to it. The file has it all the same.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::SocketType;

/// Whether a descriptor takes each line as a packet. No socket (ENOTSOCK), such as a pipe, takes bytes as a stream does.
pub(crate) fn is_by_packet(descriptor: &OwnedFd) -> bool {
    rustix::net::sockopt::socket_type(descriptor).is_ok_and(|kind| kind != SocketType::STREAM)
}

/// One reader.
#[derive(Debug)]
pub(crate) struct Sink {
    /// `None` once nobody reads any more.
    descriptor: Option<OwnedFd>,
    /// Whether each line is a packet; else they follow each other.
    is_by_packet: bool,
    /// The end of a line of which the beginning has been sent.
    rest: Vec<u8>,
    /// Lines that were not sent.
    pub(crate) unsent: u64,
}

impl Sink {
    /// Over a descriptor that does not block, of this kind ([`is_by_packet`]).
    pub(crate) fn new((descriptor, is_by_packet): (OwnedFd, bool)) -> Self {
        Self { descriptor: Some(descriptor), is_by_packet, rest: Vec::new(), unsent: 0 }
    }

    /// To be polled for room, as long as a line is half sent.
    pub(crate) fn waits(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().filter(|_| !self.rest.is_empty()).map(AsFd::as_fd)
    }

    /// Sends whole lines, as many as are taken.
    pub(crate) fn send(&mut self, lines: &[u8]) {
        self.send_rest();
        if lines.is_empty() {
            return;
        }
        let mut left = lines.split_inclusive(|byte| *byte == b'\n');
        if self.is_by_packet {
            for line in left {
                let is_sent = self.write(line) == line.len();
                self.unsent += u64::from(!is_sent);
            }
            return;
        }
        if !self.rest.is_empty() {
            self.unsent += count(left);
            return;
        }
        let mut sent = self.write(lines);
        for line in left.by_ref() {
            match sent.checked_sub(line.len()) {
                Some(more) => sent = more,
                None => {
                    self.keep(line, sent);
                    break;
                }
            }
        }
        self.unsent += count(left);
    }

    /// Tries to finish a line that is half sent.
    pub(crate) fn send_rest(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        let rest = std::mem::take(&mut self.rest);
        let sent = self.write(&rest);
        self.rest = rest.get(sent..).unwrap_or_default().to_vec();
        if self.descriptor.is_none() {
            self.rest.clear();
            self.unsent += 1;
        }
    }

    /// A line of which `sent` bytes have gone.
    fn keep(&mut self, line: &[u8], sent: usize) {
        match line.get(sent..) {
            Some(rest) if sent > 0 && self.descriptor.is_some() => self.rest = rest.to_vec(),
            Some(_) | None => self.unsent += 1,
        }
    }

    /// Writes what is taken at once.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let Some(descriptor) = &self.descriptor else { return 0 };
        loop {
            match rustix::io::write(descriptor, bytes) {
                Ok(written) => return written,
                Err(Errno::INTR) => {}
                // No room; ENOBUFS is a datagram socket's word for it.
                Err(Errno::AGAIN | Errno::NOBUFS) => return 0,
                Err(_nobody_reads) => {
                    self.descriptor = None;
                    return 0;
                }
            }
        }
    }
}

fn count<'a>(lines: impl Iterator<Item = &'a [u8]>) -> u64 {
    u64::try_from(lines.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn sink(descriptor: OwnedFd) -> Sink {
        let kind = is_by_packet(&descriptor);
        Sink::new((descriptor, kind))
    }

    fn stream() -> (Sink, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (sink(ours.into()), theirs)
    }

    fn read(reader: &mut UnixStream) -> String {
        let mut text = Vec::new();
        let mut part = [0; 4096];
        while let Ok(length) = reader.read(&mut part) {
            if length == 0 {
                break;
            }
            text.extend_from_slice(&part[..length]);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_arrive_as_they_are() {
        let (mut sink, mut reader) = stream();
        sink.send(b"a\nbb\n");
        assert_eq!((read(&mut reader).as_str(), sink.unsent), ("a\nbb\n", 0));
    }

    #[test]
    fn a_reader_that_does_not_read_loses_whole_lines_and_none_is_torn() {
        let (mut sink, mut reader) = stream();
        let line = format!("{}\n", "x".repeat(999));
        for _ in 0..2000 {
            sink.send(line.as_bytes());
        }
        assert!(sink.unsent > 0 && sink.unsent < 2000);
        let mut text = read(&mut reader);
        sink.send_rest();
        text.push_str(&read(&mut reader));
        assert!(sink.waits().is_none());
        sink.send(b"last\n");
        text.push_str(&read(&mut reader));
        let (last, full): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| *line == "last");
        assert_eq!(last.len(), 1);
        assert!(full.iter().all(|full| full.len() == 999));
        assert_eq!(u64::try_from(full.len()).unwrap() + sink.unsent, 2000);
    }

    #[test]
    fn a_reader_that_is_gone_is_counted_against_and_asked_no_more() {
        let (mut sink, reader) = stream();
        drop(reader);
        sink.send(b"a\nb\n");
        sink.send(b"c\n");
        assert_eq!(sink.unsent, 3);
        assert!(sink.waits().is_none());
    }

    #[test]
    fn each_line_is_a_packet_where_there_are_packets() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut sink = sink(ours.into());
        sink.send(b"a\nbb\n");
        let mut packet = [0; 16];
        for expected in ["a\n", "bb\n"] {
            let length = theirs.recv(&mut packet).unwrap();
            assert_eq!(&packet[..length], expected.as_bytes());
        }
        for _ in 0..100_000 {
            sink.send(b"c\n");
        }
        assert!(sink.unsent > 0);
    }
}
