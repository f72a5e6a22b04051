//! Rows D01 and D03: a workload cannot take the machine's processes or memory.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{runc, verdict};
use serde_json::json;

fn children(verdict: &lazaret_tests::verdict::Verdict) -> u32 {
    assert!(!verdict.ok && verdict.errno == libc::EAGAIN, "fork is refused by a limit: {verdict:?}");
    verdict.step.parse().unwrap()
}

#[test]
#[ignore = "needs root: cgroups, runc"]
fn a_fork_bomb_ends_at_the_limit_of_the_bundle() {
    let control = verdict::of(&runc::run(&Bundle::attacker(&["fork-bomb"]).lax()));
    assert!(control.ok, "the positive control failed: {control:?}");
    let bundle =
        Bundle::attacker(&["fork-bomb"]).edit(|config| config["linux"]["resources"]["pids"] = json!({"limit": 64}));
    let count = children(&verdict::of(&Lazaret::new().run(&bundle)));
    assert!((16..=96).contains(&count), "{count} processes");
}

#[test]
#[ignore = "needs root: cgroups"]
fn a_fork_bomb_ends_at_the_limit_that_everybody_has() {
    let count = children(&verdict::of(&Lazaret::new().run(&Bundle::attacker(&["fork-bomb"]))));
    assert!(count <= 4096 + 32, "{count} processes");
    assert!(count >= 500, "honest work needs processes: {count}");
}

#[test]
#[ignore = "needs root: cgroups, runc"]
fn a_memory_bomb_ends_at_the_limit_and_the_sentry_lives() {
    let control = verdict::of(&runc::run(&Bundle::attacker(&["memory-bomb"]).lax()));
    assert!(control.ok, "the positive control failed: {control:?}");
    let lazaret = Lazaret::new();
    let bundle = Bundle::attacker(&["memory-bomb"])
        .edit(|config| config["linux"]["resources"]["memory"] = json!({"limit": 64 << 20, "swap": 64 << 20}));
    let outcome = lazaret.run(&bundle);
    match verdict::parse(&outcome.stdout) {
        Some(verdict) => assert!(!verdict.ok && verdict.errno == libc::SIGKILL, "{verdict:?}"),
        None => assert_eq!(outcome.status, 128 + libc::SIGKILL, "the whole group was killed: {outcome:?}"),
    }
    assert!(!outcome.stderr.contains("sentry"), "the sentry died with it: {outcome:?}");
    assert!(verdict::of(&lazaret.run(&Bundle::attacker(&["honest-memory"]))).ok);
}
