//! Privileged pods: rows C01 and C12. Whatever a bundle asks for, it gets at most inside its own user namespace.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{runc, verdict};
use serde_json::json;

/// All capabilities inside, none outside: the host's view of the same process.
#[test]
#[ignore = "needs root: namespaces"]
fn every_admitted_capability_is_confined_to_its_own_user_namespace() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("grep CapEff /proc/self/status; echo ready; exec sleep 1000").lax_but_admissible();
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let pid = running.pid();
    let inside = std::fs::read_link(format!("/proc/{pid}/ns/user")).unwrap();
    assert_ne!(inside, std::fs::read_link("/proc/self/ns/user").unwrap(), "capabilities in the host's user namespace");
    running.delete();
}

/// A set-user-ID program made inside: with every capability it may be made, and it gives the root of the container at
/// most, which is nobody outside. With no_new_privs on, it gives nothing.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn a_set_user_id_program_made_inside_gives_nothing() {
    let make =
        || Bundle::attacker(&["suid-self"]).mount(json!({"type": "tmpfs", "source": "t", "destination": "/tmp"}));
    let control = verdict::of(&runc::run(&Bundle::attacker(&["suid-self"]).lax()));
    assert!(control.ok, "the positive control failed: {control:?}");
    for bundle in [make(), make().lax_but_admissible()] {
        let verdict = verdict::of(&Lazaret::new().run(&bundle));
        assert!(!verdict.ok, "{verdict:?}");
    }
}
