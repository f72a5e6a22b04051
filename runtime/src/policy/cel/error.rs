//! Why policies could not be read or evaluated, or what they deny.

use thiserror::Error;

use crate::policy::pod_security::PodSecurityError;

/// See the module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CelError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] PodSecurityError),
    /// The file does not hold policies.
    #[error("{place}: {what}")]
    Form {
        /// Where.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// An expression is none.
    #[error("ValidatingAdmissionPolicy {policy:?}: {field}: {what}")]
    Expression {
        /// The policy.
        policy: String,
        /// Where the expression stands.
        field: String,
        /// What is wrong.
        what: String,
    },
    /// The policy denies it.
    #[error("container {container:?} is denied by ValidatingAdmissionPolicy {policy:?}: {message}{}", reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Denied {
        /// The policy.
        policy: String,
        /// The container.
        container: String,
        /// What the policy says.
        message: String,
        /// Its reason, if it gives one.
        reason: Option<String>,
    },
    /// The policy cannot be evaluated, and may not fail.
    #[error("container {container:?} cannot be judged by ValidatingAdmissionPolicy {policy:?}: {why}")]
    Failed {
        /// The policy.
        policy: String,
        /// The container.
        container: String,
        /// Why not.
        why: String,
    },
    /// Policies are asked about something else than a configuration.
    #[error("policies judge a config.json, and this is none: {found}")]
    NotConfiguration {
        /// What there is.
        found: String,
    },
}

impl CelError {
    /// Stable number of the error, shown as `error[lazaret-NNNN]`.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::File(error) => error.code(),
            Self::Form { .. } => 1840,
            Self::Expression { .. } => 1841,
            Self::Denied { .. } => 1842,
            Self::Failed { .. } => 1843,
            Self::NotConfiguration { .. } => 1844,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Form { .. } => Some("docs/policy.md has the fields that a policy may have".to_owned()),
            Self::Expression { .. } => Some("see https://cel.dev; the variables are spec, annotations, node and variables".to_owned()),
            Self::Denied { .. } => Some("change the container, or ask who looks after the node's policies".to_owned()),
            Self::Failed { .. } => Some(
                "test for fields that may be absent with has(spec.field); failurePolicy: Ignore lets such containers pass"
                    .to_owned(),
            ),
            Self::NotConfiguration { .. } => Some("give it the config.json of a bundle".to_owned()),
        }
    }

    /// Whether a policy says no, or cannot say yes.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Failed { .. })
    }
}
