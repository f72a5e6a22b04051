//! What stage 2 is told to do: everything it needs, opened and checked by the launcher before the clone.
//!
//! Pure data and descriptors. `init` obeys it and asks nothing back; `lifecycle::create` fills it.

use std::borrow::Cow;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use lazaret_profiles::bpf::Insn;

use crate::hook_process::HookState;
use crate::spec::container::{Device, Process, Propagation, Seccomp};
use crate::spec::hooks::Hook;
use crate::spec::kernel_view::{MemoryPolicy, Personality};

/// The orders for one container's first process.
#[derive(Debug)]
pub struct Orders {
    /// `tasks` files of v1 cgroups to enter.
    pub cgroup_tasks: Vec<OwnedFd>,
    /// Standard streams of the workload; `None` keeps the inherited one.
    pub stdio: [Option<OwnedFd>; 3],
    /// Whether the process is in a user namespace of the container, whose root it first becomes.
    pub in_userns: bool,
    /// The root file system.
    pub root: RootOrder,
    /// Mounts in the order of the bundle.
    pub mounts: Vec<MountOrder>,
    /// Device nodes.
    pub devices: Vec<DeviceOrder>,
    /// The host's `/dev/null` as a detached mount, verified: what masked files show.
    pub null: OwnedFd,
    /// Paths to hide.
    pub masked_paths: Vec<PathBuf>,
    /// Paths to make read-only.
    pub readonly_paths: Vec<PathBuf>,
    /// New host name of the UTS namespace.
    pub hostname: Option<CString>,
    /// New domain name of the UTS namespace.
    pub domainname: Option<CString>,
    /// Sysctls to write.
    pub sysctl: Vec<SysctlOrder>,
    /// Whether to set up the loopback interface.
    pub loopback: bool,
    /// Whether to enter a new cgroup namespace once the launcher has attached us.
    pub new_cgroup: bool,
    /// Connected to the caller's console socket: gets the terminal's master.
    pub console: Option<OwnedFd>,
    /// The workload.
    pub workload: Workload,
}

/// The orders for a further process of a container that runs.
#[derive(Debug)]
pub struct JoinOrders {
    /// `tasks` files of v1 cgroups to enter.
    pub cgroup_tasks: Vec<OwnedFd>,
    /// The namespaces that only the process itself can enter: the pidfd of the container's first process and
    /// `CLONE_NEW*` flags.
    pub namespaces: (OwnedFd, i32),
    /// Standard streams of the workload; `None` keeps the inherited one.
    pub stdio: [Option<OwnedFd>; 3],
    /// Whether the process is in a user namespace of the container, whose root it first becomes.
    pub in_userns: bool,
    /// Connected to the caller's console socket: gets the terminal's master.
    pub console: Option<OwnedFd>,
    /// The workload.
    pub workload: Workload,
}

impl JoinOrders {
    /// Every descriptor among the orders.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        [&self.workload.channel, &self.namespaces.0]
            .into_iter()
            .chain(&self.cgroup_tasks)
            .chain(self.stdio.iter().flatten())
            .chain(&self.console)
            .chain(&self.workload.gate)
            .map(AsFd::as_fd)
            .collect()
    }
}

/// What is to be executed once the process is where it belongs.
#[derive(Debug)]
pub struct Workload {
    /// Our end of the channel to the launcher.
    pub channel: OwnedFd,
    /// What to execute and as whom; capabilities are already those that policy grants.
    pub process: Process,
    /// The layers around the workload.
    pub confinement: Confinement,
    /// Descriptors 3 to 3+n-1 stay open for the workload (`--preserve-fds`).
    pub preserve_fds: u32,
    /// Whether the workload is to be a child of the first process instead of being it.
    pub as_child: bool,
    /// Hooks of the container; `None` when it has none, and for processes that join it.
    pub hooks: Option<Box<HookOrders>>,
    /// The listening socket that `start` connects to; `None` to go on at the launcher's word.
    pub gate: Option<OwnedFd>,
}

impl Orders {
    /// Every descriptor among the orders. What else the process has inherited belongs to the launcher.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let trees = self.mounts.iter().flat_map(|mount| mount.source.trees());
        let devices = self.devices.iter().filter_map(|device| device.tree.as_ref());
        [&self.workload.channel, &self.root.tree, &self.null]
            .into_iter()
            .chain(&self.root.on_host)
            .chain(&self.cgroup_tasks)
            .chain(self.stdio.iter().flatten())
            .chain(trees)
            .chain(devices)
            .chain(&self.console)
            .chain(&self.workload.gate)
            .map(AsFd::as_fd)
            .collect()
    }
}

/// The root file system.
#[derive(Debug)]
pub struct RootOrder {
    /// A detached mount tree, id-mapped if need be.
    pub tree: OwnedFd,
    /// Where it goes in the host's mount namespace, for a container without one of its own.
    pub on_host: Option<OwnedFd>,
    /// Read-only once everything is mounted.
    pub readonly: bool,
    /// Propagation of the container's root mount.
    pub propagation: Option<Propagation>,
}

/// One mount.
#[derive(Debug)]
pub struct MountOrder {
    /// Its index in the bundle's `mounts`, for messages; `None` for one that lazaret adds.
    pub index: Option<usize>,
    /// Where, absolute inside the container.
    pub destination: PathBuf,
    /// What.
    pub source: MountSource,
    /// Attributes to set on the mount.
    pub attr_set: u64,
    /// Attributes to clear on the mount.
    pub attr_clear: u64,
    /// Propagation, and whether on the whole tree.
    pub propagation: Option<(Propagation, bool)>,
}

/// What a mount shows.
#[derive(Debug)]
pub enum MountSource {
    /// A detached tree that the launcher opened; attributes of the whole tree are set already.
    Tree {
        /// The tree.
        tree: OwnedFd,
        /// Whether its root is a directory.
        directory: bool,
    },
    /// A new instance of a file system, made in the container's namespaces.
    Filesystem {
        /// Its type.
        fstype: CString,
        /// What `/proc/mounts` shows as its source.
        source: CString,
        /// Its parameters.
        data: Vec<(CString, Option<CString>)>,
        /// What it takes over from what it covers.
        below: Below,
    },
    /// The container's cgroup: cgroup2, or a tmpfs with a directory for each v1 hierarchy.
    Cgroup {
        /// v1 hierarchies (folder name, mount options), empty on pure v2.
        hierarchies: Vec<CgroupHierarchy>,
    },
}

impl MountSource {
    /// The detached mounts in it.
    fn trees(&self) -> Vec<&OwnedFd> {
        match self {
            Self::Tree { tree, .. } => vec![tree],
            Self::Cgroup { hierarchies } => hierarchies.iter().filter_map(|shown| shown.tree.as_ref()).collect(),
            Self::Filesystem { .. } => Vec::new(),
        }
    }
}

/// What a new file system takes over from the directory that it covers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Below {
    /// The mode, as runc has it for a tmpfs whose options name none.
    pub keep_mode: bool,
    /// The content (`tmpcopyup`).
    pub copy_up: bool,
}

/// A cgroup hierarchy as a container sees it.
#[derive(Debug)]
pub struct CgroupHierarchy {
    /// The folder's name.
    pub folder: String,
    /// The mount's options; none means cgroup v2.
    pub data: Vec<(CString, Option<CString>)>,
    /// The container's own cgroup as a detached mount, when it has no cgroup namespace: a new mount would show the host's
    /// whole hierarchy.
    pub tree: Option<OwnedFd>,
}

/// One sysctl.
#[derive(Debug)]
pub struct SysctlOrder {
    /// Its file.
    pub path: PathBuf,
    /// Its value.
    pub value: String,
    /// Whether the bundle asks for it; what lazaret adds is left out in a container without a procfs.
    pub required: bool,
}

/// One device node.
#[derive(Debug)]
pub struct DeviceOrder {
    /// The node.
    pub device: Device,
    /// The host's node as a detached mount, to be bound; `None` to make a node with `mknod(2)`.
    pub tree: Option<OwnedFd>,
}

/// The layers around the workload.
#[derive(Debug)]
pub struct Confinement {
    /// The light Landlock domain; `None` in native mode.
    pub landlock: Option<LandlockScopes>,
    /// In strict mode: where the bundle's mounts stand, for path rules in that domain.
    pub paths: Option<Vec<PathBuf>>,
    /// The filter of the mode.
    pub filter: Option<Filter>,
    /// The bundle's own seccomp profile, which can only tighten.
    pub oci: Option<Seccomp>,
    /// The execution domain of every process.
    pub personality: Option<Personality>,
    /// Where every process gets its memory.
    pub memory_policy: Option<MemoryPolicy>,
}

/// The hooks around a container's first process.
#[derive(Debug)]
pub struct HookOrders {
    /// Whether the launcher runs hooks of its own before the change of root, for whose end stage 2 waits.
    pub launcher_has_some: bool,
    /// Before the change of root.
    pub create_container: Vec<Hook>,
    /// Before the workload.
    pub start_container: Vec<Hook>,
    /// What they are told; status and process are filled in.
    pub state: HookState,
    /// Where hooks expect the container's root file system on the host; `None` when none runs before the change of root.
    pub root_path: Option<PathBuf>,
}

/// The mode's filter.
#[derive(Debug)]
pub struct Filter {
    /// The program for a listener; `None` where a tracer is chosen.
    pub listened: Option<Cow<'static, [Insn]>>,
    /// The program for a tracer, for a task that has a listener already and gets no second one (EBUSY). `None` makes
    /// that a failure.
    pub traced: Option<Cow<'static, [Insn]>>,
    /// The same without a witness, where there can be no tracer either: what the sentry would refuse, the filter itself
    /// refuses. `None` makes that a failure.
    pub unwitnessed: Option<Cow<'static, [Insn]>>,
}

/// Which Landlock scopes are needed because a namespace is shared with the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct LandlockScopes {
    /// Signals out of the domain.
    pub signal: bool,
    /// Abstract unix sockets out of the domain.
    pub abstract_unix: bool,
}
