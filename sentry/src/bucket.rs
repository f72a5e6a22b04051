//! A bucket of tokens: how many decisions about a container may still be looked into and recorded. Used by `audit`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits;

/// Tokens, refilled by time. Any thread may take one.
#[derive(Debug)]
pub(crate) struct Bucket(Mutex<Level>);

#[derive(Debug)]
struct Level {
    tokens: u64,
    /// Up to when it has been refilled.
    refilled: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(now: Instant) -> Self {
        Self(Mutex::new(Level { tokens: limits::RECORD_BURST, refilled: now }))
    }

    /// Whether there is no token at this time.
    pub(crate) fn is_empty(&self, now: Instant) -> bool {
        let mut level = self.lock();
        level.refill(now);
        level.tokens == 0
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let mut level = self.lock();
        level.refill(now);
        let has_one = level.tokens > 0;
        level.tokens = level.tokens.saturating_sub(1);
        has_one
    }

    fn lock(&self) -> MutexGuard<'_, Level> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Level {
    fn refill(&mut self, now: Instant) {
        let millis = u64::try_from(now.saturating_duration_since(self.refilled).as_millis()).unwrap_or(u64::MAX);
        let more = millis.saturating_mul(limits::RECORDS_PER_SECOND) / 1000;
        // What is too little for a token is not lost: it counts the next time.
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(limits::RECORD_BURST);
            self.refilled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_empties_it_and_time_refills_it() {
        let begin = Instant::now();
        let bucket = Bucket::full(begin);
        let taken = (0..2 * limits::RECORD_BURST).filter(|_| bucket.take(begin)).count();
        assert_eq!(u64::try_from(taken).unwrap(), limits::RECORD_BURST);
        assert!(bucket.is_empty(begin));
        let later = begin + Duration::from_secs(1);
        let taken = (0..limits::RECORD_BURST).filter(|_| bucket.take(later)).count();
        assert_eq!(u64::try_from(taken).unwrap(), limits::RECORDS_PER_SECOND);
    }

    #[test]
    fn asking_often_does_not_keep_it_empty() {
        let begin = Instant::now();
        let bucket = Bucket::full(begin);
        while bucket.take(begin) {}
        let asked = (1..=1000).filter(|millis| bucket.take(begin + Duration::from_millis(*millis))).count();
        assert_eq!(u64::try_from(asked).unwrap(), limits::RECORDS_PER_SECOND);
    }
}
