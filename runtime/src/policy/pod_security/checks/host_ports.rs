//! No port of the host.

use std::collections::BTreeSet;

use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where, counted};

/// `hostPorts`.
pub const CHECK: Check = Check {
    id: "hostPorts",
    level: Level::Baseline,
    exactness: Exactness::Invisible("the network plugin gets them, the runtime does not"),
    revisions: &[Revision::new(0, of_pod)],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| container.ports.iter().any(|port| port.host_port != 0));
    if bad.is_empty() {
        return None;
    }
    // Sorted as text: 443 stands before 80, as Kubernetes has it.
    let used = pod.containers().flat_map(|container| &container.ports).filter(|port| port.host_port != 0);
    let ports: BTreeSet<String> = used.map(|port| port.host_port.to_string()).collect();
    let detail = format!(
        "{} {} {} {}",
        containers(&bad),
        counted("uses", "use", bad.len()),
        counted("hostPort", "hostPorts", ports.len()),
        ports.into_iter().collect::<Vec<_>>().join(", ")
    );
    Finding::new("hostPort", detail)
}
