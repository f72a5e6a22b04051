//! What a container has used, read from its cgroups, in the shape that runc's `events` prints: the keys, and the units
//! of cgroup v1, into which v2's are converted. Called by `lifecycle::events`; it changes nothing.
//!
//! A controller that the container has not joined leaves its numbers out, so that nobody takes "not counted" for 0. Two
//! have a second source: the processor time is also in v2's core file, and the processes can be counted.

mod files;
mod io;
mod pressure;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cgroup::Cgroup;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;
use files::{Files, UNLIMITED};

pub use io::{Block, BlockEntry};
pub use pressure::{Pressure, Waits};

/// Nanoseconds of a clock tick in `cpuacct.stat`: `USER_HZ` is 100 on every architecture of ours (time(7)).
const TICK: u64 = 10_000_000;
/// Nanoseconds of a microsecond, in which v2 counts.
const MICROSECOND: u64 = 1_000;

/// The statistics of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Processes.
    pub pids: Pids,
    /// Block devices.
    pub blkio: Block,
    /// Huge pages by their size (`2MB`).
    pub hugetlb: BTreeMap<String, HugePages>,
}

/// Processor time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// Time used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<CpuUsage>,
    /// Time withheld.
    pub throttling: Throttling,
    /// Waits for a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// Processor time used, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CpuUsage {
    /// All of it.
    pub total: u64,
    /// By processor (v1 alone).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub percpu: Vec<u64>,
    /// In the kernel.
    pub kernel: u64,
    /// In user mode.
    pub user: u64,
}

/// What the quota did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Throttling {
    /// Periods that have passed.
    pub periods: u64,
    /// Those in which the quota was used up.
    pub throttled_periods: u64,
    /// Nanoseconds for which tasks had to wait.
    pub throttled_time: u64,
}

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Page cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<u64>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<MemoryEntry>,
    /// Memory plus swap, as v1 counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<MemoryEntry>,
    /// Kernel memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<MemoryEntry>,
    /// Kernel memory of TCP.
    #[serde(rename = "kernelTCP", skip_serializing_if = "Option::is_none")]
    pub kernel_tcp: Option<MemoryEntry>,
    /// `memory.stat` as the kernel writes it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub raw: BTreeMap<String, u64>,
    /// Waits for memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<Pressure>,
}

/// One kind of memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MemoryEntry {
    /// Most that is allowed; the greatest number when there is no limit.
    pub limit: u64,
    /// In use now.
    pub usage: u64,
    /// Most that was ever in use.
    pub max: u64,
    /// How often the limit was met.
    pub failcnt: u64,
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pids {
    /// How many there are.
    pub current: u64,
    /// How many there may be; 0 is unlimited, as in runc.
    pub limit: u64,
}

/// Huge pages of one size, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HugePages {
    /// In use now.
    pub usage: u64,
    /// Most that was ever in use (v1 alone).
    pub max: u64,
    /// How often the limit was met.
    pub failcnt: u64,
}

impl Stats {
    /// Reads the statistics of `cgroup`.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub(super) fn read(cgroup: &Cgroup) -> Result<Self, CgroupError> {
        let all: Vec<_> = cgroup.directories().collect();
        let of = |v1: &str, v2: &str| match (Files::of(&all, Version::V1, v1), Files::of(&all, Version::V2, v2)) {
            (Some(files), _) => (Version::V1, files),
            (None, Some(files)) => (Version::V2, files),
            (None, None) => (Version::V2, Files::none()),
        };
        let (cpu, core) = (of("cpu", "cpu").1, Files::of(&all, Version::V2, "").unwrap_or_else(Files::none));
        let mut pids = pids(&of("pids", "pids").1)?;
        if pids.current == 0 {
            pids.current = u64::try_from(cgroup.pids()?.len()).unwrap_or(UNLIMITED);
        }
        Ok(Self {
            cpu: Cpu {
                usage: cpu_usage(of("cpuacct", ""))?,
                throttling: throttled(&cpu)?,
                psi: pressure::read(&core, "cpu.pressure")?,
            },
            memory: Memory {
                psi: pressure::read(&core, "memory.pressure")?,
                ..match of("memory", "memory") {
                    (Version::V1, files) => memory_v1(&files)?,
                    (Version::V2, files) => memory_v2(&files)?,
                }
            },
            pids,
            blkio: Block {
                psi: pressure::read(&core, "io.pressure")?,
                ..match of("blkio", "io") {
                    (Version::V1, files) => io::v1(&files)?,
                    (Version::V2, files) => io::v2(&files)?,
                }
            },
            hugetlb: match of("hugetlb", "hugetlb") {
                (Version::V1, files) => huge_pages_v1(&files)?,
                (Version::V2, files) => huge_pages_v2(&files)?,
            },
        })
    }
}

fn cpu_usage((version, files): (Version, Files<'_>)) -> Result<Option<CpuUsage>, CgroupError> {
    if version == Version::V2 {
        let stat = files.keyed("cpu.stat")?;
        let time = |key| value(&stat, key).saturating_mul(MICROSECOND);
        let usage = CpuUsage {
            total: time("usage_usec"),
            percpu: Vec::new(),
            kernel: time("system_usec"),
            user: time("user_usec"),
        };
        return Ok((!stat.is_empty()).then_some(usage));
    }
    let Some(total) = files.number("cpuacct.usage")? else { return Ok(None) };
    let stat = files.keyed("cpuacct.stat")?;
    let percpu = files.text("cpuacct.usage_percpu")?.unwrap_or_default();
    Ok(Some(CpuUsage {
        total,
        percpu: percpu.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect(),
        kernel: value(&stat, "system").saturating_mul(TICK),
        user: value(&stat, "user").saturating_mul(TICK),
    }))
}

/// Both versions have the file; the time has another name and unit in each.
fn throttled(files: &Files<'_>) -> Result<Throttling, CgroupError> {
    let stat = files.keyed("cpu.stat")?;
    let nanoseconds = stat.get("throttled_time").copied();
    let microseconds = value(&stat, "throttled_usec").saturating_mul(MICROSECOND);
    Ok(Throttling {
        periods: value(&stat, "nr_periods"),
        throttled_periods: value(&stat, "nr_throttled"),
        throttled_time: nanoseconds.unwrap_or(microseconds),
    })
}

fn memory_v1(files: &Files<'_>) -> Result<Memory, CgroupError> {
    let entry = |kind: &str| -> Result<Option<MemoryEntry>, CgroupError> {
        let number = |file: &str| files.number(&format!("memory.{kind}{file}"));
        let Some(usage) = number("usage_in_bytes")? else { return Ok(None) };
        Ok(Some(MemoryEntry {
            limit: number("limit_in_bytes")?.unwrap_or(UNLIMITED),
            usage,
            max: number("max_usage_in_bytes")?.unwrap_or_default(),
            failcnt: number("failcnt")?.unwrap_or_default(),
        }))
    };
    let raw = files.keyed("memory.stat")?;
    Ok(Memory {
        cache: raw.get("cache").copied(),
        usage: entry("")?,
        swap: entry("memsw.")?,
        kernel: entry("kmem.")?,
        kernel_tcp: entry("kmem.tcp.")?,
        raw,
        psi: None,
    })
}

fn memory_v2(files: &Files<'_>) -> Result<Memory, CgroupError> {
    let alone = |kind: &str| -> Result<Option<MemoryEntry>, CgroupError> {
        let number = |file: &str| files.number(&format!("memory.{kind}{file}"));
        let Some(usage) = number("current")? else { return Ok(None) };
        Ok(Some(MemoryEntry {
            limit: number("max")?.unwrap_or(UNLIMITED),
            usage,
            max: number("peak")?.unwrap_or_default(),
            failcnt: value(&files.keyed(&format!("memory.{kind}events"))?, "max"),
        }))
    };
    let (usage, swap) = (alone("")?, alone("swap.")?);
    let raw = files.keyed("memory.stat")?;
    let kernel = |usage| MemoryEntry { usage, limit: UNLIMITED, ..MemoryEntry::default() };
    Ok(Memory {
        cache: raw.get("file").copied(),
        usage,
        swap: usage.zip(swap).map(|(memory, swap)| memory.with(swap)),
        kernel: raw.get("kernel").copied().map(kernel),
        kernel_tcp: None,
        raw,
        psi: None,
    })
}

impl MemoryEntry {
    /// v2 counts swap alone, v1 with memory. What has no limit has none in the sum either; failures are those of swap.
    fn with(self, swap: Self) -> Self {
        Self {
            limit: self.limit.saturating_add(swap.limit),
            usage: self.usage.saturating_add(swap.usage),
            max: self.max.saturating_add(swap.max),
            failcnt: swap.failcnt,
        }
    }
}

fn pids(files: &Files<'_>) -> Result<Pids, CgroupError> {
    let limit = files.number("pids.max")?.filter(|limit| *limit != UNLIMITED);
    Ok(Pids { current: files.number("pids.current")?.unwrap_or_default(), limit: limit.unwrap_or_default() })
}

fn huge_pages_v1(files: &Files<'_>) -> Result<BTreeMap<String, HugePages>, CgroupError> {
    let mut pages = BTreeMap::new();
    for size in files.between("hugetlb.", ".usage_in_bytes")? {
        let number = |file: &str| files.number(&format!("hugetlb.{size}.{file}")).map(Option::unwrap_or_default);
        let (usage, max) = (number("usage_in_bytes")?, number("max_usage_in_bytes")?);
        let failcnt = number("failcnt")?;
        pages.insert(size, HugePages { usage, max, failcnt });
    }
    Ok(pages)
}

fn huge_pages_v2(files: &Files<'_>) -> Result<BTreeMap<String, HugePages>, CgroupError> {
    let mut pages = BTreeMap::new();
    for size in files.between("hugetlb.", ".current")? {
        let usage = files.number(&format!("hugetlb.{size}.current"))?.unwrap_or_default();
        let failcnt = value(&files.keyed(&format!("hugetlb.{size}.events"))?, "max");
        pages.insert(size, HugePages { usage, max: 0, failcnt });
    }
    Ok(pages)
}

/// The number of a key; a key that this kernel does not write is 0.
fn value(pairs: &BTreeMap<String, u64>, key: &str) -> u64 {
    pairs.get(key).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
