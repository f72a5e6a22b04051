//! What a node's configuration says of every container beside the options that have a word of their own.

use super::host_paths::HostPaths;
use super::profile::Profile;

/// Most processes and threads of a sandbox whose bundle sets no limit.
pub const SANDBOX_PIDS: i64 = 4096;

/// What holds for every container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What becomes of a privileged container.
    pub privileged: Privileged,
    /// Most processes and threads of a confined container whose bundle sets no limit.
    pub pids: i64,
    /// Annotations that may loosen, without their prefix.
    pub annotations: Vec<String>,
    /// Which paths of the host may be bound.
    pub host_paths: HostPaths,
    /// What holds beside the mode.
    pub profile: Option<Profile>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            privileged: Privileged::default(),
            pids: SANDBOX_PIDS,
            annotations: Vec::new(),
            host_paths: HostPaths::default(),
            profile: None,
        }
    }
}

impl Rules {
    /// Whether an annotation may loosen, by its name without the prefix.
    #[must_use]
    pub fn allows_annotation(&self, name: &str) -> bool {
        self.annotations.iter().any(|allowed| allowed == name)
    }
}

/// What becomes of a privileged container in sandbox and strict mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Privileged {
    /// It runs with the sandbox's own rights, and a warning says so.
    #[default]
    Contain,
    /// It is refused.
    Refuse,
}

impl Privileged {
    /// Every choice, the looser first.
    pub const ALL: &[Self] = &[Self::Contain, Self::Refuse];

    /// The word of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contain => "contain",
            Self::Refuse => "refuse",
        }
    }
}
