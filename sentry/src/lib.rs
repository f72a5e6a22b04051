//! The sentry: the process that holds the seccomp user-notification listeners of one pod, refuses what the filter
//! sends it, answers the few calls that are emulated, and records every decision.
//!
//! The launcher forks it into the pod's user namespace and calls [`serve`], which is the whole life of that process.
//! `jail` makes it harmless, `watch` is the main thread, `crew` are the threads of one container (for a tracer `pump` and
//! `errands` stand before them), and `court` is the only place that answers and records. A trapped call goes `notify` or `ptrace` -> `dispatch` -> `copyin` -> `request` -> `decide` ->
//! `handlers` -> `verdict`; nothing after `copyin` reads guest memory, and what has read any cannot let the call through ([`verdict`]).
//!
//! The runtime uses [`handoff`], [`nested`] and [`mount_flag`] to speak to it and [`record`] to read what it wrote; [`trace`] and [`probe`] are no part of the process, they
//! share its decoders and calls. It must not use anything else;
//! [`verdict`] is public for its proofs, which are compiled from outside.

pub mod admission;
mod audit;
mod bucket;
mod changes;
pub mod clock;
mod container;
mod copyin;
pub mod counters;
mod court;
mod crew;
mod decide;
mod desk;
mod dispatch;
mod errands;
#[cfg(feature = "fuzz-door")]
pub mod fuzz_door;
mod handlers;
pub mod handoff;
mod interceptor;
mod jail;
pub mod kubernetes;
mod level;
pub mod limits;
mod monitor;
pub mod mount_flag;
pub mod nested;
mod notify;
pub mod probe;
mod ptrace;
mod pump;
pub mod record;
pub mod record_line;
pub mod record_policy;
mod request;
mod signature;
mod sink;
mod socket_address;
#[expect(unsafe_code, reason = "system calls that no library wraps; the only unsafe code of this crate")]
mod sys;
mod text;
pub mod trace;
mod tracee;
pub mod verdict;
mod watch;

#[cfg(feature = "jail-hook")]
pub use jail::hook as jail_hook;

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

/// What the launcher hands to the forked child that becomes the sentry.
#[derive(Debug)]
pub struct Seat {
    /// `AF_UNIX` `SOCK_SEQPACKET`; the runtime ("monitor") holds the other end. See [`handoff`].
    pub control: OwnedFd,
    /// The audit file, opened for writing with `O_APPEND`; one JSON line for each record. See [`record`].
    pub audit: OwnedFd,
    /// Others that get the records, at most [`limits::SINKS`]: connected sockets or pipes that do not block.
    pub sinks: Vec<OwnedFd>,
    /// Where the counts go, a file of [`counters::BYTES`] bytes that is open for reading and writing; else nobody sees them.
    pub counters: Option<OwnedFd>,
    /// Directory descriptor of a private procfs (`hidepid=ptraceable`) of the PID namespace the sentry lives in.
    pub proc: OwnedFd,
    /// Directory descriptor of a detached, empty, read-only tmpfs: it becomes the root directory.
    pub empty_root: OwnedFd,
    /// Whether it may have to trace ([`handoff::Interceptor::Ptrace`]): its jail is wider by the calls of that.
    pub may_trace: bool,
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
pub fn serve(mut seat: Seat) -> ExitCode {
    let cell = match jail::shut(&mut seat) {
        Ok(cell) => cell,
        Err(error) => {
            // Without a monitor there is nobody to tell: the code alone says it.
            return match handoff::send_to_monitor(seat.control.as_fd(), &handoff::FromSentry::failed(&error)) {
                Ok(()) | Err(_) => ExitCode::FAILURE,
            };
        }
    };
    let Seat { control, audit, sinks, counters: _mapped, proc, empty_root, may_trace } = seat;
    drop(empty_root);
    let jail::Cell { wake, audit_length, by_packet, counters, sizes } = cell;
    let sinks = sinks.into_iter().zip(by_packet).collect();
    let post = watch::Post { control, audit, audit_length, sinks, counters, proc, wake, sizes, may_trace };
    match watch::serve(post) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_told) => ExitCode::FAILURE,
    }
}
