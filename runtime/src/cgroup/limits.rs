//! From `linux.resources` to the files of this host's controllers: which file gets which value. Pure: `apply` in
//! `member` writes. A limit whose controller is missing is refused by the name of its field, never left out.
//!
//! As in runc, 0 means "not asked" for memory, cpu and io (`pids.limit` 0 means none), and -1 means unlimited.

use std::borrow::Cow;

use crate::cgroup::convert::{self, SwapError};
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchies, Version};
use crate::spec::resources::Resources;

/// One limit: the first of its files that the kernel offers gets the value beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The field of `config.json`.
    pub(super) key: Cow<'static, str>,
    pub(super) version: Version,
    /// The kernel's name of the controller; empty for the core files of v2.
    pub(super) controller: Cow<'static, str>,
    pub(super) choices: Vec<(Cow<'static, str>, String)>,
    /// Whether the absence of every file loses nothing: the value asks for what such a kernel does anyway.
    pub(super) optional: bool,
}

/// The limits of `resources` in the order in which they are written, without the device rules.
pub(super) fn plan(resources: &Resources, host: &Hierarchies) -> Result<Vec<Setting>, CgroupError> {
    let mut planner = Planner { host, settings: Vec::new() };
    planner.cpuset(resources)?;
    planner.cpu(resources)?;
    planner.memory(resources)?;
    planner.pids(resources)?;
    planner.io(resources)?;
    planner.hugetlb(resources)?;
    planner.unified(resources)?;
    Ok(planner.settings)
}

/// A controller by its names on both versions.
#[derive(Debug, Clone, Copy)]
struct Controller {
    v1: &'static str,
    v2: &'static str,
}

const CPU: Controller = Controller { v1: "cpu", v2: "cpu" };
const CPUSET: Controller = Controller { v1: "cpuset", v2: "cpuset" };
const MEMORY: Controller = Controller { v1: "memory", v2: "memory" };
const PIDS: Controller = Controller { v1: "pids", v2: "pids" };
const IO: Controller = Controller { v1: "blkio", v2: "io" };
const HUGETLB: Controller = Controller { v1: "hugetlb", v2: "hugetlb" };

struct Planner<'a> {
    host: &'a Hierarchies,
    settings: Vec<Setting>,
}

impl Planner<'_> {
    /// The version that serves the controller on this host.
    fn version(&self, key: &str, controller: Controller) -> Result<Version, CgroupError> {
        if self.host.with(Version::V1, controller.v1).is_some() {
            Ok(Version::V1)
        } else if self.host.with(Version::V2, controller.v2).is_some() {
            Ok(Version::V2)
        } else {
            Err(CgroupError::ControllerUnavailable { key: key.to_owned().into(), controller: controller.v1.into() })
        }
    }

    /// Adds a limit whose file and value depend on the version only.
    fn add(
        &mut self,
        key: &'static str,
        controller: Controller,
        v1: (&'static str, String),
        v2: (&'static str, String),
    ) -> Result<(), CgroupError> {
        let version = self.version(key, controller)?;
        let (name, (file, value)) = match version {
            Version::V1 => (controller.v1, v1),
            Version::V2 => (controller.v2, v2),
        };
        self.push(key.into(), version, name, vec![(file.into(), value)]);
        Ok(())
    }

    fn push(
        &mut self,
        key: Cow<'static, str>,
        version: Version,
        controller: &'static str,
        choices: Vec<(Cow<'static, str>, String)>,
    ) {
        self.settings.push(Setting { key, version, controller: controller.into(), choices, optional: false });
    }

    fn cpuset(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        let lists = [
            ("linux.resources.cpu.mems", "cpuset.mems", &resources.cpuset_mems),
            ("linux.resources.cpu.cpus", "cpuset.cpus", &resources.cpuset_cpus),
        ];
        for (key, file, list) in lists {
            if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
                self.add(key, CPUSET, (file, list.clone()), (file, list.clone()))?;
            }
        }
        Ok(())
    }

    fn cpu(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        if let Some(shares) = resources.cpu_shares.filter(|&shares| shares != 0) {
            let weight = convert::cpu_weight(shares).to_string();
            let v1 = ("cpu.shares", shares.to_string());
            self.add("linux.resources.cpu.shares", CPU, v1, ("cpu.weight", weight))?;
        }
        let period = resources.cpu_period.filter(|&period| period != 0);
        let quota = resources.cpu_quota.filter(|&quota| quota != 0);
        let key = if quota.is_some() { "linux.resources.cpu.quota" } else { "linux.resources.cpu.period" };
        if period.is_none() && quota.is_none() {
            return Ok(());
        }
        if self.version(key, CPU)? == Version::V2 {
            self.push(key.into(), Version::V2, CPU.v2, vec![("cpu.max".into(), convert::cpu_max(quota, period))]);
            return Ok(());
        }
        if let Some(period) = period {
            let choice = ("cpu.cfs_period_us".into(), period.to_string());
            self.push("linux.resources.cpu.period".into(), Version::V1, CPU.v1, vec![choice]);
        }
        if let Some(quota) = quota {
            let choice = ("cpu.cfs_quota_us".into(), quota.max(-1).to_string());
            self.push("linux.resources.cpu.quota".into(), Version::V1, CPU.v1, vec![choice]);
        }
        Ok(())
    }

    fn memory(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        let limit = resources.memory_limit.filter(|&limit| limit != 0);
        if let Some(limit) = limit {
            let v1 = ("memory.limit_in_bytes", limit.max(-1).to_string());
            let v2 = ("memory.max", convert::bytes_or_max(limit));
            self.add("linux.resources.memory.limit", MEMORY, v1, v2)?;
        }
        if let Some(reservation) = resources.memory_reservation.filter(|&reservation| reservation != 0) {
            let v1 = ("memory.soft_limit_in_bytes", reservation.max(-1).to_string());
            let v2 = ("memory.low", convert::bytes_or_max(reservation));
            self.add("linux.resources.memory.reservation", MEMORY, v1, v2)?;
        }
        self.swap(resources.memory_swap, limit)
    }

    fn swap(&mut self, swap: Option<i64>, limit: Option<i64>) -> Result<(), CgroupError> {
        const KEY: &str = "linux.resources.memory.swap";
        let alone = convert::swap_alone(swap, limit).map_err(|error| CgroupError::Value {
            key: KEY.into(),
            value: swap.unwrap_or_default().to_string(),
            why: match error {
                SwapError::WithoutMemory => "it counts memory and swap together and needs a memory.limit",
                SwapError::BelowMemory => "it counts memory and swap together and may not be less than memory.limit",
            },
        });
        match self.version(KEY, MEMORY) {
            Err(_unavailable) if swap.unwrap_or(0) == 0 => return Ok(()),
            Err(unavailable) => return Err(unavailable),
            Ok(Version::V1) => {
                // v1 counts as OCI does, and its kernel checks the order of the two; a sum without a limit is legal.
                let value = match alone {
                    Ok(None) => return Ok(()),
                    Err(error) if limit.is_some() => return Err(error),
                    _ if swap.unwrap_or(0) == 0 => -1,
                    _ => swap.unwrap_or(-1).max(-1),
                };
                let file = ("memory.memsw.limit_in_bytes".into(), value.to_string());
                self.push(KEY.into(), Version::V1, MEMORY.v1, vec![file]);
                self.mark_optional(value == -1);
            }
            Ok(Version::V2) => {
                let Some(alone) = alone? else { return Ok(()) };
                let file = ("memory.swap.max".into(), convert::bytes_or_max(alone));
                self.push(KEY.into(), Version::V2, MEMORY.v2, vec![file]);
                // A kernel without swap accounting has no file; it neither limits swap nor, without swap, needs to.
                self.mark_optional(alone <= 0);
            }
        }
        Ok(())
    }

    fn mark_optional(&mut self, optional: bool) {
        if let Some(last) = self.settings.last_mut() {
            last.optional = optional;
        }
    }

    fn pids(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        let Some(limit) = resources.pids_limit else { return Ok(()) };
        let file = ("pids.max", convert::pids_max(limit));
        self.add("linux.resources.pids.limit", PIDS, file.clone(), file)
    }

    fn io(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        const KEY: &str = "linux.resources.blockIO.weight";
        let Some(weight) = resources.io_weight.filter(|&weight| weight != 0) else { return Ok(()) };
        let version = self.version(KEY, IO)?;
        let raw = weight.to_string();
        match version {
            Version::V1 => {
                let choices = vec![("blkio.weight".into(), raw.clone()), ("blkio.bfq.weight".into(), raw)];
                self.push(KEY.into(), version, IO.v1, choices);
            }
            Version::V2 => {
                let converted = convert::io_weight(weight).to_string();
                let choices = vec![("io.bfq.weight".into(), raw), ("io.weight".into(), converted)];
                self.push(KEY.into(), version, IO.v2, choices);
            }
        }
        Ok(())
    }

    fn hugetlb(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        for (size, &limit) in &resources.hugetlb {
            let key: Cow<'static, str> = format!("linux.resources.hugepageLimits[{size}]").into();
            if !is_file_name(size) {
                let why = "it is no page size";
                return Err(CgroupError::Value { key, value: size.clone(), why });
            }
            let version = self.version(&key, HUGETLB)?;
            let (name, suffix, value) = match version {
                Version::V1 => (HUGETLB.v1, "limit_in_bytes", limit.max(-1).to_string()),
                Version::V2 => (HUGETLB.v2, "max", convert::bytes_or_max(limit)),
            };
            let file = format!("hugetlb.{size}.{suffix}").into();
            self.push(key.clone(), version, name, vec![(file, value.clone())]);
            // Reservations are counted apart since Linux 5.7; where they are not, usage alone is limited, as ever.
            let reserved = format!("hugetlb.{size}.rsvd.{suffix}").into();
            self.push(key, version, name, vec![(reserved, value)]);
            self.mark_optional(true);
        }
        Ok(())
    }

    fn unified(&mut self, resources: &Resources) -> Result<(), CgroupError> {
        for (file, value) in &resources.unified {
            let key: Cow<'static, str> = format!("linux.resources.unified.{file}").into();
            let Some((controller, _)) = file.split_once('.').filter(|_| is_file_name(file)) else {
                let why = "a file of a cgroup is named CONTROLLER.NAME";
                return Err(CgroupError::Value { key, value: value.clone(), why });
            };
            let controller = match controller {
                "cgroup" if is_harmless_core_file(file) => "",
                "cgroup" => {
                    let why = "this file moves, freezes or kills processes, or changes the kind of the cgroup";
                    return Err(CgroupError::Value { key, value: value.clone(), why });
                }
                name => name,
            };
            let there = if controller.is_empty() {
                self.host.has_v2()
            } else {
                self.host.with(Version::V2, controller).is_some()
            };
            if !there {
                let name = if controller.is_empty() { "cgroup v2".into() } else { format!("cgroup v2 {controller}") };
                return Err(CgroupError::ControllerUnavailable { key, controller: name.into() });
            }
            self.settings.push(Setting {
                key,
                version: Version::V2,
                controller: controller.to_owned().into(),
                choices: vec![(file.clone().into(), value.clone())],
                optional: false,
            });
        }
        Ok(())
    }
}

/// Core files that only limit. The others would let a bundle move a process of the host into its cgroup
/// (`cgroup.procs`) and have it killed with the container.
fn is_harmless_core_file(file: &str) -> bool {
    matches!(file, "cgroup.max.depth" | "cgroup.max.descendants")
}

/// Whether this is one component of a path, as the names of all cgroup files are.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 200
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::hierarchy::tests::{hybrid, pure_v1, pure_v2};

    const M: i64 = 1 << 20;

    fn files(resources: &Resources, host: &Hierarchies) -> Vec<String> {
        plan(resources, host)
            .expect("plan")
            .iter()
            .map(|s| {
                let choices: Vec<String> = s.choices.iter().map(|(file, value)| format!("{file}={value}")).collect();
                format!("{}{}", choices.join("|"), if s.optional { "?" } else { "" })
            })
            .collect()
    }

    fn everything() -> Resources {
        Resources {
            memory_limit: Some(64 * M),
            memory_reservation: Some(32 * M),
            memory_swap: Some(96 * M),
            cpu_shares: Some(1024),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            pids_limit: Some(100),
            io_weight: Some(100),
            ..Resources::default()
        }
    }

    #[test]
    fn every_limit_has_its_v1_file() {
        let expected = [
            "cpuset.mems=0",
            "cpuset.cpus=0-1",
            "cpu.shares=1024",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=50000",
            "memory.limit_in_bytes=67108864",
            "memory.soft_limit_in_bytes=33554432",
            "memory.memsw.limit_in_bytes=100663296",
            "pids.max=100",
            "blkio.weight=100|blkio.bfq.weight=100",
        ];
        assert_eq!(files(&everything(), &hybrid()), expected);
        assert_eq!(files(&everything(), &pure_v1()), expected);
    }

    #[test]
    fn every_limit_has_its_v2_file() {
        let mut resources = everything();
        resources.hugetlb.insert("2MB".into(), 4 * M);
        resources.unified.insert("memory.high".into(), "60M".into());
        resources.unified.insert("cgroup.max.depth".into(), "3".into());
        let expected = [
            "cpuset.mems=0",
            "cpuset.cpus=0-1",
            "cpu.weight=100",
            "cpu.max=50000 100000",
            "memory.max=67108864",
            "memory.low=33554432",
            "memory.swap.max=33554432",
            "pids.max=100",
            "io.bfq.weight=100|io.weight=910",
            "hugetlb.2MB.max=4194304",
            "hugetlb.2MB.rsvd.max=4194304?",
            "cgroup.max.depth=3",
            "memory.high=60M",
        ];
        assert_eq!(files(&resources, &pure_v2()), expected);
    }

    #[test]
    fn unlimited_and_unset_values_follow_runc() {
        let unlimited = Resources {
            memory_limit: Some(-1),
            cpu_quota: Some(-1),
            pids_limit: Some(-1),
            cpu_shares: Some(0),
            io_weight: Some(0),
            memory_reservation: Some(0),
            ..Resources::default()
        };
        assert_eq!(
            files(&unlimited, &pure_v2()),
            ["cpu.max=max 100000", "memory.max=max", "memory.swap.max=max?", "pids.max=max"]
        );
        assert_eq!(
            files(&unlimited, &hybrid()),
            ["cpu.cfs_quota_us=-1", "memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1?", "pids.max=max"]
        );
        assert_eq!(files(&Resources::default(), &pure_v2()), [""; 0]);
        assert_eq!(files(&Resources::default(), &hybrid()), [""; 0]);
    }

    #[test]
    fn swap_is_checked_against_memory_on_both_versions() {
        let below = Resources { memory_limit: Some(64 * M), memory_swap: Some(M), ..Resources::default() };
        for host in [hybrid(), pure_v2()] {
            assert!(matches!(plan(&below, &host), Err(CgroupError::Value { why, .. }) if why.contains("less")));
        }
        let alone = Resources { memory_swap: Some(M), ..Resources::default() };
        assert!(plan(&alone, &pure_v2()).is_err());
        assert_eq!(files(&alone, &hybrid()), ["memory.memsw.limit_in_bytes=1048576"]);
        let none = Resources { memory_limit: Some(M), memory_swap: Some(M), ..Resources::default() };
        assert_eq!(files(&none, &pure_v2()), ["memory.max=1048576", "memory.swap.max=0?"]);
    }

    #[test]
    fn each_limit_is_refused_by_name_where_its_controller_is_missing() {
        let bare = pure_v2().with_v2_controllers(&[]);
        let only = |change: fn(&mut Resources)| {
            let mut resources = Resources::default();
            change(&mut resources);
            resources
        };
        let table = [
            (only(|r| r.memory_limit = Some(M)), "linux.resources.memory.limit: the memory controller"),
            (only(|r| r.memory_reservation = Some(M)), "linux.resources.memory.reservation: the memory controller"),
            (only(|r| r.memory_swap = Some(-1)), "linux.resources.memory.swap: the memory controller"),
            (only(|r| r.cpu_shares = Some(2)), "linux.resources.cpu.shares: the cpu controller"),
            (only(|r| r.cpu_quota = Some(2000)), "linux.resources.cpu.quota: the cpu controller"),
            (only(|r| r.cpu_period = Some(2000)), "linux.resources.cpu.period: the cpu controller"),
            (only(|r| r.cpuset_cpus = Some("0".into())), "linux.resources.cpu.cpus: the cpuset controller"),
            (only(|r| r.cpuset_mems = Some("0".into())), "linux.resources.cpu.mems: the cpuset controller"),
            (only(|r| r.pids_limit = Some(-1)), "linux.resources.pids.limit: the pids controller"),
            (only(|r| r.io_weight = Some(10)), "linux.resources.blockIO.weight: the blkio controller"),
            (
                only(|r| r.hugetlb = [("2MB".into(), 0)].into()),
                "linux.resources.hugepageLimits[2MB]: the hugetlb controller",
            ),
            (
                only(|r| r.unified = [("memory.high".into(), "1".into())].into()),
                "linux.resources.unified.memory.high: the cgroup v2 memory controller",
            ),
        ];
        for (resources, start) in table {
            let message = plan(&resources, &bare).expect_err(start).to_string();
            assert_eq!(message, format!("{start} is not available on this host"));
        }
    }

    #[test]
    fn unified_files_that_act_on_processes_are_refused() {
        for file in
            ["cgroup.procs", "cgroup.kill", "cgroup.freeze", "cgroup.subtree_control", "cgroup.type", "../x.y", "a", ""]
        {
            let mut resources = Resources::default();
            resources.unified.insert(file.into(), "1".into());
            assert!(matches!(plan(&resources, &pure_v2()), Err(CgroupError::Value { .. })), "{file}");
        }
    }

    #[test]
    fn page_size_that_is_a_path_is_refused() {
        let mut resources = Resources::default();
        resources.hugetlb.insert("../../2MB".into(), 1);
        assert!(matches!(plan(&resources, &pure_v2()), Err(CgroupError::Value { .. })));
    }
}
