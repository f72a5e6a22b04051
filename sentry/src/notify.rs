//! The listener: a seccomp user-notification descriptor with its buffers. The threads of a crew receive and answer on it; the
//! main thread polls the same descriptor for its end.
//!
//! One of the two interceptors. Called by `crew` and `watch`. Must not look at what a call means.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::interceptor::{Arrival, Caller, Divisible, Interceptor};
use crate::sys;
use crate::verdict::{Registers, Verdict};

/// Why the listener is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    /// `SECCOMP_IOCTL_NOTIF_RECV` failed for good.
    #[error("cannot receive notifications")]
    Receive(#[source] Errno),
    /// `SECCOMP_IOCTL_NOTIF_SEND` failed for good.
    #[error("cannot answer a notification")]
    Answer(#[source] Errno),
}

/// The receiving and answering end; owned by one thread.
#[derive(Debug)]
pub(crate) struct Listener {
    descriptor: Arc<OwnedFd>,
    buffers: sys::Buffers,
    sizes: sys::Sizes,
}

impl Listener {
    /// Takes the descriptor over and asks for the synchronous wake-up, without which everything works and is slower.
    pub(crate) fn new(descriptor: Arc<OwnedFd>, sizes: sys::Sizes) -> Self {
        let listener = Self { descriptor, buffers: sys::Buffers::new(sizes), sizes };
        match sys::set_sync_wake_up(listener.descriptor.as_fd()) {
            // An error is a kernel before 6.6, and costs time alone.
            Ok(()) | Err(_) => listener,
        }
    }

    /// Sends one answer.
    fn send(&mut self, ticket: u64, reply: sys::Reply) -> Result<(), Errno> {
        sys::answer(self.descriptor.as_fd(), &mut self.buffers, ticket, reply)
    }
}

impl Interceptor for Listener {
    type Error = NotifyError;

    const GIVES_DESCRIPTORS: bool = true;

    fn receive(&mut self) -> Result<Arrival, NotifyError> {
        match sys::receive(self.descriptor.as_fd(), &mut self.buffers) {
            Ok(raw) => Ok(Arrival::Call(
                Caller { pid: raw.pid, ticket: raw.id, since: Instant::now() },
                Registers::trapped(raw.pid, raw.number, raw.architecture, raw.arguments),
            )),
            Err(Errno::INTR | Errno::AGAIN) => Ok(Arrival::Nothing),
            // One errno for two things: the caller left before we looked, or everybody has left (seccomp_unotify(2)).
            Err(Errno::NOENT) if has_ended(self.descriptor.as_fd()) => Ok(Arrival::End),
            Err(Errno::NOENT) => Ok(Arrival::Nothing),
            Err(cause) => Err(NotifyError::Receive(cause)),
        }
    }

    fn is_waiting(&self, caller: Caller) -> bool {
        sys::is_alive(self.descriptor.as_fd(), caller.ticket)
    }

    fn answer(&mut self, caller: Caller, verdict: Verdict) -> Result<bool, NotifyError> {
        loop {
            let answered = match &verdict {
                Verdict::Errno(errno) => self.send(caller.ticket, sys::Reply::Errno(errno.0)),
                Verdict::Kill => self.send(caller.ticket, sys::Reply::Errno(lazaret_profiles::class::Errno::EPERM.0)),
                Verdict::Value(value) => self.send(caller.ticket, sys::Reply::Value(*value)),
                Verdict::Continue(_registers_alone) => self.send(caller.ticket, sys::Reply::Run),
                Verdict::AddFd(injection) => {
                    let (file, is_close_on_exec) = (injection.file.as_fd(), injection.is_close_on_exec);
                    sys::inject(self.descriptor.as_fd(), caller.ticket, file, is_close_on_exec)
                }
            };
            match answered {
                Ok(()) => return Ok(true),
                Err(Errno::NOENT) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(cause) => return Err(NotifyError::Answer(cause)),
            }
        }
    }
}

impl Divisible for Listener {
    fn second(&self) -> Self {
        Self { descriptor: Arc::clone(&self.descriptor), buffers: sys::Buffers::new(self.sizes), sizes: self.sizes }
    }
}

/// Whether every task under the filter is gone: poll(2) says HUP (Linux 5.8).
pub(crate) fn has_ended(listener: BorrowedFd<'_>) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(listener, PollFlags::empty())];
    match rustix::event::poll(&mut fds, Some(&at_once)) {
        Ok(ready) => ready > 0 && fds.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR)),
        Err(_interrupted) => false,
    }
}
