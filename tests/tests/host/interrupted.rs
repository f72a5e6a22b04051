//! Verbs that are killed half way, after every kind of system call that they make: what is left can always be deleted,
//! and completely. The program runs under ptrace, so that the kill comes where it is meant to.

use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{leftover, outcome, stepper};

/// How often one system call is cut off, spread over all its uses.
const SAMPLES: usize = 5;

/// Cuts `verb` off at each sample, with `before` done to the container each time, and deletes it; returns how often.
fn cut(lazaret: &Lazaret, bundle: &Bundle, verb: &[&str], before: impl Fn()) -> usize {
    let command = lazaret.command(verb);
    before();
    let calls = stepper::calls_of(&command);
    assert!(calls.len() > 50, "{verb:?} makes {} system calls: it failed", calls.len());
    delete(lazaret, bundle, Some("--force"));
    let samples = stepper::samples(&calls, SAMPLES);
    let mut killed = 0;
    for index in &samples {
        before();
        killed += usize::from(stepper::kill_after(&command, *index));
        let force = if has_stopped(lazaret, bundle, *index) { None } else { Some("--force") };
        delete(lazaret, bundle, force);
        assert_no_lease(&lazaret.root().join(bundle.id()));
    }
    assert!(killed * 10 > samples.len() * 9, "{killed} of {} were killed", samples.len());
    killed
}

/// Whether what is left is a container that has stopped, which needs no force. `state` answers at once, with a true
/// word: nothing is being created any more.
fn has_stopped(lazaret: &Lazaret, bundle: &Bundle, index: usize) -> bool {
    let state = lazaret.verb(&["state", bundle.id()]);
    if state.status == 0 {
        assert!(!state.stdout.contains("\"creating\""), "after call {index}: {}", state.stdout);
        return state.stdout.contains("\"stopped\"");
    }
    let is_known = ["1001", "1006"].iter().any(|code| state.stderr.contains(&format!("error[lazaret-{code}]")));
    assert!(is_known, "after call {index}: {}", state.stderr);
    false
}

fn delete(lazaret: &Lazaret, bundle: &Bundle, force: Option<&str>) {
    let words: Vec<&str> = ["delete"].into_iter().chain(force).chain([bundle.id()]).collect();
    outcome::clean_up(&mut lazaret.command(&words)).succeeds();
    lazaret.nothing_left(bundle.id());
}

/// No range of ids belongs to the container any more.
fn assert_no_lease(owner: &Path) {
    let owned = leftover::leases(owner);
    assert!(owned.is_empty(), "still leased: {owned:?}");
}

fn create_is_cut_off(mode: &str) {
    let lazaret = Lazaret::with_options(&["--mode", mode]);
    let bundle = Bundle::shell("exec sleep 1000");
    bundle.write();
    let path = bundle.path().display().to_string();
    cut(&lazaret, &bundle, &["create", "--bundle", &path, bundle.id()], || {});
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_create_that_is_killed_anywhere_can_be_deleted_sandbox() {
    create_is_cut_off("sandbox");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_create_that_is_killed_anywhere_can_be_deleted_native() {
    create_is_cut_off("native");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_start_that_is_killed_anywhere_can_be_deleted() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    cut(&lazaret, &bundle, &["start", bundle.id()], || {
        lazaret.create(&bundle).succeeds();
    });
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_delete_that_is_killed_anywhere_can_be_repeated() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    cut(&lazaret, &bundle, &["delete", "--force", bundle.id()], || {
        lazaret.create(&bundle).succeeds();
        lazaret.verb(&["start", bundle.id()]).succeeds();
    });
}
