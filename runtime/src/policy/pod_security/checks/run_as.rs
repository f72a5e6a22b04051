//! Containers do not run as root; a pod with a user namespace may, from Kubernetes 1.35 on.

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{Setters, containers, containers_where};

/// `runAsNonRoot`.
pub const NON_ROOT: Check = Check {
    id: "runAsNonRoot",
    level: Level::Restricted,
    exactness: Exactness::Partial("the user is seen, not whether the pod insists on one that is not root"),
    revisions: &[
        Revision::new(0, non_root).oci(non_root_of_facts),
        Revision::new(35, non_root_without_user_namespace).oci(non_root_of_facts_without_user_namespace),
    ],
};

/// `runAsUser`.
pub const USER: Check = Check {
    id: "runAsUser",
    level: Level::Restricted,
    exactness: Exactness::Partial("root that the pod asks for looks like root of the image"),
    revisions: &[
        Revision::new(23, user).oci(user_of_facts),
        Revision::new(35, user_without_user_namespace).oci(user_of_facts_without_user_namespace),
    ],
};

pub(super) const NOT_NON_ROOT: &str = "runAsNonRoot != true";

pub(super) fn non_root(pod: &Pod) -> Option<Finding> {
    let of_the_pod = pod.context().run_as_non_root;
    let explicit = containers_where(pod, |container| container.security_context.run_as_non_root == Some(false));
    if let Some(who) = Setters::new(of_the_pod == Some(false), &explicit).describe() {
        return Finding::new(NOT_NON_ROOT, format!("{who} must not set securityContext.runAsNonRoot=false"));
    }
    if of_the_pod == Some(true) {
        return None;
    }
    let silent = containers_where(pod, |container| container.security_context.run_as_non_root.is_none());
    if silent.is_empty() {
        return None;
    }
    let detail = format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent));
    Finding::new(NOT_NON_ROOT, detail)
}

fn non_root_without_user_namespace(pod: &Pod) -> Option<Finding> {
    if pod.has_user_namespace() { None } else { non_root(pod) }
}

pub(super) fn non_root_of_facts(facts: &Facts) -> Option<Finding> {
    if facts.uid != 0 {
        return None;
    }
    let who = containers(&[&facts.name]);
    let detail = format!("pod or {who} must set securityContext.runAsNonRoot=true: process.user.uid is 0");
    Finding::new(NOT_NON_ROOT, detail)
}

fn non_root_of_facts_without_user_namespace(facts: &Facts) -> Option<Finding> {
    if facts.has_user_namespace { None } else { non_root_of_facts(facts) }
}

pub(super) fn user(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| container.security_context.run_as_user == Some(0));
    let who = Setters::new(pod.context().run_as_user == Some(0), &bad).describe()?;
    Finding::new("runAsUser=0", format!("{who} must not set runAsUser=0"))
}

fn user_without_user_namespace(pod: &Pod) -> Option<Finding> {
    if pod.has_user_namespace() { None } else { user(pod) }
}

fn user_of_facts(facts: &Facts) -> Option<Finding> {
    if facts.uid != 0 {
        return None;
    }
    let who = containers(&[&facts.name]);
    Finding::new("runAsUser=0", format!("{who} must not set runAsUser=0: process.user.uid is 0"))
}

fn user_of_facts_without_user_namespace(facts: &Facts) -> Option<Finding> {
    if facts.has_user_namespace { None } else { user_of_facts(facts) }
}
