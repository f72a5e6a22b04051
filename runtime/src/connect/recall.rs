//! Calling a connect back: as long as its caller waits for the answer nothing but its death reaches it
//! (`SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`): no signal, and no frost, so that a pause of the container would fail. Then
//! the agent is ended, and the call is answered as the kernel answers a connect(2) that it has interrupted itself: it is
//! issued anew after the pause or the signal's handler, or fails with `EINTR`.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use lazaret_sentry::handoff::{Answer, RESTART, RESTART_UNLESS_HANDLED};
use lazaret_sentry::limits;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::sockopt::Timeout;
use rustix::process::{Signal, WaitId, WaitIdOptions};

use super::FromAgent;
use super::caller::Caller;
use crate::channel;

/// What decides whether one connect is called back, and how.
pub(super) struct Recall<'a> {
    caller: &'a Caller,
    socket: &'a OwnedFd,
    is_to_stand_still: &'a dyn Fn() -> bool,
    /// Whether the socket had a peer before.
    was_connected: bool,
    /// Whether the container was to stand still at the last look.
    was_to_stand_still: bool,
}

impl<'a> Recall<'a> {
    /// Of the connect of `socket`, a descriptor of `caller`, which has not begun.
    pub(super) fn of(caller: &'a Caller, socket: &'a OwnedFd, is_to_stand_still: &'a dyn Fn() -> bool) -> Self {
        let was_connected = is_connected(socket);
        Self { caller, socket, is_to_stand_still, was_connected, was_to_stand_still: false }
    }

    /// The errno to call it back with, if it is to be. A signal does so only when the kernel's own connect(2)
    /// `has_begun`, so that signals at short intervals let every attempt come that far.
    pub(super) fn errno(&mut self, has_begun: bool) -> Option<i32> {
        // One that is traced waits in a stop of the tracer's, where the kernel counts it as frozen, and what the tracer
        // puts into its registers is no result that the kernel looks at.
        let is_traced = self.caller.is_traced().unwrap_or(true);
        let before = std::mem::replace(&mut self.was_to_stand_still, (self.is_to_stand_still)());
        // At the second look: the kernel marks the tasks of a cgroup that is to be frozen one after the other, and only
        // for one that is marked it does not let the number through.
        let is_frozen = before && self.was_to_stand_still;
        let is_called = || has_begun && self.caller.has_signal().unwrap_or(false);
        match is_traced {
            true => None,
            false if is_frozen => Some(RESTART),
            false => is_called().then(|| self.errno_of_signal()),
        }
    }

    /// As `sock_intr_errno` of include/net/sock.h: a connect with a limit of time is not started anew.
    fn errno_of_signal(&self) -> i32 {
        let is_limited = matches!(rustix::net::sockopt::socket_timeout(self.socket, Timeout::Send), Ok(Some(_limit)));
        if is_limited { libc::EINTR } else { RESTART_UNLESS_HANDLED }
    }

    /// Ends the agent behind `pidfd`, and tells what its caller is to be told: `errno`, unless it was done already.
    ///
    /// # Errors
    /// Only if the agent cannot be ended.
    pub(super) fn carry_out(self, (agent, pidfd): (&OwnedFd, &OwnedFd), errno: i32) -> io::Result<Answer> {
        match rustix::process::pidfd_send_signal(pidfd, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
        // It may have been done before it was ended, and may have said so.
        while let Ok((said, _file)) = channel::receive::<FromAgent>(agent) {
            if let FromAgent::Done(errno) = said {
                return Ok(Answer::Errno(errno));
            }
        }
        let is_done = !self.was_connected && is_connected(self.socket);
        Ok(Answer::Errno(if is_done { 0 } else { errno }))
    }
}

/// Whether the agent has something to say before the next look is due.
pub(super) fn speaks(agent: &OwnedFd) -> io::Result<bool> {
    let limit = Timespec::try_from(limits::CONNECT_LOOK).map_err(io::Error::other)?;
    match rustix::event::poll(&mut [PollFd::new(agent, PollFlags::IN)], Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_connected(socket: &OwnedFd) -> bool {
    rustix::net::getpeername(socket).is_ok()
}
