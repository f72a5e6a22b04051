//! What the two ways of trapping calls have in common: a call arrives, waits, and is answered.
//!
//! Implemented by `notify`, `ptrace` and `errands`, used by `crew`. Knows nothing of what a call means.

use std::time::Instant;

use crate::verdict::{Registers, Verdict};

/// A thread that waits for its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The thread, in our PID namespace; 0 when it cannot be seen from there.
    pub(crate) pid: i32,
    /// By what the interceptor knows this call again.
    pub(crate) ticket: u64,
    /// When it was taken.
    pub(crate) since: Instant,
}

/// What a wait for a call ended with.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A call waits for its verdict.
    Call(Caller, Registers),
    /// The wait was interrupted or the caller went away; wait again.
    Nothing,
    /// No task is left to wait for.
    End,
}

/// One of the ways, or a handle of it. Owned by one thread.
pub(crate) trait Interceptor {
    /// Why it is of no use any more.
    type Error: std::error::Error + Send + 'static;

    /// Whether it can answer with `Verdict::AddFd`. Where it cannot, a call that needs it is refused.
    const GIVES_DESCRIPTORS: bool;

    /// Blocks until something happens.
    fn receive(&mut self) -> Result<Arrival, Self::Error>;

    /// Whether the caller still waits. To be asked after each read of what its process id names.
    fn is_waiting(&self, caller: Caller) -> bool;

    /// Answers, and says whether the caller was still there. One that is gone needs no answer, so that is no error.
    fn answer(&mut self, caller: Caller, verdict: Verdict) -> Result<bool, Self::Error>;
}

/// One whose calls any number of threads may take and answer, each by a handle of its own.
pub(crate) trait Divisible: Interceptor + Send + 'static {
    /// Another handle.
    fn second(&self) -> Self;
}
