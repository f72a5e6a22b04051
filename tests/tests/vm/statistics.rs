//! `events --stats` against the kernel's own numbers, and what a container sees of its cgroup.

use lazaret_tests::bundle::Bundle;
use serde_json::{Value, json};

use crate::cgroup::{Cgroup, MODES, lazaret};

#[test]
#[ignore = "needs the VM"]
fn the_numbers_are_those_of_the_kernel() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let line = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; sleep 1000 & echo ready; exec sleep 1000";
        let bundle = Bundle::shell(line).edit(|config| {
            config["linux"]["resources"]["memory"] = json!({"limit": 64 << 20});
            config["linux"]["resources"]["pids"] = json!({"limit": 50});
        });
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = Cgroup::of(&running);
        lazaret_tests::deadline::until("two processes at rest", || cgroup.number("pids.current") == 2);
        let before = cgroup.processor_time();
        let outcome = lazaret.verb(&["events", "--stats", running.id()]).expect(0);
        let after = cgroup.processor_time();
        let event: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let data = &event["data"];
        let number = |pointer: &str| {
            data.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{mode}: no {pointer} in {data}"))
        };
        let used = u128::from(number("/cpu/usage/total"));
        assert!((before.as_nanos()..=after.as_nanos()).contains(&used), "{before:?} {used} ns {after:?}");
        assert!(used > 1_000_000, "{mode}: it has worked");
        assert_eq!((number("/pids/current"), number("/pids/limit")), (2, 50));
        assert_eq!(number("/memory/usage/limit"), 64 << 20);
        let usage = number("/memory/usage/usage");
        assert!((8 << 20..64 << 20).contains(&usage), "{mode}: 8 MiB are in /dev/shm: {usage}");
        running.delete();
    }
}

#[test]
#[ignore = "needs the VM"]
fn a_container_sees_its_own_cgroup_as_the_root_and_cannot_raise_its_limits() {
    for mode in MODES {
        let line = "cat /proc/self/cgroup; cat /sys/fs/cgroup/pids.max; ls /sys/fs/cgroup/.. | grep -c lazaret; \
                    echo max > /sys/fs/cgroup/pids.max || echo refused";
        let bundle = Bundle::shell(line).edit(|config| config["linux"]["resources"]["pids"] = json!({"limit": 77}));
        let outcome = lazaret(mode).run(&bundle);
        assert_eq!(outcome.stdout, "0::/\n77\n0\nrefused\n", "{mode}: {outcome:?}");
    }
}
