//! The tracer: what the listener is to `notify`, for where no listener can be had. The filter hands a call over by
//! `SECCOMP_RET_TRACE`; the tracer answers it by making it return what the verdict says.
//!
//! One of the two interceptors, owned by one thread: the kernel knows threads as tracers. It follows everything that the
//! process it seized starts; when it ends, the kernel kills them all (`PTRACE_O_EXITKILL`). Signals pass through, and job
//! control works as without it. It can give a caller no descriptor.
//!
//! Called by `pump` and `watch`. Must not look at what a call means.

use std::os::fd::OwnedFd;
use std::time::Instant;

use lazaret_profiles::class::Errno as Answer;
use lazaret_profiles::plan::TRACE_DATA;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::changes::{Changes, Known};
use crate::errands::Errands;
use crate::interceptor::{Arrival, Caller, Interceptor};
use crate::limits;
use crate::sys::ptrace::{self as sys, Change};
use crate::verdict::{Registers, Verdict};

/// Why the tracer is of no use, or of none any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceError {
    /// The process cannot be traced.
    #[error("cannot trace process {pid}")]
    Seize {
        /// The process.
        pid: i32,
        /// Why: `EPERM` where another tracer has it, or a security module forbids it.
        #[source]
        source: Errno,
    },
    /// The process ended before it was seized, and its number may be another's by now.
    #[error("process {0} ended before it was traced")]
    Gone(i32),
    /// wait4(2) failed.
    #[error("cannot wait for traced processes")]
    Wait(#[source] Errno),
    /// A request about a stopped process failed for good.
    #[error("cannot let traced process {pid} go on")]
    Resume {
        /// The thread.
        pid: i32,
        /// Why.
        #[source]
        source: Errno,
    },
}

/// The tracing end; owned by one thread, which must be the one that seized.
#[derive(Debug)]
pub(crate) struct Tracer {
    changes: Changes,
    errands: Errands,
}

impl Tracer {
    /// Starts to trace the process `pid`, which `pidfd` names. What it lends goes to `errands`.
    pub(crate) fn seize(pid: i32, pidfd: &OwnedFd, errands: Errands) -> Result<Self, TraceError> {
        sys::seize(pid).map_err(|source| TraceError::Seize { pid, source })?;
        // Alive after it was seized, so the number meant this process when it was seized.
        if has_ended(pidfd) { Err(TraceError::Gone(pid)) } else { Ok(Self { changes: Changes::default(), errands }) }
    }

    /// Lets a tracee go on, with a signal or (0) without.
    fn resume(pid: i32, signal: i32) -> Result<(), TraceError> {
        outcome(pid, sys::resume(pid, signal)).map(|_was_there| ())
    }

    /// Lends a call to whoever may sleep on it.
    pub(crate) fn lend(&self, caller: Caller, registers: Registers) {
        self.errands.lend(caller, registers);
    }

    /// Answers what others have judged.
    fn carry_back(&mut self) -> Result<(), TraceError> {
        for (caller, verdict) in self.errands.take_back() {
            // In another stop, it is no longer in this call.
            if self.is_waiting(caller) {
                self.answer(caller, verdict)?;
            }
        }
        Ok(())
    }

    /// What there is to do about a change: a call is told, everything else goes on.
    fn react(pid: i32, change: Change) -> Result<Arrival, TraceError> {
        match change {
            Change::Call => return Self::call(pid),
            Change::Signal(signal) => Self::resume(pid, signal)?,
            Change::Event | Change::Executed => Self::resume(pid, 0)?,
            Change::GroupStop => match sys::listen(pid) {
                // In another stop meanwhile, of which we will be told.
                Err(Errno::IO) => {}
                other => outcome(pid, other).map(|_was_there| ())?,
            },
            Change::End => {}
        }
        Ok(Arrival::Nothing)
    }

    /// The call in whose stop a tracee is. A workload's own filter may hand calls to a tracer too: those get what they
    /// would get without one, `ENOSYS` (seccomp(2)).
    fn call(pid: i32) -> Result<Arrival, TraceError> {
        let Ok(Some(trap)) = sys::trapped_call(pid) else { return Ok(Arrival::Nothing) };
        if trap.data != u64::from(TRACE_DATA) {
            Self::finish(pid, -i64::from(Answer::ENOSYS.0))?;
            return Ok(Arrival::Nothing);
        }
        Ok(Arrival::Call(
            Caller { pid, ticket: 0, since: Instant::now() },
            Registers::trapped(pid, trap.number, trap.architecture, trap.arguments),
        ))
    }

    /// Makes a call return `value`, and says whether the caller was still there.
    fn finish(pid: i32, value: i64) -> Result<bool, TraceError> {
        outcome(pid, sys::set_result(pid, value).and_then(|()| sys::resume(pid, 0)))
    }
}

impl Interceptor for Tracer {
    type Error = TraceError;

    const GIVES_DESCRIPTORS: bool = false;

    fn receive(&mut self) -> Result<Arrival, TraceError> {
        while self.errands.are_out() {
            self.carry_back()?;
            let known = self.changes.known_telling(|pid| self.errands.strike(pid)).map_err(TraceError::Wait)?;
            match known {
                Known::Change(pid, change) => return Self::react(pid, change),
                Known::Nothing => self.errands.wait(limits::TRACER_PAUSE),
                Known::NoTracee => return Ok(Arrival::End),
            }
        }
        match self.changes.next().map_err(TraceError::Wait)? {
            Some((pid, change)) => Self::react(pid, change),
            None => Ok(Arrival::End),
        }
    }

    /// Its id cannot be another's: it is reaped by this thread alone. But a sibling that executes takes the id over
    /// (and stops there); then the call of before is gone.
    fn is_waiting(&self, caller: Caller) -> bool {
        matches!(sys::trapped_call(caller.pid), Ok(Some(_)))
    }

    fn answer(&mut self, caller: Caller, verdict: Verdict) -> Result<bool, TraceError> {
        let value = match verdict {
            Verdict::Continue(_registers_alone) => return outcome(caller.pid, sys::resume(caller.pid, 0)),
            Verdict::Value(value) => value,
            Verdict::Errno(errno) => -i64::from(errno.0),
            Verdict::Kill | Verdict::AddFd(_) => -i64::from(Answer::EPERM.0),
        };
        Self::finish(caller.pid, value)
    }
}
/// Whether the tracee was there to be told. One that is gone, or killed and about to be, is no error: its end is told.
fn outcome(pid: i32, result: Result<(), Errno>) -> Result<bool, TraceError> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(source) => Err(TraceError::Resume { pid, source }),
    }
}

fn has_ended(pidfd: &OwnedFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    !matches!(rustix::event::poll(&mut fds, Some(&at_once)), Ok(0))
}
