//! How much of a decision is written down: the levels of Kubernetes' audit policy.

use serde::{Deserialize, Serialize};

/// How much of a decision is written down. Each holds what those before it hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Level {
    /// Nothing: it is counted under the name of its call alone.
    None,
    /// Who, when, which call, what came of it and why. No argument, so no text that the guest passed.
    Metadata,
    /// The arguments too.
    #[default]
    Request,
    /// And what the call returned.
    RequestResponse,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: &[Self] = &[Self::None, Self::Metadata, Self::Request, Self::RequestResponse];

    /// The word of it, which is Kubernetes'.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}
