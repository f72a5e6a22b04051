//! `linux.resources`: ranges of the limits. 0 and the empty string are what engines write for "not asked".

use std::collections::BTreeMap;

use oci_spec::runtime::{
    Linux, LinuxCpu, LinuxDeviceCgroup, LinuxDeviceType, LinuxHugepageLimit, LinuxMemory, LinuxResources,
};

use super::error::SpecError;
use super::resources::{DeviceRule, Resources};
use super::{block_io, rdma, text, traffic};
use crate::bundle::Bundle;
use crate::bundle::field::{element, member};

const PATH: &str = "linux.resources";
const NOT_BYTES: &str = "not a number of bytes, nor -1 for unlimited";

/// The checked limits.
pub(super) fn check(bundle: &Bundle, linux: Option<&Linux>) -> Result<Resources, SpecError> {
    let Some(asked) = linux.and_then(|linux| linux.resources().as_ref()) else {
        return Ok(Resources::default());
    };
    let mut resources = Resources::default();
    if let Some(memory) = asked.memory() {
        check_memory(bundle, memory, &mut resources)?;
    }
    if let Some(cpu) = asked.cpu() {
        check_cpu(bundle, cpu, &mut resources)?;
    }
    resources.pids_limit = pids_limit(bundle, asked)?;
    if let Some(block_io) = asked.block_io() {
        block_io::check(bundle, block_io, &mut resources)?;
    }
    rdma::check(bundle, asked, &mut resources)?;
    traffic::check(bundle, asked, &mut resources)?;
    resources.hugetlb = huge_pages(bundle, asked.hugepage_limits().as_deref().unwrap_or_default())?;
    resources.unified = unified(bundle, asked)?;
    resources.devices = device_rules(bundle, asked.devices().as_deref().unwrap_or_default())?;
    Ok(resources)
}

fn check_memory(bundle: &Bundle, memory: &LinuxMemory, resources: &mut Resources) -> Result<(), SpecError> {
    let bytes = |key: &str, value: Option<i64>| match value {
        None | Some(0) => Ok(None),
        Some(value) if value >= -1 => Ok(Some(value)),
        Some(_) => text::invalid(bundle, &format!("{PATH}.memory.{key}"), NOT_BYTES),
    };
    resources.memory_limit = bytes("limit", memory.limit())?;
    resources.memory_reservation = bytes("reservation", memory.reservation())?;
    resources.memory_swap = bytes("swap", memory.swap())?;
    resources.memory_kernel_tcp = bytes("kernelTCP", memory.kernel_tcp())?;
    resources.memory_swappiness = match memory.swappiness() {
        Some(101..) => {
            return text::invalid(bundle, &format!("{PATH}.memory.swappiness"), "not within 0..=100");
        }
        swappiness => swappiness,
    };
    resources.memory_oom_killer_off = memory.disable_oom_killer() == Some(true);
    resources.memory_use_hierarchy = memory.use_hierarchy() == Some(true);
    resources.memory_check_before_update = memory.check_before_update() == Some(true);
    // The field counts memory plus swap, so it means nothing without the first and cannot be below it.
    match (resources.memory_limit, resources.memory_swap) {
        (None | Some(-1), Some(swap)) if swap > 0 => {
            let rule = "counts memory plus swap: it needs linux.resources.memory.limit";
            Err(SpecError::Needs { field: bundle.field(&format!("{PATH}.memory.swap")), rule })
        }
        (Some(limit), Some(swap)) if swap > 0 && swap < limit => {
            text::invalid(bundle, &format!("{PATH}.memory.swap"), "memory plus swap is below the memory limit")
        }
        _ => Ok(()),
    }
}

fn check_cpu(bundle: &Bundle, cpu: &LinuxCpu, resources: &mut Resources) -> Result<(), SpecError> {
    let refuse = |key: &str, rule| text::invalid(bundle, &format!("{PATH}.cpu.{key}"), rule);
    resources.cpu_shares = match cpu.shares() {
        None | Some(0) => None,
        Some(shares @ 2..=262_144) => Some(shares),
        Some(_) => return refuse("shares", "not within 2..=262144"),
    };
    resources.cpu_quota = match cpu.quota() {
        None | Some(0) => None,
        Some(quota) if quota == -1 || quota >= 1000 => Some(quota),
        Some(_) => return refuse("quota", "below the kernel's minimum of 1000 microseconds (-1 is unlimited)"),
    };
    resources.cpu_period = match cpu.period() {
        None | Some(0) => None,
        Some(period @ 1000..=1_000_000) => Some(period),
        Some(_) => return refuse("period", "not within 1000..=1000000 microseconds"),
    };
    let id_list = |key: &str, value: &Option<String>| match value.as_deref() {
        None | Some("") => Ok(None),
        Some(value) if is_id_list(value) => Ok(Some(value.to_owned())),
        Some(_) => text::invalid(bundle, &format!("{PATH}.cpu.{key}"), "not a list such as 0-3,7"),
    };
    resources.cpuset_cpus = id_list("cpus", cpu.cpus())?;
    resources.cpuset_mems = id_list("mems", cpu.mems())?;
    check_cpu_classes(bundle, cpu, resources)
}

/// How the time of the container's processors is given, beside its amount.
fn check_cpu_classes(bundle: &Bundle, cpu: &LinuxCpu, resources: &mut Resources) -> Result<(), SpecError> {
    let refuse = |key: &str, rule| text::invalid(bundle, &format!("{PATH}.cpu.{key}"), rule);
    resources.cpu_burst = cpu.burst();
    if let (Some(burst), Some(quota @ 1..)) = (resources.cpu_burst, resources.cpu_quota)
        && i64::try_from(burst).is_ok_and(|burst| burst > quota)
    {
        return refuse("burst", "more than linux.resources.cpu.quota");
    }
    resources.cpu_idle = match cpu.idle() {
        None => None,
        Some(idle @ 0..=1) => Some(idle == 1),
        Some(_) => return refuse("idle", "neither 0 nor 1"),
    };
    resources.cpu_realtime_period = cpu.realtime_period().filter(|&period| period != 0);
    resources.cpu_realtime_runtime = match cpu.realtime_runtime() {
        None | Some(0) => None,
        Some(runtime) if runtime >= -1 => Some(runtime),
        Some(_) => return refuse("realtimeRuntime", "not a number of microseconds, nor -1 for unlimited"),
    };
    Ok(())
}

/// cpuset(7), "list format": numbers and ascending ranges.
fn is_id_list(text: &str) -> bool {
    text.trim_end_matches('\n').split(',').all(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if first <= last)
    })
}

fn pids_limit(bundle: &Bundle, asked: &LinuxResources) -> Result<Option<i64>, SpecError> {
    match asked.pids().map(|pids| pids.limit()) {
        None | Some(0) => Ok(None),
        Some(limit) if limit >= -1 => Ok(Some(limit)),
        Some(_) => text::invalid(bundle, &format!("{PATH}.pids.limit"), "not a count, nor -1 for unlimited"),
    }
}

fn huge_pages(bundle: &Bundle, asked: &[LinuxHugepageLimit]) -> Result<BTreeMap<String, i64>, SpecError> {
    let mut limits = BTreeMap::new();
    for (index, limit) in asked.iter().enumerate() {
        let at = element(&format!("{PATH}.hugepageLimits"), index);
        let digits = ["KB", "MB", "GB"].iter().find_map(|unit| limit.page_size().strip_suffix(unit));
        if !digits.is_some_and(|digits| digits.parse::<u32>().is_ok_and(|number| number > 0)) {
            return text::invalid(bundle, &format!("{at}.pageSize"), "not a page size such as 2MB or 1GB");
        }
        if limit.limit() < 0 {
            return text::invalid(bundle, &format!("{at}.limit"), "not a number of bytes");
        }
        if limits.insert(limit.page_size().clone(), limit.limit()).is_some() {
            return Err(SpecError::Duplicate { field: bundle.field(&at), what: "a page size" });
        }
    }
    Ok(limits)
}

/// `unified` is written as it is, so a key must be one limit file of the container's own cgroup: not a path, and none of
/// the `cgroup.*` files by which processes are moved, frozen and killed and controllers handed down.
fn unified(bundle: &Bundle, asked: &LinuxResources) -> Result<BTreeMap<String, String>, SpecError> {
    let mut files = BTreeMap::new();
    for (name, value) in asked.unified().iter().flatten() {
        let is_file_name = name.contains('.') && !name.contains(['/', '\0']) && !name.starts_with('.');
        let is_core = name.starts_with("cgroup.") && !name.starts_with("cgroup.max.");
        if !is_file_name || is_core {
            let at = member(&format!("{PATH}.unified"), name);
            return text::invalid(bundle, &at, "not the name of a limit file of cgroup v2, such as memory.high");
        }
        files.insert(name.clone(), value.clone());
    }
    Ok(files)
}

fn device_rules(bundle: &Bundle, asked: &[LinuxDeviceCgroup]) -> Result<Vec<DeviceRule>, SpecError> {
    let rule = |(index, rule)| device_rule(bundle, &element(&format!("{PATH}.devices"), index), rule);
    asked.iter().enumerate().map(rule).collect()
}

fn device_rule(bundle: &Bundle, at: &str, asked: &LinuxDeviceCgroup) -> Result<DeviceRule, SpecError> {
    let kind = match asked.typ() {
        None | Some(LinuxDeviceType::A) => 'a',
        Some(LinuxDeviceType::B) => 'b',
        Some(LinuxDeviceType::C | LinuxDeviceType::U) => 'c',
        Some(LinuxDeviceType::P) => return text::invalid(bundle, &format!("{at}.type"), "a rule is for a, b or c"),
    };
    let number = |key: &str, value: Option<i64>| match value {
        None | Some(-1) => Ok(None),
        Some(value) => u32::try_from(value)
            .map(Some)
            .or_else(|_range| text::invalid(bundle, &format!("{at}.{key}"), "not a device number, nor -1 for any")),
    };
    let letters = asked.access().as_deref().unwrap_or("");
    let mut access = 0;
    for letter in letters.chars() {
        access |= match letter {
            'r' => 4,
            'w' => 2,
            'm' => 1,
            _ => return text::invalid(bundle, &format!("{at}.access"), "not letters of rwm"),
        };
    }
    if letters.is_empty() {
        if kind != 'a' {
            return text::invalid(bundle, at, "names no access: one or more letters of rwm");
        }
        access = 7;
    }
    let (major, minor) = (number("major", asked.major())?, number("minor", asked.minor())?);
    Ok(DeviceRule { allow: asked.allow(), kind, major, minor, access })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn checked(resources: &Value) -> Result<Resources, String> {
        let bundle = testing::bundle(|config| config["linux"]["resources"] = resources.clone());
        crate::spec::check_with(&bundle, false)
            .map(|container| container.resources)
            .map_err(|error| error.field().path().trim_start_matches("linux.resources.").to_owned())
    }

    #[test]
    fn what_engines_write_is_read() {
        let resources = checked(&json!({
            "memory": {"limit": 1 << 30, "swap": 1 << 30, "reservation": 0, "kernel": 0},
            "cpu": {"shares": 1024, "quota": 50000, "period": 100_000, "cpus": "0-1,3", "mems": ""},
            "pids": {"limit": -1}, "blockIO": {"weight": 0},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
            "unified": {"memory.high": "max"},
            "devices": [{"allow": false, "access": "rwm"},
                        {"allow": true, "type": "c", "major": 1, "minor": -1, "access": "rw"}]
        }))
        .unwrap();
        assert_eq!((resources.memory_limit, resources.memory_reservation), (Some(1 << 30), None));
        assert_eq!((resources.cpu_quota, resources.cpuset_cpus.as_deref()), (Some(50000), Some("0-1,3")));
        assert_eq!((resources.pids_limit, resources.io_weight), (Some(-1), None));
        assert_eq!(
            resources.devices,
            [
                DeviceRule { allow: false, kind: 'a', major: None, minor: None, access: 7 },
                DeviceRule { allow: true, kind: 'c', major: Some(1), minor: None, access: 6 },
            ]
        );
    }

    #[test]
    fn values_out_of_range_are_refused_by_path() {
        for (resources, path) in [
            (json!({"memory": {"limit": -2}}), "memory.limit"),
            (json!({"memory": {"swap": 1}}), "memory.swap"),
            (json!({"memory": {"limit": 4096, "swap": 1}}), "memory.swap"),
            (json!({"memory": {"swappiness": 101}}), "memory.swappiness"),
            (json!({"memory": {"kernelTCP": -2}}), "memory.kernelTCP"),
            (json!({"memory": {"kernel": 1}}), "memory.kernel"),
            (json!({"cpu": {"quota": 2000, "burst": 2001}}), "cpu.burst"),
            (json!({"cpu": {"idle": 2}}), "cpu.idle"),
            (json!({"cpu": {"realtimeRuntime": -2}}), "cpu.realtimeRuntime"),
            (json!({"cpu": {"shares": 1}}), "cpu.shares"),
            (json!({"cpu": {"shares": 262_145}}), "cpu.shares"),
            (json!({"cpu": {"quota": 999}}), "cpu.quota"),
            (json!({"cpu": {"period": 1_000_001}}), "cpu.period"),
            (json!({"cpu": {"cpus": "3-1"}}), "cpu.cpus"),
            (json!({"cpu": {"mems": "0,"}}), "cpu.mems"),
            (json!({"pids": {"limit": -2}}), "pids.limit"),
            (json!({"hugepageLimits": [{"pageSize": "2M", "limit": 1}]}), "hugepageLimits[0].pageSize"),
            (json!({"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}), "hugepageLimits[0].limit"),
            (json!({"unified": {"../cgroup.procs": "1"}}), r#"unified["../cgroup.procs"]"#),
            (json!({"unified": {"cgroup.procs": "1"}}), r#"unified["cgroup.procs"]"#),
            (json!({"unified": {"cgroup.kill": "1"}}), r#"unified["cgroup.kill"]"#),
            (json!({"devices": [{"allow": true, "type": "p"}]}), "devices[0].type"),
            (json!({"devices": [{"allow": true, "access": "x"}]}), "devices[0].access"),
            (json!({"devices": [{"allow": true, "type": "c", "major": 1}]}), "devices[0]"),
            (json!({"devices": [{"allow": true, "type": "c", "major": -2, "access": "r"}]}), "devices[0].major"),
        ] {
            assert_eq!(checked(&resources), Err(path.to_owned()));
        }
    }
}
