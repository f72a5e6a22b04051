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
    /// `cpu.shares` (v1 scale 2..=262144).
    pub cpu_shares: Option<u64>,
    /// `cpu.quota` in microseconds; -1 is unlimited.
    pub cpu_quota: Option<i64>,
    /// `cpu.period` in microseconds.
    pub cpu_period: Option<u64>,
    /// `cpu.cpus` as a cpu list.
    pub cpuset_cpus: Option<String>,
    /// `cpu.mems` as a node list.
    pub cpuset_mems: Option<String>,
    /// `pids.limit`; -1 is unlimited.
    pub pids_limit: Option<i64>,
    /// `blockIO.weight`, 10..=1000.
    pub io_weight: Option<u16>,
    /// `hugepageLimits`: page size (`2MB`) to bytes.
    pub hugetlb: BTreeMap<String, i64>,
    /// `unified`: file name in the cgroup v2 directory to value.
    pub unified: BTreeMap<String, String>,
    /// `devices`: rules in order.
    pub devices: Vec<DeviceRule>,
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
const READ_WRITE_MKNOD: u8 = 7;
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
