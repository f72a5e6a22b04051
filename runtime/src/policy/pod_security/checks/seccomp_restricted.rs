//! A seccomp filter must be asked for.

use super::seccomp_baseline::{self, forbidden_profiles};
use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where};

/// `seccompProfile_restricted`.
pub const CHECK: Check = Check {
    id: "seccompProfile_restricted",
    level: Level::Restricted,
    exactness: Exactness::Exact,
    revisions: &[
        Revision::new(19, of_pod).oci(of_facts).instead_of(&[seccomp_baseline::CHECK.id]),
        Revision::new(25, unless_windows).oci(of_facts).instead_of(&[seccomp_baseline::CHECK.id]),
    ],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    if let Some(finding) = forbidden_profiles(pod) {
        return Some(finding);
    }
    if pod.context().seccomp_profile.is_some() {
        return None;
    }
    finding(&containers_where(pod, |container| container.security_context.seccomp_profile.is_none()), "")
}

/// A pod for Windows cannot set it.
fn unless_windows(pod: &Pod) -> Option<Finding> {
    if pod.is_windows() { None } else { of_pod(pod) }
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    if facts.has_seccomp { None } else { finding(&[&facts.name], ": linux.seccomp is absent") }
}

fn finding(bad: &[&str], seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"{seen}",
        containers(bad)
    );
    Finding::new("seccompProfile", detail)
}
