//! The arithmetic between what OCI counts (cgroup v1 scales) and what cgroup v2 takes. The formulas are runc's, which the
//! runtime specification's users rely on. Pure; used by `limits` alone.

/// `memory.swap` of OCI cannot be expressed as a v2 limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SwapError {
    /// v2 counts swap alone, so the memory limit must be known.
    WithoutMemory,
    /// Memory plus swap is less than memory.
    BelowMemory,
}

/// `cpu.shares` (2 to 262144, default 1024) as `cpu.weight` (1 to 10000, default 100).
///
/// The curve goes through the least, the default and the greatest value of both scales:
/// weight = 10 ^ ((l² + 125 l) / 612 - 7/34), l = log2(shares), rounded up.
pub(super) fn cpu_weight(shares: u64) -> u32 {
    const GREATEST: u32 = 10_000;
    let Ok(shares @ 3..262_144) = u32::try_from(shares) else {
        return if shares <= 2 { 1 } else { GREATEST };
    };
    let log = f64::from(shares).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    // The weight is an integer: searched for, because rounding a float to one has no checked conversion. The tolerance
    // keeps 1024 at 100, whose exponent is 2 but for the last bit.
    let (mut low, mut high) = (1, GREATEST);
    while low < high {
        let middle = low.midpoint(high);
        if f64::from(middle).log10() + 1e-9 >= exponent { high = middle } else { low = middle + 1 }
    }
    low
}

/// `blockIO.weight` (10 to 1000) as `io.weight` (1 to 10000).
pub(super) fn io_weight(weight: u16) -> u32 {
    1 + u32::from(weight).saturating_sub(10) * 9_999 / 990
}

/// `memory.swap` of OCI (memory plus swap) as `memory.swap.max` (swap alone), in bytes; -1 is unlimited, `None` means
/// that nothing is to be written. `memory` is the limit, as OCI gives it: `None` or 0 is "not asked".
pub(super) fn swap_alone(swap: Option<i64>, memory: Option<i64>) -> Result<Option<i64>, SwapError> {
    match (swap.unwrap_or(0), memory.unwrap_or(0)) {
        // As on v1: no limit on memory means none on swap either, unless one is asked for.
        (0, ..0) => Ok(Some(-1)),
        (0, _) => Ok(None),
        (..0, _) => Ok(Some(-1)),
        (swap, ..0) => Ok(Some(swap)),
        (_, 0) => Err(SwapError::WithoutMemory),
        (swap, memory) if swap < memory => Err(SwapError::BelowMemory),
        (swap, memory) => Ok(Some(swap - memory)),
    }
}

/// A byte count, or `max` for any negative number.
pub(super) fn bytes_or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

/// `cpu.quota` and `cpu.period` in microseconds as one line of `cpu.max`. Without a period the kernel's default holds.
pub(super) fn cpu_max(quota: Option<i64>, period: Option<u64>) -> String {
    let quota = match quota {
        Some(quota @ 1..) => quota.to_string(),
        _ => "max".into(),
    };
    format!("{quota} {}", period.unwrap_or(100_000))
}

/// `pids.limit` for `pids.max`. 0 becomes 1: systemd cannot say 0, and both mean that the container may not fork.
pub(super) fn pids_max(limit: i64) -> String {
    if limit == 0 { "1".into() } else { bytes_or_max(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_shares_map_least_default_and_greatest_onto_each_other() {
        let table = [
            (0, 1),
            (1, 1),
            (2, 1),
            (3, 2),
            (102, 17),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (261_000, 9_962),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ];
        for (shares, weight) in table {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
        let mut last = 0;
        for shares in 0..263_000 {
            let weight = cpu_weight(shares);
            assert!(weight >= last && (1..=10_000).contains(&weight), "{shares}");
            last = weight;
        }
    }

    #[test]
    fn io_weight_maps_ends_onto_ends() {
        for (oci, v2) in [(0, 1), (10, 1), (11, 11), (100, 910), (500, 4950), (1000, 10_000)] {
            assert_eq!(io_weight(oci), v2, "{oci}");
        }
    }

    #[test]
    fn swap_arithmetic_is_that_of_runc() {
        const M: i64 = 1 << 20;
        let table = [
            (None, None, Ok(None)),
            (None, Some(64 * M), Ok(None)),
            (Some(0), Some(64 * M), Ok(None)),
            (None, Some(-1), Ok(Some(-1))),
            (Some(-1), Some(64 * M), Ok(Some(-1))),
            (Some(-1), None, Ok(Some(-1))),
            (Some(64 * M), Some(-1), Ok(Some(64 * M))),
            (Some(64 * M), Some(64 * M), Ok(Some(0))),
            (Some(96 * M), Some(64 * M), Ok(Some(32 * M))),
            (Some(96 * M), None, Err(SwapError::WithoutMemory)),
            (Some(32 * M), Some(64 * M), Err(SwapError::BelowMemory)),
        ];
        for (swap, memory, expected) in table {
            assert_eq!(swap_alone(swap, memory), expected, "{swap:?} {memory:?}");
        }
    }

    #[test]
    fn quota_and_pids_have_their_words_for_unlimited() {
        assert_eq!(cpu_max(Some(50_000), None), "50000 100000");
        assert_eq!(cpu_max(Some(50_000), Some(10_000)), "50000 10000");
        assert_eq!(cpu_max(Some(-1), None), "max 100000");
        assert_eq!(cpu_max(None, Some(20_000)), "max 20000");
        assert_eq!(pids_max(-1), "max");
        assert_eq!(pids_max(0), "1");
        assert_eq!(pids_max(7), "7");
    }
}
