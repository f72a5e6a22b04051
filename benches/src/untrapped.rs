//! What a workload does that no filter traps, and a tracer stops all the same: children, threads, signals. With a
//! listener they cost what they cost natively.
//!
//! Part of the workload of `bench-refusal`, and run wherever that runs.

use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::statistics::Summary;

/// Samples of each kind.
const SAMPLES: usize = 300;

/// One kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A child that executes `/bin/true` and is waited for.
    Spawn,
    /// A thread that ends at once and is joined.
    Thread,
    /// A call that no filter looks at.
    Call,
}

impl Work {
    /// All kinds.
    pub const ALL: &[Self] = &[Self::Spawn, Self::Thread, Self::Call];

    /// What it is called in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spawn => "fork, exec and wait for /bin/true",
            Self::Thread => "start and join a thread",
            Self::Call => "1000 times getppid",
        }
    }

    /// Does it once; true when it was done.
    fn is_done(self) -> bool {
        match self {
            Self::Spawn => Command::new("/bin/true").status().is_ok_and(|status| status.success()),
            Self::Thread => std::thread::spawn(|| ()).join().is_ok(),
            Self::Call => (0..1000).all(|_| rustix::process::getppid().is_some()),
        }
    }
}

/// The time of one kind of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cost {
    /// Its name.
    pub work: String,
    /// Median and shortest.
    pub time: (Duration, Duration),
}

/// Does the work over and over. `None` when it could not be done.
#[must_use]
pub fn measure(work: Work) -> Option<Cost> {
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let start = Instant::now();
        if !work.is_done() {
            return None;
        }
        samples.push(start.elapsed());
    }
    let summary = Summary::of(&samples)?;
    Some(Cost { work: work.name().to_owned(), time: (summary.median, summary.minimum) })
}
