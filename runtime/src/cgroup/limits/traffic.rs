//! The class and the priorities of a container's packets: v1 alone; on v2, programs of a network policy do this. Pure;
//! used by `plan` alone.

use crate::cgroup::error::CgroupError;
use crate::cgroup::limits::planner::{Controller, Limit, Planner, Scaled};
use crate::spec::resources::Resources;

const CLASS: Limit = Limit {
    key: "linux.resources.network.classID",
    controller: Controller { v1: "net_cls", v2: None },
    v1: "net_cls.classid",
    v2: None,
};
const PRIORITY: Limit = Limit {
    key: "linux.resources.network.priorities",
    controller: Controller { v1: "net_prio", v2: None },
    v1: "net_prio.ifpriomap",
    v2: None,
};

pub(super) fn plan(resources: &Resources, planner: &mut Planner<'_>) -> Result<(), CgroupError> {
    if let Some(class) = resources.network_class {
        planner.set(&CLASS, Scaled::same(class))?;
    }
    for (interface, priority) in &resources.network_priorities {
        planner.set(&PRIORITY, Scaled::same(format!("{interface} {priority}")))?;
    }
    Ok(())
}
