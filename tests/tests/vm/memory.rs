//! The limit of memory: what goes over it is killed by the kernel, and told.

use std::fs::File;
use std::process::Stdio;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::deadline;
use serde_json::{Value, json};

use crate::cgroup::{Cgroup, MODES, lazaret};

/// dd takes a buffer of 96 MiB and fills it.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null";

const MEGABYTE: u64 = 1 << 20;

fn limited(line: &str, limit: u64) -> Bundle {
    Bundle::shell(line).edit(|config| config["linux"]["resources"]["memory"] = json!({"limit": limit}))
}

#[test]
#[ignore = "needs the VM"]
fn a_hog_is_killed_and_its_status_says_so() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let killed = lazaret.run(&limited(&format!("exec {HOG}"), 32 * MEGABYTE));
        assert_eq!(killed.status, 137, "{mode}: {killed:?}");
        let control = lazaret.run(&limited(&format!("exec {HOG}"), 256 * MEGABYTE));
        assert_eq!(control.status, 0, "{mode}: {control:?}");
    }
}

/// A child of the container's first process is killed: the container lives on, and `events` tells.
#[test]
#[ignore = "needs the VM"]
fn events_tell_that_memory_ran_out() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let bundle = limited(&format!("{HOG}; echo hog ended with $?; exec sleep 1000"), 32 * MEGABYTE);
        let output = bundle.path().join("output");
        bundle.write();
        let path = bundle.path().display().to_string();
        let mut create = lazaret.command(&["create", "--bundle", &path, bundle.id()]);
        create.stdin(Stdio::null()).stdout(File::create(&output).unwrap());
        assert!(create.status().unwrap().success());
        let pid = i32::try_from(lazaret.state(bundle.id())["pid"].as_i64().unwrap()).unwrap();
        let cgroup = Cgroup::of_process(pid);
        assert_eq!(cgroup.number("memory.max"), 32 * MEGABYTE);

        let told = bundle.path().join("events");
        let mut listener = lazaret.command(&["events", "--interval", "200ms", bundle.id()]);
        let mut listener = listener.stdout(File::create(&told).unwrap()).spawn().unwrap();
        let events = || -> Vec<Value> {
            let text = std::fs::read_to_string(&told).unwrap();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        deadline::until("the first event", || !events().is_empty());
        lazaret.verb(&["start", bundle.id()]).succeeds();
        deadline::until("the hog's end", || std::fs::read_to_string(&output).unwrap().contains("ended with 137"));
        assert!(cgroup.field("memory.events", "oom_kill") >= 1);
        deadline::until("the event", || events().iter().any(|event| event["type"] == "oom"));
        assert_eq!(lazaret.state(bundle.id())["status"], "running");
        assert!(cgroup.number("memory.peak") <= 32 * MEGABYTE);
        lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
        assert!(listener.wait().unwrap().success(), "{mode}: events ends with the container");
        lazaret.nothing_left(bundle.id());
    }
}

/// A limit raised by `update` lets the same hog live.
#[test]
#[ignore = "needs the VM"]
fn update_raises_the_limit_of_a_running_container() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let bundle = limited(
            &format!("trap '{HOG}; echo status $?' USR1; echo ready; while true; do sleep 0.1; done"),
            32 * MEGABYTE,
        );
        let running = lazaret.launch(&bundle);
        running.says("ready");
        lazaret.verb(&["kill", running.id(), "USR1"]).succeeds();
        running.says("status 137");
        lazaret.verb(&["update", "--memory", "256M", running.id()]).succeeds();
        lazaret.verb(&["kill", running.id(), "USR1"]).succeeds();
        running.says("status 0");
        running.delete();
    }
}
