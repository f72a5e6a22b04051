//! How far a container has come: what its state stores, and which step may follow which.
//!
//! Only [`Stored::advance`](super::Stored::advance) changes a stored phase, and only forward: a state that says otherwise
//! cannot be written.

/// How far the container has come, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// `create` is at work, or was interrupted.
    Creating,
    /// Waiting for `start`.
    Created,
    /// Started.
    Running,
}

impl Phase {
    /// Whether `next` may follow. There is no way back, and nothing follows [`Phase::Running`]: that a container has
    /// stopped is not stored, the process table says it.
    #[must_use]
    pub const fn leads_to(self, next: Self) -> bool {
        matches!((self, next), (Self::Creating, Self::Created | Self::Running) | (Self::Created, Self::Running))
    }
}

/// The status of `runtime.md`, computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being created.
    Creating,
    /// Created, not started.
    Created,
    /// Started and alive.
    Running,
    /// Alive, created or started, and its processes are frozen (runc's word; `runtime.md` allows further ones).
    Paused,
    /// Its first process has ended, or its creation was given up.
    Stopped,
}

impl Status {
    /// Every status there is.
    pub const ALL: [Self; 5] = [Self::Creating, Self::Created, Self::Running, Self::Paused, Self::Stopped];

    /// The word of `runtime.md`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Phase::{Created, Creating, Running};
    use super::*;

    #[test]
    fn a_phase_only_moves_forward() {
        let all = [Creating, Created, Running];
        let legal: Vec<(Phase, Phase)> =
            all.into_iter().flat_map(|from| all.map(|to| (from, to))).filter(|(from, to)| from.leads_to(*to)).collect();
        assert_eq!(legal, [(Creating, Created), (Creating, Running), (Created, Running)]);
    }
}
