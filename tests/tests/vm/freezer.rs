//! Pause and resume, by what the processes do meanwhile.

use std::time::Duration;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::deadline;

use crate::cgroup::{Cgroup, MODES, lazaret};

#[test]
#[ignore = "needs the VM"]
fn a_paused_container_does_nothing_at_all() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let bundle = Bundle::shell("while true; do true; done & echo ready; while true; do true; done");
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = Cgroup::of(&running);
        assert!(cgroup.processors(Duration::from_secs(1)) > 0.5, "{mode}: it works before");
        lazaret.verb(&["pause", running.id()]).succeeds();
        assert_eq!(lazaret.state(running.id())["status"], "paused");
        assert_eq!(cgroup.field("cgroup.events", "frozen"), 1, "pause returns when all are frozen");
        let used = cgroup.processor_time();
        assert!(cgroup.processors(Duration::from_secs(1)).abs() < f64::EPSILON, "{mode}: it works while paused");
        assert_eq!(cgroup.processor_time(), used);
        lazaret.verb(&["resume", running.id()]).succeeds();
        assert_eq!(lazaret.state(running.id())["status"], "running");
        assert!(cgroup.processors(Duration::from_secs(1)) > 0.5, "{mode}: it works after");
        lazaret.verb(&["pause", running.id()]).succeeds();
        lazaret.verb(&["kill", running.id(), "KILL"]).succeeds();
        deadline::until("a paused container to be killed", || lazaret.state(running.id())["status"] == "stopped");
        running.delete();
    }
}
