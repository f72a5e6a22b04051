//! What a caller chooses once for every verb: where the state is, in which mode, with which interceptor.

use std::path::PathBuf;

use lazaret_sentry::record_policy::Policy;

use crate::cgroup::Driver;
use crate::policy::pod_security::Enforcements;
use crate::sys;

pub use crate::policy::mode::Mode;
pub use crate::policy::rules::{Privileged, Rules, SANDBOX_PIDS};

/// Where the state stands unless `--root` says otherwise.
pub const DEFAULT_ROOT: &str = "/run/lazaret";

/// Choices that hold for every verb.
#[derive(Debug, Clone)]
pub struct Options {
    /// The state directory: one folder a container.
    pub root: PathBuf,
    /// How a container is confined.
    pub mode: Mode,
    /// How trapped calls reach the sentry.
    pub interceptor: Interceptor,
    /// Who makes the cgroups of a container that is created.
    pub cgroup_driver: Driver,
    /// How much the sentry of a container that is created records.
    pub records: Policy,
    /// Whether root of a container that is created may mount inside (`--nested`).
    pub nested: bool,
    /// Socket of a collector that gets the records of a container that is created.
    pub record_socket: Option<PathBuf>,
    /// What the node's configuration says beside.
    pub rules: Rules,
    /// Which Pod Security Standards a container that is created has to keep to.
    pub pod_security: Enforcements,
    /// Files of policies (`ValidatingAdmissionPolicy`) that a container that is created has to satisfy.
    pub policies: Vec<PathBuf>,
}

impl Options {
    /// Whether a container may run in native mode, by these options or by an annotation that they allow.
    #[must_use]
    pub fn may_be_native(&self) -> bool {
        let by_annotation = ["mode", "profile"].iter().any(|name| self.rules.allows_annotation(name));
        self.mode == Mode::Native || by_annotation
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            root: DEFAULT_ROOT.into(),
            mode: Mode::Sandbox,
            interceptor: Interceptor::Auto,
            cgroup_driver: Driver::Cgroupfs,
            records: Policy::default(),
            nested: false,
            record_socket: None,
            rules: Rules::default(),
            pod_security: Enforcements::default(),
            policies: Vec::new(),
        }
    }
}

/// How trapped calls reach the sentry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interceptor {
    /// seccomp user notification.
    Notify,
    /// ptrace(2) of everything in the container.
    Ptrace,
    /// `notify` where the kernel grants a listener, else `ptrace`, else refusals without a witness; the state says which.
    #[default]
    Auto,
}

impl Interceptor {
    /// Every choice.
    pub const ALL: &[Self] = &[Self::Auto, Self::Notify, Self::Ptrace];

    /// The word of `--interceptor`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Ptrace => "ptrace",
            Self::Auto => "auto",
        }
    }

    /// Whether a tracer may be needed. A listener is refused (`EBUSY`) only to a process whose own filters have one, and
    /// what we start has ours.
    #[must_use]
    pub fn may_trace(self) -> bool {
        match self {
            Self::Notify => false,
            Self::Ptrace => true,
            Self::Auto => sys::seccomp::is_filtered(),
        }
    }
}

/// How the trapped calls of a sandboxed container reach the sentry in fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intercepted {
    /// By a listener.
    Notify,
    /// By a tracer.
    Ptrace,
    /// Not at all: the filter refuses them, and nobody records it.
    None,
}

impl Intercepted {
    /// The word of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Ptrace => "ptrace",
            Self::None => "none",
        }
    }
}
