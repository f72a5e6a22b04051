//! The sentry: the process that holds the seccomp user-notification listeners of one pod, refuses what the filter
//! sends it, answers the few calls that are emulated, and records every decision.
//!
//! The launcher forks it into the pod's user namespace and calls [`serve`], which is the whole life of that process.
//! `jail` makes it harmless, `watch` is the main thread, `supervisor` is one thread for each listener and the only
//! place that answers and records. A trapped call goes `notify` -> `dispatch` -> `copyin` -> `request` -> `decide` ->
//! `handlers` -> `verdict`; nothing after `copyin` reads guest memory, and no verdict lets a call through unchanged.
//!
//! The runtime uses [`handoff`] to speak to it and [`record`] to read what it wrote. It must not use anything else.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

pub mod handoff;
pub mod limits;
pub mod record;

/// What the launcher hands to the forked child that becomes the sentry.
#[derive(Debug)]
pub struct Seat {
    /// `AF_UNIX` `SOCK_SEQPACKET`; the runtime ("monitor") holds the other end. See [`handoff`].
    pub control: OwnedFd,
    /// The audit file, opened for writing with `O_APPEND`; one JSON line for each record. See [`record`].
    pub audit: OwnedFd,
    /// Directory descriptor of a private procfs (`hidepid=ptraceable`) of the PID namespace the sentry lives in.
    pub proc: OwnedFd,
    /// Directory descriptor of a detached, empty, read-only tmpfs: it becomes the root directory.
    pub empty_root: OwnedFd,
}

/// The whole life of the sentry process: puts itself into its jail, says [`handoff::FromSentry::Jailed`], takes
/// handoffs and serves their listeners until all of them are dead.
///
/// To be called in a single-threaded child process, which must end with the code that comes back: on return every
/// descriptor of the process other than the seat's is closed, whoever believed to own it.
///
/// Code 0 when every listener that was handed over is dead and all records are written. On a failure of its own it
/// says [`handoff::FromSentry::Failed`] and the code is 1; the kernel then answers trapped calls with `ENOSYS`.
#[must_use]
pub fn serve(seat: Seat) -> ExitCode {
    drop(seat);
    ExitCode::FAILURE
}
