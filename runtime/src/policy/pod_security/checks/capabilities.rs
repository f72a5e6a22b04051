//! Which capabilities a container may have: no more than engines give by default, or none but that for low ports.

use std::collections::BTreeSet;

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::{Capabilities, Container, Pod};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where, quoted_set};

/// `capabilities_baseline`.
pub const BASELINE: Check = Check {
    id: "capabilities_baseline",
    level: Level::Baseline,
    exactness: Exactness::Partial("NET_RAW that was added looks like NET_RAW that the engine gives by default"),
    revisions: &[Revision::new(0, baseline).oci(baseline_of_facts)],
};

/// `capabilities_restricted`.
pub const RESTRICTED: Check = Check {
    id: "capabilities_restricted",
    level: Level::Restricted,
    exactness: Exactness::Exact,
    revisions: &[
        Revision::new(22, restricted).oci(restricted_of_facts).instead_of(&[BASELINE.id]),
        Revision::new(25, restricted_unless_windows).oci(restricted_of_facts).instead_of(&[BASELINE.id]),
    ],
};

/// What engines give by default, without NET_RAW.
const DEFAULT: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

const LOW_PORTS: &str = "NET_BIND_SERVICE";

fn added(container: &Container) -> impl Iterator<Item = &str> {
    let capabilities = container.security_context.capabilities.as_ref();
    capabilities.into_iter().flat_map(|capabilities| &capabilities.add).map(String::as_str)
}

fn baseline(pod: &Pod) -> Option<Finding> {
    let is_bad = |name: &&str| !DEFAULT.contains(name);
    let bad = containers_where(pod, |container| added(container).any(|name| is_bad(&name)));
    let names: BTreeSet<&str> = pod.containers().flat_map(added).filter(is_bad).collect();
    if bad.is_empty() { None } else { Finding::new("non-default capabilities", not_to_add(&bad, &names)) }
}

fn baseline_of_facts(facts: &Facts) -> Option<Finding> {
    let names = facts.capabilities_but(|name| DEFAULT.contains(&name) || name == "NET_RAW");
    if names.is_empty() {
        return None;
    }
    Finding::new("non-default capabilities", seen_of_facts(facts, &names))
}

fn restricted(pod: &Pod) -> Option<Finding> {
    let drops_all = |capabilities: &Capabilities| capabilities.drop.iter().any(|name| name == "ALL");
    let keeping = containers_where(pod, |one| !one.security_context.capabilities.as_ref().is_some_and(drops_all));
    let is_bad = |name: &&str| *name != LOW_PORTS;
    let adding = containers_where(pod, |container| added(container).any(|name| is_bad(&name)));
    let names: BTreeSet<&str> = pod.containers().flat_map(added).filter(is_bad).collect();
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&keeping)));
    }
    if !adding.is_empty() {
        details.push(not_to_add(&adding, &names));
    }
    if details.is_empty() { None } else { Finding::new("unrestricted capabilities", details.join("; ")) }
}

/// A pod for Windows has none.
fn restricted_unless_windows(pod: &Pod) -> Option<Finding> {
    if pod.is_windows() { None } else { restricted(pod) }
}

fn restricted_of_facts(facts: &Facts) -> Option<Finding> {
    let names = facts.capabilities_but(|name| name == LOW_PORTS);
    if names.is_empty() {
        return None;
    }
    // What was not dropped and what was added look alike; dropping all and adding none of these removes both.
    let dropping = containers(&[&facts.name]);
    let drop = format!("{dropping} must set securityContext.capabilities.drop=[\"ALL\"]");
    Finding::new("unrestricted capabilities", format!("{drop}; {}", seen_of_facts(facts, &names)))
}

fn seen_of_facts(facts: &Facts, names: &BTreeSet<&str>) -> String {
    format!("{}: process.capabilities has them", not_to_add(&[&facts.name], names))
}

fn not_to_add(bad: &[&str], names: &BTreeSet<&str>) -> String {
    format!("{} must not include {} in securityContext.capabilities.add", containers(bad), quoted_set(names))
}
