//! A pod may not share the host's network, PID or IPC namespace.

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;

/// `hostNamespaces`.
pub const CHECK: Check = Check {
    id: "hostNamespaces",
    level: Level::Baseline,
    exactness: Exactness::Exact,
    revisions: &[Revision::new(0, of_pod).oci(of_facts).of_the_pod()],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    let asked = [
        (pod.spec.host_network, "hostNetwork=true"),
        (pod.spec.host_pid, "hostPID=true"),
        (pod.spec.host_ipc, "hostIPC=true"),
    ];
    finding(asked.into_iter().filter(|(is_host, _)| *is_host).map(|(_, text)| text.to_owned()).collect())
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    let fields = [("network", "hostNetwork"), ("pid", "hostPID"), ("ipc", "hostIPC")];
    let host = fields.into_iter().filter_map(|(kind, field)| {
        facts.host_namespaces.get(kind).map(|evidence| format!("{field}=true: {evidence}"))
    });
    finding(host.collect())
}

fn finding(found: Vec<String>) -> Option<Finding> {
    if found.is_empty() { None } else { Finding::new("host namespaces", found.join(", ")) }
}
