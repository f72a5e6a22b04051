//! How many processes and threads a container may have. Pure; used by `plan` alone.

use crate::cgroup::convert;
use crate::cgroup::error::CgroupError;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::Resources;

const PIDS: Controller = Controller { v1: "pids", v2: Some("pids") };

const LIMIT: Limit =
    Limit { key: "linux.resources.pids.limit", controller: PIDS, v1: "pids.max", v2: Some("pids.max") };

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    let Some(limit) = resources.pids_limit else { return Ok(()) };
    planner.set(&LIMIT, Scaled::same(convert::pids_max(limit)))?;
    Ok(())
}
