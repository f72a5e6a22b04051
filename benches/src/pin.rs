//! Keeps this thread, and what it starts, on one CPU.
//!
//! Called by `bench-filter` and `bench-refusal`: a cost of some nanoseconds is not to be mixed with a change of CPU.

use rustix::thread::CpuSet;

/// Pins to the last CPU that is allowed: the first one serves most interrupts.
///
/// # Errors
/// As `sched_setaffinity(2)`.
pub fn to_one_cpu() -> rustix::io::Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)) else { return Ok(()) };
    let mut one = CpuSet::new();
    one.set(last);
    rustix::thread::sched_setaffinity(None, &one)
}
