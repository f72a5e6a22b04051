//! Sysctls that reach no further than the pod.

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;

/// `sysctls`.
pub const CHECK: Check = Check {
    id: "sysctls",
    level: Level::Baseline,
    exactness: Exactness::Exact,
    revisions: &[
        Revision::new(0, |pod| of_pod(pod, 0)).oci(|facts| of_facts(facts, 0)).of_the_pod(),
        Revision::new(27, |pod| of_pod(pod, 27)).oci(|facts| of_facts(facts, 27)).of_the_pod(),
        Revision::new(29, |pod| of_pod(pod, 29)).oci(|facts| of_facts(facts, 29)).of_the_pod(),
        Revision::new(32, |pod| of_pod(pod, 32)).oci(|facts| of_facts(facts, 32)).of_the_pod(),
        Revision::new(37, |pod| of_pod(pod, 37)).oci(|facts| of_facts(facts, 37)).of_the_pod(),
    ],
};

/// What is allowed, and since which minor version.
const ALLOWED: &[(&str, u32)] = &[
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
    ("net.ipv4.tcp_slow_start_after_idle", 37),
    ("net.ipv4.tcp_notsent_lowat", 37),
];

fn is_allowed(name: &str, minor: u32) -> bool {
    ALLOWED.iter().any(|(allowed, since)| *allowed == name && *since <= minor)
}

fn of_pod(pod: &Pod, minor: u32) -> Option<Finding> {
    let names = pod.context().sysctls.iter().map(|sysctl| sysctl.name.as_str());
    let bad: Vec<&str> = names.filter(|name| !is_allowed(name, minor)).collect();
    finding(&bad, "")
}

fn of_facts(facts: &Facts, minor: u32) -> Option<Finding> {
    // The specification takes either separator; the rule knows one.
    let dotted = |name: &str| if name.contains('.') { name.to_owned() } else { name.replace('/', ".") };
    let names: Vec<String> = facts.sysctls.iter().map(|name| dotted(name)).collect();
    let bad: Vec<&str> = names.iter().map(String::as_str).filter(|name| !is_allowed(name, minor)).collect();
    finding(&bad, ": linux.sysctl sets them")
}

fn finding(bad: &[&str], seen: &str) -> Option<Finding> {
    if bad.is_empty() { None } else { Finding::new("forbidden sysctls", format!("{}{seen}", bad.join(", "))) }
}
