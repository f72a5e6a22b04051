//! Checked form of `linux.resources`. `None` means that the bundle does not ask; units are the kernel's own.

use std::collections::BTreeMap;

/// Limits of a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    /// `memory.limit` in bytes; -1 is unlimited.
    pub memory_limit: Option<i64>,
    /// `memory.reservation` in bytes.
    pub memory_reservation: Option<i64>,
    /// `memory.swap` in bytes: memory plus swap, as OCI (v1) counts; -1 is unlimited.
    pub memory_swap: Option<i64>,
    /// `memory.kernelTCP` in bytes (v1); -1 is unlimited.
    pub memory_kernel_tcp: Option<i64>,
    /// `memory.swappiness`, 0..=100 (v1).
    pub memory_swappiness: Option<u64>,
    /// `memory.disableOOMKiller` (v1).
    pub memory_oom_killer_off: bool,
    /// `memory.useHierarchy`; v2 knows nothing else.
    pub memory_use_hierarchy: bool,
    /// `memory.checkBeforeUpdate`: an update that would lower the limit below what is in use is refused.
    pub memory_check_before_update: bool,
    /// `cpu.shares` (v1 scale 2..=262144).
    pub cpu_shares: Option<u64>,
    /// `cpu.quota` in microseconds; -1 is unlimited.
    pub cpu_quota: Option<i64>,
    /// `cpu.period` in microseconds.
    pub cpu_period: Option<u64>,
    /// `cpu.burst` in microseconds: unused time of earlier periods that one period may use above the quota.
    pub cpu_burst: Option<u64>,
    /// `cpu.idle`: whether only time that nobody else wants is given (`SCHED_IDLE`).
    pub cpu_idle: Option<bool>,
    /// `cpu.realtimeRuntime` in microseconds (v1); -1 is unlimited.
    pub cpu_realtime_runtime: Option<i64>,
    /// `cpu.realtimePeriod` in microseconds (v1).
    pub cpu_realtime_period: Option<u64>,
    /// `cpu.cpus` as a cpu list.
    pub cpuset_cpus: Option<String>,
    /// `cpu.mems` as a node list.
    pub cpuset_mems: Option<String>,
    /// `pids.limit`; -1 is unlimited.
    pub pids_limit: Option<i64>,
    /// `blockIO.weight`, 10..=1000.
    pub io_weight: Option<u16>,
    /// `blockIO.weightDevice`, in order.
    pub io_device_weights: Vec<DeviceWeight>,
    /// The four lists `blockIO.throttle…Device`, in order.
    pub io_throttles: Vec<Throttle>,
    /// `hugepageLimits`: page size (`2MB`) to bytes.
    pub hugetlb: BTreeMap<String, i64>,
    /// `rdma`: device name (`mlx5_1`) to limits.
    pub rdma: BTreeMap<String, Rdma>,
    /// `network.classID`: the class of the container's packets (v1 `net_cls`).
    pub network_class: Option<u32>,
    /// `network.priorities`: interface name to priority (v1 `net_prio`).
    pub network_priorities: BTreeMap<String, u32>,
    /// `unified`: file name in the cgroup v2 directory to value.
    pub unified: BTreeMap<String, String>,
    /// `devices`: rules in order.
    pub devices: Vec<DeviceRule>,
}

/// A block device by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockDevice {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl std::fmt::Display for BlockDevice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.major, self.minor)
    }
}

/// One entry of `blockIO.weightDevice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceWeight {
    /// The device.
    pub device: BlockDevice,
    /// Its weight, 10..=1000.
    pub weight: u16,
}

/// What a [`Throttle`] bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// `throttleReadBpsDevice`: bytes read in a second.
    ReadBytes,
    /// `throttleWriteBpsDevice`: bytes written in a second.
    WriteBytes,
    /// `throttleReadIOPSDevice`: reads in a second.
    Reads,
    /// `throttleWriteIOPSDevice`: writes in a second.
    Writes,
}

/// One entry of a `blockIO.throttle…Device` list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Which list.
    pub flow: Flow,
    /// Its place in the list, for errors.
    pub index: usize,
    /// The device.
    pub device: BlockDevice,
    /// Bytes or operations in a second; 0 takes the bound away.
    pub rate: u64,
}

/// Limits of one RDMA device; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rdma {
    /// `hcaHandles`.
    pub handles: Option<u32>,
    /// `hcaObjects`.
    pub objects: Option<u32>,
}

/// One entry of `linux.resources.devices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRule {
    /// Allow or deny.
    pub allow: bool,
    /// `a`, `b` or `c`.
    pub kind: char,
    /// Major number; `None` is any.
    pub major: Option<u32>,
    /// Minor number; `None` is any.
    pub minor: Option<u32>,
    /// Access letters present, of `rwm`, as bits 4, 2 and 1.
    pub access: u8,
}

/// Devices that work in every container, whatever its rules (runtime-spec, "Default Devices"; terminals with them).
const DEFAULT_DEVICES: [(u32, Option<u32>); 9] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(1)),
    (5, Some(2)),
    (136, None),
];

/// Access letters `rwm` as bits.
pub const READ_WRITE_MKNOD: u8 = 7;
/// The access letter `m`: making a node, which is harmless where its opening is not allowed.
const MKNOD: u8 = 1;

impl Resources {
    /// Adds to the bundle's device rules, if it has any, the rules for what every container may use. Without them a
    /// bundle that denies everything first could not even open `/dev/null`.
    pub fn allow_default_devices(&mut self) {
        if self.devices.is_empty() {
            return;
        }
        let allow = |kind, major, minor, access| DeviceRule { allow: true, kind, major, minor, access };
        self.devices.extend([allow('c', None, None, MKNOD), allow('b', None, None, MKNOD)]);
        let defaults = DEFAULT_DEVICES.iter();
        self.devices.extend(defaults.map(|(major, minor)| allow('c', Some(*major), *minor, READ_WRITE_MKNOD)));
    }
}
