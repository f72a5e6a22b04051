//! No process may gain privileges that its parent has not, such as by set-user-ID.

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{containers, containers_where};

/// `allowPrivilegeEscalation`.
pub const CHECK: Check = Check {
    id: "allowPrivilegeEscalation",
    level: Level::Restricted,
    exactness: Exactness::Exact,
    revisions: &[Revision::new(8, of_pod).oci(of_facts), Revision::new(25, unless_windows).oci(of_facts)],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| container.security_context.allow_privilege_escalation != Some(false));
    finding(&bad, "")
}

/// A pod for Windows cannot set it.
fn unless_windows(pod: &Pod) -> Option<Finding> {
    if pod.is_windows() { None } else { of_pod(pod) }
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    if facts.no_new_privileges {
        return None;
    }
    finding(&[&facts.name], ": process.noNewPrivileges is not true")
}

fn finding(bad: &[&str], seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    let detail = format!("{} must set securityContext.allowPrivilegeEscalation=false{seen}", containers(bad));
    Finding::new("allowPrivilegeEscalation != false", detail)
}
