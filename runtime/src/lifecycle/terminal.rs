//! The caller's terminal and that of a foreground container: two terminals, so that nothing inside can reach the
//! caller's (TIOCSTI and its kind), with a relay between them.
//!
//! The relay is a child of its own, which copies both ways until the container's side is closed. The caller's terminal
//! is raw meanwhile: Ctrl-C is a byte for the container's terminal, which makes a signal of it.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType};
use rustix::process::Pid;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios};

use crate::sys;

/// Seconds that the relay may take for what is still in the container's terminal after its end.
const FLUSH_SECONDS: i64 = 2;
/// The byte that means end of input to a terminal (VEOF of termios(3)).
const END_OF_INPUT: u8 = 4;

/// The caller's end of a connection over which the container's terminal arrives, and the container's end.
pub(super) fn connection() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

/// Whether the caller sits at a terminal.
pub(super) fn is_interactive() -> bool {
    rustix::termios::isatty(stdin()) && rustix::termios::isatty(stdout())
}

/// A relay at work. Dropping it gives the caller's terminal its settings back.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
    relay: Pid,
    ended: OwnedFd,
    saved: Option<Termios>,
}

impl Terminal {
    /// Takes the container's terminal from `connection` and starts the relay.
    pub(super) fn start(connection: &OwnedFd) -> io::Result<Self> {
        let master = receive(connection)?;
        let saved = make_raw()?;
        let (relay, ended) = match sys::clone::fork(|| u8::from(relay(&master).is_err())) {
            Ok(forked) => forked,
            Err(error) => {
                restore(saved.as_ref());
                return Err(error);
            }
        };
        let terminal = Self { master, relay, ended, saved };
        terminal.resize();
        Ok(terminal)
    }

    /// Gives the container's terminal the size of the caller's, where that has one.
    pub(super) fn resize(&self) {
        if let Ok(size) = rustix::termios::tcgetwinsize(stdin())
            && let Err(error) = rustix::termios::tcsetwinsize(&self.master, size)
        {
            tracing::debug!(%error, "could not set the size of the container's terminal");
        }
    }

    /// Lets the relay copy what is left, and ends it.
    pub(super) fn finish(self) {
        let limit = Timespec { tv_sec: FLUSH_SECONDS, tv_nsec: 0 };
        let done = rustix::event::poll(&mut [PollFd::new(&self.ended, PollFlags::IN)], Some(&limit));
        if !matches!(done, Ok(1..)) {
            tracing::warn!("the container's terminal does not end; its last output may be missing");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        super::undo::end(self.relay, &self.ended);
        restore(self.saved.as_ref());
    }
}

/// The master that a process sends over `connection`, before it is confined.
pub(super) fn receive(connection: &OwnedFd) -> io::Result<OwnedFd> {
    let mut name = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(connection, &mut [IoSliceMut::new(&mut name)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let master = ancillary
        .drain()
        .find_map(|message| if let RecvAncillaryMessage::ScmRights(mut fds) = message { fds.next() } else { None });
    master.ok_or_else(|| io::Error::other("the container sent no terminal"))
}

/// Makes the caller's terminal raw; what it was before, if it is one.
fn make_raw() -> io::Result<Option<Termios>> {
    if !rustix::termios::isatty(stdin()) {
        return Ok(None);
    }
    let saved = rustix::termios::tcgetattr(stdin())?;
    let mut raw = saved.clone();
    raw.make_raw();
    rustix::termios::tcsetattr(stdin(), OptionalActions::Now, &raw)?;
    Ok(Some(saved))
}

fn restore(saved: Option<&Termios>) {
    if let Some(saved) = saved
        && let Err(error) = rustix::termios::tcsetattr(stdin(), OptionalActions::Drain, saved)
    {
        tracing::warn!(%error, "could not restore the terminal's settings; the command `reset` does");
    }
}

/// The relay's life: copies until the container's side of its terminal is closed.
fn relay(master: &OwnedFd) -> io::Result<()> {
    sys::clone::close_all_but(&[stdin(), stdout(), master.as_fd()])?;
    let mut input = Some(stdin());
    loop {
        let source = input.unwrap_or(master.as_fd());
        let mut polled = [PollFd::new(master, PollFlags::IN), PollFd::from_borrowed_fd(source, PollFlags::IN)];
        match rustix::event::poll(&mut polled, None) {
            Err(Errno::INTR) => continue,
            ready => ready?,
        };
        let [from_container, from_caller] = polled.map(|fd| !fd.revents().is_empty());
        if from_container && !copy(master.as_fd(), stdout())? {
            return Ok(());
        }
        if input.is_some() && from_caller && !copy(stdin(), master.as_fd())? {
            input = None;
            rustix::io::write(master, &[END_OF_INPUT])?;
        }
    }
}

/// Copies what is there. Whether more may come: a terminal whose other side is closed says EIO.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<bool> {
    let mut buffer = [0; 8192];
    let count = match rustix::io::read(from, &mut buffer) {
        Ok(0) | Err(Errno::IO) => return Ok(false),
        Err(Errno::INTR | Errno::AGAIN) => return Ok(true),
        count => count?,
    };
    let mut rest = buffer.get(..count).unwrap_or_default();
    while !rest.is_empty() {
        match rustix::io::write(to, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                rustix::event::poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
