//! Filling the orders of stage 2 from what was checked, admitted and opened.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use lazaret_profiles::bpf;
use lazaret_profiles::plan::{self, Witness};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::cgroup::{Cgroup, Hierarchies};
use crate::error::Error;
use crate::idmap;
use crate::init::orders::{Confinement, Filter, LandlockScopes, Orders, RootOrder};
use crate::lifecycle::{CreateRequest, LifecycleError};
use crate::namespaces::{Network, Plan};
use crate::options::{Interceptor, Mode};
use crate::policy::Admitted;
use crate::rootfs::{self, Rootfs};
use crate::spec::container::{Container, IdMappings, IdRange, Namespace, Process};
use crate::spec::mounts::MountKind;
use crate::trees::{self, Setting};

/// What the orders are made from.
pub(super) struct Ingredients<'a> {
    /// The checked container.
    pub(super) container: &'a Container,
    /// What policy admitted; `None` in native mode and for a container that is lazaret's own.
    pub(super) admitted: Option<&'a Admitted>,
    /// What the caller asked for.
    pub(super) request: &'a CreateRequest,
    /// Namespaces.
    pub(super) plan: &'a Plan,
    /// The container's user namespace.
    pub(super) userns: Option<BorrowedFd<'a>>,
    /// Its mapping, where known.
    pub(super) mappings: &'a IdMappings,
    /// The host's cgroup hierarchies.
    pub(super) hierarchies: &'a Hierarchies,
    /// The container's cgroup.
    pub(super) cgroup: &'a Cgroup,
    /// The mode.
    pub(super) mode: Mode,
    /// How trapped calls reach the sentry.
    pub(super) interceptor: Interceptor,
    /// Where the socket for `start` is to be, if there is to be one.
    pub(super) gate: Option<PathBuf>,
}

/// Opens everything and writes the orders down. `channel` is stage 2's end.
pub(super) fn prepare(from: &Ingredients<'_>, channel: OwnedFd) -> Result<Orders, Error> {
    let container = from.container;
    let sandbox = from.mode == Mode::Sandbox;
    let null = trees::null_device()?;
    let hierarchies = if shows_cgroups(container) { cgroup_view(from.hierarchies) } else { Vec::new() };
    let setting = Setting {
        userns: from.userns,
        mappings: from.mappings,
        sandbox,
        joined_network: from.plan.joined_network().filter(|_network| from.userns.is_some()),
        cgroup_hierarchies: &hierarchies,
    };
    let judged = |index| from.admitted.and_then(|admitted| admitted.binds.get(&index)).map(|source| &source.fd);
    Ok(Orders {
        channel,
        cgroup_tasks: from.cgroup.entry()?.into_tasks(),
        stdio: from.request.stdio_for_init()?,
        in_userns: from.userns.is_some(),
        root: root(from, sandbox)?,
        mounts: trees::prepare_mounts(&container.mounts, judged, setting)?,
        devices: trees::prepare_devices(&container.devices, &null, from.userns.is_some())?,
        null,
        masked_paths: container.masked_paths.clone(),
        readonly_paths: container.readonly_paths.clone(),
        hostname: container.hostname.clone(),
        domainname: container.domainname.clone(),
        sysctl: container.sysctl.iter().map(|(key, value)| (sysctl_path(key), value.clone())).collect(),
        loopback: matches!(from.plan.network, Network::New),
        new_cgroup: from.plan.new_cgroup,
        process: process(container, from.mappings, from.request)?,
        confinement: confinement(from, sandbox)?,
        console: console(from)?,
        preserve_fds: from.request.preserve_fds,
        gate: from.gate.as_deref().map(open_gate).transpose()?,
    })
}

fn root(from: &Ingredients<'_>, sandbox: bool) -> Result<RootOrder, Error> {
    // In native mode a bundle with a mapping is expected to have a root that the mapped ids own already.
    let idmapped = sandbox || matches!(from.request.rootfs, Rootfs::ThrowAway { .. });
    let opening = rootfs::Opening {
        idmap: from.userns.filter(|_userns| idmapped),
        owner: (root_id(&from.mappings.uids), root_id(&from.mappings.gids)),
        attributes: if sandbox { libc::MOUNT_ATTR_NODEV } else { 0 },
    };
    let judged = from.admitted.map(|admitted| &admitted.rootfs.fd);
    Ok(RootOrder {
        tree: from.request.rootfs.open(&from.container.rootfs, judged, opening)?,
        readonly: from.container.rootfs_readonly,
        propagation: from.container.rootfs_propagation,
    })
}

/// The host id of the container's root; without a mapping that is root itself.
fn root_id(ranges: &[IdRange]) -> u32 {
    idmap::to_host(ranges, 0).unwrap_or(0)
}

fn shows_cgroups(container: &Container) -> bool {
    container.mounts.iter().any(|mount| {
        matches!(&mount.kind, MountKind::Filesystem { fstype, .. } if fstype == "cgroup" || fstype == "cgroup2")
    })
}

/// The v1 hierarchies as a cgroup mount shows them: folder name and mount options.
fn cgroup_view(hierarchies: &Hierarchies) -> Vec<(String, Vec<(CString, Option<CString>)>)> {
    hierarchies.v1_mounts().map(|(folder, options)| (folder.to_owned(), options)).collect()
}

/// `net.ipv4.ip_forward` is `/proc/sys/net/ipv4/ip_forward`; in the form with slashes, dots are part of a name.
fn sysctl_path(key: &str) -> PathBuf {
    let path = if key.contains('/') { key.to_owned() } else { key.replace('.', "/") };
    Path::new("/proc/sys").join(path)
}

fn process(container: &Container, mappings: &IdMappings, request: &CreateRequest) -> Result<Process, Error> {
    let process = container.process.clone();
    for (field, ranges, id) in
        [("process.user.uid", &mappings.uids, process.uid), ("process.user.gid", &mappings.gids, process.gid)]
    {
        if !ranges.is_empty() && idmap::to_host(ranges, id).is_none() {
            let source = std::io::Error::from_raw_os_error(libc::EINVAL);
            return Err(LifecycleError::Property { field, value: id.to_string(), source }.into());
        }
    }
    if process.terminal && request.console_socket.is_none() {
        return Err(LifecycleError::Terminal("the bundle asks for a terminal, but there is no --console-socket").into());
    }
    if !process.terminal && request.console_socket.is_some() {
        return Err(LifecycleError::Terminal("--console-socket was given, but process.terminal is not set").into());
    }
    Ok(process)
}

fn confinement(from: &Ingredients<'_>, sandbox: bool) -> Result<Confinement, Error> {
    let oci = from.container.seccomp.clone();
    if !sandbox {
        return Ok(Confinement { landlock: None, filter: None, oci });
    }
    let (Interceptor::Notify | Interceptor::Auto) = from.interceptor;
    let program = bpf::emit(&plan::sandbox(Witness::Notify)).map_err(LifecycleError::Filter)?;
    let scopes = LandlockScopes {
        signal: from.container.namespaces.pid == Namespace::Host,
        abstract_unix: from.container.namespaces.network == Namespace::Host,
    };
    Ok(Confinement { landlock: Some(scopes), filter: Some(Filter { program, listener: true }), oci })
}

fn console(from: &Ingredients<'_>) -> Result<Option<OwnedFd>, Error> {
    let Some(path) = &from.request.console_socket else { return Ok(None) };
    let connect = || -> std::io::Result<OwnedFd> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    };
    let socket = connect().map_err(|source| LifecycleError::ConsoleSocket { path: path.clone(), source })?;
    Ok(Some(socket))
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

impl CreateRequest {
    /// Copies of the streams for stage 2, made accessible to the container: a pipe of ours that it reopens by
    /// `/dev/stdout` must belong to it. Files and terminals keep their owner.
    fn stdio_for_init(&self) -> Result<[Option<OwnedFd>; 3], LifecycleError> {
        let copy = |fd: &Option<OwnedFd>| fd.as_ref().map(|fd| fd.as_fd().try_clone_to_owned()).transpose();
        let [stdin, stdout, stderr] = &self.stdio;
        let copies = || -> std::io::Result<_> { Ok([copy(stdin)?, copy(stdout)?, copy(stderr)?]) };
        copies().map_err(LifecycleError::Wait)
    }
}
