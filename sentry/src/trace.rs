//! `lazaret trace`: a tracer on the host's side that writes down each call of a container, with the kernel's answer and
//! the table's verdict.
//!
//! It only watches: no register and no memory of a tracee is changed, and filter and sentry decide as without it. What it
//! has followed from the start ([`Follower::seize`]) the kernel kills when it dies, and what runs before the first program is
//! executed is lazaret's own and left out. What ran already ([`Follower::attach`]) outlives it.
//!
//! Called by the runtime in a process of its own, not by the sentry: to the kernel the tracer is a thread.

mod attached;
pub(crate) mod line;
mod summary;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use lazaret_profiles::syscalls::Column;
use rustix::io::Errno;

use crate::changes::Changes;
use crate::sys::ptrace::{self as waiting, Change};
use crate::sys::stops::{self, Stop};
pub use attached::{Wait, Woken};
use line::Call;
use summary::Summary;

/// Why a container cannot be traced, or no further.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Another tracer has it, or a security module forbids it.
    #[error("cannot trace process {pid}")]
    Seize {
        /// The process.
        pid: i32,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// wait4(2) failed.
    #[error("cannot wait for traced processes")]
    Wait(#[source] Errno),
    /// A request about a stopped thread failed for good.
    #[error("cannot let traced thread {pid} go on")]
    Resume {
        /// The thread.
        pid: i32,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// Waiting for signals failed.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    /// The stream cannot be written.
    #[error("cannot write the stream")]
    Output(#[source] io::Error),
}

/// What the stream is to be.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Whose verdicts are shown; `None` for native mode.
    pub mode: Option<Column>,
    /// A table at the end instead of a line for each call.
    pub summary: bool,
}

/// A thread of the container.
#[derive(Debug, Default)]
struct Thread {
    /// Runs a program of the workload, and no longer lazaret's own.
    is_workload: bool,
    /// The call that it is in, and since when.
    call: Option<(Call, Instant)>,
}

/// The tracer; of the thread that made it.
#[derive(Debug)]
pub struct Follower<W: Write> {
    form: Form,
    output: BufWriter<W>,
    summary: Summary,
    threads: BTreeMap<i32, Thread>,
    /// Set by the first program that was executed: whatever appears afterwards is the workload's.
    has_executed: bool,
    changes: Changes,
}

impl<W: Write> Follower<W> {
    /// Seizes `pid`, a process that waits for our caller's word, so that nothing of its program is missed.
    ///
    /// # Errors
    /// [`FollowError::Seize`].
    pub fn seize(pid: i32, form: Form, output: W) -> Result<Self, FollowError> {
        let seized = stops::seize(pid).and_then(|()| stops::interrupt(pid));
        seized.map_err(|source| FollowError::Seize { pid, source })?;
        Ok(Self {
            form,
            output: BufWriter::new(output),
            summary: Summary::default(),
            threads: BTreeMap::from([(pid, Thread::default())]),
            has_executed: false,
            changes: Changes::default(),
        })
    }

    /// Follows everything that the process starts, until all of it is gone.
    ///
    /// # Errors
    /// See [`FollowError`]; the caller is to end then, and the kernel kills what was traced.
    pub fn follow(mut self) -> Result<(), FollowError> {
        while let Some((pid, change)) = self.next()? {
            self.at(pid, change)?;
        }
        self.finish()
    }

    /// A tracee has changed.
    fn at(&mut self, pid: i32, change: Change) -> Result<(), FollowError> {
        match change {
            Change::Signal(stops::CALL) => self.at_call(pid),
            Change::Signal(signal) => resume(pid, signal),
            Change::Executed => {
                self.executed(pid);
                resume(pid, 0)
            }
            Change::Event | Change::Call => {
                self.thread(pid);
                resume(pid, 0)
            }
            Change::GroupStop => match waiting::listen(pid) {
                // In another stop meanwhile, of which we will be told.
                Ok(()) | Err(Errno::IO | Errno::SRCH) => Ok(()),
                Err(source) => Err(FollowError::Resume { pid, source }),
            },
            Change::End => self.ended(pid),
        }
    }

    /// Writes what is left to write.
    fn finish(&mut self) -> Result<(), FollowError> {
        if self.form.summary {
            self.output.write_all(self.summary.table().as_bytes()).map_err(FollowError::Output)?;
        }
        self.output.flush().map_err(FollowError::Output)
    }

    /// The next change; `None` when there is no tracee any more. What is written is shown before a wait.
    fn next(&mut self) -> Result<Option<(i32, Change)>, FollowError> {
        if self.changes.is_empty() {
            self.output.flush().map_err(FollowError::Output)?;
        }
        self.changes.next().map_err(FollowError::Wait)
    }

    fn thread(&mut self, pid: i32) -> &mut Thread {
        let is_workload = self.has_executed;
        self.threads.entry(pid).or_insert(Thread { is_workload, call: None })
    }

    fn at_call(&mut self, pid: i32) -> Result<(), FollowError> {
        // Killed meanwhile: its end is told.
        let Ok(Some(stop)) = stops::call(pid) else { return resume(pid, 0) };
        match stop {
            Stop::Entry { number, architecture, arguments } => {
                let Form { mode, summary } = self.form;
                let call = Call::entered(pid, (number, architecture), arguments, mode, !summary);
                self.thread(pid).call = Some((call, Instant::now()));
            }
            Stop::Exit { value, is_error } => {
                let now = Instant::now();
                self.returned(pid, Some((value, is_error)), now)?;
            }
        }
        resume(pid, 0)
    }

    /// A call has ended, with a result or with its thread.
    fn returned(&mut self, pid: i32, result: Option<(i64, bool)>, now: Instant) -> Result<(), FollowError> {
        let thread = self.thread(pid);
        let Some((call, since)) = thread.call.take().filter(|_| thread.is_workload) else { return Ok(()) };
        let spent: Duration = now.saturating_duration_since(since);
        if self.form.summary {
            self.summary.add(call, result.is_some_and(|(_, is_error)| is_error), spent);
            return Ok(());
        }
        writeln!(self.output, "{}", call.line(pid, result, spent)).map_err(FollowError::Output)
    }

    /// A thread that executes takes the id of its process's first thread over, and its call goes along.
    fn executed(&mut self, pid: i32) {
        self.has_executed = true;
        let former = stops::message_id(pid).ok().filter(|former| *former != pid);
        if let Some(thread) = former.and_then(|former| self.threads.remove(&former)) {
            self.threads.insert(pid, thread);
        }
        self.thread(pid).is_workload = true;
    }

    fn ended(&mut self, pid: i32) -> Result<(), FollowError> {
        self.returned(pid, None, Instant::now())?;
        self.threads.remove(&pid);
        Ok(())
    }
}

/// Lets a tracee go on. One that is gone, or killed and about to be, is no error: its end is told.
fn resume(pid: i32, signal: i32) -> Result<(), FollowError> {
    match stops::resume(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(source) => Err(FollowError::Resume { pid, source }),
    }
}
