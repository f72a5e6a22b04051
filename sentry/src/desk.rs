//! Where one thread looks at the memory of a caller: what lies there, since when, and who answers it.
//!
//! A page of a caller's may be one that a process hands over (userfaultfd(2), a file of FUSE) and never does. Whoever reads it
//! then sleeps until the caller is gone, and only a deadly signal to the whole sentry would wake it. So the thread is left
//! behind: at the deadline the main thread takes the call off its desk and answers it.
//!
//! Used by `crew`. Must not read or decide anything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::interceptor::Caller;
use crate::limits;
use crate::verdict::Outline;

/// A call whose memory is being looked at.
#[derive(Debug)]
pub(crate) struct Open {
    /// Who waits for the answer.
    pub(crate) caller: Caller,
    /// What it asks for.
    pub(crate) outline: Outline,
}

/// The desk of one thread.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Option<Open>>);

impl Desk {
    /// Puts a call on it.
    pub(crate) fn open(&self, caller: Caller, outline: Outline) {
        *self.lock() = Some(Open { caller, outline });
    }

    /// Takes the call off it; `false` when that has been done by whoever looks after the desks.
    pub(crate) fn close(&self) -> bool {
        self.lock().take().is_some()
    }

    /// Takes off it what has lain there for longer than [`limits::COPY_DEADLINE`].
    pub(crate) fn take_late(&self) -> Option<Open> {
        self.lock().take_if(|open| open.caller.since.elapsed() >= limits::COPY_DEADLINE)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
