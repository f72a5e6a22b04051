//! Whatever stands in a file of pods: it is judged, or refused in one line; and no level allows what a looser one forbids.

use lazaret::policy::pod_security::manifest::{self, Content};
use lazaret::policy::pod_security::{Level, Standard, Verdict, Version, of_facts, of_pod};

/// Words of the input language.
pub const WORDS: &[&str] = &[
    "apiVersion: v1\nkind: Pod\n",
    "kind: Deployment",
    "apps/v1",
    "batch/v1",
    "CronJob",
    "List",
    "items:",
    "---\n",
    "spec:",
    "template:",
    "metadata:",
    "annotations:",
    "containers:",
    "initContainers:",
    "ephemeralContainers:",
    "securityContext:",
    "privileged: true",
    "capabilities: {add: [SYS_ADMIN], drop: [ALL]}",
    "runAsNonRoot: false",
    "seccompProfile: {type: Unconfined}",
    "volumes: [{name: v, hostPath: {path: /}}]",
    "hostNetwork: yes",
    "\"ociVersion\"",
    "\"process\"",
    "\"linux\"",
    "null",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "\n  ",
    "- ",
    "? ",
    "| ",
    "> ",
];

/// Runs it.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let objects = match manifest::read(text) {
        Ok(objects) => objects,
        Err(error) => {
            assert!(!error.to_string().is_empty() && (1820..1880).contains(&error.code()));
            return;
        }
    };
    for object in objects {
        let verdict = |level, minor| {
            let standard = Standard { level, version: Version::Minor(minor) };
            match &object.content {
                Content::Pod(pod) => Some(of_pod(standard, pod)),
                Content::Oci(facts) => Some(of_facts(standard, facts)),
                Content::Other => None,
            }
        };
        for minor in [0, 22, 37] {
            let allowed: Vec<bool> = Level::ALL
                .iter()
                .filter_map(|level| verdict(*level, minor))
                .map(|verdict: Verdict| {
                    assert!(verdict.is_allowed() || verdict.message("violates").len() > 20);
                    verdict.is_allowed()
                })
                .collect();
            assert!(allowed.is_sorted_by(|looser, stricter| looser >= stricter), "{allowed:?}");
        }
    }
}
