//! A host with systemd as process 1: `LANE_INIT=systemd`. The tests run in a service whose cgroup is delegated.

mod scope;

use std::process::Command;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::{outcome, programs};
use serde_json::json;

use crate::cgroup::{Cgroup, MODES, lazaret};

/// The rest of this file means something only here.
#[test]
#[ignore = "needs the VM with systemd"]
fn systemd_rules_this_machine_and_answers_over_its_bus() {
    assert_eq!(std::fs::read_to_string("/proc/1/comm").unwrap(), "systemd\n");
    let version = outcome::run(Command::new(programs::installed("busctl")).args([
        "get-property",
        "org.freedesktop.systemd1",
        "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager",
        "ControlGroup",
    ]));
    assert!(version.succeeds().stdout.starts_with("s "), "{version:?}");
}

/// Without the systemd driver a container stands beside its caller, in what systemd has made, and systemd lets it be.
#[test]
#[ignore = "needs the VM with systemd"]
fn a_container_under_systemd_keeps_its_limits_over_a_reload() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let bundle = Bundle::shell("echo ready; exec sleep 1000").edit(|config| {
            config["linux"]["resources"]["pids"] = json!({"limit": 33});
            config["linux"]["resources"]["memory"] = json!({"limit": 40 << 20});
        });
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = Cgroup::of(&running);
        outcome::run(Command::new(programs::installed("systemctl")).arg("daemon-reload")).succeeds();
        assert_eq!((cgroup.number("pids.max"), cgroup.number("memory.max")), (33, 40 << 20), "{mode}");
        running.delete();
    }
}
