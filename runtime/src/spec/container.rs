//! The checked form of a container's `config.json`: what [`super::check`] returns and the launcher obeys.
//!
//! Every field here is something lazaret enforces. What a bundle asks for beyond it was refused by name, so nothing
//! downstream needs to look at `oci_spec` types again. Paths are as written in the bundle (sources made absolute
//! against the bundle's directory); nothing here has been opened yet.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::PathBuf;

use super::hooks::Hooks;
use super::kernel_view::{MemoryPolicy, Personality, TimeOffsets};
use super::mounts::Mount;
use super::net_devices::NetDevice;
use super::resources::Resources;
use super::scheduling::{ExecCpuAffinity, IoPriority, Scheduler};

/// One container, checked.
#[derive(Debug, Clone)]
pub struct Container {
    /// `ociVersion` of the bundle, repeated in the state.
    pub oci_version: String,
    /// `root.path`, absolute.
    pub rootfs: PathBuf,
    /// `root.readonly`.
    pub rootfs_readonly: bool,
    /// `linux.rootfsPropagation` of the container's root mount; `None` is private.
    pub rootfs_propagation: Option<Propagation>,
    /// `hostname`, at most 64 bytes.
    pub hostname: Option<CString>,
    /// `domainname`, at most 64 bytes.
    pub domainname: Option<CString>,
    /// `process`. A bundle without one is refused: there is nothing to start.
    pub process: Process,
    /// `mounts`, in the order of the bundle.
    pub mounts: Vec<Mount>,
    /// `linux.namespaces`: one entry a kind.
    pub namespaces: Namespaces,
    /// `linux.uidMappings` and `gidMappings`; empty when the bundle has none.
    pub id_mappings: IdMappings,
    /// `linux.devices`, beside the six that every container gets.
    pub devices: Vec<Device>,
    /// `linux.cgroupsPath` as written; `None` leaves the choice to the runtime.
    pub cgroups_path: Option<String>,
    /// `linux.resources`.
    pub resources: Resources,
    /// `linux.sysctl`: key in dotted form to value.
    pub sysctl: BTreeMap<String, String>,
    /// `linux.maskedPaths`.
    pub masked_paths: Vec<PathBuf>,
    /// `linux.readonlyPaths`.
    pub readonly_paths: Vec<PathBuf>,
    /// `linux.seccomp`, compiled; `None` when the bundle has none.
    pub seccomp: Option<Seccomp>,
    /// `hooks`.
    pub hooks: Hooks,
    /// `linux.personality`.
    pub personality: Option<Personality>,
    /// `linux.memoryPolicy`.
    pub memory_policy: Option<MemoryPolicy>,
    /// `linux.timeOffsets`, of a new time namespace.
    pub time_offsets: Option<TimeOffsets>,
    /// `linux.netDevices`.
    pub net_devices: Vec<NetDevice>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// The OCI seccomp profile of a bundle, compiled to instructions for `seccomp(2)`.
#[derive(Debug, Clone)]
pub struct Seccomp {
    /// The filter program.
    pub program: lazaret_profiles::bpf::Program,
    /// Flags of `SECCOMP_SET_MODE_FILTER` (`SECCOMP_FILTER_FLAG_LOG`, `…_SPEC_ALLOW`, `…_TSYNC`).
    pub flags: u32,
    /// Who answers calls with `SCMP_ACT_NOTIFY`; `None` when the profile has no such action.
    pub agent: Option<Agent>,
}

/// Who gets the listener of a seccomp profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// `listenerPath`: its socket.
    pub path: PathBuf,
    /// `listenerMetadata`: passed on to it as it is.
    pub metadata: String,
}

/// `process`: what to execute, as whom, with which rights.
#[derive(Debug, Clone)]
pub struct Process {
    /// `args`, at least one.
    pub args: Vec<CString>,
    /// `env`, each `KEY=value`.
    pub env: Vec<CString>,
    /// `cwd`, absolute.
    pub cwd: PathBuf,
    /// `user.uid` inside the container.
    pub uid: u32,
    /// `user.gid` inside the container.
    pub gid: u32,
    /// `user.additionalGids`.
    pub additional_gids: Vec<u32>,
    /// `user.umask`; `None` keeps the caller's 0022.
    pub umask: Option<u32>,
    /// `capabilities`; absent means none.
    pub capabilities: Capabilities,
    /// `noNewPrivileges`.
    pub no_new_privileges: bool,
    /// `rlimits`.
    pub rlimits: Vec<Rlimit>,
    /// `terminal`.
    pub terminal: bool,
    /// `consoleSize` as (rows, columns).
    pub console_size: Option<(u16, u16)>,
    /// `oomScoreAdj`, -1000..=1000.
    pub oom_score_adj: Option<i32>,
    /// `ioPriority`.
    pub io_priority: Option<IoPriority>,
    /// `scheduler`.
    pub scheduler: Option<Scheduler>,
    /// `execCPUAffinity`: for processes that join the container, not for its first one.
    pub exec_cpu_affinity: Option<ExecCpuAffinity>,
    /// `apparmorProfile`: to write to `/proc/self/attr/apparmor/exec` before the exec. `None` when the bundle names
    /// none or `unconfined`; a machine without AppArmor never has one, the bundle is refused there.
    pub apparmor_profile: Option<CString>,
}

/// The five capability sets as bit masks (bit n is capability number n of `capabilities(7)`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Bounding set.
    pub bounding: u64,
    /// Effective set.
    pub effective: u64,
    /// Inheritable set.
    pub inheritable: u64,
    /// Permitted set.
    pub permitted: u64,
    /// Ambient set.
    pub ambient: u64,
}

/// One entry of `process.rlimits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rlimit {
    /// The `RLIMIT_*` number of `setrlimit(2)`.
    pub resource: u32,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// Where one namespace comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespace {
    /// The bundle does not list it: the runtime's own (the host's).
    Host,
    /// A new one.
    New,
    /// The one that this path names.
    Join(PathBuf),
}

/// The eight namespaces of `namespaces(7)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// User.
    pub user: Namespace,
    /// Mount.
    pub mount: Namespace,
    /// PID.
    pub pid: Namespace,
    /// Network.
    pub network: Namespace,
    /// IPC.
    pub ipc: Namespace,
    /// UTS.
    pub uts: Namespace,
    /// Cgroup.
    pub cgroup: Namespace,
    /// Time.
    pub time: Namespace,
}

/// `uidMappings` and `gidMappings`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMappings {
    /// User ids.
    pub uids: Vec<IdRange>,
    /// Group ids.
    pub gids: Vec<IdRange>,
}

/// One line of `/proc/PID/uid_map`: `length` ids from `container` are `host` and following outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// First id inside.
    pub container: u32,
    /// First id outside.
    pub host: u32,
    /// How many.
    pub length: u32,
}

/// One of `linux.devices`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where the node is made inside the container, absolute.
    pub path: PathBuf,
    /// What it is.
    pub kind: DeviceKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner inside the container.
    pub uid: u32,
    /// Group inside the container.
    pub gid: u32,
}

/// Kind and numbers of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// Character device major:minor (`c` or `u`).
    Character(u32, u32),
    /// Block device major:minor (`b`).
    Block(u32, u32),
    /// Named pipe (`p`).
    Fifo,
}

/// Mount propagation (`mount_namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// `private`
    Private,
    /// `shared`
    Shared,
    /// `slave`
    Slave,
    /// `unbindable`
    Unbindable,
}
