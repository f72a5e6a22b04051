//! `doctor`: which features of the kernel lazaret has here, and what each gap costs.
//!
//! A version number says little: distributions bring features back, a boot parameter or an outer sandbox takes them away.
//! So each feature is tried, in a child process of its own, and what counts is the effect. Called by the command line and
//! by `check`. It changes nothing on the host; a cgroup is made and removed.

mod answer;
mod feature;
mod probe;
mod probes;
mod settings;
mod table;

use serde::Serialize;

use crate::rootless;

pub use answer::Status;
pub use feature::{Finding, Need};

/// Version of the report's JSON form (docs/doctor.md).
const VERSION: u32 = 1;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// Release of the running kernel (uname(2)).
    pub kernel: String,
    /// Its architecture.
    pub architecture: String,
    /// For whom it was tried: `root` or `user`.
    pub caller: &'static str,
    /// Whether sandbox mode can run: all that it needs is present.
    pub sandbox: bool,
    /// Whether strict mode can run.
    pub strict: bool,
    /// Every feature, in the order of the table.
    pub features: Vec<Finding>,
}

/// Tries every feature, for whoever calls. The process must be single-threaded.
#[must_use]
pub fn examine() -> Report {
    let is_root = !rootless::is_needed() && !rootless::is_active();
    let features: Vec<Finding> = table::FEATURES.iter().map(|feature| feature.examine(is_root)).collect();
    let has_all = |needs: &[Need]| {
        features.iter().filter(|found| needs.contains(&found.need)).all(|found| found.status == Status::Present)
    };
    let system = rustix::system::uname();
    Report {
        version: VERSION,
        kernel: system.release().to_string_lossy().into_owned(),
        architecture: system.machine().to_string_lossy().into_owned(),
        caller: if is_root { "root" } else { "user" },
        sandbox: has_all(&[Need::Sandbox]),
        strict: has_all(&[Need::Sandbox, Need::Strict]),
        features,
    }
}
