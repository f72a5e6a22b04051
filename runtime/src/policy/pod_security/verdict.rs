//! What a standard says of one pod or container, in the words of Kubernetes' admission.

use serde::Serialize;

use super::Standard;

/// What one check found, before anybody knows which check it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is forbidden, shortly: `host namespaces`.
    pub reason: &'static str,
    /// Where, and what to do: `hostNetwork=true`.
    pub detail: String,
}

impl Finding {
    /// A finding.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Option<Self> {
        Some(Self { reason, detail: detail.into() })
    }
}

/// A check that a pod violates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The id of the check.
    pub check: &'static str,
    /// What is forbidden, shortly.
    pub reason: &'static str,
    /// Where, and what to do.
    pub detail: String,
}

/// The verdict of a standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The standard.
    pub standard: Standard,
    /// What violates it, in upstream's order: none is what is allowed.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether the standard allows it.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.violations.is_empty()
    }

    /// `violates PodSecurity "restricted:latest": privileged (container "a" must not …), …`: what Kubernetes says when it
    /// refuses. After `would` it is what Kubernetes warns of.
    #[must_use]
    pub fn message(&self, verb: &str) -> String {
        let one = |violation: &Violation| match violation.detail.as_str() {
            "" => violation.reason.to_owned(),
            detail => format!("{} ({detail})", violation.reason),
        };
        let all: Vec<String> = self.violations.iter().map(one).collect();
        format!("{verb} PodSecurity \"{}\": {}", self.standard, all.join(", "))
    }
}
