//! Medians, their spread, and ratios with an interval.
//!
//! Called by the commands for their tables. Medians and no means: a run that the machine's other work disturbed is
//! late by a lot, and says nothing about what is measured.

use std::time::Duration;

use serde::Serialize;

use crate::random::Random;

/// Samples in four numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many samples.
    pub count: usize,
    /// The middle one.
    pub median: Duration,
    /// The median of the distances from the median (MAD).
    pub deviation: Duration,
    /// The shortest.
    pub minimum: Duration,
}

impl Summary {
    /// Of samples in any order; `None` where there is none.
    #[must_use]
    pub fn of(samples: &[Duration]) -> Option<Self> {
        let median = median(samples.to_vec())?;
        let deviation = self::median(samples.iter().map(|sample| sample.abs_diff(median)).collect())?;
        let minimum = *samples.iter().min()?;
        Some(Self { count: samples.len(), median, deviation, minimum })
    }
}

/// How two medians relate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Ours by theirs.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
}

/// Resamplings for an interval.
const RESAMPLINGS: usize = 2000;

impl Ratio {
    /// The ratio of the medians of `ours` and `theirs`, with a bootstrap percentile interval (Efron 1979).
    ///
    /// Sample i of both was taken in round i. Rounds are drawn, not samples: what disturbed a round disturbed both.
    /// `None` where a side has no sample or the medians have no ratio.
    #[must_use]
    pub fn of(ours: &[Duration], theirs: &[Duration], random: &mut Random) -> Option<Self> {
        let rounds: Vec<(Duration, Duration)> = ours.iter().copied().zip(theirs.iter().copied()).collect();
        let value = ratio(&rounds)?;
        let mut drawn = Vec::with_capacity(RESAMPLINGS);
        for _ in 0..RESAMPLINGS {
            let again: Vec<_> = rounds.iter().filter_map(|_| rounds.get(random.below(rounds.len())).copied()).collect();
            drawn.push(ratio(&again)?);
        }
        drawn.sort_unstable_by(f64::total_cmp);
        let low = *drawn.get(RESAMPLINGS / 40)?;
        let high = *drawn.get(RESAMPLINGS - 1 - RESAMPLINGS / 40)?;
        Some(Self { value, low, high })
    }
}

fn ratio(rounds: &[(Duration, Duration)]) -> Option<f64> {
    let ours = median(rounds.iter().map(|(ours, _)| *ours).collect())?;
    let theirs = median(rounds.iter().map(|(_, theirs)| *theirs).collect())?;
    (!theirs.is_zero()).then(|| ours.as_secs_f64() / theirs.as_secs_f64())
}

/// The middle of the samples; of an even number the mean of the two in the middle.
#[must_use]
pub fn median(mut samples: Vec<Duration>) -> Option<Duration> {
    samples.sort_unstable();
    let upper = *samples.get(samples.len() / 2)?;
    if samples.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *samples.get(samples.len() / 2 - 1)?;
    Some((lower + upper) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(values: &[u64]) -> Vec<Duration> {
        values.iter().map(|value| Duration::from_millis(*value)).collect()
    }

    #[test]
    fn summary_of_nothing_is_none() {
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn one_late_sample_moves_nothing() {
        let summary = Summary::of(&millis(&[3, 1, 2, 4, 900])).unwrap();
        assert_eq!(summary.median, Duration::from_millis(3));
        assert_eq!(summary.deviation, Duration::from_millis(1));
        assert_eq!(summary.minimum, Duration::from_millis(1));
        assert_eq!(summary.count, 5);
    }

    #[test]
    fn even_counts_take_the_mean_of_the_middle() {
        assert_eq!(median(millis(&[4, 1, 3, 2])), Some(Duration::from_micros(2500)));
    }

    #[test]
    fn ratio_lies_in_its_interval() {
        let ours = millis(&[5, 6, 5, 7, 5, 6, 5, 5]);
        let theirs = millis(&[10, 11, 10, 12, 10, 9, 10, 10]);
        let ratio = Ratio::of(&ours, &theirs, &mut Random::new()).unwrap();
        assert!(ratio.low <= ratio.value && ratio.value <= ratio.high, "{ratio:?}");
        assert!((0.4..0.7).contains(&ratio.value), "{ratio:?}");
    }

    #[test]
    fn ratio_to_nothing_is_none() {
        assert_eq!(Ratio::of(&millis(&[1]), &[], &mut Random::new()), None);
        assert_eq!(Ratio::of(&millis(&[1]), &millis(&[0]), &mut Random::new()), None);
    }
}
