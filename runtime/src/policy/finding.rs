//! What policy says of a container that is created all the same. It stands in the container's state.

use serde::{Deserialize, Serialize};

/// What happens with what a rule objects to and does not refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Whoever creates the container is told.
    Warn,
    /// It is recorded.
    Audit,
}

/// One objection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What happens with it.
    pub action: Action,
    /// What is objected to, as a sentence about the container.
    pub message: String,
}

impl Finding {
    /// The messages of `findings` with this action, joined; `None` when there is none.
    #[must_use]
    pub fn joined(findings: &[Self], action: Action) -> Option<String> {
        let of_action = findings.iter().filter(|finding| finding.action == action);
        let messages: Vec<&str> = of_action.map(|finding| finding.message.as_str()).collect();
        (!messages.is_empty()).then(|| messages.join("; "))
    }
}
