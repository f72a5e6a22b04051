//! Which file of which version gets which value, for every limit, and what is refused.

use std::collections::BTreeMap;

use super::*;
use crate::cgroup::hierarchy::tests::{hybrid, pure_v1, pure_v2};
use crate::spec::resources::{BlockDevice, DeviceWeight, Flow, Rdma, Throttle};

const M: i64 = 1 << 20;
const DISK: BlockDevice = BlockDevice { major: 8, minor: 16 };

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
        cpu_burst: Some(10_000),
        cpu_idle: Some(true),
        io_device_weights: vec![DeviceWeight { device: DISK, weight: 500 }],
        io_throttles: [Flow::ReadBytes, Flow::WriteBytes, Flow::Reads, Flow::Writes]
            .map(|flow| Throttle { flow, index: 0, device: DISK, rate: 1_048_576 })
            .into(),
        ..Resources::default()
    }
}

fn only(change: fn(&mut Resources)) -> Resources {
    let mut resources = Resources::default();
    change(&mut resources);
    resources
}

/// The limits that cgroup v1 alone has, with the field's name and the file.
fn of_v1_alone() -> Vec<(Resources, &'static str, &'static str)> {
    vec![
        (only(|r| r.cpu_realtime_period = Some(1_000_000)), "cpu.realtimePeriod", "cpu.rt_period_us=1000000"),
        (only(|r| r.cpu_realtime_runtime = Some(5000)), "cpu.realtimeRuntime", "cpu.rt_runtime_us=5000"),
        (only(|r| r.memory_kernel_tcp = Some(M)), "memory.kernelTCP", "memory.kmem.tcp.limit_in_bytes=1048576"),
        (only(|r| r.memory_swappiness = Some(0)), "memory.swappiness", "memory.swappiness=0"),
        (only(|r| r.memory_oom_killer_off = true), "memory.disableOOMKiller", "memory.oom_control=1"),
        (only(|r| r.network_class = Some(0x10_001)), "network.classID", "net_cls.classid=65537"),
        (
            only(|r| r.network_priorities = BTreeMap::from([("eth0".into(), 5)])),
            "network.priorities",
            "net_prio.ifpriomap=eth0 5",
        ),
    ]
}

#[test]
fn what_v1_alone_has_is_written_there_and_refused_by_name_on_v2() {
    for (resources, field, file) in of_v1_alone() {
        let v2 = plan(&resources, &pure_v2()).expect_err(field);
        assert!(matches!(v2, CgroupError::OnlyV1 { .. }), "{field}: {v2}");
        assert!(v2.to_string().starts_with(&format!("linux.resources.{field}: only cgroup v1 ")), "{v2}");
        match plan(&resources, &hybrid()) {
            Ok(_) => assert_eq!(files(&resources, &hybrid()), [file]),
            // Hosts seldom mount them.
            Err(error) => assert!(field.starts_with("network.") && error.to_string().contains(field), "{error}"),
        }
    }
}

#[test]
fn hierarchical_accounting_is_asked_for_on_v1_and_given_on_v2() {
    let asked = only(|r| r.memory_use_hierarchy = true);
    assert_eq!(files(&asked, &hybrid()), ["memory.use_hierarchy=1?"]);
    assert_eq!(files(&asked, &pure_v2()), [""; 0]);
}

#[test]
fn a_limit_of_zero_is_no_reason_to_refuse_a_host_without_it() {
    let zero = only(|r| (r.cpu_burst, r.cpu_idle) = (Some(0), Some(false)));
    assert_eq!(files(&zero, &pure_v2()), ["cpu.idle=0?", "cpu.max.burst=0?"]);
    assert_eq!(files(&zero, &pure_v2().with_v2_controllers(&[])), [""; 0]);
}

#[test]
fn a_rate_of_zero_takes_the_bound_away_in_the_words_of_each_version() {
    let mut resources = Resources::default();
    resources.io_throttles.push(Throttle { flow: Flow::Reads, index: 0, device: DISK, rate: 0 });
    assert_eq!(files(&resources, &pure_v2()), ["io.max=8:16 riops=max"]);
    assert_eq!(files(&resources, &hybrid()), ["blkio.throttle.read_iops_device=8:16 0"]);
}

#[test]
fn every_limit_has_its_v1_file() {
    let expected = [
        "cpuset.mems=0",
        "cpuset.cpus=0-1",
        "cpu.idle=0?",
        "cpu.shares=1024",
        "cpu.idle=1",
        "cpu.cfs_period_us=100000",
        "cpu.cfs_quota_us=50000",
        "cpu.cfs_burst_us=10000",
        "memory.limit_in_bytes=67108864",
        "memory.soft_limit_in_bytes=33554432",
        "memory.memsw.limit_in_bytes=100663296",
        "pids.max=100",
        "blkio.weight=100|blkio.bfq.weight=100",
        "blkio.weight_device=8:16 500|blkio.bfq.weight_device=8:16 500",
        "blkio.throttle.read_bps_device=8:16 1048576",
        "blkio.throttle.write_bps_device=8:16 1048576",
        "blkio.throttle.read_iops_device=8:16 1048576",
        "blkio.throttle.write_iops_device=8:16 1048576",
    ];
    assert_eq!(files(&everything(), &hybrid()), expected);
    assert_eq!(files(&everything(), &pure_v1()), expected);
}

#[test]
fn every_limit_has_its_v2_file() {
    let mut resources = everything();
    resources.hugetlb.insert("2MB".into(), 4 * M);
    resources.rdma.insert("mlx5_1".into(), Rdma { handles: Some(3), objects: None });
    resources.unified.insert("memory.high".into(), "60M".into());
    resources.unified.insert("cgroup.max.depth".into(), "3".into());
    let expected = [
        "cpuset.mems=0",
        "cpuset.cpus=0-1",
        "cpu.idle=0?",
        "cpu.weight=100",
        "cpu.idle=1",
        "cpu.max=50000 100000",
        "cpu.max.burst=10000",
        "memory.max=67108864",
        "memory.low=33554432",
        "memory.swap.max=33554432",
        "pids.max=100",
        "io.bfq.weight=100|io.weight=910",
        "io.bfq.weight=8:16 500|io.weight=8:16 4950",
        "io.max=8:16 rbps=1048576",
        "io.max=8:16 wbps=1048576",
        "io.max=8:16 riops=1048576",
        "io.max=8:16 wiops=1048576",
        "hugetlb.2MB.max=4194304",
        "hugetlb.2MB.rsvd.max=4194304?",
        "rdma.max=mlx5_1 hca_handle=3 hca_object=max",
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
    let table = [
        (only(|r| r.memory_limit = Some(M)), "linux.resources.memory.limit: the memory controller"),
        (only(|r| r.memory_reservation = Some(M)), "linux.resources.memory.reservation: the memory controller"),
        (only(|r| r.memory_swap = Some(-1)), "linux.resources.memory.swap: the memory controller"),
        (only(|r| r.cpu_shares = Some(2)), "linux.resources.cpu.shares: the cpu controller"),
        (only(|r| r.cpu_quota = Some(2000)), "linux.resources.cpu.quota: the cpu controller"),
        (only(|r| r.cpu_period = Some(2000)), "linux.resources.cpu.period: the cpu controller"),
        (only(|r| r.cpu_burst = Some(1)), "linux.resources.cpu.burst: the cpu controller"),
        (only(|r| r.cpu_idle = Some(true)), "linux.resources.cpu.idle: the cpu controller"),
        (
            only(|r| r.io_device_weights = vec![DeviceWeight { device: DISK, weight: 10 }]),
            "linux.resources.blockIO.weightDevice[0]: the blkio controller",
        ),
        (
            only(|r| r.io_throttles = vec![Throttle { flow: Flow::Writes, index: 2, device: DISK, rate: 1 }]),
            "linux.resources.blockIO.throttleWriteIOPSDevice[2]: the blkio controller",
        ),
        (
            only(|r| r.rdma = [("mlx5_1".into(), Rdma::default())].into()),
            "linux.resources.rdma.mlx5_1: the rdma controller",
        ),
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
