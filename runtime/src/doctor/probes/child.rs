//! Children of a probe, which end with it.

use rustix::process::{Pid, Signal};

use crate::doctor::answer::{Step as _, Want};
use crate::sys::clone;

/// A child that does nothing.
pub(super) fn idle() -> Result<Pid, Want> {
    let child = clone::fork_plainly(|| {
        bound_to_parent();
        loop {
            nix::unistd::pause();
        }
    });
    child.prepared("fork")
}

/// For the child: it ends with its parent.
pub(super) fn bound_to_parent() {
    if rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).is_err() {
        clone::exit_now(1);
    }
}

/// Ends a child that is not yet reaped: its number is its own.
pub(super) fn end(pid: Pid) {
    if rustix::process::kill_process(pid, Signal::KILL).is_ok() {
        clone::reap(pid);
    }
}
