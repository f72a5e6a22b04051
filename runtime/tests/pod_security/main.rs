//! Every check of the Pod Security Standards at every version at which it changes: what it allows, what it forbids, and
//! what it says. Derived from the published standards; the words are those of Kubernetes' admission.
#![allow(clippy::tests_outside_test_module, reason = "this whole crate is tests")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod baseline;
mod configuration;
mod document;
mod hardened;
mod restricted;

use lazaret::policy::pod_security::manifest::{self, Content};
use lazaret::policy::pod_security::pod::Pod;
use lazaret::policy::pod_security::registry::{CHECKS, Check, applicable};
use lazaret::policy::pod_security::{self, Level, Standard, Version};

/// One pod, before one check, at several versions.
struct Case {
    /// The check.
    check: &'static str,
    /// Minor versions.
    minors: &'static [u32],
    /// `metadata` and `spec` of the pod, in YAML's flow style without the outer braces.
    pod: &'static str,
    /// `reason (detail)`; empty when the check allows it.
    said: &'static str,
}

const fn case(check: &'static str, minors: &'static [u32], pod: &'static str, said: &'static str) -> Case {
    Case { check, minors, pod, said }
}

fn pod(body: &str) -> Pod {
    let text = format!("{{apiVersion: v1, kind: Pod, {body}}}");
    let mut objects = manifest::read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    match objects.remove(0).content {
        Content::Pod(pod) => *pod,
        other @ (Content::Oci(_) | Content::Other) => panic!("{other:?}"),
    }
}

fn row(id: &str) -> &'static Check {
    CHECKS.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("{id}"))
}

/// What the check says of the pod at the level that has it.
fn said(check: &str, minor: u32, pod: &Pod) -> String {
    let standard = Standard { level: row(check).level, version: Version::Minor(minor) };
    assert!(applicable(standard).any(|(made, _)| made.id == check), "{check} is made at v1.{minor}");
    let verdict = pod_security::of_pod(standard, pod);
    let found = verdict.violations.into_iter().find(|violation| violation.check == check);
    found.map(|violation| format!("{} ({})", violation.reason, violation.detail)).unwrap_or_default()
}

fn all() -> impl Iterator<Item = &'static Case> {
    baseline::CASES.iter().chain(restricted::CASES).chain(hardened::CASES)
}

#[test]
fn every_check_allows_and_forbids_what_the_standard_says() {
    let mut judged = 0;
    for case in all() {
        let pod = pod(case.pod);
        for minor in case.minors {
            assert_eq!(said(case.check, *minor, &pod), case.said, "{} at v1.{minor}: {}", case.check, case.pod);
            judged += 1;
        }
    }
    assert!(judged >= 300, "{judged}");
    println!("{judged} cases");
}

/// At its first version, and on both sides of each change, each check has something that it allows and something that it
/// forbids.
#[test]
fn every_revision_has_cases_of_both_kinds_where_it_begins_and_where_it_ends() {
    for check in CHECKS {
        let ends = check.revisions.iter().skip(1).map(|next| next.since - 1).chain([37]);
        for minor in check.revisions.iter().map(|revision| revision.since).chain(ends) {
            for forbids in [true, false] {
                let has = all().any(|case| {
                    case.check == check.id && case.minors.contains(&minor) && case.said.is_empty() != forbids
                });
                // What takes the place of a check is looked at in its stead.
                assert!(has, "{} at v1.{minor}, forbids: {forbids}", check.id);
            }
        }
    }
}

/// A pod as the restricted level wants it, at every version.
const RESTRICTED: &str = "spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, \
    containers: [{name: a, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}";

#[test]
fn a_hardened_pod_passes_every_level_at_every_version_and_an_empty_one_the_baseline() {
    let hardened = pod(
        "spec: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: a, \
         resources: {limits: {cpu: 1, memory: 1Gi}}, securityContext: {allowPrivilegeEscalation: false, \
         readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}}]}",
    );
    let (restricted, empty) = (pod(RESTRICTED), pod("spec: {containers: [{name: a}]}"));
    for minor in 0..=40 {
        let verdict =
            |level, pod| pod_security::of_pod(Standard { level, version: Version::Minor(minor) }, pod).violations;
        for level in Level::ALL {
            assert_eq!(verdict(level, &hardened), [], "{level}:v1.{minor}");
        }
        assert_eq!(verdict(Level::Restricted, &restricted), [], "v1.{minor}");
        assert_eq!(verdict(Level::Baseline, &empty), [], "v1.{minor}");
        assert_eq!(verdict(Level::Privileged, &empty), [], "v1.{minor}");
        assert!(!verdict(Level::Restricted, &empty).is_empty(), "v1.{minor}");
        assert!(!verdict(Level::Hardened, &restricted).is_empty(), "v1.{minor}");
    }
}

/// What a stricter level takes the place of is not told twice.
#[test]
fn a_check_in_the_place_of_another_speaks_alone() {
    let pod = pod(
        "spec: {hostUsers: false, securityContext: {seccompProfile: {type: Unconfined}}, volumes: [{name: v, hostPath: \
         {path: /}}], containers: [{name: a, securityContext: {procMount: Unmasked, capabilities: {add: [SYS_ADMIN]}}}]}",
    );
    let checks = |level, minor| {
        let verdict = pod_security::of_pod(Standard { level, version: Version::Minor(minor) }, &pod);
        verdict.violations.into_iter().map(|violation| violation.check).collect::<Vec<_>>()
    };
    assert_eq!(
        checks(Level::Baseline, 34),
        ["capabilities_baseline", "hostPathVolumes", "procMount", "seccompProfile_baseline"]
    );
    assert_eq!(checks(Level::Baseline, 35), ["capabilities_baseline", "hostPathVolumes", "seccompProfile_baseline"]);
    assert_eq!(
        checks(Level::Restricted, 34),
        [
            "procMount",
            "allowPrivilegeEscalation",
            "capabilities_restricted",
            "restrictedVolumes",
            "runAsNonRoot",
            "seccompProfile_restricted"
        ]
    );
    assert_eq!(
        checks(Level::Restricted, 35),
        [
            "allowPrivilegeEscalation",
            "capabilities_restricted",
            "procMount_restricted",
            "restrictedVolumes",
            "seccompProfile_restricted"
        ]
    );
}

#[test]
fn the_whole_message_is_kubernetes_own() {
    let pod = pod(
        "spec: {hostNetwork: true, hostPID: true, containers: [{name: a, ports: [{hostPort: 80}], securityContext: \
         {privileged: true}}, {name: b}]}",
    );
    let message = |standard: &str, verb| pod_security::of_pod(standard.parse().unwrap(), &pod).message(verb);
    assert_eq!(
        message("baseline:v1.30", "violates"),
        "violates PodSecurity \"baseline:v1.30\": host namespaces (hostNetwork=true, hostPID=true), hostPort (container \
         \"a\" uses hostPort 80), privileged (container \"a\" must not set securityContext.privileged=true)"
    );
    assert_eq!(
        message("restricted:latest", "would violate"),
        "would violate PodSecurity \"restricted:latest\": host namespaces (hostNetwork=true, hostPID=true), hostPort \
         (container \"a\" uses hostPort 80), privileged (container \"a\" must not set securityContext.privileged=true), \
         allowPrivilegeEscalation != false (containers \"a\", \"b\" must set \
         securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers \"a\", \"b\" must set \
         securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or containers \"a\", \"b\" must set \
         securityContext.runAsNonRoot=true), seccompProfile (pod or containers \"a\", \"b\" must set \
         securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
    );
}
