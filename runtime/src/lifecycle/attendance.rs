//! What the launcher does on the host while a container's first process sets itself up: it moves network devices, runs
//! the hooks that stand before the change of root, and hands the listener of the bundle's own filter to its agent.

use std::os::fd::OwnedFd;

use rustix::process::Pid;

use crate::channel::{self, ChannelError, FromInit, ToInit};
use crate::error::Error;
use crate::hook_process::HookState;
use crate::hooks::{self, Kept};
use crate::lifecycle::agent::Agent;
use crate::net_devices;
use crate::spec::container::Container;
use crate::state::{Status, Stored};

/// The words of a container for its hooks: of the status `status` with the first process `pid` (0: it has ended).
pub(super) fn hook_state(stored: &Stored, status: Status, pid: i32) -> HookState {
    HookState {
        oci_version: stored.oci_version.clone(),
        id: stored.id.clone(),
        status: status.name(),
        pid,
        bundle: stored.bundle.clone(),
        annotations: stored.annotations.clone(),
    }
}

/// The same for hooks of a container that runs.
pub(super) fn running(stored: &Stored) -> HookState {
    hook_state(stored, Status::Running, stored.init.map_or(0, |init| init.pid))
}

/// The hooks after the end of a container, of which the runtime specification wants them also when its creation fails
/// after others may have run.
#[derive(Debug)]
pub(super) struct Farewell {
    hooks: Kept,
    state: HookState,
}

impl Farewell {
    /// Those of `container`.
    pub(super) fn of(container: &Container, stored: &Stored) -> Self {
        Self { hooks: Kept::of(&container.hooks), state: hook_state(stored, Status::Stopped, 0) }
    }

    /// Runs them.
    pub(super) fn say(self) {
        self.hooks.poststop(|| self.state);
    }
}

/// A connection to the seccomp agent of `container`, if it has one, for its process `pid`.
pub(super) fn connect_agent(
    container: &Container,
    stored: &Stored,
    pid: Pid,
    status: Status,
) -> Result<Option<Agent>, Error> {
    let pid = pid.as_raw_nonzero().get();
    let first = stored.init.map_or(pid, |init| init.pid);
    Ok(Agent::connect(container.seccomp.as_ref(), pid, &hook_state(stored, status, first))?)
}

/// Attends to the first process `pid` until it may change its root.
pub(super) fn attend(channel: &OwnedFd, container: &Container, stored: &Stored, pid: Pid) -> Result<(), Error> {
    net_devices::move_all(&container.net_devices, pid)?;
    if !awaited(container) {
        return Ok(());
    }
    match channel::receive::<FromInit>(channel)? {
        (FromInit::Prepared, _) => {}
        (FromInit::Failed(failure), _) => return Err(failure.into()),
        _ => return Err(ChannelError::OutOfTurn.into()),
    }
    let state = hook_state(stored, Status::Creating, pid.as_raw_nonzero().get());
    hooks::before_change_of_root(&container.hooks, &state)?;
    Ok(channel::send(channel, &ToInit::Go, None)?)
}

/// Whether the first process waits for hooks of the launcher's before it changes its root.
pub(super) fn awaited(container: &Container) -> bool {
    !container.hooks.prestart.is_empty() || !container.hooks.create_runtime.is_empty()
}
