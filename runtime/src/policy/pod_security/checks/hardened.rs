//! lazaret's own checks, of the level `hardened`: what the restricted level leaves open. They hold for every version.

use std::collections::BTreeSet;

use super::run_as::{self, non_root, non_root_of_facts};
use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::{Container, Pod};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where, quoted_set};

/// Memory and CPU have a limit.
pub const LIMITS: Check = Check {
    id: "hardened/limits",
    level: Level::Hardened,
    exactness: Exactness::Partial("limits of the whole pod stand in its cgroup, which the engine makes by itself"),
    revisions: &[Revision::new(0, limits).oci(limits_of_facts)],
};

/// No raw sockets, at versions too whose restricted level allows them.
pub const NET_RAW: Check = Check {
    id: "hardened/netRaw",
    level: Level::Hardened,
    exactness: Exactness::Exact,
    revisions: &[Revision::new(0, net_raw).oci(net_raw_of_facts)],
};

/// Never root, in a user namespace neither.
pub const NON_ROOT: Check = Check {
    id: "hardened/runAsNonRoot",
    level: Level::Hardened,
    exactness: Exactness::Partial("the user is seen, not whether the pod insists on one that is not root"),
    revisions: &[Revision::new(0, never_root)
        .oci(non_root_of_facts)
        .instead_of(&[run_as::NON_ROOT.id, run_as::USER.id])],
};

/// The root file system is read-only.
pub const READ_ONLY_ROOT: Check = Check {
    id: "hardened/readOnlyRootFilesystem",
    level: Level::Hardened,
    exactness: Exactness::Exact,
    revisions: &[Revision::new(0, read_only_root).oci(read_only_root_of_facts)],
};

const LIMITED: [&str; 2] = ["cpu", "memory"];

fn limits(pod: &Pod) -> Option<Finding> {
    let of_pod = &pod.spec.resources.limits;
    let missing = |container: &Container| {
        let has = |kind: &&str| of_pod.contains_key(*kind) || container.resources.limits.contains_key(*kind);
        LIMITED.into_iter().filter(|kind| !has(kind)).collect::<Vec<_>>()
    };
    // Kubernetes allows no resources to ephemeral containers: they live on what the pod has left.
    let limited = || pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let bad: Vec<&str> =
        limited().filter(|one| !missing(one).is_empty()).map(|container| container.name.as_str()).collect();
    limits_finding(&bad, &limited().flat_map(missing).collect(), "")
}

fn limits_of_facts(facts: &Facts) -> Option<Finding> {
    let missing: BTreeSet<&str> = LIMITED
        .into_iter()
        .zip([facts.has_cpu_limit, facts.has_memory_limit])
        .filter(|(_, has)| !has)
        .map(|(kind, _)| kind)
        .collect();
    if missing.is_empty() { None } else { limits_finding(&[&facts.name], &missing, ": linux.resources sets none") }
}

fn limits_finding(bad: &[&str], missing: &BTreeSet<&str>, seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} must set resources.limits for {}{seen}", containers(bad), quoted_set(missing));
    Finding::new("no limits", detail)
}

const RAW: &str = "NET_RAW";

fn net_raw(pod: &Pod) -> Option<Finding> {
    let is_bad = |container: &Container| {
        let named = |list: &[String], names: &[&str]| list.iter().any(|name| names.contains(&name.as_str()));
        container.security_context.capabilities.as_ref().is_none_or(|capabilities| {
            named(&capabilities.add, &[RAW, "ALL"]) || !named(&capabilities.drop, &[RAW, "ALL"])
        })
    };
    net_raw_finding(&containers_where(pod, is_bad), "")
}

fn net_raw_of_facts(facts: &Facts) -> Option<Finding> {
    if facts.has_capability(RAW) { net_raw_finding(&[&facts.name], ": process.capabilities has it") } else { None }
}

fn net_raw_finding(bad: &[&str], seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    Finding::new(RAW, format!("{} must drop \"{RAW}\" or \"ALL\" and add neither{seen}", containers(bad)))
}

fn never_root(pod: &Pod) -> Option<Finding> {
    match (non_root(pod), run_as::user(pod)) {
        (Some(first), Some(second)) => Finding::new(first.reason, format!("{}; {}", first.detail, second.detail)),
        (found, None) | (None, found) => found,
    }
}

fn read_only_root(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |one| one.security_context.read_only_root_filesystem != Some(true));
    read_only_finding(&bad, "")
}

fn read_only_root_of_facts(facts: &Facts) -> Option<Finding> {
    if facts.has_read_only_root { None } else { read_only_finding(&[&facts.name], ": root.readonly is not true") }
}

fn read_only_finding(bad: &[&str], seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} must set securityContext.readOnlyRootFilesystem=true{seen}", containers(bad));
    Finding::new("writable root file system", detail)
}
