//! No privileged containers.

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where};

/// `privileged`.
pub const CHECK: Check = Check {
    id: "privileged",
    level: Level::Baseline,
    exactness: Exactness::Partial(
        "the word is not passed on; every capability, no masked path and no seccomp filter together are taken for it",
    ),
    revisions: &[Revision::new(0, of_pod).oci(of_facts)],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| container.security_context.privileged == Some(true));
    finding(&bad, "")
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    if !(facts.has_every_capability() && !facts.masks_paths && !facts.has_seccomp) {
        return None;
    }
    let seen = ": process.capabilities has every capability, linux.maskedPaths and linux.seccomp are empty";
    finding(&[&facts.name], seen)
}

fn finding(bad: &[&str], seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    Finding::new("privileged", format!("{} must not set securityContext.privileged=true{seen}", containers(bad)))
}
