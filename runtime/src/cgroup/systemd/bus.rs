//! One connection to a D-Bus server over its socket: authentication, a call and its reply, a signal. Used by `manager`
//! alone. It has no thread, waits for nothing without a bound, and knows nothing of systemd.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cgroup::systemd::wire::{self, Message, Method, Writer};

/// How long everything on one connection may take. A loaded systemd may need seconds for a job; runc waits as long.
const PATIENCE: Duration = Duration::from_secs(30);
const BUS: &str = "org.freedesktop.DBus";
/// Longest line of the authentication.
const LONGEST_LINE: usize = 512;

/// Why a call has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// No connection, or a broken one.
    #[error("could not {operation} {path}", path = .path.display())]
    Socket {
        /// What was tried.
        operation: &'static str,
        /// The socket.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The server does not take us for who we are.
    #[error("the server of {path} refused to authenticate us: {answer:?}", path = .path.display())]
    Authentication {
        /// The socket.
        path: PathBuf,
        /// Its words.
        answer: String,
    },
    /// What came is no D-Bus message, or not the one that the call has.
    #[error("the answer to {member} breaks the protocol")]
    Protocol {
        /// The call.
        member: String,
    },
    /// An error reply.
    #[error("{member}: {message} ({name})")]
    Refused {
        /// The call.
        member: String,
        /// Name of the error.
        name: String,
        /// Its words.
        message: String,
    },
    /// Time is up.
    #[error("no answer to {member} within {seconds} seconds")]
    Silence {
        /// The call, or the signal.
        member: String,
        /// The bound.
        seconds: u64,
    },
}

/// A connection.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    path: PathBuf,
    serial: u32,
    deadline: Instant,
    /// Signals that came while a reply was waited for.
    signals: Vec<Message>,
}

impl Bus {
    /// Connects as the calling user (SASL EXTERNAL: the kernel tells the server who we are).
    pub(super) fn connect(path: &Path) -> Result<Self, BusError> {
        let failed = |operation| move |source| BusError::Socket { operation, path: path.to_path_buf(), source };
        let stream = UnixStream::connect(path).map_err(failed("connect to"))?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed("set a limit on"))?;
        let deadline = Instant::now() + PATIENCE;
        let mut bus = Self { stream, path: path.to_path_buf(), serial: 0, deadline, signals: Vec::new() };
        let uid: String =
            rustix::process::geteuid().as_raw().to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
        bus.send(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes())?;
        let answer = bus.line()?;
        if !answer.starts_with("OK ") {
            return Err(BusError::Authentication { path: path.to_path_buf(), answer });
        }
        bus.send(b"BEGIN\r\n")?;
        Ok(bus)
    }

    /// Says hello to a bus, and asks it for the signals that match `rule`. A server without a bus wants neither.
    pub(super) fn enter(&mut self, rule: &str) -> Result<(), BusError> {
        let method = |member| Method { destination: Some(BUS), path: "/org/freedesktop/DBus", interface: BUS, member };
        self.call(method("Hello"), "", Writer::default())?;
        let mut body = Writer::default();
        body.text(rule);
        self.call(method("AddMatch"), "s", body)?;
        Ok(())
    }

    /// Calls `method` and waits for its reply.
    pub(super) fn call(&mut self, method: Method<'_>, signature: &str, body: Writer) -> Result<Message, BusError> {
        self.serial += 1;
        let serial = self.serial;
        let member = || method.member.to_owned();
        let message = wire::call(method, serial, signature, &body.into_bytes())
            .ok_or_else(|| BusError::Protocol { member: member() })?;
        self.send(&message)?;
        loop {
            let message = self.receive(method.member)?;
            match message.kind {
                wire::SIGNAL => self.signals.push(message),
                _ if message.reply_to != Some(serial) => {}
                wire::METHOD_RETURN => return Ok(message),
                wire::ERROR => {
                    let words = if message.signature.starts_with('s') { message.body().text() } else { None };
                    let (name, message) = (message.error_name.clone(), words.unwrap_or("no reason given").to_owned());
                    return Err(BusError::Refused { member: member(), name, message });
                }
                _ => return Err(BusError::Protocol { member: member() }),
            }
        }
    }

    /// Waits for the signal `member` of which `wanted` makes something.
    pub(super) fn signal<T>(
        &mut self,
        member: &str,
        mut wanted: impl FnMut(&Message) -> Option<T>,
    ) -> Result<T, BusError> {
        let mut ours = |message: &Message| if message.member == member { wanted(message) } else { None };
        if let Some(found) = self.signals.iter().find_map(&mut ours) {
            return Ok(found);
        }
        loop {
            let message = self.receive(member)?;
            if message.kind == wire::SIGNAL
                && let Some(found) = ours(&message)
            {
                return Ok(found);
            }
        }
    }

    fn receive(&mut self, member: &str) -> Result<Message, BusError> {
        let broken = || BusError::Protocol { member: member.to_owned() };
        let mut fixed = [0; wire::FIXED];
        self.read(&mut fixed, member)?;
        let length = wire::length_of(&fixed).ok_or_else(broken)?;
        let mut bytes = vec![0; length];
        let (start, rest) = bytes.split_at_mut_checked(wire::FIXED).ok_or_else(broken)?;
        start.copy_from_slice(&fixed);
        self.read(rest, member)?;
        Message::parse(&bytes).ok_or_else(broken)
    }

    fn line(&mut self) -> Result<String, BusError> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") && line.len() < LONGEST_LINE {
            self.read(&mut byte, "AUTH")?;
            line.extend(byte);
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), BusError> {
        let written = self.stream.write_all(bytes);
        written.map_err(|source| BusError::Socket { operation: "write to", path: self.path.clone(), source })
    }

    /// Fills `bytes`, before the connection's time is up.
    fn read(&mut self, bytes: &mut [u8], member: &str) -> Result<(), BusError> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let silence = || BusError::Silence { member: member.to_owned(), seconds: PATIENCE.as_secs() };
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(silence());
            }
            let failed = |source| BusError::Socket { operation: "read from", path: self.path.clone(), source };
            self.stream.set_read_timeout(Some(left)).map_err(failed)?;
            match self.stream.read(rest) {
                Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(silence());
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}
