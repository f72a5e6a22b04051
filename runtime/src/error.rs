//! The one error of the library: what failed, as a stable number, an exit status and a hint.

use crate::annotations::AnnotationError;
use crate::bundle::BundleError;
use crate::bundle::field::Field;
use crate::causes;
use crate::cgroup::CgroupError;
use crate::channel::{ChannelError, Failure};
use crate::config::ConfigError;
use crate::hook_process::HookError;
use crate::hooks::KeptError;
use crate::host_mount::HostMountError;
use crate::idmap::IdmapError;
use crate::lifecycle::{ConfigFileError, EventsError, LifecycleError, NestedError, TracingError, UpdateError};
use crate::metrics::MetricsError;
use crate::namespaces::NamespaceError;
use crate::net_devices::NetDeviceError;
use crate::network::NetworkError;
use crate::policy::PolicyError;
use crate::policy::cel::CelError;
use crate::policy::pod_security::PodSecurityError;
use crate::record_policy::RecordPolicyError;
use crate::record_sink::RecordSinkError;
use crate::rootfs::RootfsError;
use crate::rootless::RootlessError;
use crate::sentry_link::SentryError;
use crate::spec::SpecError;
use crate::state::StateError;
use crate::sys::clone::LaunchError;
use crate::trees::TreeError;

/// Why a verb failed. Each variant is the error of one room.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::error_impl_error, reason = "the one error of the library, written error::Error as io::Error is")]
pub enum Error {
    /// The node's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An annotation of the bundle.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// The bundle could not be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle asks for something wrong or unsupported.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The bundle asks for something that the mode forbids.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A pod that cannot be judged, or that violates a standard.
    #[error(transparent)]
    PodSecurity(#[from] PodSecurityError),
    /// A policy that denies a container, or cannot be used.
    #[error(transparent)]
    Cel(#[from] CelError),
    /// State on disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// The verb does not fit the container's status, or the caller's arguments.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    /// New limits that cannot be read.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// Events that cannot be told.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// A first configuration that cannot be written.
    #[error(transparent)]
    ConfigFile(#[from] ConfigFileError),
    /// Id mapping.
    #[error(transparent)]
    Idmap(#[from] IdmapError),
    /// A root in the host's mount namespace.
    #[error(transparent)]
    HostMount(#[from] HostMountError),
    /// Namespaces.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A joined network namespace.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A network device that moves.
    #[error(transparent)]
    NetDevice(#[from] NetDeviceError),
    /// A hook.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// Hooks that are kept for later.
    #[error(transparent)]
    KeptHooks(#[from] KeptError),
    /// An ordinary user's own namespaces.
    #[error(transparent)]
    Rootless(#[from] RootlessError),
    /// Root file system.
    #[error(transparent)]
    Rootfs(#[from] RootfsError),
    /// Mounts and devices.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Cgroup.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The sentry.
    #[error(transparent)]
    Sentry(#[from] SentryError),
    /// Rules of what is recorded.
    #[error(transparent)]
    RecordPolicy(#[from] RecordPolicyError),
    /// Who is to get the records.
    #[error(transparent)]
    RecordSink(#[from] RecordSinkError),
    /// Metrics.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The tracer.
    #[error(transparent)]
    Tracing(#[from] TracingError),
    /// `--nested` where it may not be.
    #[error(transparent)]
    Nested(#[from] NestedError),
    /// The container's first process could not be made.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The container's first process and we lost each other.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A step inside the container failed.
    #[error(transparent)]
    Init(#[from] Failure),
}

/// What kind of failure it is, for callers that answer with a status of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such container.
    NotFound,
    /// The id is taken.
    AlreadyExists,
    /// The container is not in the status that the verb needs.
    WrongStatus,
    /// The caller's input is wrong.
    Invalid,
    /// Policy forbids it.
    Denied,
    /// Anything else.
    Internal,
}

impl Error {
    /// The stable number shown as `error[lazaret-NNNN]`.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Config(error) => error.code(),
            Self::Annotation(error) => error.code(),
            Self::Bundle(error) => error.code(),
            Self::Spec(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::PodSecurity(error) => error.code(),
            Self::Cel(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Lifecycle(error) => error.code(),
            Self::Update(error) => error.code(),
            Self::Events(error) => error.code(),
            Self::ConfigFile(error) => error.code(),
            Self::Idmap(error) => error.code(),
            Self::HostMount(error) => error.code(),
            Self::Namespace(error) => error.code(),
            Self::Network(error) => error.code(),
            Self::NetDevice(error) => error.code(),
            Self::Hook(error) => error.code(),
            Self::KeptHooks(error) => error.code(),
            Self::Rootless(error) => error.code(),
            Self::Rootfs(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::Cgroup(error) => error.code(),
            Self::Sentry(error) => error.code(),
            Self::RecordPolicy(error) => error.code(),
            Self::RecordSink(error) => error.code(),
            Self::Metrics(error) => error.code(),
            Self::Tracing(error) => error.code(),
            Self::Nested(error) => error.code(),
            Self::Launch(_) => 1550,
            Self::Channel(_) => 1551,
            Self::Init(failure) => failure.code,
        }
    }

    /// The exit status of the command line: 127 for a program that is not found, 126 for one that cannot be executed,
    /// 125 for everything else (docker's and podman's convention).
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if let Self::Init(failure) = self { failure.exit_status } else { 125 }
    }

    /// What would help, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Annotation(error) => error.hint(),
            Self::Bundle(error) => error.hint(),
            Self::Spec(error) => error.hint(),
            Self::Policy(error) => error.hint(),
            Self::PodSecurity(error) => error.hint(),
            Self::Cel(error) => error.hint(),
            Self::State(error) => error.hint(),
            Self::Sentry(error) => error.hint(),
            Self::Lifecycle(error) => error.hint(),
            Self::ConfigFile(error) => error.hint(),
            Self::Idmap(error) => error.hint(),
            Self::Namespace(error) => error.hint(),
            Self::Rootless(error) => error.hint(),
            Self::Rootfs(error) => error.hint(),
            Self::Tree(error) => error.hint(),
            Self::Cgroup(error) => error.hint(),
            Self::NetDevice(error) => error.hint(),
            Self::Hook(error) => error.hint(),
            Self::RecordPolicy(error) => error.hint(),
            Self::RecordSink(error) => error.hint(),
            Self::Metrics(error) => error.hint(),
            Self::Tracing(error) => error.hint(),
            Self::Nested(error) => error.hint(),
            Self::Init(failure) => failure.hint.clone(),
            Self::Update(_)
            | Self::Events(_)
            | Self::HostMount(_)
            | Self::Network(_)
            | Self::KeptHooks(_)
            | Self::Launch(_)
            | Self::Channel(_) => None,
        }
    }

    /// The key of `config.json` that it is about, where it is about one.
    #[must_use]
    pub fn field(&self) -> Option<&Field> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "verdicts of policy are about a key, other errors are not asked"
        )]
        match self {
            Self::Policy(error) => error.field(),
            Self::Annotation(error) => Some(error.field()),
            _ => None,
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::State(StateError::NotFound { .. }) => Kind::NotFound,
            Self::State(StateError::Exists { .. }) => Kind::AlreadyExists,
            Self::Lifecycle(LifecycleError::WrongStatus { .. }) => Kind::WrongStatus,
            Self::Lifecycle(LifecycleError::NotRunning { .. }) => Kind::NotFound,
            Self::State(StateError::InvalidId { .. }) | Self::Bundle(_) | Self::Spec(_) | Self::Lifecycle(_) => {
                Kind::Invalid
            }
            Self::Update(_)
            | Self::Config(_)
            | Self::RecordPolicy(_)
            | Self::RecordSink(_)
            | Self::Metrics(_)
            | Self::Events(EventsError::Interval(_) | EventsError::NoRecords { .. }) => Kind::Invalid,
            Self::ConfigFile(ConfigFileError::Exists { .. }) => Kind::AlreadyExists,
            Self::Annotation(_)
            | Self::Policy(_)
            | Self::Nested(_)
            | Self::PodSecurity(PodSecurityError::Violated { .. }) => Kind::Denied,
            Self::Cel(error) if error.is_refusal() => Kind::Denied,
            Self::PodSecurity(_) | Self::Cel(_) => Kind::Invalid,
            Self::State(StateError::Busy { .. } | StateError::Unwritten { .. }) => Kind::WrongStatus,
            Self::State(StateError::Io { .. } | StateError::Malformed { .. } | StateError::Transition { .. })
            | Self::Events(EventsError::Output(_) | EventsError::Records(_))
            | Self::ConfigFile(ConfigFileError::Write { .. })
            | Self::Idmap(_)
            | Self::HostMount(_)
            | Self::Namespace(_)
            | Self::Network(_)
            | Self::NetDevice(_)
            | Self::Hook(_)
            | Self::KeptHooks(_)
            | Self::Rootless(_)
            | Self::Rootfs(_)
            | Self::Tree(_)
            | Self::Cgroup(_)
            | Self::Sentry(_)
            | Self::Tracing(_)
            | Self::Launch(_)
            | Self::Channel(_)
            | Self::Init(_) => Kind::Internal,
        }
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        causes::chain(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Every number that stands in an arm `Self::Variant => 1234,` of the crate, with its line.
    fn codes_below(folder: &Path, found: &mut Vec<(u32, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_below(&path, found);
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let arm = line.trim().strip_prefix("Self::").and_then(|arm| arm.rsplit_once("=> "));
                let code = arm.and_then(|(_, number)| number.strip_suffix(',')?.parse().ok());
                found.extend(code.filter(|code| (1000..1050).contains(code)).map(|code| (code, line.to_owned())));
            }
        }
    }

    #[test]
    fn codes_of_verbs_and_state_are_unique() {
        let mut found = Vec::new();
        codes_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 20, "the test sees the source");
        // The number under which `main` refuses options.
        let mut seen = BTreeMap::from([(1030, "main".to_owned())]);
        for (code, line) in found {
            assert_eq!(seen.insert(code, line), None, "{code} stands twice");
        }
    }
}
