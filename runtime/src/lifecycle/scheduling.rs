//! How a process of a container is scheduled: properties that only the host's root may set on it.

use rustix::process::Pid;

use crate::lifecycle::LifecycleError;
use crate::spec::container::Process;
use crate::sys::task::{self, SchedulerAttributes};

/// Sets `process.scheduler` and `process.ioPriority` on the process `pid`, which has not executed the workload yet and
/// passes them on to it.
pub(super) fn apply(pid: Pid, process: &Process) -> Result<(), LifecycleError> {
    if let Some(asked) = process.io_priority {
        task::set_io_priority(pid, asked.class.number(), asked.level).map_err(|source| LifecycleError::Property {
            field: "process.ioPriority",
            value: format!("{:?}, level {}", asked.class, asked.level),
            source,
        })?;
    }
    let Some(asked) = process.scheduler else { return Ok(()) };
    let attributes = SchedulerAttributes {
        policy: asked.policy.number(),
        flags: asked.flags,
        nice: asked.nice,
        priority: asked.priority,
        runtime: asked.runtime,
        deadline: asked.deadline,
        period: asked.period,
    };
    task::set_scheduler(pid, attributes).map_err(|source| LifecycleError::Property {
        field: "process.scheduler",
        value: format!("{:?}", asked.policy),
        source,
    })
}
