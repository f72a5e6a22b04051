//! AppArmor may not be turned off.

use std::collections::BTreeSet;

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::{Pod, Profile};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{Setters, containers_where, counted, quoted};

/// `appArmorProfile`.
pub const CHECK: Check = Check {
    id: "appArmorProfile",
    level: Level::Baseline,
    exactness: Exactness::Partial(
        "engines leave the profile out where the node has no AppArmor, whatever the pod asked for",
    ),
    revisions: &[Revision::new(0, of_pod).oci(of_facts)],
};

/// Before Kubernetes 1.30 the profile of a container stood in an annotation of this name and the container's.
const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io";

fn of_pod(pod: &Pod) -> Option<Finding> {
    let forbidden = |profile: &Option<Profile>| profile.as_ref().map(kind).filter(|kind| !is_allowed(kind)).is_some();
    let is_bad = |context: &Option<Profile>| forbidden(context);
    let of_the_pod = &pod.context().app_armor_profile;
    let bad = containers_where(pod, |container| is_bad(&container.security_context.app_armor_profile));
    let mut setters = Setters::new(is_bad(of_the_pod), &bad);
    let profiles = pod.containers().map(|container| &container.security_context.app_armor_profile);
    let kinds = std::iter::once(of_the_pod).chain(profiles).filter_map(|profile| profile.as_ref().map(kind));
    let set: BTreeSet<&str> = kinds.filter(|kind| !is_allowed(kind)).collect();
    let mut values: Vec<String> = set.into_iter().map(str::to_owned).collect();
    let annotations = forbidden_annotations(pod);
    if !annotations.is_empty() {
        setters.push(counted("annotation", "annotations", annotations.len()));
        values.extend(annotations);
    }
    finding(&setters, &values, "")
}

fn kind(profile: &Profile) -> &str {
    &profile.kind
}

fn is_allowed(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Sorted by their names, which is how the map has them.
fn forbidden_annotations(pod: &Pod) -> Vec<String> {
    let is_bad = |(key, value): &(&String, &String)| {
        let is_named = key.strip_prefix(ANNOTATION).is_some_and(|rest| rest.starts_with('/'));
        is_named && !(value.is_empty() || *value == "runtime/default" || value.starts_with("localhost/"))
    };
    pod.metadata.annotations.iter().filter(is_bad).map(|(key, value)| format!("{key}={value:?}")).collect()
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    if facts.app_armor_profile != "unconfined" {
        return None;
    }
    let setters = Setters::new(false, &[&facts.name]);
    finding(&setters, &["Unconfined".to_owned()], ": process.apparmorProfile is unconfined")
}

fn finding(setters: &Setters, values: &[String], seen: &str) -> Option<Finding> {
    let who = setters.describe()?;
    let values_quoted = quoted(values.iter().map(String::as_str));
    let reason = counted("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    Finding::new(reason, format!("{who} must not set AppArmor profile type to {values_quoted}{seen}"))
}
