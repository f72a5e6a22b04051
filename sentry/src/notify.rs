//! The listener: a seccomp user-notification descriptor with its buffers. One thread receives and answers on it; the
//! main thread polls the same descriptor for its end.
//!
//! Called by `supervisor` and `watch`. Must not look at what a call means.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::sys;
use crate::verdict::Verdict;

/// One trapped call. Everything in it is the kernel's own copy; what its arguments point to is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// The kernel's cookie for this notification.
    id: u64,
    /// The calling thread, in our PID namespace; 0 when it cannot be seen from there.
    pub(crate) pid: i32,
    /// The number of the system call.
    pub(crate) number: u32,
    /// `AUDIT_ARCH_*` of the call.
    pub(crate) architecture: u32,
    /// The argument registers.
    pub(crate) arguments: [u64; 6],
}

#[cfg(test)]
impl Call {
    /// A call that no kernel has sent.
    pub(crate) fn of(pid: i32, number: u32, architecture: u32, arguments: [u64; 6]) -> Self {
        Self { id: 0, pid, number, architecture, arguments }
    }
}

/// What a wait for a notification ended with.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A call waits for its verdict.
    Call(Call),
    /// The wait was interrupted or the caller went away; wait again.
    Nothing,
    /// No task is left under the filter.
    End,
}

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
}

impl Listener {
    /// Takes the descriptor over and asks for the synchronous wake-up, without which everything works and is slower.
    pub(crate) fn new(descriptor: Arc<OwnedFd>, sizes: sys::Sizes) -> Self {
        let listener = Self { descriptor, buffers: sys::Buffers::new(sizes) };
        match sys::set_sync_wake_up(listener.descriptor.as_fd()) {
            // An error is a kernel before 6.6, and costs time alone.
            Ok(()) | Err(_) => listener,
        }
    }

    /// Blocks until something happens.
    pub(crate) fn receive(&mut self) -> Result<Arrival, NotifyError> {
        match sys::receive(self.descriptor.as_fd(), &mut self.buffers) {
            Ok(raw) => Ok(Arrival::Call(Call {
                id: raw.id,
                pid: raw.pid,
                number: raw.number,
                architecture: raw.architecture,
                arguments: raw.arguments,
            })),
            Err(Errno::INTR | Errno::AGAIN) => Ok(Arrival::Nothing),
            // One errno for two things: the caller left before we looked, or everybody has left (seccomp_unotify(2)).
            Err(Errno::NOENT) if has_ended(self.descriptor.as_fd()) => Ok(Arrival::End),
            Err(Errno::NOENT) => Ok(Arrival::Nothing),
            Err(cause) => Err(NotifyError::Receive(cause)),
        }
    }

    /// Whether the caller still waits. To be asked after each read of what its process id names.
    pub(crate) fn is_waiting(&self, call: &Call) -> bool {
        sys::is_alive(self.descriptor.as_fd(), call.id)
    }

    /// Answers, and says whether the caller was still there. One that is gone needs no answer, so that is no error.
    pub(crate) fn answer(&mut self, call: &Call, verdict: Verdict) -> Result<bool, NotifyError> {
        let (value, errno) = match verdict {
            Verdict::Errno(errno) => (0, errno.0),
            Verdict::Value(value) => (value, 0),
        };
        loop {
            match sys::answer(self.descriptor.as_fd(), &mut self.buffers, call.id, value, errno) {
                Ok(()) => return Ok(true),
                Err(Errno::NOENT) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(cause) => return Err(NotifyError::Answer(cause)),
            }
        }
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
