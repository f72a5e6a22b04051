//! Work for the sentry in processes of their own: whoever watches a container must go on watching it, whatever a path
//! of the container leads to.
//!
//! A worker is forked for one question, answers over a channel and ends. There are [`limits::WORKERS`] at a time, and each
//! is killed at its deadline. Owned by `watch`, which polls them with everything else. What a worker does is up to
//! whoever starts it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use lazaret_sentry::handoff::Answer;
use lazaret_sentry::limits;
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::channel;
use crate::sys;

/// The workers under way.
#[derive(Debug, Default)]
pub struct Workers {
    busy: Vec<Worker>,
    /// Answered or given up, and not yet reaped.
    ending: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Worker {
    ticket: u64,
    pidfd: OwnedFd,
    answers: OwnedFd,
    deadline: Instant,
}

/// A worker that is done: the ticket of its question, and what came of it.
pub type Done = (u64, Answer);

impl Workers {
    /// Starts a worker for the question `ticket`, with no descriptors but `keep` and its streams. It dies with us.
    ///
    /// # Errors
    /// `EAGAIN` when there are too many; those of making a process.
    pub fn start(
        &mut self,
        ticket: u64,
        patience: Duration,
        keep: &[BorrowedFd<'_>],
        work: impl FnOnce() -> Answer,
    ) -> io::Result<()> {
        self.reap();
        if self.busy.len() + self.ending.len() >= limits::WORKERS {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        let (answers, theirs) = channel::pair().map_err(io::Error::other)?;
        let us = rustix::process::getpid();
        let (_pid, pidfd) = sys::clone::fork(|| {
            let kept: Vec<BorrowedFd<'_>> = keep.iter().copied().chain([theirs.as_fd()]).collect();
            // The streams of a foreground command stay open, so that no other descriptor takes their numbers.
            let alone = sys::clone::close_all_but_from(3, &kept).and_then(|()| die_with(us));
            let answer = alone.map_or_else(errno, |()| work());
            u8::from(channel::send(&theirs, &answer, None).is_err())
        })?;
        self.busy.push(Worker { ticket, pidfd, answers, deadline: Instant::now() + patience });
        Ok(())
    }

    /// The descriptors that become readable when a worker is done.
    pub fn answers(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.busy.iter().map(|worker| worker.answers.as_fd())
    }

    /// How long until the first deadline.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        let first = self.busy.iter().map(|worker| worker.deadline).min();
        first.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Takes the workers that are done (`ready`, in the order of [`Workers::answers`]) or late.
    pub fn take(&mut self, ready: &[bool]) -> Vec<Done> {
        let now = Instant::now();
        let mut done = Vec::new();
        let busy =
            std::mem::take(&mut self.busy).into_iter().zip(ready.iter().copied().chain(std::iter::repeat(false)));
        for (worker, is_ready) in busy {
            let answer = match (is_ready, worker.deadline <= now) {
                (true, _) => {
                    channel::receive::<Answer>(&worker.answers).map_or(Answer::Errno(libc::EIO), |(said, _)| said)
                }
                (false, true) => Answer::Errno(libc::ETIMEDOUT),
                (false, false) => {
                    self.busy.push(worker);
                    continue;
                }
            };
            done.push((worker.ticket, answer));
            self.end(worker.pidfd);
        }
        self.reap();
        done
    }

    /// It has nothing left to do, and no right to go on.
    fn end(&mut self, pidfd: OwnedFd) {
        if let Err(error) = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::error!(%error, "could not end a worker");
        }
        self.ending.push(pidfd);
    }

    /// One that the kernel does not let go of yet is tried again the next time, and counts until then.
    fn reap(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        self.ending.retain(|pidfd| matches!(rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options), Ok(None)));
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in std::mem::take(&mut self.busy) {
            self.end(worker.pidfd);
        }
        self.reap();
    }
}

/// The answer to a question that failed for this reason.
#[must_use]
pub fn errno(error: io::Error) -> Answer {
    Answer::Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Has the kernel kill this process when its parent `us` ends. A change of credentials takes that back (prctl(2)), so
/// it is to be said again after one.
///
/// # Errors
/// `ESRCH` when the parent has ended already.
pub fn die_with(us: rustix::process::Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() == Some(us) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}
