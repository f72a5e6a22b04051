//! The kubelet may not be made to talk to other hosts by a pod's probes and lifecycle handlers.

use std::collections::BTreeSet;

use crate::policy::pod_security::pod::{Container, Pod};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where, counted, quoted_set};

/// `hostProbesAndHostLifecycle`.
pub const CHECK: Check = Check {
    id: "hostProbesAndHostLifecycle",
    level: Level::Baseline,
    exactness: Exactness::Invisible("the kubelet makes these connections, the runtime is told of none"),
    revisions: &[Revision::new(34, of_pod)],
};

fn hosts(container: &Container) -> impl Iterator<Item = &str> {
    let probes = [&container.liveness_probe, &container.readiness_probe, &container.startup_probe];
    let handlers = [&container.lifecycle.post_start, &container.lifecycle.pre_stop];
    let peers = probes.into_iter().chain(handlers).flat_map(|handler| [&handler.http_get, &handler.tcp_socket]);
    peers.map(|peer| peer.host.as_str()).filter(|host| !host.is_empty())
}

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad: BTreeSet<&str> =
        containers_where(pod, |container| hosts(container).next().is_some()).into_iter().collect();
    if bad.is_empty() {
        return None;
    }
    let bad: Vec<&str> = bad.into_iter().collect();
    let hosts: BTreeSet<&str> = pod.containers().flat_map(hosts).collect();
    let detail = format!(
        "{} {} {} {}",
        containers(&bad),
        counted("uses", "use", bad.len()),
        counted("probe or lifecycle host", "probe or lifecycle hosts", hosts.len()),
        quoted_set(&hosts)
    );
    Finding::new("probe or lifecycle host", detail)
}
