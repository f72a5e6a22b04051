//! The masks over `/proc` stay, but for a pod with a user namespace at the level baseline.

use std::collections::BTreeSet;

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::{Container, Pod};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where, quoted_set};

/// `procMount`.
pub const BASELINE: Check = Check {
    id: "procMount",
    level: Level::Baseline,
    exactness: Exactness::Exact,
    revisions: &[
        Revision::new(0, of_pod).oci(of_facts),
        Revision::new(35, without_user_namespace).oci(of_facts_without_user_namespace),
    ],
};

/// `procMount_restricted`: what the baseline was before it was relaxed.
pub const RESTRICTED: Check = Check {
    id: "procMount_restricted",
    level: Level::Restricted,
    exactness: Exactness::Exact,
    revisions: &[Revision::new(35, of_pod).oci(of_facts).instead_of(&[BASELINE.id])],
};

fn unmasked(container: &Container) -> Option<&str> {
    container.security_context.proc_mount.as_deref().filter(|kind| *kind != "Default")
}

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| unmasked(container).is_some());
    finding(&bad, &pod.containers().filter_map(unmasked).collect(), "")
}

fn without_user_namespace(pod: &Pod) -> Option<Finding> {
    if pod.has_user_namespace() { None } else { of_pod(pod) }
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    let seen = match (facts.masks_paths, facts.protects_paths) {
        (true, true) => return None,
        (false, _) => ": linux.maskedPaths is empty",
        (true, false) => ": linux.readonlyPaths is empty",
    };
    finding(&[&facts.name], &BTreeSet::from(["Unmasked"]), seen)
}

fn of_facts_without_user_namespace(facts: &Facts) -> Option<Finding> {
    if facts.has_user_namespace { None } else { of_facts(facts) }
}

fn finding(bad: &[&str], kinds: &BTreeSet<&str>, seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    let (who, kinds) = (containers(bad), quoted_set(kinds));
    Finding::new("procMount", format!("{who} must not set securityContext.procMount to {kinds}{seen}"))
}
