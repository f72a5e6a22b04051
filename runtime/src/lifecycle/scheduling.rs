//! How a process of a container is scheduled: properties that only the host's root may set on it.

use nix::sched::CpuSet;
use rustix::process::Pid;

use crate::error::Error;
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

/// Runs `make` on the processors of `execCPUAffinity.initial`, which the process that it makes inherits, and comes back.
pub(super) fn on_first_processors<T>(process: &Process, make: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let first = process.exec_cpu_affinity.as_ref().and_then(|affinity| affinity.initial.as_ref());
    let Some(first) = first else { return make() };
    let (own, failed) = (nix::unistd::Pid::from_raw(0), affinity_failed("process.execCPUAffinity.initial", first));
    let before = nix::sched::sched_getaffinity(own).map_err(&failed)?;
    processors(first).and_then(|set| nix::sched::sched_setaffinity(own, &set)).map_err(&failed)?;
    let made = make();
    nix::sched::sched_setaffinity(own, &before).map_err(&failed)?;
    made
}

/// Sets `execCPUAffinity.final` on a process that is in the container's cgroup by now.
pub(super) fn confine_to_last_processors(pid: Pid, process: &Process) -> Result<(), LifecycleError> {
    let last = process.exec_cpu_affinity.as_ref().and_then(|affinity| affinity.last.as_ref());
    let Some(last) = last else { return Ok(()) };
    let pid = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
    let set = processors(last).and_then(|set| nix::sched::sched_setaffinity(pid, &set));
    set.map_err(affinity_failed("process.execCPUAffinity.final", last))
}

fn processors(numbers: &[u32]) -> nix::Result<CpuSet> {
    let mut set = CpuSet::new();
    for number in numbers {
        set.set(usize::try_from(*number).map_err(|_large| nix::Error::EINVAL)?)?;
    }
    Ok(set)
}

fn affinity_failed(field: &'static str, numbers: &[u32]) -> impl Fn(nix::Error) -> LifecycleError {
    move |error| LifecycleError::Property { field, value: format!("{numbers:?}"), source: error.into() }
}
