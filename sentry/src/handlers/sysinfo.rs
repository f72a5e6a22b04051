//! sysinfo(2) as the container is to see it: its memory limit for the machine's memory, its own uptime, and nothing of
//! the host's load, swap and number of processes.
//!
//! Called by `court` after it has asked whether the caller still waits. Writes to the caller's memory once, and
//! reads none of it.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::container::Container;
use crate::decide::EFAULT;
use crate::verdict::Verdict;
use crate::{limits, sys};

/// `sizeof(struct sysinfo)` where `long` has 64 bits (`include/uapi/linux/sysinfo.h`).
const SIZE: usize = 112;

/// Why the answer could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SysinfoError {
    /// A memory file of the cgroup cannot be read.
    #[error("cannot read the cgroup's memory {file}")]
    Read {
        /// Limit or usage.
        file: &'static str,
        /// Why.
        #[source]
        source: rustix::io::Errno,
    },
    /// A memory file of the cgroup holds no number.
    #[error("the cgroup's memory {file} is not a number")]
    NoNumber {
        /// Limit or usage.
        file: &'static str,
    },
}

/// What the answer says; memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct View {
    uptime: u64,
    total: u64,
    free: u64,
}

/// Writes the answer to `address` of process `pid`.
pub(crate) fn write(container: &Container, pid: i32, address: u64) -> Result<Verdict, SysinfoError> {
    let host = rustix::system::sysinfo();
    let unit = u64::from(host.mem_unit);
    let limit = read(container.memory_limit(), "limit")?;
    let usage = read(container.memory_usage(), "usage")?;
    let (total, free) = memory(host.totalram.saturating_mul(unit), host.freeram.saturating_mul(unit), limit, usage);
    let view = View { uptime: uptime(host.uptime, container.started), total, free };
    Ok(match sys::write_memory(pid, address, &layout(view)) {
        Ok(SIZE) => Verdict::Value(0),
        Ok(_part) => Verdict::Errno(EFAULT),
        Err(_errno) => Verdict::Errno(EFAULT),
    })
}

/// Seconds since the container started; the host's uptime is `CLOCK_BOOTTIME`, rounded up.
fn uptime(host: i64, started: Duration) -> u64 {
    u64::try_from(host).unwrap_or_default().saturating_sub(started.as_secs())
}

/// Total and free memory: the smaller of host and limit, and what of that is not used. Never more than the host has.
fn memory(host_total: u64, host_free: u64, limit: Option<u64>, usage: Option<u64>) -> (u64, u64) {
    let total = host_total.min(limit.unwrap_or(u64::MAX));
    let unused = total.saturating_sub(usage.unwrap_or(0));
    (total, unused.min(host_free))
}

/// The number in a cgroup memory file. `None` for no file and for `max`.
fn read(file: Option<BorrowedFd<'_>>, name: &'static str) -> Result<Option<u64>, SysinfoError> {
    let Some(file) = file else { return Ok(None) };
    let mut bytes = [0; limits::MEMORY_FILE];
    let len = rustix::io::pread(file, &mut bytes, 0).map_err(|source| SysinfoError::Read { file: name, source })?;
    number(bytes.get(..len).unwrap_or_default()).ok_or(SysinfoError::NoNumber { file: name })
}

/// The inner `None` is `max`.
#[expect(clippy::option_option, reason = "no number and no limit are two things")]
fn number(bytes: &[u8]) -> Option<Option<u64>> {
    match std::str::from_utf8(bytes).ok()?.trim_end() {
        "max" => Some(None),
        digits => digits.parse().ok().map(Some),
    }
}

/// `struct sysinfo`: uptime, three loads, total, free, shared and buffered memory, total and free swap, number of
/// processes and padding (two shorts and four bytes), total and free high memory, the unit of memory and padding.
/// Words that are not set below are zero.
fn layout(view: View) -> [u8; SIZE] {
    let mut words = [0_u64; SIZE / 8];
    for (word, value) in [(0, view.uptime), (4, view.total), (5, view.free)] {
        if let Some(slot) = words.get_mut(word) {
            *slot = value;
        }
    }
    let mut bytes = [0; SIZE];
    for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_ne_bytes());
    }
    // mem_unit is an int at offset 104: memory is given in units of one byte.
    if let Some(unit) = bytes.get_mut(104..108) {
        unit.copy_from_slice(&1_u32.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_the_kernels() {
        assert_eq!(size_of::<libc::sysinfo>(), SIZE);
        let bytes = layout(View { uptime: 1, total: 2, free: 3 });
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(word(std::mem::offset_of!(libc::sysinfo, uptime)), 1);
        assert_eq!(word(std::mem::offset_of!(libc::sysinfo, totalram)), 2);
        assert_eq!(word(std::mem::offset_of!(libc::sysinfo, freeram)), 3);
        assert_eq!(word(std::mem::offset_of!(libc::sysinfo, mem_unit)), 1);
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 4);
    }

    #[test]
    fn memory_is_the_limits_and_never_more_than_the_hosts() {
        assert_eq!(memory(1000, 800, None, None), (1000, 800));
        assert_eq!(memory(1000, 800, Some(100), Some(30)), (100, 70));
        assert_eq!(memory(1000, 10, Some(100), Some(30)), (100, 10));
        assert_eq!(memory(1000, 800, Some(100), Some(130)), (100, 0));
        assert_eq!(memory(1000, 800, Some(u64::MAX), None), (1000, 800));
    }

    #[test]
    fn memory_files_hold_a_number_or_max() {
        assert_eq!(number(b"max\n"), Some(None));
        assert_eq!(number(b"1048576\n"), Some(Some(1_048_576)));
        assert_eq!(number(b""), None);
        assert_eq!(number(b"-1\n"), None);
    }

    #[test]
    fn uptime_counts_from_the_start() {
        assert_eq!(uptime(100, Duration::from_millis(39_900)), 61);
        assert_eq!(uptime(100, Duration::MAX), 0);
        assert_eq!(uptime(-1, Duration::ZERO), 0);
    }
}
