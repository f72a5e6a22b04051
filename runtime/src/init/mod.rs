//! Stage 2: the container's first process, from the clone to `execve(2)` of the workload.
//!
//! Runs inside the new namespaces, on a copy of the launcher's memory. It obeys its [`orders`], reports over the
//! channel, and never returns to the launcher's code. It must not know `lifecycle`, `state`, `hooks` or `cgroup`:
//! nothing here acts on the host.

pub mod orders;

mod confine;
mod console;
mod container_hooks;
mod copy_up;
mod devices;
mod domain;
mod environment;
mod error;
mod exec;
mod identity;
pub(crate) mod inside;
pub mod join;
mod mounts;
mod names;
mod paths;
mod reaper;
mod rootfs;

use crate::channel::{self, FromInit};
use crate::sys;

use error::InitError;
use orders::Orders;

/// Exit status of stage 2 when a step failed; the launcher has the reason by then.
const FAILED: u8 = 125;

/// Carries the orders out. Returns only on failure, with the exit status.
pub fn run(orders: Orders) -> u8 {
    // Never dropped: its descriptors are closed by number on the way, and the rest ends with the process.
    let mut orders = std::mem::ManuallyDrop::new(orders);
    let Err(error) = become_the_workload(&mut orders);
    let failure = FromInit::Failed((&error).into());
    // When the launcher is gone there is nobody to tell; the exit status says the rest.
    channel::send(&orders.workload.channel, &failure, None).map_or(FAILED, |()| FAILED)
}

/// The steps, in the only order in which each of them still may do what it does.
fn become_the_workload(orders: &mut Orders) -> Result<std::convert::Infallible, InitError> {
    keep_own_descriptors(orders)?;
    enter_cgroups(&orders.cgroup_tasks)?;
    if orders.new_cgroup {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP)
            .map_err(|error| InitError::Names { what: "cgroup namespace", source: error.into() })?;
    }
    if orders.in_userns {
        identity::become_root_inside()?;
    }
    identity::new_session()?;
    identity::take_streams(&orders.stdio)?;
    if orders.root.on_host.is_none() {
        rootfs::leave_host_propagation()?;
    }
    let made = mounts::make_filesystems(&mut orders.mounts)?;
    rootfs::attach(&orders.root, orders.workload.hooks.as_ref().and_then(|hooks| hooks.root_path.as_deref()))?;
    let kernel = mounts::place(orders, made)?;
    let null = devices::make(orders)?;
    if let Some(socket) = orders.console.take() {
        console::set_up(&orders.root.tree, &socket, orders.workload.process.console_size)?;
    }
    names::set(orders)?;
    names::write_sysctls(orders, &kernel)?;
    if orders.loopback {
        sys::namespace::loopback_up().map_err(|source| InitError::Names { what: "loopback interface up", source })?;
    }
    make_working_directory(orders)?;
    paths::protect(orders, &kernel, &null)?;
    drop((null, kernel));
    container_hooks::before_change_of_root(&orders.workload)?;
    rootfs::enter(&orders.root)?;
    exec::enter(&mut orders.workload)
}

/// Makes the working directory if the image has none of that name, as runc does; what else is wrong with it is told when
/// it is entered.
fn make_working_directory(orders: &Orders) -> Result<(), InitError> {
    let path = orders.workload.process.cwd.as_path();
    match inside::find(&orders.root.tree, path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = inside::make_directory(&orders.root.tree, path).map(drop);
            made.map_err(|source| InitError::Cwd { path: path.to_owned(), source })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Closes what the launcher had open: its ends of our sockets, whose end of file tells us that it died, and the state
/// directory, whose lock would live on with us.
fn keep_own_descriptors(orders: &Orders) -> Result<(), InitError> {
    let own = orders.descriptors();
    sys::clone::close_all_but_from(3_u32.saturating_add(orders.workload.preserve_fds), &own).map_err(InitError::Gate)
}

/// Enters the v1 cgroups; v2's is where the clone put us. A cgroup namespace unshared after it has them as its root.
fn enter_cgroups(tasks: &[std::os::fd::OwnedFd]) -> Result<(), InitError> {
    for tasks in tasks {
        rustix::io::write(tasks, b"0").map_err(|error| InitError::Names { what: "cgroups", source: error.into() })?;
    }
    Ok(())
}

/// A new instance of a file system in the caller's namespaces, as a detached mount.
///
/// # Errors
/// The kernel's own.
pub fn new_filesystem(
    fstype: &std::ffi::CStr,
    source: &std::ffi::CStr,
    data: &[(std::ffi::CString, Option<std::ffi::CString>)],
) -> std::io::Result<std::os::fd::OwnedFd> {
    Ok(mounts::make(fstype, source, data)?)
}
