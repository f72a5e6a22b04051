//! Limits of the processor, measured as used processor time against the clock.

use std::time::{Duration, Instant};

use lazaret_tests::bundle::Bundle;
use serde_json::{Value, json};

use crate::cgroup::{Cgroup, MODES, lazaret};

const WINDOW: Duration = Duration::from_secs(4);
const LONGEST: Duration = Duration::from_secs(40);

/// Two shells that do nothing but work: two processors' worth.
fn burner(cpu: Value) -> Bundle {
    Bundle::shell("while true; do true; done & echo ready; while true; do true; done")
        .edit(|config| config["linux"]["resources"]["cpu"] = cpu)
}

/// Asserts that the use comes to within 5 % of the quota. The mean over a growing time is taken: what a stalled virtual
/// processor overdraws, the kernel takes back in the periods after.
#[track_caller]
fn gets_its_quota(mode: &str, cgroup: &Cgroup, quota: f64) {
    let (before, begin) = (cgroup.processor_time(), Instant::now());
    let mut used = cgroup.processors(WINDOW);
    while (used / quota - 1.0).abs() >= 0.05 && begin.elapsed() < LONGEST {
        cgroup.processors(WINDOW / 4);
        used = (cgroup.processor_time() - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    }
    assert!((used / quota - 1.0).abs() < 0.05, "{mode}: {used:.4} processors used of a quota of {quota}");
}

/// The quota of the bundle, then another and then none by `update`, each by its effect.
#[test]
#[ignore = "needs the VM"]
fn a_burner_gets_its_quota_and_every_new_one() {
    for mode in MODES {
        let lazaret = lazaret(mode);
        let bundle = burner(json!({"quota": 50_000, "period": 100_000}));
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let cgroup = Cgroup::of(&running);
        gets_its_quota(mode, &cgroup, 0.5);
        assert!(cgroup.field("cpu.stat", "nr_throttled") > 0);
        lazaret.verb(&["update", "--cpu-quota", "20000", running.id()]).succeeds();
        gets_its_quota(mode, &cgroup, 0.2);
        lazaret.verb(&["update", "--cpu-quota", "-1", running.id()]).succeeds();
        let free = cgroup.processors(WINDOW);
        assert!(free > 0.8, "{mode}: without a quota the burner gets what there is, not {free:.3} processors");
        running.delete();
    }
}

/// Two burners on one processor, one with twice the shares of the other.
#[test]
#[ignore = "needs the VM"]
fn shares_divide_a_processor_and_a_cpuset_holds() {
    for mode in MODES {
        let (one, two) = (lazaret(mode), lazaret(mode));
        let small = burner(json!({"shares": 1024, "cpus": "0"}));
        let large = burner(json!({"shares": 2048, "cpus": "0"}));
        let (small, large) = (one.launch(&small), two.launch(&large));
        small.says("ready");
        large.says("ready");
        let (light, heavy) = (Cgroup::of(&small), Cgroup::of(&large));
        assert_eq!(light.read("cpuset.cpus.effective"), "0");
        let (before_light, before_heavy) = (light.processor_time(), heavy.processor_time());
        let used = heavy.processors(WINDOW);
        assert!(used < 1.05, "{mode}: four busy shells on one processor use {used:.3}");
        let ratio = (heavy.processor_time() - before_heavy).as_secs_f64()
            / (light.processor_time() - before_light).as_secs_f64();
        assert!((1.7..2.4).contains(&ratio), "{mode}: twice the shares gave {ratio:.3} times the time");
        small.delete();
        large.delete();
    }
}
