//! Lets a test change the last step of the jail and take the sentry's place behind it.
//!
//! Compiled with the feature `jail-hook` alone, which the test command turns on for the sentry's own tests. Called by
//! `jail` in the place of `filter::install`. Must not be in a shipped binary: a gate sees that no manifest turns it on.

use std::cell::RefCell;

use lazaret_profiles::syscalls;

use super::calls::{self, Descriptors, Permit};
use super::filter::{self, FilterError};
use crate::Seat;

/// What is different about the jail of the sentry that this thread becomes.
#[derive(Debug)]
pub enum Change {
    /// The filter lacks this call.
    Lost(&'static str),
    /// The jail is whole; then this runs, and does not come back.
    TakenOver(TakeOver),
}

/// What runs in the place of the sentry, with its descriptors. It ends the process.
pub struct TakeOver(pub Box<dyn FnOnce(&Seat)>);

impl std::fmt::Debug for TakeOver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TakeOver")
    }
}

thread_local! {
    static CHANGE: RefCell<Option<Change>> = const { RefCell::new(None) };
}

/// Orders a change, for the [`crate::serve`] that this thread calls next.
pub fn order(change: Change) {
    CHANGE.set(Some(change));
}

/// The names of all calls that the filter lets pass.
#[must_use]
pub fn calls(may_trace: bool) -> Vec<&'static str> {
    let anywhere = Descriptors { control: 0, records: Vec::new(), proc: 0, wake: 0 };
    calls::permits(&anywhere, may_trace).into_iter().map(|(name, _)| name).collect()
}

/// Installs the filter as `filter::install` does, but for what was ordered.
pub(super) fn install(mut permits: Vec<Permit>, seat: &Seat) -> Result<(), FilterError> {
    match CHANGE.take() {
        None => filter::install(&permits),
        Some(Change::Lost(name)) => {
            syscalls::by_name(name).ok_or(FilterError::UnknownCall(name))?;
            permits.retain(|(permitted, _)| *permitted != name);
            filter::install(&permits)
        }
        Some(Change::TakenOver(TakeOver(attack))) => {
            filter::install(&permits)?;
            attack(seat);
            Ok(())
        }
    }
}
