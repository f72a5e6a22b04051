//! `--systemd-cgroup`: the container is a scope of systemd. `LANE_INIT=systemd`.

use std::process::Command;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{outcome, programs};
use serde_json::{Value, json};

use crate::cgroup::{Cgroup, MODES};

fn with_systemd(mode: &str) -> Lazaret {
    Lazaret::with_options(&["--mode", mode, "--systemd-cgroup"])
}

/// A bundle whose scope lies in `lane-inner.slice`, with these limits.
fn scope(line: &str, resources: Value) -> Bundle {
    let bundle = Bundle::shell(line);
    let place = format!("lane-inner.slice:lazaret:{}", bundle.id());
    bundle.edit(|config| {
        config["linux"]["cgroupsPath"] = json!(place);
        config["linux"]["resources"] = resources;
    })
}

fn unit(bundle: &Bundle) -> String {
    format!("lazaret-{}.scope", bundle.id())
}

/// What systemd says of the unit.
fn property(unit: &str, name: &str) -> String {
    let mut show = Command::new(programs::installed("systemctl"));
    let shown = outcome::run(show.args(["show", "--value", "-p", name, unit]));
    shown.succeeds().stdout.trim().to_owned()
}

fn reload() {
    outcome::run(Command::new(programs::installed("systemctl")).arg("daemon-reload")).succeeds();
}

#[test]
#[ignore = "needs the VM with systemd"]
fn a_container_is_a_scope_of_its_slice_with_its_limits_and_goes_with_it() {
    for mode in MODES {
        let lazaret = with_systemd(mode);
        let limits = json!({
            "pids": {"limit": 33}, "memory": {"limit": 40 << 20, "reservation": 8 << 20},
            "cpu": {"shares": 512, "quota": 33_333, "period": 100_000, "cpus": "0", "burst": 1000},
            "unified": {"memory.high": "30M"},
        });
        let bundle = scope("echo ready; exec sleep 1000", limits);
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let unit = unit(&bundle);
        let place = format!("/lane.slice/lane-inner.slice/{unit}");
        assert_eq!(property(&unit, "ControlGroup"), place, "{mode}");
        assert_eq!((property(&unit, "Delegate").as_str(), property(&unit, "TasksMax").as_str()), ("yes", "33"));
        let sentrys = format!("sentry-{unit}");
        let (limit, state) = if *mode == "native" { ("infinity", "not-found") } else { ("67108864", "loaded") };
        assert_eq!(
            (property(&sentrys, "MemoryMax").as_str(), property(&sentrys, "LoadState").as_str()),
            (limit, state)
        );
        let cgroup = Cgroup::of(&running);
        let check = |when| {
            assert_eq!(cgroup.number("pids.max"), 33, "{mode} {when}");
            assert_eq!(
                (cgroup.number("memory.max"), cgroup.number("memory.low")),
                (40 << 20, 8 << 20),
                "{mode} {when}"
            );
            assert_eq!(cgroup.number("memory.high"), 30 << 20, "{mode} {when}");
            assert_eq!((cgroup.number("cpu.weight"), cgroup.number("cpu.max.burst")), (59, 1000), "{mode} {when}");
            assert_eq!(cgroup.read("cpuset.cpus"), "0", "{mode} {when}");
        };
        check("at first");
        assert_eq!(cgroup.read("cpu.max"), "33333 100000", "exactly, not in whole per cents");
        let members = cgroup.read("cgroup.procs");
        assert_eq!(members, running.pid().to_string(), "the holder has gone");
        reload();
        check("after a reload");
        running.delete();
        assert!(!cgroup.exists(), "{mode}");
        assert_eq!(property(&unit, "LoadState"), "not-found", "{mode}");
        assert_eq!(property(&sentrys, "LoadState"), "not-found", "{mode}");
    }
}

#[test]
#[ignore = "needs the VM with systemd"]
fn an_update_reaches_systemd_and_the_kernel() {
    let lazaret = with_systemd("native");
    let bundle = scope("echo ready; exec sleep 1000", json!({"pids": {"limit": 33}}));
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let cgroup = Cgroup::of(&running);
    // Without the flag: what made the cgroup is known.
    let update =
        ["update", "--pids-limit", "44", "--memory", "48M", "--memory-swap", "48M", "--cpu-idle", "1", bundle.id()];
    lazaret.verb(&update).succeeds();
    reload();
    assert_eq!((cgroup.number("pids.max"), cgroup.number("memory.max")), (44, 48 << 20));
    assert_eq!((cgroup.read("cpu.idle").as_str(), property(&unit(&bundle), "TasksMax").as_str()), ("1", "44"));
    running.delete();
}

#[test]
#[ignore = "needs the VM with systemd"]
fn a_limit_of_one_process_leaves_room_for_none_but_the_first() {
    let lazaret = with_systemd("native");
    // Without a fork: `[` is the shell's own. It ends when it cannot fork.
    let line = "echo ready; while [ ! -e /go ]; do :; done; (echo forked); exit 0";
    let bundle = scope(line, json!({"pids": {"limit": 1}})).writable();
    let running = lazaret.launch(&bundle);
    running.says("ready");
    assert_eq!(Cgroup::of(&running).number("pids.max"), 1);
    assert_eq!(property(&unit(&bundle), "TasksMax"), "1");
    std::fs::write(bundle.rootfs().join("go"), "").unwrap();
    running.wait();
    assert!(!running.output().contains("forked"), "{}", running.output());
    running.delete();
}

/// systemd knows nothing of our device program, and takes it away as little as it adds one.
#[test]
#[ignore = "needs the VM with systemd"]
fn device_rules_hold_over_a_reload() {
    let lazaret = with_systemd("native");
    let line = "echo ready; while [ ! -e /go ]; do sleep 0.1; done; head -c1 /dev/full >/dev/null && echo opened; \
                head -c1 /dev/kmsg >/dev/null || echo refused; exec sleep 1000";
    let bundle = scope(line, json!({"devices": [{"allow": false, "access": "rwm"}]})).writable().edit(|config| {
        config["linux"]["devices"] = json!([{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]);
    });
    let running = lazaret.launch(&bundle);
    running.says("ready");
    reload();
    std::fs::write(bundle.rootfs().join("go"), "").unwrap();
    running.says("refused");
    assert!(running.output().contains("opened"), "a device that every container has");
    running.delete();
}

#[test]
#[ignore = "needs the VM with systemd"]
fn what_names_no_scope_is_refused_and_leaves_nothing() {
    let lazaret = with_systemd("native");
    let bundle = Bundle::shell("true").edit(|config| config["linux"]["cgroupsPath"] = json!("/a/b"));
    let refused = lazaret.create(&bundle);
    assert!(refused.stderr.contains("slice:prefix:name"), "{refused:?}");
    lazaret.nothing_left(bundle.id());
    let taken = scope("exec sleep 1000", json!({}));
    let running = lazaret.launch(&taken);
    let second = Bundle::shell("true").edit(|config| {
        config["linux"]["cgroupsPath"] = json!(format!("lane-inner.slice:lazaret:{}", taken.id()));
    });
    let refused = lazaret.create(&second);
    assert!(refused.stderr.contains("UnitExists"), "{refused:?}");
    assert_eq!(property(&unit(&taken), "ActiveState"), "active", "the first one lives");
    running.delete();
}
