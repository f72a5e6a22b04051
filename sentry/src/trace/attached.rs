//! A container that runs already: its threads are seized where they are, and let go again where they then are.
//!
//! A tracer that ends takes nothing along. A thread that is blocked is interrupted once when it is seized and once when
//! it is let go, as under strace: the kernel begins its call again, where the call is one of those that it does begin
//! again after a stop (signal(7)).

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::summary::Summary;
use super::{FollowError, Follower, Form, Thread};
use crate::changes::{Changes, Known};
use crate::sys::ptrace::Change;
use crate::sys::stops;

/// How long threads that are to be let go may take to come to a stop. One that sleeps uninterruptibly does not; the end
/// of this process lets it go, and it never notices.
const PATIENCE: Duration = Duration::from_secs(5);

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// A tracee has changed (`SIGCHLD`), or may have.
    Child,
    /// The caller wants to end.
    Caller,
    /// Nothing came in time.
    Late,
}

/// Sleeps until something happens, for no longer than the limit. To be given by whoever owns the signals of the process.
pub type Wait<'a> = &'a mut dyn FnMut(Option<Duration>) -> io::Result<Woken>;

impl<W: Write> Follower<W> {
    /// A tracer of nothing yet.
    pub fn idle(form: Form, output: W) -> Self {
        Self {
            form,
            output: BufWriter::new(output),
            summary: Summary::default(),
            threads: std::collections::BTreeMap::new(),
            has_executed: true,
            changes: Changes::default(),
        }
    }

    /// Whether this thread is among those that were seized or have been seen since.
    #[must_use]
    pub fn knows(&self, thread: i32) -> bool {
        self.threads.contains_key(&thread)
    }

    /// Seizes a thread of the container, and with it all that it will start.
    ///
    /// # Errors
    /// [`FollowError::Seize`]: `ESRCH` when it is gone; `EPERM` when it is dead and not waited for, when it has a tracer,
    /// which may be this one, or when it may not be traced.
    pub fn attach(&mut self, thread: i32) -> Result<(), FollowError> {
        let seized = stops::seize_to_let_go(thread).and_then(|()| stops::interrupt(thread));
        seized.map_err(|source| FollowError::Seize { pid: thread, source })?;
        self.threads.insert(thread, Thread { is_workload: true, call: None });
        Ok(())
    }

    /// Follows what was attached until it is gone or `wait` says that the caller wants to end, and lets the rest go.
    ///
    /// # Errors
    /// See [`FollowError`]; the container goes on all the same.
    pub fn follow_until(mut self, wait: Wait<'_>) -> Result<(), FollowError> {
        let followed = self.follow_while(wait);
        let left = self.let_go(wait);
        followed.and(left).and_then(|()| self.finish())
    }

    fn follow_while(&mut self, wait: Wait<'_>) -> Result<(), FollowError> {
        loop {
            match self.changes.known().map_err(FollowError::Wait)? {
                Known::Change(pid, change) => self.at(pid, change)?,
                Known::Nothing => {
                    self.output.flush().map_err(FollowError::Output)?;
                    if wait(None).map_err(FollowError::Signals)? == Woken::Caller {
                        return Ok(());
                    }
                }
                Known::NoTracee => return Ok(()),
            }
        }
    }

    /// Detaches from every thread, each with the signal that it was about to get.
    pub fn let_go(&mut self, wait: Wait<'_>) -> Result<(), FollowError> {
        let threads = std::mem::take(&mut self.threads);
        let mut left: BTreeSet<i32> = threads.into_keys().filter(|pid| stops::interrupt(*pid).is_ok()).collect();
        let deadline = Instant::now() + PATIENCE;
        while !left.is_empty() {
            match self.changes.known().map_err(FollowError::Wait)? {
                Known::Change(pid, change) => {
                    left.remove(&pid);
                    // What it has just started is ours too. ESRCH: what is named here has ended, or is an older one's.
                    let started = (change == Change::Event).then(|| stops::message_id(pid).ok()).flatten();
                    left.extend(started.filter(|started| *started != pid && stops::interrupt(*started).is_ok()));
                    detach(pid, change)?;
                }
                Known::Nothing => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    if rest.is_zero() || wait(Some(rest)).map_err(FollowError::Signals)? == Woken::Late {
                        return Ok(());
                    }
                }
                Known::NoTracee => return Ok(()),
            }
        }
        Ok(())
    }
}

fn detach(pid: i32, change: Change) -> Result<(), FollowError> {
    let signal = match change {
        Change::End => return Ok(()),
        Change::Signal(signal) if signal != stops::CALL => signal,
        Change::Signal(_) | Change::Call | Change::GroupStop | Change::Event | Change::Executed => 0,
    };
    match stops::detach(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(source) => Err(FollowError::Resume { pid, source }),
    }
}
