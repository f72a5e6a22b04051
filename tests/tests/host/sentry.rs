//! The sentry as a target: its jail, its death, hidden calls, blocked calls, floods. Rows I12, I19, I22, I25.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::CanaryFile;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::{deadline, leftover, verdict};
use rustix::process::{Pid, Signal, kill_process};

fn status_field(pid: i32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap_or_default().to_owned();
    line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// The sentry of the only container of `lazaret`: the one process of ours with a filter of its own.
#[track_caller]
pub(crate) fn sentry_of(lazaret: &Lazaret, running: &Running<'_>) -> i32 {
    let user = std::fs::read_link(format!("/proc/{}/ns/user", running.pid())).unwrap();
    let all = leftover::processes(lazaret.tag());
    let is_sentry = |pid: &i32| {
        status_field(*pid, "Seccomp") == "2"
            && std::fs::read_link(format!("/proc/{pid}/ns/user")).is_ok_and(|link| link == user)
    };
    let found: Vec<i32> = all.iter().map(|(pid, _)| *pid).filter(is_sentry).collect();
    assert_eq!(found.len(), 1, "one sentry among {all:?}");
    found[0]
}

/// The sentry has no right over the host: the pod's user namespace, an empty root, its own filter, one capability.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn the_sentry_is_jailed() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::shell("echo ready; exec sleep 1000");
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let sentry = sentry_of(&lazaret, &running);
        assert_ne!(sentry, running.pid());
        assert_eq!(status_field(sentry, "NoNewPrivs"), "1");
        let capabilities = u64::from_str_radix(&status_field(sentry, "CapEff"), 16).unwrap();
        assert!(capabilities.count_ones() <= 1, "the sentry has more than one capability: {capabilities:#x}");
        let root = std::fs::read_dir(format!("/proc/{sentry}/root/")).unwrap().count();
        assert_eq!(root, 0, "the sentry's root is not empty");
        let ids = status_field(sentry, "Uid");
        assert!(ids.split_whitespace().all(|id| id != "0"), "the sentry is root of the host: {ids}");
        running.delete();
    }
}

/// Row I19: without its sentry a container does not go on, and the state says why.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn when_the_sentry_dies_the_container_is_killed_and_the_state_says_so() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::shell("echo ready; while true; do sleep 1; done");
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let (init, sentry) = (running.pid(), sentry_of(&lazaret, &running));
        kill_process(Pid::from_raw(sentry).unwrap(), Signal::KILL).unwrap();
        assert!(deadline::ended(init, deadline::PATIENCE), "the container goes on without its sentry");
        running.wait();
        let state = lazaret.state(running.id());
        assert!(state.to_string().contains("sentry"), "the state does not say why: {state}");
        running.delete();
    }
}

/// Row I19's race: an attacker that knocks while the sentry dies never gets through.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn nothing_runs_unmediated_while_the_sentry_dies() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let canary = CanaryFile::new();
        for _ in 0..5 {
            let bundle = Bundle::attacker(&["knock", &canary.name()]).lax_but_admissible();
            let running = lazaret.launch(&bundle);
            running.says("knocking");
            kill_process(Pid::from_raw(sentry_of(&lazaret, &running)).unwrap(), Signal::KILL).unwrap();
            running.wait();
            assert!(!running.output().contains("through"), "a call got through: {}", running.output());
            canary.is_untouched();
            running.delete();
        }
    }
}

/// Row I12: filters of the workload hide calls from a supervisor; nothing of ours may depend on seeing them.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn calls_hidden_by_the_workloads_own_filter_leak_nothing() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::attacker(&["hidden-calls"]);
        let running = lazaret.launch(&bundle);
        running.says("quiet");
        let sentry = sentry_of(&lazaret, &running);
        let descriptors = || std::fs::read_dir(format!("/proc/{sentry}/fd")).unwrap().count();
        let before = descriptors();
        running.says("hidden");
        let after = descriptors();
        assert!(after <= before + 2, "the sentry's descriptors grew from {before} to {after}");
        assert!(status_field(sentry, "Threads").parse::<u32>().unwrap() <= 8, "the sentry's threads grew");
        // The verdict's line may not be whole yet.
        deadline::until("a verdict", || verdict::parse(&running.output()).is_some());
        let verdict = verdict::parse(&running.output()).unwrap();
        assert!(!verdict.ok, "{verdict:?}");
        running.delete();
    }
}

/// Row I22: a blocking call of one thread does not stall the others.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_blocking_open_stalls_nobody() {
    for interceptor in INTERCEPTORS {
        let bundle = Bundle::attacker(&["fifo"]).edit(|config| {
            config["process"]["rlimits"] = serde_json::json!([]);
        });
        let verdict = verdict::of(&Lazaret::by(interceptor).run(&bundle));
        assert!(!verdict.ok && verdict.step == "fifo", "{verdict:?}");
    }
}

/// Row I25: one container floods, the other's trapped calls stay fast (99th percentile below ten times the quiet one).
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_flood_of_one_container_does_not_starve_another() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let latency = || -> u64 {
            let outcome = lazaret.run(&Bundle::attacker(&["latency"]));
            verdict::of(&outcome).evidence.parse().expect("nanoseconds")
        };
        // Three of each, against the noise of a busy machine: the worst of the quiet, the best of the flooded. A wake-up
        // across processors alone may take 100 us.
        let quiet = (0..3).map(|_| latency()).fold(100_000, u64::max);
        let bundle = Bundle::attacker(&["flood"]);
        let running = lazaret.launch(&bundle);
        running.says("flooding");
        let flooded = (0..3).map(|_| latency()).fold(u64::MAX, u64::min);
        running.delete();
        assert!(flooded < quiet * 10, "p99 went from {quiet} ns to {flooded} ns");
    }
}

/// The state names the mode and the interceptor.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn the_state_names_the_protections() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::shell("exec sleep 1000");
        let running = lazaret.launch(&bundle);
        let annotations = lazaret.state(running.id())["annotations"].clone();
        assert_eq!(annotations["dev.lazaret.mode"], "sandbox");
        assert_eq!(annotations["dev.lazaret.interceptor"], interceptor);
        running.delete();
    }
}
