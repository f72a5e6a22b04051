//! What became of the tracees of a thread, in turn: those of all of them are asked for at a time, so that a tracee that
//! stops again and again keeps no other waiting; it stands in here once until it is let go.
//!
//! Used by the two tracers, `ptrace` and `trace`, each on the thread that traces. Must not decide anything.

use std::collections::VecDeque;

use rustix::io::Errno;

use crate::sys::ptrace::{self as sys, Change};

/// Changes that were told and not yet looked at.
#[derive(Debug, Default)]
pub(crate) struct Changes(VecDeque<(i32, Change)>);

/// What is known without a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// The next change of this tracee.
    Change(i32, Change),
    /// No tracee has changed.
    Nothing,
    /// This thread has no tracee.
    NoTracee,
}

impl Changes {
    /// The next change, without a wait for one.
    ///
    /// # Errors
    /// As wait4(2).
    pub(crate) fn known(&mut self) -> Result<Known, Errno> {
        self.known_by(|| sys::wait(false))
    }

    /// The same; `tell` gets each tracee before it is reaped, as long as no other process can have its number.
    ///
    /// # Errors
    /// As waitid(2) and wait4(2).
    pub(crate) fn known_telling(&mut self, tell: impl Fn(i32)) -> Result<Known, Errno> {
        self.known_by(|| {
            let Some(pid) = sys::peek()? else { return Ok(None) };
            tell(pid);
            sys::wait_for(pid)
        })
    }

    /// The next change, of all that `look` finds one by one.
    fn known_by(&mut self, look: impl Fn() -> Result<Option<(i32, Change)>, Errno>) -> Result<Known, Errno> {
        let end = loop {
            match look() {
                Ok(Some(change)) => self.0.push_back(change),
                Ok(None) => break Known::Nothing,
                Err(Errno::CHILD) => break Known::NoTracee,
                Err(Errno::INTR) => {}
                Err(cause) => return Err(cause),
            }
        };
        Ok(self.0.pop_front().map_or(end, |(pid, change)| Known::Change(pid, change)))
    }

    /// Whether [`Changes::next`] will wait, unless a change comes meanwhile.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next change, waited for if none is known; `None` when this thread has no tracee any more.
    ///
    /// # Errors
    /// As wait4(2).
    pub(crate) fn next(&mut self) -> Result<Option<(i32, Change)>, Errno> {
        let mut is_patient = self.is_empty();
        loop {
            match sys::wait(is_patient) {
                Ok(Some(change)) => self.0.push_back(change),
                Ok(None) | Err(Errno::CHILD) => return Ok(self.0.pop_front()),
                Err(Errno::INTR) => continue,
                Err(cause) => return Err(cause),
            }
            is_patient = false;
        }
    }
}
