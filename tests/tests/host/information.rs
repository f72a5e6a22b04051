//! Row L01: what the host's kernel would tell, whether or not the bundle masks it.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{runc, verdict};

/// Files that speak of the host and not of the container.
const FILES: &[&str] = &[
    "/proc/kcore",
    "/proc/kmsg",
    "/dev/kmsg",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/config.gz",
    "/proc/partitions",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/sched_debug",
    "/proc/latency_stats",
    "/proc/iomem",
    "/proc/kallsyms",
    "/proc/modules",
    "/proc/slabinfo",
    "/proc/vmallocinfo",
];

#[test]
#[ignore = "needs root: namespaces, runc"]
fn the_hosts_kernel_tells_nothing() {
    let attack: Vec<&str> = [&["disclosures"], FILES].concat();
    let control = verdict::of(&runc::run(&Bundle::attacker(&attack).lax()));
    assert!(control.ok, "the positive control failed: {control:?}");
    let lazaret = Lazaret::new();
    let told = |bundle: &Bundle| -> Vec<String> {
        let verdict = verdict::of(&lazaret.run(bundle));
        verdict.evidence.split_whitespace().map(str::to_owned).collect()
    };
    let default = told(&Bundle::attacker(&attack));
    assert!(default.is_empty(), "under the default configuration: {default:?}");
    let lax = told(&Bundle::attacker(&attack).lax_but_admissible());
    assert!(lax.is_empty(), "with nothing masked by the bundle: {lax:?}");
}

/// Masks do not take what honest programs read.
#[test]
#[ignore = "needs root: namespaces"]
fn honest_programs_still_read_what_they_need() {
    let line = "for f in cpuinfo meminfo stat uptime loadavg version mounts filesystems self/status self/maps self/cgroup \
                sys/kernel/random/uuid sys/kernel/ostype net/dev; do head -c 1 /proc/$f >/dev/null || echo $f; done; ls /sys >/dev/null || echo sys";
    let outcome = Lazaret::new().run(&Bundle::shell(line)).expect(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}
