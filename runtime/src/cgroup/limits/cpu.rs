//! The time of processors: shares, quota and burst, and the real-time share of v1. Pure; used by `plan` alone.

use crate::cgroup::convert;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::Resources;

const CPU: Controller = Controller { v1: "cpu", v2: Some("cpu") };

const SHARES: Limit =
    Limit { key: "linux.resources.cpu.shares", controller: CPU, v1: "cpu.shares", v2: Some("cpu.weight") };
const IDLE: Limit = Limit { key: "linux.resources.cpu.idle", controller: CPU, v1: "cpu.idle", v2: Some("cpu.idle") };
// On v2 one file takes the two together.
const PERIOD: Limit =
    Limit { key: "linux.resources.cpu.period", controller: CPU, v1: "cpu.cfs_period_us", v2: Some("cpu.max") };
const QUOTA: Limit =
    Limit { key: "linux.resources.cpu.quota", controller: CPU, v1: "cpu.cfs_quota_us", v2: Some("cpu.max") };
const BURST: Limit =
    Limit { key: "linux.resources.cpu.burst", controller: CPU, v1: "cpu.cfs_burst_us", v2: Some("cpu.max.burst") };
const REALTIME_PERIOD: Limit =
    Limit { key: "linux.resources.cpu.realtimePeriod", controller: CPU, v1: "cpu.rt_period_us", v2: None };
const REALTIME_RUNTIME: Limit =
    Limit { key: "linux.resources.cpu.realtimeRuntime", controller: CPU, v1: "cpu.rt_runtime_us", v2: None };

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    shares_and_idle(resources, planner)?;
    quota(resources, planner)?;
    if let Some(burst) = resources.cpu_burst {
        // Without the file (before Linux 5.14) and without the controller there is no burst.
        let set = planner.set(&BURST, Scaled::same(burst)).map(|setting| setting.optional = burst == 0);
        none_asked(burst == 0, set)?;
    }
    if let Some(period) = resources.cpu_realtime_period.filter(|&period| period != 0) {
        planner.set(&REALTIME_PERIOD, Scaled::same(period))?;
    }
    if let Some(runtime) = resources.cpu_realtime_runtime.filter(|&runtime| runtime != 0) {
        planner.set(&REALTIME_RUNTIME, Scaled::same(runtime))?;
    }
    Ok(())
}

/// An idle cgroup takes no weight (EINVAL, sched_group_set_shares): where both are asked for, it is woken before and
/// put to sleep after.
fn shares_and_idle(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    let shares = resources.cpu_shares.filter(|&shares| shares != 0);
    if resources.cpu_idle == Some(false) || (resources.cpu_idle.is_some() && shares.is_some()) {
        let set = planner.set(&IDLE, Scaled::same(0)).map(|setting| setting.optional = true);
        none_asked(true, set)?;
    }
    if let Some(shares) = shares {
        let weight = convert::cpu_weight(shares).to_string();
        planner.set(&SHARES, Scaled { v1: shares.to_string(), v2: weight })?;
    }
    if resources.cpu_idle == Some(true) {
        planner.set(&IDLE, Scaled::same(1))?;
    }
    Ok(())
}

/// A limit of zero loses nothing where the host has no such limit.
fn none_asked(zero: bool, set: Result<(), CgroupError>) -> Result<(), CgroupError> {
    match set {
        Err(CgroupError::ControllerUnavailable { .. }) if zero => Ok(()),
        set => set,
    }
}

fn quota(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    let period = resources.cpu_period.filter(|&period| period != 0);
    let quota = resources.cpu_quota.filter(|&quota| quota != 0);
    let limit = if quota.is_some() { QUOTA } else { PERIOD };
    if period.is_none() && quota.is_none() {
        return Ok(());
    }
    if planner.version(limit.key, CPU)? == Version::V2 {
        planner.set(&limit, Scaled::same(convert::cpu_max(quota, period)))?;
        return Ok(());
    }
    if let Some(period) = period {
        planner.set(&PERIOD, Scaled::same(period))?;
    }
    if let Some(quota) = quota {
        planner.set(&QUOTA, Scaled::same(quota.max(-1)))?;
    }
    Ok(())
}
