//! Kubernetes' Pod Security Standards (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>) as checks of
//! what is launched, in upstream's words, and a stricter level of our own.
//!
//! One row of [`registry`] is one check with its history of versions. It judges two kinds of facts: a pod as Kubernetes
//! writes it ([`manifest`], for `lazaret policy check`), and the OCI configuration that an engine made of it ([`facts`],
//! at `create`), of which each check says how much it can see. Pure: facts go in, verdicts come out.

pub mod checks;
pub mod enforcement;
mod error;
pub mod facts;
pub mod manifest;
pub mod pod;
pub mod registry;
pub mod report;
pub mod standard;
pub mod verdict;
mod wording;
pub(in crate::policy) mod yaml;

pub use enforcement::{Enforcement, Enforcements};
pub use error::PodSecurityError;
pub use standard::{Level, Standard, Version};
pub use verdict::{Verdict, Violation};

use facts::Facts;
use pod::Pod;

/// The verdict of `standard` on a pod: what Kubernetes' own admission says of it.
#[must_use]
pub fn of_pod(standard: Standard, pod: &Pod) -> Verdict {
    Verdict { standard, violations: registry::judged(standard, |revision| (revision.pod)(pod)) }
}

/// The verdict of `standard` on an OCI configuration: as far as it shows ([`registry::Exactness`]).
///
/// Of the pod's first container, which holds the namespaces open, the user wrote nothing but what is the pod's: its
/// namespaces and its sysctls.
#[must_use]
pub fn of_facts(standard: Standard, facts: &Facts) -> Verdict {
    let judge = |revision: &registry::Revision| {
        if facts.is_pause && !revision.of_the_pod {
            return None;
        }
        revision.oci.and_then(|check| check(facts))
    };
    Verdict { standard, violations: registry::judged(standard, judge) }
}
