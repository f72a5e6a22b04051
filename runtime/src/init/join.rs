//! Stage 2 of `exec`: a further process of a container that runs, from the clone into its namespaces to `execve(2)`.
//!
//! The container's own processes are about meanwhile, and everything that a path names is theirs: nothing here follows
//! one but the terminal's, which is checked, and the working directory, which the workload chooses anyway. They cannot
//! look into this process: the launcher made it non-dumpable, for rights over the host's user namespace alone.

use std::convert::Infallible;

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};

use super::error::InitError;
use super::orders::JoinOrders;
use super::{FAILED, console, enter_cgroups, exec, identity};
use crate::channel::{self, FromInit};
use crate::sys;

/// Carries the orders out. Returns only on failure, with the exit status.
pub fn run(orders: JoinOrders) -> u8 {
    // Never dropped, as in the first process.
    let mut orders = std::mem::ManuallyDrop::new(orders);
    let Err(error) = become_the_workload(&mut orders);
    let failure = FromInit::Failed((&error).into());
    channel::send(&orders.workload.channel, &failure, None).map_or(FAILED, |()| FAILED)
}

fn become_the_workload(orders: &mut JoinOrders) -> Result<Infallible, InitError> {
    let own = orders.descriptors();
    let first = 3_u32.saturating_add(orders.workload.preserve_fds);
    sys::clone::close_all_but_from(first, &own).map_err(InitError::Gate)?;
    drop(own);
    enter_cgroups(&orders.cgroup_tasks)?;
    enter_namespaces(orders)?;
    if orders.in_userns {
        identity::become_root_inside()?;
    }
    identity::new_session()?;
    identity::take_streams(&orders.stdio)?;
    if let Some(socket) = orders.console.take() {
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| InitError::Root { operation: "open", source: error.into() })?;
        console::join(&root, &socket, orders.workload.process.console_size)?;
    }
    exec::enter(&mut orders.workload)
}

/// The namespaces that stage 1 could not enter for us: of cgroups, because the way into a cgroup from outside leads
/// through the host's; of time, because the kernel wants a process that shares its memory with no other.
fn enter_namespaces(orders: &JoinOrders) -> Result<(), InitError> {
    let (process, kinds) = &orders.namespaces;
    // Kept as they are: nix has no name for the time namespace.
    let kinds = CloneFlags::from_bits_retain(*kinds);
    if kinds.is_empty() {
        return Ok(());
    }
    nix::sched::setns(process, kinds)
        .map_err(|error| InitError::Names { what: "cgroup and time namespaces", source: error.into() })
}
