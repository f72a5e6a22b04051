//! Filling the orders of stage 2 from what was checked, admitted and opened.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::cgroup::{Cgroup, Hierarchies, Version};
use crate::error::Error;
use crate::host_mount;
use crate::idmap;
use crate::init::orders::{HookOrders, Orders, RootOrder, SysctlOrder, Workload};
use crate::lifecycle::places::Places;
use crate::lifecycle::{CreateRequest, LifecycleError, attendance, kernel_paths, streams, workload};
use crate::namespaces::Network;
use crate::network;
use crate::options::{Interceptor, Mode};
use crate::policy::Admitted;
use crate::rootfs::{self, Rootfs};
use crate::spec::container::{Container, IdRange, Namespace};
use crate::spec::mounts::{Mount, MountKind, attr};
use crate::state::{Status, Stored};
use crate::trees::{self, Setting, ShownHierarchy};

/// What the orders are made from.
pub(super) struct Ingredients<'a> {
    /// The checked container.
    pub(super) container: &'a Container,
    /// What policy admitted; `None` in native mode and for a container that is lazaret's own.
    pub(super) admitted: Option<&'a Admitted>,
    /// What the caller asked for.
    pub(super) request: &'a CreateRequest,
    /// Where the container will live.
    pub(super) places: &'a Places,
    /// The container's end of a terminal connection of ours.
    pub(super) console: Option<OwnedFd>,
    /// The mode.
    pub(super) mode: Mode,
    /// How trapped calls reach the sentry.
    pub(super) interceptor: Interceptor,
    /// Where the socket for `start` is to be, if there is to be one.
    pub(super) gate: Option<PathBuf>,
    /// What is stored of the container.
    pub(super) stored: &'a Stored,
}

impl Ingredients<'_> {
    fn userns(&self) -> Option<BorrowedFd<'_>> {
        self.places.userns.as_ref().map(AsFd::as_fd)
    }
}

/// Opens everything and writes the orders down. `channel` is stage 2's end.
pub(super) fn prepare(from: &Ingredients<'_>, channel: OwnedFd) -> Result<Orders, Error> {
    let container = from.container;
    let sandbox = from.mode.is_confined();
    let null = trees::null_device()?;
    let bound = !from.places.plan.new_cgroup && container.namespaces.cgroup == Namespace::Host;
    let hierarchies = if shows_cgroups(container) {
        cgroup_view(&from.places.hierarchies, &from.places.cgroup, bound)
    } else {
        Vec::new()
    };
    let setting = Setting {
        userns: from.userns(),
        mappings: &from.places.mappings,
        sandbox,
        joined_network: from.places.plan.joined_network().filter(|_network| from.places.userns.is_some()),
        cgroup_hierarchies: &hierarchies,
        has_cgroup: !from.places.cgroup.is_nowhere(),
        rootless: from.places.rootless.is_some(),
        mapped: &container.id_mappings.uids,
    };
    let owner = workload::owner(&container.process, &from.places.mappings);
    let judged = |index| from.admitted.and_then(|admitted| admitted.binds.get(&index)).map(|source| &source.fd);
    Ok(Orders {
        cgroup_tasks: from.places.cgroup.entry()?.into_tasks(),
        stdio: streams::for_init(&from.request.stdio, owner, sandbox)?,
        in_userns: from.places.userns.is_some(),
        root: root(from, sandbox)?,
        mounts: trees::prepare_mounts(&container.mounts, judged, setting)?,
        devices: trees::prepare_devices(&container.devices, &null, from.places.userns.is_some())?,
        null,
        masked_paths: kernel_paths::masked(&container.masked_paths, sandbox),
        readonly_paths: kernel_paths::readonly(&container.readonly_paths, sandbox),
        hostname: container.hostname.clone(),
        domainname: container.domainname.clone(),
        sysctl: sysctls(from),
        loopback: matches!(from.places.plan.network, Network::New),
        new_cgroup: from.places.plan.new_cgroup,
        console: workload::console(from.request.console_socket.as_deref(), from.console.as_ref())?,
        workload: workload(from, channel)?,
    })
}

fn root(from: &Ingredients<'_>, sandbox: bool) -> Result<RootOrder, Error> {
    // In native mode a bundle with a mapping is expected to have a root that the mapped ids own already; in a sandbox it
    // may.
    let idmapped = sandbox || matches!(from.request.rootfs, Rootfs::ThrowAway { .. });
    let opening = rootfs::Opening {
        idmap: from.userns().filter(|_userns| idmapped && from.places.rootless.is_none()),
        mapped: &from.container.id_mappings.uids,
        owner: (root_id(&from.places.mappings.uids), root_id(&from.places.mappings.gids)),
        attributes: if sandbox { libc::MOUNT_ATTR_NODEV } else { 0 },
        rootless: from.places.rootless.as_deref(),
    };
    let judged = from.admitted.map(|admitted| &admitted.rootfs.fd);
    let place = from.places.plan.host_mounts.then(|| host_mount::place(&from.container.rootfs));
    Ok(RootOrder {
        on_host: place.transpose()?,
        tree: from.request.rootfs.open(&from.container.rootfs, judged, opening)?,
        readonly: from.container.rootfs_readonly,
        propagation: from.container.rootfs_propagation,
    })
}

/// The host id of the container's root; without a mapping that is root itself.
pub(super) fn root_id(ranges: &[IdRange]) -> u32 {
    idmap::to_host(ranges, 0).unwrap_or(0)
}

fn shows_cgroups(container: &Container) -> bool {
    container.mounts.iter().any(is_cgroup)
}

/// Whether the bundle asks for a view of its cgroups that can be written: only then they become the container's own.
pub(super) fn shows_writable_cgroups(container: &Container) -> bool {
    let is_writable = |mount: &Mount| (mount.attr_set | mount.recursive_attr_set) & attr::RDONLY == 0;
    container.mounts.iter().any(|mount| is_cgroup(mount) && is_writable(mount))
}

fn is_cgroup(mount: &Mount) -> bool {
    matches!(&mount.kind, MountKind::Filesystem { fstype, .. } if fstype == "cgroup" || fstype == "cgroup2")
}

/// The v1 hierarchies as a cgroup mount shows them. Only those that the container has joined: in the others it is where we
/// are, and would see the host's. Without a cgroup namespace a new mount would show the host's in these, too, so its own
/// cgroups are `bound`.
fn cgroup_view(hierarchies: &Hierarchies, cgroup: &Cgroup, bound: bool) -> Vec<ShownHierarchy> {
    let own = |options: &[(CString, Option<CString>)]| {
        let has = |controllers: &[String]| {
            controllers.iter().any(|name| options.iter().any(|(key, _)| key.as_bytes() == name.as_bytes()))
        };
        let unified = |version| options.is_empty() && version == Version::V2;
        let mut directories = cgroup.directories();
        directories.find(|(version, controllers, _)| unified(*version) || has(controllers)).map(|(_, _, path)| path)
    };
    let shown = hierarchies.v1_mounts().filter_map(|(folder, data)| {
        let own = own(&data).map(Path::to_owned);
        // The unified hierarchy is shown in a namespace even where the container stays at its root.
        let joined = own.is_some() || (data.is_empty() && !bound);
        joined.then(|| ShownHierarchy { folder: folder.to_owned(), data, own: own.filter(|_path| bound) })
    });
    shown.collect()
}

/// The sysctls that are written inside. Those of a joined network namespace were written from the host's side.
fn sysctls(from: &Ingredients<'_>) -> Vec<SysctlOrder> {
    let outside = from.places.plan.joined_network().is_some() && from.places.userns.is_some();
    let inside = from.container.sysctl.iter().filter(|(key, _)| !(outside && network::is_network(key)));
    let order = |key: &str, value: String, required| SysctlOrder { path: network::sysctl_file(key), value, required };
    let own = inside.map(|(key, value)| order(key, value.clone(), true));
    let new = matches!(from.places.plan.network, Network::New) && from.mode.is_confined();
    let last_group = from.places.mappings.gids.last().map_or(0, |range| range.container + (range.length - 1));
    let defaults = if new { network::defaults(last_group) } else { Vec::new() };
    let defaults = defaults.into_iter().filter(|(key, _)| !from.container.sysctl.contains_key(*key));
    defaults.map(|(key, value)| order(key, value, false)).chain(own).collect()
}

fn workload(from: &Ingredients<'_>, channel: OwnedFd) -> Result<Workload, Error> {
    let request = from.request;
    let connected = request.console_socket.is_some() || from.console.is_some();
    Ok(Workload {
        channel,
        process: workload::process(&from.container.process, &from.places.mappings, connected)?,
        confinement: workload::confinement(
            from.container,
            (from.mode, from.stored.profile.as_ref()),
            from.interceptor,
            from.stored.has_host_directory,
        )?,
        as_child: matches!(request.rootfs, Rootfs::ThrowAway { .. }),
        preserve_fds: request.preserve_fds,
        hooks: hooks(from),
        gate: from.gate.as_deref().map(open_gate).transpose()?,
    })
}

/// The hooks that the container's first process runs, or waits for.
fn hooks(from: &Ingredients<'_>) -> Option<Box<HookOrders>> {
    let hooks = &from.container.hooks;
    let launcher_has_some = attendance::awaited(from.container);
    let before_change_of_root = launcher_has_some || !hooks.create_container.is_empty();
    if !before_change_of_root && hooks.start_container.is_empty() {
        return None;
    }
    Some(Box::new(HookOrders {
        launcher_has_some,
        create_container: hooks.create_container.clone(),
        start_container: hooks.start_container.clone(),
        state: attendance::hook_state(from.stored, Status::Creating, 0),
        root_path: before_change_of_root.then(|| from.container.rootfs.clone()),
    }))
}

/// The socket on which the container waits for `start`.
fn open_gate(path: &Path) -> Result<OwnedFd, LifecycleError> {
    let open = || -> std::io::Result<OwnedFd> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let address = super::start::gate_address(path)?;
        rustix::net::bind(&socket, &address.address)?;
        rustix::net::listen(&socket, 8)?;
        Ok(socket)
    };
    open().map_err(LifecycleError::Gate)
}
