//! Row I07: the other ways into the kernel. `int 0x80` ends the process or answers nothing; x32 and unknown numbers do
//! not exist.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{runc, verdict};
use libc::{ENOSYS, EPERM, SIGSYS};

use super::attacks;

attacks! {
    x32_numbers_are_refused: ["x32"], refused [ENOSYS, EPERM], witnessed None, beside "honest-exec", absent [ENOSYS];
    numbers_without_a_call_are_refused: ["dead-call"], refused [ENOSYS], witnessed None, beside "honest-exec",
        absent [ENOSYS];
}

/// The gate works under runc, and under lazaret either kills the caller or answers that there is no such call.
fn gate_is_shut(attack: &str) {
    let control = verdict::of(&runc::run(&Bundle::attacker(&[attack]).lax()));
    assert!(control.ok, "the positive control failed: {control:?}");
    let lazaret = Lazaret::new();
    for bundle in [Bundle::attacker(&[attack]), Bundle::attacker(&[attack]).lax_but_admissible()] {
        let outcome = lazaret.run(&bundle);
        match verdict::parse(&outcome.stdout) {
            Some(verdict) => assert!(!verdict.ok && verdict.errno == ENOSYS, "{attack}: {verdict:?}"),
            None => assert_eq!(outcome.status, 128 + SIGSYS, "{attack}: {outcome:?}"),
        }
    }
    assert!(verdict::of(&lazaret.run(&Bundle::attacker(&["honest-exec"]))).ok);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, runc"]
fn the_i386_gate_is_shut() {
    gate_is_shut("int80");
}

#[test]
#[ignore = "needs root: namespaces, seccomp, runc"]
fn the_i386_gate_makes_no_user_namespace() {
    gate_is_shut("int80-unshare");
}
