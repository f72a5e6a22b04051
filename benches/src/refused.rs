//! The workload of `bench-refusal`: refused calls, one at a time, each with its time.
//!
//! `bench-refusal` runs it natively, where the kernel itself refuses these calls for their arguments, and under lazaret,
//! where the sentry does. They are harmless where nobody refuses: no such target, no such namespace.

use std::ffi::CStr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::mount::MountFlags;
use serde::{Deserialize, Serialize};

use crate::statistics::{Summary, median};

/// Calls of each kind that are recorded one by one. lazaret records the first thousand of a kind and counts the rest.
const RECORDED: usize = 900;
/// Calls between, so that all that follow are past the thousand.
const BETWEEN: usize = 200;
/// Calls that are only counted.
const COUNTED: usize = 4000;

/// What a refused call is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// setns(2) with a descriptor that is no namespace: numbers alone.
    Setns,
    /// mount(2) on a target that does not exist: strings to be read, and natively a path to be looked up.
    Mount,
}

impl Attempt {
    /// All kinds.
    pub const ALL: &[Self] = &[Self::Setns, Self::Mount];

    /// The call's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setns => "setns",
            Self::Mount => "mount",
        }
    }

    /// Makes the call; true when it was refused, as it has to be.
    fn is_refused(self) -> bool {
        match self {
            Self::Setns => rustix::thread::move_into_link_name_space(std::io::stdin().as_fd(), None).is_err(),
            Self::Mount => {
                rustix::mount::mount("none", "/no/such/target", "tmpfs", MountFlags::empty(), None::<&CStr>).is_err()
            }
        }
    }
}

/// The times of one kind of call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Times {
    /// The call's name.
    pub call: String,
    /// Median of the calls that are recorded, and their shortest.
    pub recorded: (Duration, Duration),
    /// Median of the calls that are only counted, and their shortest.
    pub counted: (Duration, Duration),
}

/// Makes the calls. `None` when one was not refused: then there is nothing to time.
#[must_use]
pub fn measure(attempt: Attempt) -> Option<Times> {
    let recorded = series(attempt, RECORDED)?;
    series(attempt, BETWEEN)?;
    let counted = series(attempt, COUNTED)?;
    Some(Times { call: attempt.name().to_owned(), recorded, counted })
}

fn series(attempt: Attempt, calls: usize) -> Option<(Duration, Duration)> {
    let clock = clock_cost();
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        let start = Instant::now();
        let is_refused = attempt.is_refused();
        samples.push(start.elapsed().saturating_sub(clock));
        if !is_refused {
            return None;
        }
    }
    let summary = Summary::of(&samples)?;
    Some((summary.median, summary.minimum))
}

/// What two looks at the clock cost by themselves.
fn clock_cost() -> Duration {
    let looks = (0..200).map(|_| Instant::now().elapsed()).collect();
    median(looks).unwrap_or_default()
}
