//! The memory of sentries: in a cgroup of their own, with a limit that holds, and gone with the container.

use std::path::{Path, PathBuf};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::{deadline, leftover};
use rustix::process::{Pid, Signal, kill_process};

use crate::sentry::sentry_of;

/// The limit, as docs/security-model.md states it.
const LIMIT: u64 = 64 * 1024 * 1024;

/// The directory with the memory files of the container's sentries.
#[track_caller]
fn cgroup_of_sentry(running: &Running<'_>) -> PathBuf {
    let all = leftover::cgroups(running.id());
    let is_it = |path: &&PathBuf| leftover::is_of_sentries(path) && limit_file(path).exists();
    let found: Vec<&PathBuf> = all.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "one memory cgroup of a sentry among {all:?}");
    found[0].clone()
}

fn limit_file(cgroup: &Path) -> PathBuf {
    let v2 = cgroup.join("memory.max");
    if v2.exists() { v2 } else { cgroup.join("memory.limit_in_bytes") }
}

fn usage(cgroup: &Path) -> u64 {
    let v2 = cgroup.join("memory.current");
    let file = if v2.exists() { v2 } else { cgroup.join("memory.usage_in_bytes") };
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

fn members(cgroup: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
#[ignore = "needs root: namespaces, seccomp, cgroups"]
fn sentries_are_in_a_memory_cgroup_that_the_container_is_not_in() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::shell("echo ready; exec sleep 1000");
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = cgroup_of_sentry(&running);
        assert_eq!(members(&cgroup), [sentry_of(&lazaret, &running)], "{interceptor}");
        assert_eq!(std::fs::read_to_string(limit_file(&cgroup)).unwrap().trim(), LIMIT.to_string());
        assert!(usage(&cgroup) < LIMIT / 8, "{interceptor}: {} bytes at rest", usage(&cgroup));
        lazaret.verb(&["exec", "--detach", running.id(), "sleep", "1000"]).succeeds();
        assert_eq!(members(&cgroup).len(), 2, "{interceptor}: the sentry of a process that joined");
        running.delete();
        assert!(!cgroup.exists(), "{interceptor}: {} is left", cgroup.display());
    }
}

/// As low as the kernel lets it be: v1 refuses a limit below what is in use.
fn lower_limit(cgroup: &Path) {
    let lower = |bytes: u64| std::fs::write(limit_file(cgroup), bytes.to_string());
    // Refused on v1, but what is held in reserve for the next pages is given back.
    if lower(4096).is_ok() {
        return;
    }
    deadline::until("the limit to be lowered", || lower(usage(cgroup)).is_ok());
}

#[test]
#[ignore = "needs root: namespaces, seccomp, cgroups"]
fn a_sentry_out_of_memory_ends_the_container_and_the_state_says_so() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let many =
            "i=0; while true; do i=$((i+1)); mount -t tmpfs an-attempt-with-a-long-name-$i /mnt 2>/dev/null; done";
        let bundle = Bundle::shell(&format!("echo ready; while ! [ -e /go ]; do sleep 0.1; done; {many}"));
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = cgroup_of_sentry(&running);
        lower_limit(&cgroup);
        std::fs::write(bundle.rootfs().join("go"), "").unwrap();
        running.wait();
        has_ended_for_want_of_memory(&lazaret, &running);
        running.delete();
        assert!(!cgroup.exists(), "{interceptor}: {} is left", cgroup.display());
    }
}

#[track_caller]
fn has_ended_for_want_of_memory(lazaret: &Lazaret, running: &Running<'_>) {
    deadline::until("the state to say why", || {
        let state = lazaret.state(running.id());
        let reason = state["annotations"]["dev.lazaret.ended"].as_str();
        reason.is_some_and(|reason| reason.contains("the sentry ran out of memory"))
    });
}

#[test]
#[ignore = "needs root: namespaces, seccomp, cgroups"]
fn a_stopped_sentry_of_a_joined_process_does_not_outlive_the_container() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo ready; exec sleep 1000");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let first = sentry_of(&lazaret, &running);
    lazaret.verb(&["exec", "--detach", running.id(), "sleep", "1000"]).succeeds();
    let cgroup = cgroup_of_sentry(&running);
    let joined = members(&cgroup).into_iter().find(|pid| *pid != first).unwrap();
    kill_process(Pid::from_raw(joined).unwrap(), Signal::STOP).unwrap();
    running.delete();
    assert!(!cgroup.exists(), "{} is left", cgroup.display());
    assert!(deadline::ended(joined, deadline::PATIENCE));
}

#[test]
#[ignore = "needs root: namespaces, seccomp, cgroups"]
fn a_launch_that_fails_leaves_no_cgroup_of_a_sentry() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::new().args(&["/no/such/program"]);
    let failed = lazaret.create(&bundle);
    assert_ne!(failed.status, 0, "{failed:?}");
    assert_eq!(leftover::cgroups(bundle.id()), Vec::<PathBuf>::new());
}
