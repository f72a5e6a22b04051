//! The seccomp filter may not be turned off by name; to say nothing is allowed.

use std::collections::BTreeSet;

use crate::policy::pod_security::pod::{Pod, Profile};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{Setters, containers_where, counted, quoted_set};

/// `seccompProfile_baseline`.
pub const CHECK: Check = Check {
    id: "seccompProfile_baseline",
    level: Level::Baseline,
    exactness: Exactness::Invisible("a filter that was turned off looks like one that nobody asked for"),
    revisions: &[Revision::new(0, of_annotations), Revision::new(19, of_fields)],
};

/// Before Kubernetes 1.19 the profile stood in annotations: of the pod, and of a container by its name.
const OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io";

const REASON: &str = "seccompProfile";

fn of_annotations(pod: &Pod) -> Option<Finding> {
    let names = pod.containers().map(|container| format!("{OF_CONTAINER}/{}", container.name));
    let forbidden: BTreeSet<String> = std::iter::once(OF_POD.to_owned())
        .chain(names)
        .filter_map(|key| {
            let value = pod.metadata.annotations.get(&key)?;
            let is_allowed = value == "runtime/default" || value == "docker/default" || value.starts_with("localhost/");
            (!is_allowed).then(|| format!("{key}={value:?}"))
        })
        .collect();
    if forbidden.is_empty() {
        return None;
    }
    let annotations = counted("annotation", "annotations", forbidden.len());
    let list = forbidden.into_iter().collect::<Vec<_>>().join(", ");
    Finding::new(REASON, format!("forbidden {annotations} {list}"))
}

fn of_fields(pod: &Pod) -> Option<Finding> {
    forbidden_profiles(pod)
}

/// The finding about profiles that are set, to something else than the two that are allowed.
pub(super) fn forbidden_profiles(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| forbidden(&container.security_context.seccomp_profile).is_some());
    let of_the_pod = forbidden(&pod.context().seccomp_profile);
    let who = Setters::new(of_the_pod.is_some(), &bad).describe()?;
    let of_containers = pod.containers().filter_map(|one| forbidden(&one.security_context.seccomp_profile));
    let kinds: BTreeSet<&str> = of_containers.chain(of_the_pod).collect();
    let detail = format!("{who} must not set securityContext.seccompProfile.type to {}", quoted_set(&kinds));
    Finding::new(REASON, detail)
}

fn forbidden(profile: &Option<Profile>) -> Option<&str> {
    let kind = profile.as_ref()?.kind.as_str();
    (!matches!(kind, "RuntimeDefault" | "Localhost")).then_some(kind)
}
