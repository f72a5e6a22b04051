//! The hooks of the container's side: `createContainer` before the change of root, `startContainer` before the workload.
//! Which they are stands in the orders; what they are told of the process is filled in here.

use super::error::InitError;
use super::orders::{HookOrders, Workload};
use crate::channel::{self, FromInit};
use crate::hook_process::{self, HookState};

/// Lets the launcher run its hooks, then runs `createContainer`: in our namespaces, over the host's file system.
pub(super) fn before_change_of_root(workload: &Workload) -> Result<(), InitError> {
    let Some(orders) = &workload.hooks else { return Ok(()) };
    if orders.launcher_has_some {
        channel::send(&workload.channel, &FromInit::Prepared, None)?;
        channel::receive_go(&workload.channel)?;
    }
    Ok(hook_process::run_all("createContainer", &orders.create_container, &state(orders, "creating"))?)
}

/// Runs `startContainer`: with the rights of the workload, and behind the walls of the mode. One that names no environment
/// has the workload's, as under runc.
pub(super) fn before_workload(workload: &Workload) -> Result<(), InitError> {
    let Some(orders) = &workload.hooks else { return Ok(()) };
    let mut hooks = orders.start_container.clone();
    for hook in hooks.iter_mut().filter(|hook| hook.env.is_empty()) {
        hook.env.clone_from(&workload.process.env);
    }
    Ok(hook_process::run_all("startContainer", &hooks, &state(orders, "created"))?)
}

/// The container's process as the container counts (runtime.md, "pid").
fn state(orders: &HookOrders, status: &'static str) -> HookState {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    HookState { status, pid, ..orders.state.clone() }
}
