//! Why sandbox mode refuses a configuration. Every variant names the key of `config.json`, its value and the rule; the
//! hint says what would allow it.

use std::path::PathBuf;

use thiserror::Error;

use super::NamespaceKind;
use super::standing::Standing;
use super::tables::sensitive::SECRET_NAMES;
use crate::bundle::field::Field;
use crate::bundle::{Bundle, codes};

/// Why [`super::sandbox::admit`] refused a container.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A path of the bundle cannot be opened.
    #[error("{field}: cannot be opened")]
    Open {
        /// The key.
        field: Field,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bundle leaves out a namespace, which means the host's.
    #[error("{field}: the host's {} namespace is not allowed in sandbox mode", kind.oci_name())]
    HostNamespace {
        /// `linux.namespaces`.
        field: Field,
        /// The one that is missing.
        kind: NamespaceKind,
    },
    /// The path of a namespace names the host's own.
    #[error("{field}: this is the host's {} namespace, which is not allowed in sandbox mode", kind.oci_name())]
    HostNamespaceJoined {
        /// The path.
        field: Field,
        /// Its kind.
        kind: NamespaceKind,
    },
    /// The path of a namespace names something else.
    #[error("{field}: not a namespace")]
    NotNamespace {
        /// The path.
        field: Field,
    },
    /// A mount namespace is joined.
    #[error("{field}: a sandbox makes its own mount namespace and joins none")]
    MountNamespaceJoined {
        /// The path.
        field: Field,
    },
    /// A container engine's socket.
    #[error("{field}: hostPath {}{standing} is not allowed in sandbox mode: whoever talks to {owner} owns the host", path.display())]
    EngineSocket {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
        /// How it stands to the socket.
        standing: Standing,
        /// Whose socket it is.
        owner: &'static str,
    },
    /// Some other unix socket.
    #[error("{field}: {} is a unix socket: a bind mount of it reaches a process outside the sandbox", path.display())]
    Socket {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
    },
    /// A directory in which a unix socket of the host stands.
    #[error(
        "{field}: below {path:?} stands the unix socket {socket:?}, through which a process of the host can be reached"
    )]
    SocketBelow {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
        /// The socket.
        socket: PathBuf,
    },
    /// A sensitive path of the host.
    #[error("{field}: hostPath {}{standing} is not allowed in sandbox mode: {reason}", path.display())]
    Sensitive {
        /// The source.
        field: Field,
        /// What it resolves to, or a name that a mount gives it.
        path: PathBuf,
        /// How it stands to the tree.
        standing: Standing,
        /// Why the tree is refused.
        reason: &'static str,
        /// Whether a read-only mount would be admitted.
        read_only_helps: bool,
    },
    /// A path of the host that a rule of the node's configuration refuses.
    #[error("{field}: hostPath {} is refused by the node's configuration (host_paths, access = \"none\")", path.display())]
    DeniedPath {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
    },
    /// A path of the host that no rule names, where only those may be bound.
    #[error("{field}: hostPath {} is not among the paths that the node's configuration allows (host_paths)", path.display())]
    UnlistedPath {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
    },
    /// The kernel's own file system.
    #[error("{field}: {} is on {fstype}: {reason}", path.display())]
    KernelFilesystem {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
        /// The type.
        fstype: &'static str,
        /// What it gives away.
        reason: &'static str,
    },
    /// A device node as the source of a bind mount.
    #[error("{field}: {} is the device {major}:{minor}, which no sandbox may have", path.display())]
    DeviceSource {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// Neither a file nor a directory.
    #[error("{field}: {} is a {what}: a process of the host may hold the other end", path.display())]
    OddSource {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Not on a mount that the runtime sees, or deleted: it cannot be told what it is.
    #[error("{field}: {} is not on a mount of the runtime's own mount namespace, or is deleted", path.display())]
    ForeignMount {
        /// The source.
        field: Field,
        /// What the kernel calls it.
        path: PathBuf,
    },
    /// A path of another pod.
    #[error("{field}: {} belongs to {owner:?}, this container to {own:?}", path.display())]
    OtherPod {
        /// The source.
        field: Field,
        /// What it resolves to.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// Whose container this is, as the engine's annotation says.
        own: String,
    },
    /// A privileged container, on a node that refuses those.
    #[error("{field}: a privileged container is refused on this node: it asks for {reasons}")]
    Privileged {
        /// `process.capabilities`.
        field: Field,
        /// What makes it privileged.
        reasons: String,
    },
    /// A device of `linux.devices`.
    #[error("{field}: the device {numbers} is not allowed in sandbox mode")]
    Device {
        /// The device.
        field: Field,
        /// Kind and numbers.
        numbers: String,
    },
    /// A kernel parameter that the profile does not list.
    #[error("{field}: the profile {profile:?} does not list this kernel parameter")]
    Sysctl {
        /// The parameter.
        field: Field,
        /// The profile's name.
        profile: String,
    },
    /// A file system type.
    #[error("{field}: this file system type is not allowed in sandbox mode")]
    Filesystem {
        /// The type.
        field: Field,
    },
    /// Shared propagation.
    #[error("{field}: shared propagation is not allowed in sandbox mode: mounts of the container would reach the host")]
    Propagation {
        /// The option.
        field: Field,
    },
    /// A mount destination.
    #[error("{field}: {rule}")]
    Destination {
        /// The destination.
        field: Field,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// Host ids that are the host's own.
    #[error("{field}: maps onto the host's ids {first}..={last}; ids below 1000 belong to the system's users, those from {} on to other containers", crate::idmap::leased_ids().start)]
    HostIds {
        /// The range.
        field: Field,
        /// First host id.
        first: u32,
        /// Last host id.
        last: u32,
    },
    /// A hook that runs on the host.
    #[error("{field}: a hook that runs outside of the container is not allowed in sandbox mode")]
    Hook {
        /// Its path.
        field: Field,
        /// The node's list of those that are.
        list: PathBuf,
    },
    /// The node's list of allowed hooks.
    #[error("cannot use {}, the list of hooks that sandboxes may have", path.display())]
    HookList {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A field that reaches beyond the sandbox.
    #[error("{field}: {rule}")]
    Reach {
        /// The field.
        field: Field,
        /// The rule it breaks.
        rule: &'static str,
        /// What would do.
        instead: &'static str,
    },
    /// Facts about the machine cannot be had; without them nothing can be judged.
    #[error("cannot read {}, which the policy needs", path.display())]
    Facts {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The kernel's mount table is malformed.
    #[error("cannot read {}, which the policy needs", path.display())]
    MountTable {
        /// What was read.
        path: PathBuf,
        /// Where it is malformed.
        source: super::mountinfo::MountinfoError,
    },
}

/// Whether a rule of the node's configuration would admit a path: no rule opens the kernel's own, nor a root file system.
fn is_listable(field: &Field, path: &std::path::Path) -> bool {
    let is_kernels = ["/proc", "/sys", "/dev"].iter().any(|tree| path.starts_with(tree));
    let is_secret = path.components().any(|part| SECRET_NAMES.iter().any(|(name, _)| part.as_os_str() == *name));
    field.path().starts_with("mounts") && !is_kernels && !is_secret && path != std::path::Path::new("/")
}

const TRUSTED: &str = "or run a container that you trust with --mode native";

impl PolicyError {
    /// Stable number of the error, shown as `error[lazaret-NNNN]`.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Open { .. } => codes::POLICY_OPEN,
            Self::HostNamespace { .. } => codes::POLICY_HOST_NAMESPACE,
            Self::HostNamespaceJoined { .. } => codes::POLICY_HOST_NAMESPACE_JOINED,
            Self::NotNamespace { .. } => codes::POLICY_NOT_NAMESPACE,
            Self::MountNamespaceJoined { .. } => codes::POLICY_MOUNT_NAMESPACE_JOINED,
            Self::EngineSocket { .. } => codes::POLICY_ENGINE_SOCKET,
            Self::Socket { .. } => codes::POLICY_SOCKET,
            Self::SocketBelow { .. } => codes::POLICY_SOCKET_BELOW,
            Self::Sensitive { .. } => codes::POLICY_SENSITIVE,
            Self::DeniedPath { .. } => codes::POLICY_DENIED_PATH,
            Self::UnlistedPath { .. } => codes::POLICY_UNLISTED_PATH,
            Self::KernelFilesystem { .. } => codes::POLICY_KERNEL_FILESYSTEM,
            Self::DeviceSource { .. } => codes::POLICY_DEVICE_SOURCE,
            Self::OddSource { .. } => codes::POLICY_ODD_SOURCE,
            Self::ForeignMount { .. } => codes::POLICY_FOREIGN_MOUNT,
            Self::OtherPod { .. } => codes::POLICY_OTHER_POD,
            Self::Privileged { .. } => codes::POLICY_PRIVILEGED,
            Self::Device { .. } => codes::POLICY_DEVICE,
            Self::Sysctl { .. } => codes::POLICY_SYSCTL,
            Self::Filesystem { .. } => codes::POLICY_FILESYSTEM,
            Self::Propagation { .. } => codes::POLICY_PROPAGATION,
            Self::Destination { .. } => codes::POLICY_DESTINATION,
            Self::HostIds { .. } => codes::POLICY_HOST_IDS,
            Self::Hook { .. } | Self::HookList { .. } => codes::POLICY_HOOK,
            Self::Reach { .. } => codes::POLICY_REACH,
            Self::Facts { .. } | Self::MountTable { .. } => codes::POLICY_FACTS,
        }
    }

    /// The key of `config.json`; `None` when the machine is at fault.
    #[must_use]
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Open { field, .. }
            | Self::HostNamespace { field, .. }
            | Self::HostNamespaceJoined { field, .. }
            | Self::NotNamespace { field }
            | Self::MountNamespaceJoined { field }
            | Self::EngineSocket { field, .. }
            | Self::Socket { field, .. }
            | Self::SocketBelow { field, .. }
            | Self::Sensitive { field, .. }
            | Self::DeniedPath { field, .. }
            | Self::UnlistedPath { field, .. }
            | Self::KernelFilesystem { field, .. }
            | Self::DeviceSource { field, .. }
            | Self::OddSource { field, .. }
            | Self::ForeignMount { field, .. }
            | Self::OtherPod { field, .. }
            | Self::Privileged { field, .. }
            | Self::Device { field, .. }
            | Self::Sysctl { field, .. }
            | Self::Filesystem { field }
            | Self::Propagation { field }
            | Self::Destination { field, .. }
            | Self::HostIds { field, .. }
            | Self::Hook { field, .. }
            | Self::Reach { field, .. } => Some(field),
            Self::Facts { .. } | Self::MountTable { .. } | Self::HookList { .. } => None,
        }
    }

    /// Where the key stands in the bundle's `config.json`, for the caller that still has the bundle.
    #[must_use]
    pub fn line(&self, bundle: &Bundle) -> Option<usize> {
        self.field().and_then(|field| bundle.field(field.path()).line())
    }

    /// What would allow it, or why nothing does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let allowed = match self {
            Self::HostNamespace { kind, .. } => {
                return Some(format!("add {{\"type\":\"{}\"}} to linux.namespaces, {TRUSTED}", kind.oci_name()));
            }
            Self::HostNamespaceJoined { .. } | Self::MountNamespaceJoined { .. } => {
                "leave out the path, so that the container gets a namespace of its own"
            }
            Self::Sensitive { read_only_helps: true, .. } => "bind a path below it read-only (option ro)",
            Self::DeniedPath { .. } => "bind a path that neither is nor holds one with access = \"none\"",
            Self::UnlistedPath { path, .. } => {
                return Some(format!("list it in the node's configuration: [host_paths.{path:?}], {TRUSTED}"));
            }
            Self::Sensitive { field, path, standing: Standing::Same | Standing::Within(_), .. }
                if is_listable(field, path) =>
            {
                return Some(format!(
                    "copy what the container needs to a directory of its own and bind that, or list it in the node's \
                     configuration: [host_paths.{path:?}], {TRUSTED}"
                ));
            }
            Self::Sensitive { .. } => "copy what the container needs to a directory of its own and bind that",
            Self::EngineSocket { .. } => "nothing allows it in a sandbox; give the container an API of its own",
            Self::Socket { .. } => "let the container reach the service through its network",
            Self::SocketBelow { .. } => "bind a directory without sockets",
            Self::KernelFilesystem { .. } => "mount an instance of the container's own (type proc, sysfs, cgroup …)",
            Self::Privileged { .. } => {
                "list the capabilities that it needs; privileged = \"contain\" in the configuration runs it without them"
            }
            Self::Device { .. } => "leave it out (a privileged pod: set privileged_without_host_devices in containerd)",
            Self::DeviceSource { .. } => "null, zero, full, random, urandom and tty are there without a mount",
            Self::OddSource { .. } => "bind the directory that holds it",
            Self::OtherPod { .. } => "bind a volume of the container's own pod",
            Self::Sysctl { .. } => "list it in a profile that extends this one (sysctls.allow)",
            Self::Filesystem { .. } => {
                "proc, sysfs, tmpfs, devpts, mqueue, cgroup, cgroup2 and bind mounts are allowed; mount it on the host"
            }
            Self::Propagation { .. } => "use private",
            Self::HostIds { .. } => "choose host ids from 1000 on, or leave the mappings out and let lazaret choose",
            Self::Open { .. } => return Some("it must exist when the container is created".to_owned()),
            Self::NotNamespace { .. } => return Some("name a file of /proc/PID/ns, or a bind mount of one".to_owned()),
            Self::Facts { .. } | Self::MountTable { .. } => {
                return Some("lazaret needs a readable /proc on the host; without it nothing can be judged".to_owned());
            }
            Self::ForeignMount { .. } => "bind a path that lazaret's own mount namespace shows",
            Self::Destination { .. } => "choose another destination",
            Self::Hook { list, .. } => {
                return Some(format!(
                    "list the program in {}, if it is the engine's or the node's own, {TRUSTED}",
                    list.display()
                ));
            }
            Self::HookList { .. } => return Some("give it to root, with mode 0644".to_owned()),
            Self::Reach { instead, .. } => instead,
        };
        Some(format!("{allowed}, {TRUSTED}"))
    }
}
