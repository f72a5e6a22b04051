//! SELinux: only the types for containers, and neither user nor role.

use std::collections::BTreeSet;

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::{Pod, SecurityContext, SelinuxOptions};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{Setters, containers_where, counted, quoted_set};

/// `seLinuxOptions`.
pub const CHECK: Check = Check {
    id: "seLinuxOptions",
    level: Level::Baseline,
    exactness: Exactness::Partial(
        "engines leave the label out where the node has no SELinux, whatever the pod asked for",
    ),
    revisions: &[
        Revision::new(0, |pod| of_pod(pod, TYPES)).oci(|facts| of_facts(facts, TYPES)),
        Revision::new(31, |pod| of_pod(pod, TYPES_1_31)).oci(|facts| of_facts(facts, TYPES_1_31)),
    ],
};

const TYPES: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t"];
const TYPES_1_31: &[&str] = &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// The user and the role of every container's label, unless a pod sets others.
const OWN: (&str, &str) = ("system_u", "system_r");

fn of_pod(pod: &Pod, types: &[&str]) -> Option<Finding> {
    let is_good = |options: &SelinuxOptions| {
        types.contains(&options.kind.as_str()) && options.user.is_empty() && options.role.is_empty()
    };
    let is_bad = |context: &SecurityContext| context.selinux_options.as_ref().is_some_and(|options| !is_good(options));
    let bad = containers_where(pod, |container| is_bad(&container.security_context));
    let setters = Setters::new(is_bad(pod.context()), &bad);
    let contexts = || std::iter::once(pod.context()).chain(pod.containers().map(|one| &one.security_context));
    let options = || contexts().filter_map(|context| context.selinux_options.as_ref());
    let kinds = options().map(|options| options.kind.as_str()).filter(|kind| !types.contains(kind)).collect();
    let sets_user = options().any(|options| !options.user.is_empty());
    let sets_role = options().any(|options| !options.role.is_empty());
    finding(&setters, &kinds, (sets_user, sets_role), "")
}

fn of_facts(facts: &Facts, types: &[&str]) -> Option<Finding> {
    let mut parts = facts.selinux_label.split(':');
    let (user, role, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let kinds = std::iter::once(kind).filter(|kind| !types.contains(kind)).collect::<BTreeSet<_>>();
    let (sets_user, sets_role) = (user != OWN.0, role != OWN.1);
    if kinds.is_empty() && !sets_user && !sets_role {
        return None;
    }
    let setters = Setters::new(false, &[&facts.name]);
    finding(&setters, &kinds, (sets_user, sets_role), ": process.selinuxLabel has them")
}

fn finding(
    setters: &Setters,
    kinds: &BTreeSet<&str>,
    (sets_user, sets_role): (bool, bool),
    seen: &str,
) -> Option<Finding> {
    let who = setters.describe()?;
    let mut bad = Vec::new();
    if !kinds.is_empty() {
        bad.push(format!("{} {}", counted("type", "types", kinds.len()), quoted_set(kinds)));
    }
    if sets_user {
        bad.push("user may not be set".to_owned());
    }
    if sets_role {
        bad.push("role may not be set".to_owned());
    }
    let detail = format!("{who} set forbidden securityContext.seLinuxOptions: {}{seen}", bad.join("; "));
    Finding::new("seLinuxOptions", detail)
}
