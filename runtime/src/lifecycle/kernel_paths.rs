//! What of the kernel's own file systems a sandbox does not see, or may only read, whatever its bundle lists.

use std::path::{Path, PathBuf};

/// Files that tell of the host, or reach into it. First those of runc's and containerd's defaults, then what they leave
/// open: the kernel's configuration, symbols and modules, its log, devices and interrupts.
const MASKED: [&str; 22] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/proc/config.gz",
    "/proc/diskstats",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/kmsg",
    "/proc/modules",
    "/proc/partitions",
    "/proc/softirqs",
    "/proc/swaps",
];

/// Kernel interfaces that can be read and not written.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The bundle's masked paths, and in a sandbox lazaret's own.
#[must_use]
pub fn masked(bundle: &[PathBuf], sandbox: bool) -> Vec<PathBuf> {
    union(bundle, if sandbox { &MASKED } else { &[] })
}

/// The bundle's read-only paths, and in a sandbox lazaret's own.
#[must_use]
pub fn readonly(bundle: &[PathBuf], sandbox: bool) -> Vec<PathBuf> {
    union(bundle, if sandbox { &READONLY } else { &[] })
}

fn union(bundle: &[PathBuf], own: &[&str]) -> Vec<PathBuf> {
    let missing = own.iter().map(Path::new).filter(|own| !bundle.iter().any(|path| path == own));
    bundle.iter().cloned().chain(missing.map(Path::to_owned)).collect()
}
