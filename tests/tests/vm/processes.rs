//! The limit of the number of processes, and the end of all of them at once.

use std::time::Duration;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::deadline;
use serde_json::json;

use crate::cgroup::{Cgroup, MODES, lazaret};

/// A fork bomb beside a first process that stays.
const BOMB: &str = "bomb() { bomb | bomb & bomb; }; (bomb 2>/dev/null) & echo lit; exec sleep 1000";

fn bomb(limit: u64) -> Bundle {
    Bundle::shell(BOMB).edit(|config| config["linux"]["resources"]["pids"] = json!({"limit": limit}))
}

#[test]
#[ignore = "needs the VM"]
fn a_fork_bomb_stops_at_the_limit() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let bundle = bomb(30);
        let running = lazaret.launch(&bundle);
        running.says("lit");
        let cgroup = Cgroup::of(&running);
        deadline::until("the limit to be met", || cgroup.field("pids.events", "max") > 20);
        assert_eq!((cgroup.number("pids.max"), cgroup.number("pids.peak")), (30, 30), "{mode}");
        running.delete();
        assert!(!cgroup.exists());
        // The control: with a higher limit the same bomb goes further.
        let bundle = bomb(120);
        let running = lazaret.launch(&bundle);
        let cgroup = Cgroup::of(&running);
        deadline::until("the control to pass 30", || cgroup.number("pids.peak") > 60);
        running.delete();
    }
}

/// Without a pid namespace nothing but the cgroup holds the processes together, and a bomb outruns who kills one by one.
#[test]
#[ignore = "needs the VM"]
fn a_fork_bomb_without_a_pid_namespace_is_killed_at_once() {
    let lazaret = lazaret("native");
    let bundle = bomb(200).without_namespace("pid");
    let running = lazaret.launch(&bundle);
    let cgroup = Cgroup::of(&running);
    deadline::until("the bomb to burn", || cgroup.number("pids.peak") > 100);
    lazaret.verb(&["kill", "--all", running.id(), "KILL"]).succeeds();
    assert!(
        deadline::within(Duration::from_secs(20), || !cgroup.exists()
            || cgroup.field("cgroup.events", "populated") == 0),
        "processes of the bomb are left: {:?}",
        cgroup.read("cgroup.procs")
    );
    running.delete();
}
