//! RDMA devices: handles and objects. Pure; used by `plan` alone.

use crate::cgroup::error::CgroupError;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::Resources;

const RDMA: Controller = Controller { v1: "rdma", v2: Some("rdma") };

const MAX: Limit = Limit { key: "linux.resources.rdma", controller: RDMA, v1: "rdma.max", v2: Some("rdma.max") };

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    let number = |limit: Option<u32>| limit.map_or_else(|| "max".to_owned(), |limit| limit.to_string());
    for (device, limits) in &resources.rdma {
        let key = format!("{}.{device}", MAX.key).into();
        let (handles, objects) = (number(limits.handles), number(limits.objects));
        planner.set_as(key, &MAX, Scaled::same(format!("{device} hca_handle={handles} hca_object={objects}")))?;
    }
    Ok(())
}
