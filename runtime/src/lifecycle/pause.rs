//! `pause` and `resume`: the container's cgroup is frozen, and thawed again.
//!
//! Called by the command line and the shim. Nothing of it is stored: the status `paused` is read from the cgroup.

use crate::cgroup::{Cgroup, CgroupError};
use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::options::Options;
use crate::state::{Directory, Status, Stored};

/// Stops every process of a created or running container, and returns when they stand still.
///
/// # Errors
/// [`LifecycleError::NotRunning`] when it is stopped, [`LifecycleError::WrongStatus`] when it is being created or paused
/// already, `CgroupError::NotFrozen` when a process cannot be stopped in time (they all run again then).
pub fn pause(options: &Options, id: &str) -> Result<(), Error> {
    let (_locked, state) = open(options, id)?;
    let status = state.status();
    if !matches!(status, Status::Created | Status::Running) {
        return Err(refusal("pause", id, status, "created or running").into());
    }
    Ok(cgroup(&state)?.freeze()?)
}

/// Lets the processes of a paused container run again.
///
/// # Errors
/// [`LifecycleError::NotRunning`] when it is stopped, [`LifecycleError::WrongStatus`] when it is not paused.
pub fn resume(options: &Options, id: &str) -> Result<(), Error> {
    let (_locked, state) = open(options, id)?;
    let status = state.status();
    if status != Status::Paused {
        return Err(refusal("resume", id, status, "paused").into());
    }
    Ok(cgroup(&state)?.thaw()?)
}

/// The state, and the lock under which no other verb changes the container meanwhile.
fn open(options: &Options, id: &str) -> Result<(Directory, Stored), Error> {
    let directory = Directory::open(&options.root, id)?;
    let state = directory.read()?;
    Ok((directory, state))
}

fn cgroup(state: &Stored) -> Result<&Cgroup, CgroupError> {
    state.cgroup.as_ref().ok_or(CgroupError::NoHierarchy)
}

fn refusal(verb: &'static str, id: &str, status: Status, needed: &'static str) -> LifecycleError {
    let (id, word) = (id.to_owned(), status.name());
    match status {
        Status::Stopped => LifecycleError::NotRunning { id, status: word },
        Status::Creating | Status::Created | Status::Running | Status::Paused => {
            LifecycleError::WrongStatus { verb, id, status: word, needed }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_hold_the_words_that_callers_look_for() {
        let text = |status| refusal("resume", "c", status, "paused").to_string();
        assert!(text(Status::Stopped).contains("container not running"));
        assert_eq!(text(Status::Running), "cannot resume container \"c\": it is running, not paused");
    }
}
