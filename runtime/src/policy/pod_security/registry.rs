//! Every check, in the order in which Kubernetes tells of them: baseline by id, then restricted by id, then our own.

use super::checks;
use super::facts::Facts;
use super::pod::Pod;
use super::standard::{Level, Standard};
use super::verdict::{Finding, Violation};

/// How much of what a check is about an OCI configuration shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// The effect that the check is about stands in the configuration: what it forbids is seen, and nothing else.
    Exact,
    /// Some of what it forbids looks like something allowed, or the other way round; the text says what.
    Partial(&'static str),
    /// Nothing of it; the text says where it went. The check is not made.
    Invisible(&'static str),
}

impl Exactness {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Partial(_) => "partial",
            Self::Invisible(_) => "invisible",
        }
    }

    /// What is not seen, if anything.
    #[must_use]
    pub fn gap(self) -> Option<&'static str> {
        match self {
            Self::Exact => None,
            Self::Partial(gap) | Self::Invisible(gap) => Some(gap),
        }
    }
}

/// One check.
#[derive(Debug)]
pub struct Check {
    /// Kubernetes' name of it; our own begin with `hardened/`.
    pub id: &'static str,
    /// The loosest level that makes it.
    pub level: Level,
    /// How much of it an OCI configuration shows.
    pub exactness: Exactness,
    /// Its history, the oldest first.
    pub revisions: &'static [Revision],
}

/// A check from one version on, until the next revision.
#[derive(Debug, Clone, Copy)]
pub struct Revision {
    /// The first minor version of Kubernetes 1 that it holds for.
    pub since: u32,
    /// The check of a pod.
    pub pod: fn(&Pod) -> Option<Finding>,
    /// The check of an OCI configuration, where that shows anything.
    pub oci: Option<fn(&Facts) -> Option<Finding>>,
    /// Whether it is about the pod as a whole, so that the pod's first container has it too.
    pub of_the_pod: bool,
    /// Checks of looser levels that it takes the place of.
    pub overrides: &'static [&'static str],
}

impl Revision {
    /// One that replaces nothing and that no OCI configuration shows.
    pub(super) const fn new(since: u32, pod: fn(&Pod) -> Option<Finding>) -> Self {
        Self { since, pod, oci: None, of_the_pod: false, overrides: &[] }
    }

    /// With a check of an OCI configuration.
    pub(super) const fn oci(self, oci: fn(&Facts) -> Option<Finding>) -> Self {
        Self { oci: Some(oci), ..self }
    }

    /// About the pod as a whole.
    pub(super) const fn of_the_pod(self) -> Self {
        Self { of_the_pod: true, ..self }
    }

    /// In the place of others.
    pub(super) const fn instead_of(self, overrides: &'static [&'static str]) -> Self {
        Self { overrides, ..self }
    }
}

impl Check {
    /// The revision that holds at `minor`.
    #[must_use]
    pub fn at(&self, minor: u32) -> Option<&'static Revision> {
        self.revisions.iter().rev().find(|revision| revision.since <= minor)
    }
}

/// Every check.
pub const CHECKS: &[&Check] = &[
    &checks::app_armor::CHECK,
    &checks::capabilities::BASELINE,
    &checks::host_namespaces::CHECK,
    &checks::host_path::CHECK,
    &checks::host_ports::CHECK,
    &checks::host_probes::CHECK,
    &checks::privileged::CHECK,
    &checks::proc_mount::BASELINE,
    &checks::selinux::CHECK,
    &checks::seccomp_baseline::CHECK,
    &checks::sysctls::CHECK,
    &checks::windows_host_process::CHECK,
    &checks::privilege_escalation::CHECK,
    &checks::capabilities::RESTRICTED,
    &checks::proc_mount::RESTRICTED,
    &checks::restricted_volumes::CHECK,
    &checks::run_as::NON_ROOT,
    &checks::run_as::USER,
    &checks::seccomp_restricted::CHECK,
    &checks::hardened::LIMITS,
    &checks::hardened::NET_RAW,
    &checks::hardened::READ_ONLY_ROOT,
    &checks::hardened::NON_ROOT,
];

/// The checks that `standard` makes, each in the revision that holds: those of its level and of looser ones, without
/// those that another one takes the place of.
pub fn applicable(standard: Standard) -> impl Iterator<Item = (&'static Check, &'static Revision)> {
    let minor = standard.version.minor();
    let held = move || {
        let of_level = CHECKS.iter().filter(move |check| check.level <= standard.level);
        of_level.filter_map(move |check| Some((*check, check.at(minor)?)))
    };
    held().filter(move |(check, _)| !held().any(|(_, revision)| revision.overrides.contains(&check.id)))
}

/// What `judge` finds by the checks of `standard`.
pub(super) fn judged(standard: Standard, judge: impl Fn(&Revision) -> Option<Finding>) -> Vec<Violation> {
    applicable(standard)
        .filter_map(|(check, revision)| {
            let Finding { reason, detail } = judge(revision)?;
            Some(Violation { check: check.id, reason, detail })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::pod_security::standard::{NEWEST, Version};

    #[test]
    fn the_table_is_in_order_and_each_row_is_whole() {
        let order: Vec<_> = CHECKS.iter().map(|check| (check.level, check.id)).collect();
        let mut sorted = order.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(order, sorted);
        for check in CHECKS {
            assert!(check.level != Level::Privileged && !check.revisions.is_empty(), "{}", check.id);
            assert!(check.revisions.is_sorted_by(|one, next| one.since < next.since), "{}", check.id);
            assert!(check.revisions.iter().all(|revision| revision.since <= NEWEST), "{}", check.id);
            let is_seen = !matches!(check.exactness, Exactness::Invisible(_));
            assert!(check.revisions.iter().all(|revision| revision.oci.is_some() == is_seen), "{}", check.id);
            assert!(check.exactness.gap().is_none_or(|gap| !gap.is_empty() && !gap.ends_with('.')), "{}", check.id);
            for id in check.revisions.iter().flat_map(|revision| revision.overrides) {
                assert!(CHECKS.iter().any(|other| other.id == *id && other.level < check.level), "{id}");
            }
        }
    }

    #[test]
    fn nineteen_are_upstreams_and_eighteen_of_them_are_about_linux() {
        let upstream = || CHECKS.iter().filter(|check| check.level < Level::Hardened);
        assert_eq!(upstream().count(), 19);
        assert_eq!(upstream().filter(|check| check.id != "windowsHostProcess").count(), 18);
    }

    /// The ids at the versions where the list changes, as kubernetes/pod-security-admission has them.
    #[test]
    fn the_restricted_checks_of_each_version() {
        let ids = |minor| {
            let standard = Standard { level: Level::Restricted, version: Version::Minor(minor) };
            applicable(standard).map(|(check, _)| check.id).collect::<Vec<_>>()
        };
        let baseline = |minor| {
            let standard = Standard { level: Level::Baseline, version: Version::Minor(minor) };
            applicable(standard).count()
        };
        assert_eq!((baseline(0), baseline(33), baseline(34), baseline(37)), (11, 11, 12, 12));
        assert_eq!(
            ids(0),
            [
                "appArmorProfile",
                "capabilities_baseline",
                "hostNamespaces",
                "hostPorts",
                "privileged",
                "procMount",
                "seLinuxOptions",
                "seccompProfile_baseline",
                "sysctls",
                "windowsHostProcess",
                "restrictedVolumes",
                "runAsNonRoot",
            ]
        );
        let since = |id: &str| (0..=NEWEST).find(|minor| ids(*minor).contains(&id));
        assert_eq!(since("allowPrivilegeEscalation"), Some(8));
        assert_eq!(since("seccompProfile_restricted"), Some(19));
        assert_eq!(since("capabilities_restricted"), Some(22));
        assert_eq!(since("runAsUser"), Some(23));
        assert_eq!(since("hostProbesAndHostLifecycle"), Some(34));
        assert_eq!(since("procMount_restricted"), Some(35));
        let until = |id: &str| (0..=NEWEST).filter(|minor| ids(*minor).contains(&id)).max();
        assert_eq!(until("seccompProfile_baseline"), Some(18));
        assert_eq!(until("capabilities_baseline"), Some(21));
        assert_eq!(until("procMount"), Some(34));
        assert_eq!(until("hostPathVolumes"), None);
    }
}
