//! No directory of the host as a volume.

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{counted, quoted};

/// `hostPathVolumes`.
pub const CHECK: Check = Check {
    id: "hostPathVolumes",
    level: Level::Baseline,
    exactness: Exactness::Partial("a claim on a persistent volume of the type hostPath looks like a hostPath volume"),
    revisions: &[Revision::new(0, of_pod).oci(of_facts)],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    let volumes = pod.spec.volumes.iter().filter(|volume| volume.is("hostPath"));
    let names: Vec<&str> = volumes.map(|volume| volume.name.as_str()).collect();
    finding(&names, "")
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    let paths: Vec<&str> = facts.host_paths.iter().map(String::as_str).collect();
    finding(&paths, ": mounts binds them")
}

fn finding(names: &[&str], seen: &str) -> Option<Finding> {
    if names.is_empty() {
        return None;
    }
    let volumes = counted("volume", "volumes", names.len());
    Finding::new("hostPath volumes", format!("{volumes} {}{seen}", quoted(names.iter().copied())))
}
