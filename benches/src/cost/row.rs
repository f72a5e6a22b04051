//! The rows of the cost table: a name, what it may cost, and the work.

use std::time::Duration;

use crate::cost::{applications, calls};

/// What a row may cost in sandbox mode, beside the same work in native mode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// This many times the native time, or this much more for each call, whichever is larger.
    Call {
        /// Times native.
        ratio: f64,
        /// More than native.
        more: Duration,
    },
    /// This many times the native time.
    Ratio(f64),
    /// At least this share of the native throughput.
    Throughput(f64),
}

impl Limit {
    /// Whether these medians keep the limit.
    #[must_use]
    pub fn holds(self, ours: Duration, native: Duration) -> bool {
        let times = |ratio: f64| ours <= native.mul_f64(ratio);
        match self {
            Self::Call { ratio, more } => times(ratio) || ours <= native + more,
            Self::Ratio(ratio) => times(ratio),
            Self::Throughput(share) => times(1.0 / share),
        }
    }

    /// As the table prints it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Call { ratio, more } => format!("<= {ratio} or +{} ns", more.as_nanos()),
            Self::Ratio(ratio) => format!("<= {ratio}"),
            Self::Throughput(share) => format!("<= {:.2} ({share} of native throughput)", 1.0 / share),
        }
    }
}

/// A call that no filter looks at twice.
const CALL: Limit = Limit::Call { ratio: 1.3, more: Duration::from_nanos(40) };
const APPLICATION: Limit = Limit::Throughput(0.97);

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Set {
    /// System calls and processes.
    Calls,
    /// Programs that people run.
    Applications,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name in the table, and on the line that asks for it.
    pub name: &'static str,
    /// Where it belongs.
    pub set: Set,
    /// What it may cost.
    pub limit: Limit,
    /// Does the work once; gives the time of one unit of it (a call, a request, a run).
    pub work: fn() -> Result<Duration, String>,
}

impl Row {
    const fn call(name: &'static str, limit: Limit, work: fn() -> Result<Duration, String>) -> Self {
        Self { name, set: Set::Calls, limit, work }
    }

    const fn application(name: &'static str, work: fn() -> Result<Duration, String>) -> Self {
        Self { name, set: Set::Applications, limit: APPLICATION, work }
    }

    /// The row of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|row| row.name == name)
    }
}

/// All rows, as the table shows them.
pub const ALL: &[Row] = &[
    Row::call("getppid", CALL, calls::getppid),
    Row::call("read of a byte", CALL, calls::read),
    Row::call("write of a byte", CALL, calls::write),
    Row::call("stat", CALL, calls::stat),
    Row::call("open and close", Limit::Ratio(1.15), calls::open_close),
    Row::call("mmap, touch and munmap", CALL, calls::mmap),
    Row::call("futex wake", CALL, calls::futex),
    Row::call("there and back through a pipe", CALL, calls::pipe),
    Row::call("connect and accept", CALL, calls::connect),
    Row::call("thread start and join", Limit::Ratio(1.1), calls::thread),
    Row::call("fork, exec and wait", Limit::Ratio(1.1), calls::fork_exec),
    Row::call("vfork, exec and wait", Limit::Ratio(1.1), calls::vfork_exec),
    Row::application("sqlite", applications::sqlite),
    Row::application("redis", applications::redis),
    Row::application("nginx and wrk", applications::nginx),
    Row::application("tar of a source tree", applications::tar),
    Row::application("Rust build", applications::rust),
    Row::application("C build", applications::c),
    Row::application("python start", applications::python),
    Row::application("git status", applications::git),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_cost_the_larger_of_both() {
        let nanos = Duration::from_nanos;
        assert!(CALL.holds(nanos(140), nanos(100)));
        assert!(!CALL.holds(nanos(141), nanos(100)));
        assert!(CALL.holds(nanos(1300), nanos(1000)));
        assert!(!CALL.holds(nanos(1301), nanos(1000)));
    }

    #[test]
    fn throughput_is_the_other_way_round() {
        assert!(APPLICATION.holds(Duration::from_micros(1030), Duration::from_micros(1000)));
        assert!(!APPLICATION.holds(Duration::from_micros(1032), Duration::from_micros(1000)));
    }

    #[test]
    fn every_name_names_one_row() {
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(Row::named("getppid").is_some() && Row::named("no such row").is_none());
    }
}
