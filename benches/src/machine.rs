//! The machine in generic terms: what a reader needs to compare numbers, and nothing that names it.
//!
//! Called by all commands, before they measure and after.

use std::fs;

use serde::Serialize;

use crate::cgroups;

/// The facts.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Kernel name and release.
    pub kernel: String,
    /// Kind of CPU.
    pub processor: String,
    /// CPUs that this process may use.
    pub processors: usize,
    /// The host's cgroup mode.
    pub cgroups: String,
    /// Whether the kernel compiles BPF (`net.core.bpf_jit_enable`).
    pub bpf_jit: String,
    /// Date and time of the start, RFC 3339.
    pub date: String,
    /// Load averages of 1, 5 and 15 minutes at the start.
    pub load: String,
}

impl Machine {
    /// Reads them. What this host does not tell is "unknown".
    #[must_use]
    pub fn observe() -> Self {
        let uname = rustix::system::uname();
        let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        Self {
            kernel: format!("{} {} {}", text(uname.sysname()), generic(&text(uname.release())), text(uname.machine())),
            processor: processor(),
            processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cgroups: cgroups::mode().map_or_else(|_unreadable| unknown(), |mode| mode.to_string()),
            bpf_jit: first_line("/proc/sys/net/core/bpf_jit_enable"),
            date: lazaret::now(),
            load: load(),
        }
    }

    /// The facts as lines of a report.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        vec![
            format!("{}, {} x {}", self.kernel, self.processors, self.processor),
            format!("cgroups {}, BPF JIT {}, {}, load {}", self.cgroups, self.bpf_jit, self.date, self.load),
        ]
    }
}

/// The load averages now.
#[must_use]
pub fn load() -> String {
    let line = first_line("/proc/loadavg");
    line.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// A release without what its builder appended: `6.18.44-custom-3` is 6.18.44.
fn generic(release: &str) -> String {
    release.split('-').next().unwrap_or(release).to_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or_else(unknown, |(_, name)| name.to_owned())
}

fn first_line(path: &str) -> String {
    fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(unknown)
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_loses_its_suffix() {
        assert_eq!(generic("6.18.44-custom-3"), "6.18.44");
        assert_eq!(generic("6.1.0"), "6.1.0");
    }
}
