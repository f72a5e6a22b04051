//! Attributes of a task that neither nix nor rustix sets: execution domain, memory policy, I/O priority, scheduler.
//! Called by `lifecycle` for a process of a container, and by `init` for itself.

use std::io;

use rustix::process::Pid;

/// `IOPRIO_WHO_PROCESS` of linux/ioprio.h.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
/// `IOPRIO_CLASS_SHIFT` of linux/ioprio.h.
const IOPRIO_CLASS_SHIFT: u16 = 13;

/// Sets the caller's execution domain (`PER_*` of linux/personality.h).
///
/// # Errors
/// As `personality(2)`.
pub fn set_personality(domain: u32) -> io::Result<()> {
    // SAFETY: personality(2) takes an integer.
    let result = unsafe { libc::personality(libc::c_ulong::from(domain)) };
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the caller's memory policy: `mode` with its flags, and the nodes it is about.
///
/// # Errors
/// As `set_mempolicy(2)`: `EINVAL` for a node that the machine does not have, `ENOSYS` on a kernel without NUMA.
pub fn set_memory_policy(mode: u32, nodes: &[u32]) -> io::Result<()> {
    let bits = libc::c_ulong::BITS;
    let words = nodes.iter().max().map_or(0, |last| last / bits + 1);
    let mut mask = vec![0 as libc::c_ulong; usize::try_from(words).map_err(io::Error::other)?];
    for node in nodes {
        if let Some(word) = usize::try_from(node / bits).ok().and_then(|index| mask.get_mut(index)) {
            *word |= 1 << (node % bits);
        }
    }
    // The kernel reads one bit less than it is told (get_nodes in mm/mempolicy.c).
    let length = if mask.is_empty() { 0 } else { libc::c_ulong::from(words * bits + 1) };
    let pointer = if mask.is_empty() { std::ptr::null() } else { mask.as_ptr() };
    // SAFETY: `mask` has words for all of `length - 1` bits and outlives the call; without nodes nothing is read.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, pointer, length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the I/O priority of a process: `class` of linux/ioprio.h, `level` 0 (highest) to 7.
///
/// # Errors
/// As `ioprio_set(2)`: `EPERM` for the real-time class without CAP_SYS_ADMIN or CAP_SYS_NICE.
pub fn set_io_priority(pid: Pid, class: u16, level: u16) -> io::Result<()> {
    let value = libc::c_int::from(class << IOPRIO_CLASS_SHIFT | level);
    // SAFETY: ioprio_set(2) takes three integers.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid.as_raw_nonzero().get(), value) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// `struct sched_attr` of linux/sched/types.h, version 1 (with the utilisation clamps, which stay 0).
#[repr(C)]
struct RawAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    utilisation_least: u32,
    utilisation_most: u32,
}

/// What `sched_setattr(2)` takes, as sched(7) explains it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SchedulerAttributes {
    /// `SCHED_*`.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 to 19.
    pub nice: i32,
    /// 0, or 1 to 99.
    pub priority: u32,
    /// Nanoseconds.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// Sets how a process is scheduled.
///
/// # Errors
/// As `sched_setattr(2)`: `EPERM` without the right, or where the cgroup has no real-time budget; `EINVAL` for
/// attributes that do not fit the policy.
pub fn set_scheduler(pid: Pid, asked: SchedulerAttributes) -> io::Result<()> {
    let attributes = RawAttributes {
        size: u32::try_from(size_of::<RawAttributes>()).map_err(io::Error::other)?,
        policy: asked.policy,
        flags: asked.flags,
        nice: asked.nice,
        priority: asked.priority,
        runtime: asked.runtime,
        deadline: asked.deadline,
        period: asked.period,
        utilisation_least: 0,
        utilisation_most: 0,
    };
    let pid = pid.as_raw_nonzero().get();
    // SAFETY: the kernel reads `size` bytes of a live struct sched_attr and writes nothing.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, pid, &raw const attributes, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
