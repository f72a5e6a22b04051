//! `pause` and `resume`: the container's cgroup is frozen, and thawed again.
//!
//! Called by the command line and the shim. Nothing of it is stored: the status `paused` is read from the cgroup.

use crate::cgroup::{Cgroup, CgroupError};
use crate::error::Error;
use crate::lifecycle::fit::{self, Verb};
use crate::options::Options;
use crate::state::Stored;

/// Stops every process of a created or running container, and returns when they stand still.
///
/// # Errors
/// `LifecycleError::NotRunning` when it is stopped, `LifecycleError::WrongStatus` when it is being created or paused
/// already, `CgroupError::NotFrozen` when a process cannot be stopped in time (they all run again then).
pub fn pause(options: &Options, id: &str) -> Result<(), Error> {
    let held = fit::hold(options, id, Verb::Pause)?;
    Ok(cgroup(&held.stored)?.freeze()?)
}

/// Lets the processes of a paused container run again.
///
/// # Errors
/// `LifecycleError::NotRunning` when it is stopped, `LifecycleError::WrongStatus` when it is not paused.
pub fn resume(options: &Options, id: &str) -> Result<(), Error> {
    let held = fit::hold(options, id, Verb::Resume)?;
    Ok(cgroup(&held.stored)?.thaw()?)
}

fn cgroup(state: &Stored) -> Result<&Cgroup, CgroupError> {
    state.cgroup.as_ref().ok_or(CgroupError::NoHierarchy)
}
