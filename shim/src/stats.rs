//! `Stats`: the cgroup of a task as containerd's metrics message, which the kubelet's numbers come from.
//!
//! Used by `tasks`. Reads files of the cgroup of the task's first process; it changes nothing.

use std::path::Path;

use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::{Error, cgroup};

use crate::typeurl::any;

/// Metrics of the cgroup that process `pid` is in: `io.containerd.cgroups.v2.Metrics` on a host of version 2 alone, else
/// `…v1.Metrics`. `cpuacct` is the container's directory in that version 1 hierarchy.
///
/// # Errors
/// When the process is gone or its cgroup cannot be read.
pub(crate) fn of_process(pid: u32, cpuacct: Option<&Path>) -> Result<Any, Error> {
    let cgroup = cgroup::get_cgroup(pid)?;
    if cgroup.v2() {
        return Ok(any(&cgroup::collect_metrics_v2(&cgroup)?)?);
    }
    let mut metrics = cgroup::collect_metrics(&cgroup)?;
    // Version 1 counts the time in a hierarchy of its own, which collect_metrics does not read.
    let usage = cpuacct.and_then(|directory| std::fs::read_to_string(directory.join("cpuacct.usage")).ok());
    if let Some(nanoseconds) = usage.and_then(|text| text.trim().parse().ok()) {
        metrics.mut_cpu().mut_usage().set_total(nanoseconds);
    }
    Ok(any(&metrics)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(of_process(u32::MAX, None).is_err());
    }
}
