//! Counts of what a container's sentries decide, for whoever looks while they live: numbers in a file that each of them has
//! mapped. A decision adds to them by atomic additions and no system call; nothing is ever read back by a sentry.
//!
//! Written by `court` and `audit`, read by the runtime ([`Counts::read`]). The file is the container's own, and a sentry that was
//! taken over can write what it likes there: numbers to be shown, and nothing to decide on.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lazaret_profiles::syscalls;
use rustix::io::Errno;

use crate::record::Outcome;
use crate::sys;

/// Bytes of the file.
pub const BYTES: usize = WORDS * 8;

/// What the first word says.
const VERSION: u64 = 1;
/// Words of the file, after the first: lines that were not recorded, lines that readers did not take, nanoseconds.
const WORDS: usize = FIRST_CALL + 2 * CALLS;
const DROPPED: usize = 1;
const UNSENT: usize = 2;
const NANOSECONDS: usize = 3;
const FIRST_BUCKET: usize = 8;
/// Upper bounds of all buckets but the last: 1, 2, 4 ... microseconds.
const BUCKETS: usize = 24;
const FIRST_CALL: usize = 64;
/// Numbers of system calls that are told apart; the last stands for all others.
const CALLS: usize = 512;

/// The counts as a sentry has them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters(&'static [AtomicU64]);

impl Counters {
    /// Those in a file of [`BYTES`] bytes, open for reading and writing.
    pub(crate) fn of(file: BorrowedFd<'_>) -> Result<Self, Errno> {
        let counters = Self(sys::share_words(file, WORDS)?);
        counters.set_version();
        Ok(counters)
    }

    /// Nobody else's.
    pub(crate) fn private() -> Self {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        Self(Vec::leak(words))
    }

    fn set_version(self) {
        if let Some(version) = self.0.first() {
            version.store(VERSION, Ordering::Relaxed);
        }
    }

    fn add(self, word: usize, more: u64) {
        if let Some(word) = self.0.get(word) {
            word.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// A call with this number has got its answer this long after it was taken.
    pub(crate) fn decided(self, number: u32, outcome: Outcome, took: Duration) {
        let call = usize::try_from(number).unwrap_or(CALLS).min(CALLS - 1);
        self.add(FIRST_CALL + 2 * call + usize::from(outcome == Outcome::Answered), 1);
        self.add(FIRST_BUCKET + bucket(took), 1);
        self.add(NANOSECONDS, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// So many decisions have no record.
    pub(crate) fn dropped(self, lines: u64) {
        self.add(DROPPED, lines);
    }

    /// So many lines were not taken by a reader beside the audit file.
    pub(crate) fn unsent(self, lines: u64) {
        self.add(UNSENT, lines);
    }
}

/// The first whose bound is not below.
fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
    let power = micros.max(1).checked_next_power_of_two().map_or(u64::BITS, u64::trailing_zeros);
    usize::try_from(power).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The counts at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Decisions that have no record.
    pub dropped: u64,
    /// Lines that readers beside the audit file did not take.
    pub unsent: u64,
    /// From when the sentry takes a call to its answer, all together.
    pub waited: Duration,
    /// How many took at most as long (the last: any time) and longer than the one before.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// System call, refused, answered; those that were made.
    pub calls: Vec<(&'static str, u64, u64)>,
}

impl Counts {
    /// Reads the file of a container. `None` where there is none that is ours: a container in native mode has no sentry.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok().filter(|bytes| bytes.len() == BYTES)?;
        let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        if word(0) != VERSION {
            return None;
        }
        let bound = |at: usize| (at + 1 < BUCKETS).then(|| Duration::from_micros(1 << at));
        let calls = (0..CALLS).filter_map(|call| {
            let (refused, answered) = (word(FIRST_CALL + 2 * call), word(FIRST_CALL + 2 * call + 1));
            let known = u32::try_from(call).ok().and_then(syscalls::by_number);
            (refused + answered > 0).then(|| (known.map_or("other", |row| row.name), refused, answered))
        });
        Some(Self {
            dropped: word(DROPPED),
            unsent: word(UNSENT),
            waited: Duration::from_nanos(word(NANOSECONDS)),
            buckets: (0..BUCKETS).map(|at| (bound(at), word(FIRST_BUCKET + at))).collect(),
            calls: calls.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn times_fall_into_the_bucket_whose_bound_they_do_not_pass() {
        let micros = Duration::from_micros;
        for (took, expected) in [
            (Duration::ZERO, 0),
            (micros(1), 0),
            (Duration::from_nanos(1001), 1),
            (micros(2), 1),
            (micros(3), 2),
            (micros(1024), 10),
            (micros(1025), 11),
            (Duration::from_secs(3600), BUCKETS - 1),
            (Duration::MAX, BUCKETS - 1),
        ] {
            assert_eq!(bucket(took), expected, "{took:?}");
        }
    }

    #[test]
    fn what_one_writes_another_reads() {
        let path = std::env::temp_dir().join(format!("lazaret-counters-{}", std::process::id()));
        let file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        assert_eq!(Counts::read(&path), None, "it is too short");
        file.set_len(BYTES as u64).unwrap();
        assert_eq!(Counts::read(&path), None, "nobody has written");
        let (one, other) = (Counters::of(file.as_fd()).unwrap(), Counters::of(file.as_fd()).unwrap());
        one.decided(165, Outcome::Refused, Duration::from_micros(5));
        other.decided(165, Outcome::Refused, Duration::from_micros(5));
        other.decided(99, Outcome::Answered, Duration::from_micros(100));
        other.decided(70_000, Outcome::Refused, Duration::ZERO);
        one.dropped(3);
        one.unsent(4);
        let counts = Counts::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(counts.calls, [("sysinfo", 0, 1), ("mount", 2, 0), ("other", 1, 0)]);
        assert_eq!((counts.dropped, counts.unsent, counts.waited), (3, 4, Duration::from_micros(110)));
        let filled: Vec<_> = counts.buckets.iter().filter(|(_, count)| *count > 0).copied().collect();
        let bound = |micros| Some(Duration::from_micros(micros));
        assert_eq!(filled, [(bound(1), 1), (bound(8), 2), (bound(128), 1)]);
        assert_eq!(counts.buckets.last().unwrap().0, None);
    }
}
