//! The sentry's own jail: after it, taking the sentry over gains nothing over the workload that it watches.
//!
//! Called by `serve`, once, while the process has one thread; [`shut`] reads as the list of what is taken away. Each
//! step that fails ends the sentry: none is optional. Landlock is not among them, because a process in a Landlock
//! domain may look only into domains nested in its own, and the workload has its own.

mod calls;
mod filter;
#[cfg(feature = "jail-hook")]
pub mod hook;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::signal::SigSet;
use rustix::event::EventfdFlags;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::counters::Counters;
use crate::{Seat, limits, sink, sys};

pub(crate) use filter::FilterError;

/// Where the seat's descriptors go, above those that are given to anything else by chance.
const FIRST_OF_SEAT: RawFd = 10;

/// What the sentry has beside its seat once the jail is shut.
#[derive(Debug)]
pub(crate) struct Cell {
    /// A nonblocking eventfd.
    pub(crate) wake: OwnedFd,
    /// Bytes in the audit file.
    pub(crate) audit_length: u64,
    /// Which of the seat's sinks take packets.
    pub(crate) by_packet: Vec<bool>,
    /// The counts that others see.
    pub(crate) counters: Counters,
    /// The kernel's sizes of notifications and answers.
    pub(crate) sizes: sys::Sizes,
}

/// Why the jail could not be shut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JailError {
    #[error("cannot block signals")]
    Signals(#[source] nix::errno::Errno),
    #[error("cannot put descriptors in order")]
    Descriptors(#[source] Errno),
    #[error("cannot enter the empty root")]
    Root(#[source] Errno),
    #[error("cannot limit {what}")]
    Limit {
        what: &'static str,
        #[source]
        source: Errno,
    },
    #[error("cannot set the {set} capabilities")]
    Capabilities {
        set: &'static str,
        #[source]
        source: CapsError,
    },
    #[error("cannot give up new privileges")]
    NoNewPrivileges(#[source] Errno),
    #[error("cannot hide from tracers")]
    Dumpable(#[source] Errno),
    #[error("cannot prepare what the jail will no longer allow: {what}")]
    Prepare {
        what: &'static str,
        #[source]
        source: Errno,
    },
    #[error("cannot install the system call filter")]
    Filter(#[source] FilterError),
}

/// Shuts the jail. `seat` keeps valid descriptors throughout, so that a failure can be told to the monitor.
pub(crate) fn shut(seat: &mut Seat) -> Result<Cell, JailError> {
    block_signals()?;
    sys::tame_heap();
    keep_only(seat).map_err(JailError::Descriptors)?;
    let cell = prepare(seat)?;
    // Mapped; what could write to it elsewhere is not needed any more.
    seat.counters = None;
    raise_permitted_capabilities()?;
    enter_empty_root(seat).map_err(JailError::Root)?;
    limit_resources()?;
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true).map_err(JailError::NoNewPrivileges)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(JailError::Dumpable)?;
    let descriptors = calls::Descriptors {
        control: seat.control.as_raw_fd(),
        records: [&seat.audit].into_iter().chain(&seat.sinks).map(AsRawFd::as_raw_fd).collect(),
        proc: seat.proc.as_raw_fd(),
        wake: cell.wake.as_raw_fd(),
    };
    let permits = calls::permits(&descriptors, seat.may_trace);
    #[cfg(not(feature = "jail-hook"))]
    filter::install(&permits).map_err(JailError::Filter)?;
    #[cfg(feature = "jail-hook")]
    hook::install(permits, seat).map_err(JailError::Filter)?;
    Ok(cell)
}

/// No signal but SIGKILL and SIGSTOP reaches the sentry: not Ctrl-C of a terminal that it shares with the command
/// line, not SIGXFSZ of the limit on the audit file, not SIGPIPE.
fn block_signals() -> Result<(), JailError> {
    SigSet::all().thread_block().map_err(JailError::Signals)
}

/// Closes everything but the seat, moves the seat out of the way, and puts the empty root on 0, 1 and 2, where nobody
/// can read or write: a stray message of a library must not end up in the control socket or the audit file.
fn keep_only(seat: &mut Seat) -> Result<(), Errno> {
    let seated = [&seat.control, &seat.audit, &seat.proc, &seat.empty_root].into_iter();
    let seated = seated.chain(&seat.sinks).chain(&seat.counters);
    let mut kept: Vec<RawFd> = seated.map(AsRawFd::as_raw_fd).collect();
    kept.sort_unstable();
    let mut first = 0;
    for descriptor in kept {
        if first < descriptor {
            sys::close_range(first, descriptor - 1)?;
        }
        first = descriptor + 1;
    }
    sys::close_range(first, RawFd::MAX)?;
    let seated = [&mut seat.control, &mut seat.audit, &mut seat.proc, &mut seat.empty_root];
    for descriptor in seated.into_iter().chain(&mut seat.sinks).chain(&mut seat.counters) {
        *descriptor = rustix::io::fcntl_dupfd_cloexec(&*descriptor, FIRST_OF_SEAT)?;
    }
    rustix::stdio::dup2_stdin(&seat.empty_root)?;
    rustix::stdio::dup2_stdout(&seat.empty_root)?;
    rustix::stdio::dup2_stderr(&seat.empty_root)
}

/// Does what the filter will forbid.
fn prepare(seat: &Seat) -> Result<Cell, JailError> {
    let wake = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
        .map_err(|source| JailError::Prepare { what: "an eventfd", source })?;
    let audit = rustix::fs::fstat(&seat.audit)
        .map_err(|source| JailError::Prepare { what: "the length of the audit file", source })?;
    let sizes = sys::notification_sizes()
        .map_err(|source| JailError::Prepare { what: "the sizes of notifications", source })?;
    let by_packet = seat.sinks.iter().map(sink::is_by_packet).collect();
    let counters = seat.counters.as_ref().map_or_else(|| Ok(Counters::private()), |file| Counters::of(file.as_fd()));
    let counters = counters.map_err(|source| JailError::Prepare { what: "the counts", source })?;
    Ok(Cell { wake, audit_length: u64::try_from(audit.st_size).unwrap_or_default(), by_packet, counters, sizes })
}

fn enter_empty_root(seat: &Seat) -> Result<(), Errno> {
    let root: BorrowedFd<'_> = seat.empty_root.as_fd();
    rustix::process::fchdir(root)?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")
}

/// `RLIMIT_NPROC` is not among them: it counts the processes of the pod's users together, so a fork bomb of the
/// workload would keep the sentry from starting a thread. The filter lets it make threads and no processes.
fn limit_resources() -> Result<(), JailError> {
    let limits = [
        ("descriptors", Resource::Nofile, limits::DESCRIPTORS),
        ("core dumps", Resource::Core, 0),
        ("the address space", Resource::As, limits::ADDRESS_SPACE),
        ("the audit file", Resource::Fsize, limits::AUDIT_RECORDS + limits::AUDIT_SUMMARY),
        ("locked memory", Resource::Memlock, 0),
        ("message queues", Resource::Msgqueue, 0),
    ];
    for (what, resource, value) in limits {
        // A launcher that is more limited stays so: raising a limit would need a right.
        let value = rustix::process::getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
        rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
            .map_err(|source| JailError::Limit { what, source })?;
    }
    Ok(())
}

/// The launcher's change of user has cleared the effective set; what is permitted is needed once more, for chroot(2)
/// and the bounding set.
fn raise_permitted_capabilities() -> Result<(), JailError> {
    let permitted =
        caps::read(None, CapSet::Permitted).map_err(|source| JailError::Capabilities { set: "permitted", source })?;
    caps::set(None, CapSet::Effective, &permitted)
        .map_err(|source| JailError::Capabilities { set: "effective", source })
}

/// Leaves `CAP_SYS_PTRACE` in the pod's user namespace, by which the sentry reads the memory of callers, and nothing
/// else. The bounding set goes first: dropping from it needs a capability that goes with the others.
fn drop_capabilities() -> Result<(), JailError> {
    let kept = CapsHashSet::from([Capability::CAP_SYS_PTRACE]);
    caps::clear(None, CapSet::Bounding).map_err(|source| JailError::Capabilities { set: "bounding", source })?;
    caps::clear(None, CapSet::Ambient).map_err(|source| JailError::Capabilities { set: "ambient", source })?;
    caps::clear(None, CapSet::Inheritable).map_err(|source| JailError::Capabilities { set: "inheritable", source })?;
    caps::set(None, CapSet::Effective, &kept).map_err(|source| JailError::Capabilities { set: "effective", source })?;
    caps::set(None, CapSet::Permitted, &kept).map_err(|source| JailError::Capabilities { set: "permitted", source })
}
