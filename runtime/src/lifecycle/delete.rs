//! `delete`: removes everything that a container has left, from its state on disk alone.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::hooks::Kept;
use crate::idmap;
use crate::lifecycle::fit::Verb;
use crate::lifecycle::salvage::{self, Damage};
use crate::lifecycle::{LifecycleError, attendance, kill};
use crate::options::{Intercepted, Options};
use crate::state::{Directory, ProcessId, StateError, Status, Stored};

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the sentry and the monitor may take to write their last and end by themselves.
const FLUSH: Duration = Duration::from_secs(2);

/// Deletes a stopped container; with `force` also one that is not stopped (it is killed first) or whose creation was
/// interrupted, or whose state is damaged or gone; a container that does not exist is no error.
///
/// # Errors
/// [`LifecycleError::WrongStatus`] unless it is stopped; what clean-up may meet. A second call continues where a failed
/// one stopped.
pub fn delete(options: &Options, id: &str, force: bool) -> Result<(), Error> {
    let directory = match Directory::open(&options.root, id) {
        Err(StateError::NotFound { .. }) if force => {
            // Nobody made it, or somebody removed its directory while it ran.
            let owner = options.root.join(id);
            salvage::end_all(&owner, id, Damage::NoDirectory)?;
            return Ok(idmap::release_of(&owner)?);
        }
        directory => directory?,
    };
    let state = match directory.read() {
        Ok(state) => state,
        // A creation that died before its first write, or a damaged file.
        Err(unreadable) if force => {
            let was_written = !matches!(unreadable, StateError::Unwritten { .. });
            let damage = if was_written { Damage::Unreadable } else { Damage::Unwritten };
            salvage::end_all(directory.path(), id, damage)?;
            return remove(&directory);
        }
        Err(error) => return Err(error.into()),
    };
    let status = state.status();
    if !force {
        Verb::Delete.check(id, status)?;
    }
    if status == Status::Paused {
        kill_frozen(&state)?;
    }
    end_processes(&state, id)?;
    if let Some(mount) = &state.host_mount {
        mount.take_away()?;
    }
    if let Some(cgroup) = &state.cgroup {
        cgroup.delete()?;
    }
    if let Some(cgroup) = &state.sentry_cgroup {
        cgroup.delete_of_sentry()?;
    }
    Cgroup::remove_unused(&state.cgroup_places);
    let hooks = Kept::read(directory.path());
    remove(&directory)?;
    drop(directory);
    match hooks {
        Ok(hooks) => hooks.poststop(|| attendance::hook_state(&state, Status::Stopped, 0)),
        // As a hook that fails: the container is gone.
        Err(error) => tracing::warn!("{}", crate::causes::chain(&error)),
    }
    Ok(())
}

/// The state directory last: as long as it is there, the rest can be found again.
fn remove(directory: &Directory) -> Result<(), Error> {
    let owner = directory.path();
    match directory.read().ok().and_then(|state| state.lease) {
        Some(lease) => idmap::release(&lease, owner)?,
        None => idmap::release_of(owner)?,
    }
    Ok(directory.remove()?)
}

/// Ends the container's processes, then lets sentry and monitor finish, and ends those that do not.
pub(super) fn end_processes(state: &Stored, id: &str) -> Result<(), Error> {
    if let Some(init) = state.init {
        send_kill(init)?;
        end_stuck_tracer(state, init, id)?;
        kill_and_wait(init, id)?;
    }
    if let Some(cgroup) = &state.cgroup {
        kill_cgroup(cgroup)?;
    }
    for process in [state.sentry, state.monitor].into_iter().flatten() {
        if !wait_for(process, FLUSH)? {
            kill_and_wait(process, id)?;
        }
    }
    Ok(())
}

/// The cgroup first: on v1 its `kill` thaws, without which no process there would end.
fn kill_frozen(state: &Stored) -> Result<(), Error> {
    state.cgroup.as_ref().map_or(Ok(()), |cgroup| Ok(cgroup.kill()?))
}

fn kill_cgroup(cgroup: &Cgroup) -> Result<(), Error> {
    if cgroup.pids()?.is_empty() { Ok(()) } else { Ok(cgroup.kill()?) }
}

/// The first process of a pid namespace ends after all others are reaped, and a traced process is reaped by its tracer
/// first: one that is stopped would keep it for ever.
fn end_stuck_tracer(state: &Stored, init: ProcessId, id: &str) -> Result<(), Error> {
    match (state.interceptor, state.sentry) {
        (Some(Intercepted::Ptrace), Some(sentry)) if !wait_for(init, FLUSH)? => kill_and_wait(sentry, id),
        _ => Ok(()),
    }
}

fn send_kill(process: ProcessId) -> Result<(), Error> {
    match kill::open(process)?.map(|pidfd| rustix::process::pidfd_send_signal(&pidfd, Signal::KILL)) {
        Some(Err(error)) if error != rustix::io::Errno::SRCH => Err(LifecycleError::Signal(error.into()).into()),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn kill_and_wait(process: ProcessId, id: &str) -> Result<(), Error> {
    send_kill(process)?;
    if wait_for(process, PATIENCE)? { Ok(()) } else { Err(LifecycleError::Undead(id.to_owned()).into()) }
}

/// Whether the process has ended within the limit. A zombie has.
pub(super) fn wait_for(process: ProcessId, limit: Duration) -> Result<bool, LifecycleError> {
    let Some(pidfd) = kill::open(process)? else { return Ok(true) };
    let limit = Timespec::try_from(limit).ok();
    let ready = rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], limit.as_ref());
    ready.map(|ready| ready > 0).map_err(|error| LifecycleError::Wait(error.into()))
}
