//! Containers that come and go, verb by verb: nothing adds up. A hundred, or as many as `LAZARET_CYCLES` says.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{deadline, leftover};

/// How often: the number in `LAZARET_CYCLES`, or 100.
fn cycles() -> u32 {
    std::env::var("LAZARET_CYCLES").map_or(100, |count| count.parse().expect("LAZARET_CYCLES is a number"))
}

fn come_and_go(mode: &str) {
    let lazaret = Lazaret::with_options(&["--mode", mode]);
    let bundle = Bundle::new();
    for round in 0..cycles() {
        lazaret.create(&bundle).succeeds();
        lazaret.verb(&["start", bundle.id()]).succeeds();
        // Every second one is deleted without waiting for its end.
        if round % 2 == 0 {
            deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
            lazaret.verb(&["delete", bundle.id()]).succeeds();
        } else {
            lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
        }
    }
    assert!(lazaret.states().is_empty(), "states stay: {:?}", lazaret.states());
    lazaret.nothing_left(bundle.id());
    assert!(leftover::leases(&lazaret.root()).is_empty(), "leases stay: {:?}", leftover::leases(&lazaret.root()));
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn create_start_delete_leaves_nothing_sandbox() {
    come_and_go("sandbox");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn create_start_delete_leaves_nothing_native() {
    come_and_go("native");
}
