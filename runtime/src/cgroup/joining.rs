//! Which hierarchies a container joins. Every directory costs about 0.16 ms (mkdir 95 us, enter 27 us, rmdir 35 us;
//! `memory` 0.21, `cpuset` 0.4; measured on Linux 6.18), so only those with a use. Pure; asked by `create` and `update`.
//!
//! - v2, where mounted: it tracks the container (kill, freeze, list), and has every limit on a pure v2 host. Without v2
//!   the v1 `freezer` tracks.
//! - a v1 controller with a limit; `devices` with device rules.
//! - `memory`, `cpuacct` and `pids` of v1 also when `linux.cgroupsPath` is given: an engine that places cgroups reads
//!   its statistics from them. `name=systemd` is never joined.

use crate::cgroup::hierarchy::{Hierarchies, Hierarchy, Version};
use crate::cgroup::limits::Setting;
use crate::cgroup::restrict::DeviceMeans;

/// Controllers of v1 whose files are the statistics of a container.
const STATISTICS: [&str; 3] = ["memory", "cpuacct", "pids"];

/// Whether a container with these limits joins the hierarchy. `placed`: its `linux.cgroupsPath` is given.
pub(super) fn joins(
    hierarchy: &Hierarchy,
    host: &Hierarchies,
    settings: &[Setting],
    means: &DeviceMeans,
    placed: bool,
) -> bool {
    let v1 = |name| hierarchy.offers(Version::V1, name);
    hierarchy.version == Version::V2
        || limits(hierarchy, settings, means)
        || (!host.has_v2() && v1("freezer"))
        || (placed && STATISTICS.into_iter().any(v1))
}

/// Whether one of the limits, or of the device rules, is a file of the hierarchy.
pub(super) fn limits(hierarchy: &Hierarchy, settings: &[Setting], means: &DeviceMeans) -> bool {
    settings.iter().any(|setting| hierarchy.offers(setting.version, &setting.controller))
        || (matches!(means, DeviceMeans::Lines(_)) && hierarchy.offers(Version::V1, "devices"))
}

/// The v2 controllers that the limits need.
pub(super) fn controllers(settings: &[Setting]) -> Vec<&str> {
    settings
        .iter()
        .filter(|setting| setting.version == Version::V2)
        .map(|setting| setting.controller.as_ref())
        .collect()
}
