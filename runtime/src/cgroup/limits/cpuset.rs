//! `cpu.cpus` and `cpu.mems`: on which processors and memory nodes a container runs. Pure; used by `plan` alone.

use crate::cgroup::error::CgroupError;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::Resources;

const CPUSET: Controller = Controller { v1: "cpuset", v2: Some("cpuset") };

const MEMS: Limit =
    Limit { key: "linux.resources.cpu.mems", controller: CPUSET, v1: "cpuset.mems", v2: Some("cpuset.mems") };
const CPUS: Limit =
    Limit { key: "linux.resources.cpu.cpus", controller: CPUSET, v1: "cpuset.cpus", v2: Some("cpuset.cpus") };

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    for (limit, list) in [(MEMS, &resources.cpuset_mems), (CPUS, &resources.cpuset_cpus)] {
        if let Some(list) = list.as_ref().filter(|list| !list.is_empty()) {
            planner.set(&limit, Scaled::same(list))?;
        }
    }
    Ok(())
}
