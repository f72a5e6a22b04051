//! What the launcher does for a process between its clone and its `execve(2)`: the conversation over the channel, the
//! hand-over of its listener, and the properties that only the host may set. For the first process of a container and
//! for those that join it later.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use lazaret_sentry::handoff;
use lazaret_sentry::record_policy::Policy;
use rustix::process::Pid;

use crate::cgroup::Cgroup;
use crate::channel::{self, FromInit, ToInit};
use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::lifecycle::agent::{self, Agent};
use crate::options::{Intercepted, Interceptor, Mode};
use crate::sentry_link::{Sentry, SentryError};
use crate::spec::container::{Container, Namespace, Rlimit};
use crate::sys;

/// What stands once a process is confined.
pub(super) struct Confined {
    /// Protections that this host could not give.
    pub(super) missing: Vec<String>,
    /// How its trapped calls reach the sentry; `None` without a sentry.
    pub(super) interceptor: Option<Intercepted>,
}

/// Whose calls are to be trapped, how, and what the sentry is told of it.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    /// The container's id.
    pub(super) id: &'a str,
    /// The process.
    pub(super) pid: Pid,
    /// Its pidfd.
    pub(super) pidfd: BorrowedFd<'a>,
    /// When the container started, on `CLOCK_BOOTTIME`.
    pub(super) started: Duration,
    /// The container's cgroup.
    pub(super) cgroup: &'a Cgroup,
    /// What was asked for.
    pub(super) interceptor: Interceptor,
    /// How much is recorded.
    pub(super) records: &'a Policy,
    /// Whether the container's root may mount inside.
    pub(super) nested: bool,
}

/// Waits until the process is confined, and has the sentry trap its calls: by its listener, or by tracing it.
pub(super) fn confine(
    channel: &OwnedFd,
    sentry: Option<&Sentry>,
    container: &Container,
    watch: Watch<'_>,
    mut agent: Option<Agent>,
) -> Result<Confined, Error> {
    let (mut message, mut listener) = agent::receive(channel, &mut agent)?;
    let mut untraced = None;
    let is_traceable = message == FromInit::Traceable;
    if is_traceable {
        untraced = trace(sentry, container, watch)?;
        let answer = if untraced.is_none() { ToInit::Traced } else { ToInit::Untraced };
        channel::send(channel, &answer, None)?;
        (message, listener) = agent::receive(channel, &mut agent)?;
    }
    let mut missing = match message {
        FromInit::Confined { missing } => missing,
        FromInit::Traceable | FromInit::Prepared | FromInit::Listening => {
            return Err(channel::ChannelError::OutOfTurn.into());
        }
        FromInit::Failed(failure) => return Err(failure.into()),
    };
    agent::settle(channel, agent)?;
    let interceptor = match (sentry, listener, &untraced) {
        (None, _, _) => None,
        (Some(sentry), Some(listener), _) => {
            hand_over(sentry, container, watch, (handoff::Interceptor::Notify, listener.as_fd()))?;
            Some(Intercepted::Notify)
        }
        (Some(_sentry), None, None) if is_traceable => Some(Intercepted::Ptrace),
        (Some(_sentry), None, _) => Some(Intercepted::None),
    };
    missing.extend(untraced);
    for protection in &missing {
        tracing::warn!(protection, "a protection does not hold on this host");
    }
    Ok(Confined { missing, interceptor })
}

/// Has the sentry trace the process. Where that was not the only way asked for, a failure is what the state is to say.
fn trace(sentry: Option<&Sentry>, container: &Container, watch: Watch<'_>) -> Result<Option<String>, Error> {
    let Some(sentry) = sentry else { return Ok(Some(UNWITNESSED.to_owned())) };
    match hand_over(sentry, container, watch, (handoff::Interceptor::Ptrace, watch.pidfd)) {
        Ok(()) => Ok(None),
        Err(error @ SentryError::CannotTrace { .. }) if watch.interceptor == Interceptor::Auto => {
            Ok(Some(format!("{UNWITNESSED} ({error})")))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the state says of a container whose calls are not trapped.
const UNWITNESSED: &str =
    "sentry: the kernel grants neither a second listener nor a tracer here; refusals hold and leave no record";

/// Gives the sentry what traps the calls, with what it needs to answer for this container.
fn hand_over(
    sentry: &Sentry,
    container: &Container,
    watch: Watch<'_>,
    (interceptor, trap): (handoff::Interceptor, BorrowedFd<'_>),
) -> Result<(), SentryError> {
    sentry.jailed()?;
    let (limit, usage) = watch.cgroup.memory_files();
    let handoff = handoff::Handoff {
        version: handoff::VERSION,
        container: watch.id.to_owned(),
        may_set_hostname: container.namespaces.uts != Namespace::Host,
        may_mount: watch.nested,
        has_memory_limit: limit.is_some(),
        has_memory_usage: usage.is_some(),
        started: watch.started,
        sandbox_pid: watch.pid.as_raw_nonzero().get(),
        interceptor,
        records: watch.records.clone(),
    };
    let memory = [limit.as_ref(), usage.as_ref()].into_iter().flatten().map(AsFd::as_fd);
    let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(trap).chain(memory).collect();
    sentry.watch(handoff, &descriptors)
}

/// Waits until the workload is executed: the channel's end of file.
pub(super) fn executed(channel: &OwnedFd) -> Result<(), Error> {
    match channel::receive::<FromInit>(channel) {
        Err(channel::ChannelError::Closed) => Ok(()),
        Ok((FromInit::Failed(failure), _)) => Err(failure.into()),
        Ok((_message, _)) => Err(channel::ChannelError::OutOfTurn.into()),
        Err(error) => Err(error.into()),
    }
}

/// Now, on `CLOCK_BOOTTIME`.
pub(super) fn boot_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default()
}

/// `process.oomScoreAdj`: lowering it needs a right that only we have.
pub(super) fn set_oom_score(pid: Pid, score: Option<i32>) -> Result<(), Error> {
    let Some(score) = score else { return Ok(()) };
    std::fs::write(format!("/proc/{}/oom_score_adj", pid.as_raw_nonzero()), score.to_string()).map_err(|source| {
        LifecycleError::Property { field: "process.oomScoreAdj", value: score.to_string(), source }.into()
    })
}

/// Raises hard limits of `process.rlimits`, which only we may. The process sets the rest itself, last of all: limits are
/// for the workload, not for its set-up.
pub(super) fn raise_rlimits(pid: Pid, rlimits: &[Rlimit]) -> Result<(), Error> {
    for rlimit in rlimits.iter().filter(|rlimit| sys::process::is_raise(rlimit.resource, rlimit.hard)) {
        sys::process::set_rlimit(pid, rlimit.resource, rlimit.soft, rlimit.hard).map_err(|source| {
            LifecycleError::Property {
                field: "process.rlimits",
                value: format!("{}:{} (resource {})", rlimit.soft, rlimit.hard, rlimit.resource),
                source,
            }
        })?;
    }
    Ok(())
}

/// Every descriptor that the workload is to inherit must be the caller's (a gap would be filled by one of ours), and in
/// a sandbox none may be a directory.
pub(super) fn check_preserved(count: u32, mode: Mode) -> Result<(), Error> {
    for fd in 3..3_u32.saturating_add(count) {
        let kind = std::fs::metadata(format!("/proc/self/fd/{fd}"));
        match kind {
            Err(_closed) => return Err(LifecycleError::PreserveFds { count, missing: fd }.into()),
            Ok(kind) if kind.is_dir() && mode.is_confined() => return Err(LifecycleError::DirectoryStream.into()),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Sends the process's pidfd to whoever listens at `path`, as runc does it: one byte string with the descriptor in
/// `SCM_RIGHTS`.
pub(super) fn send_pidfd(path: Option<&Path>, pidfd: &OwnedFd) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    let sent = channel::connect(path).and_then(|socket| channel::send_descriptor(&socket, b"pidfd", pidfd));
    sent.map_err(|source| LifecycleError::PidfdSocket { path: path.to_owned(), source }.into())
}

/// Writes the first process's id for the caller, whole or not at all.
pub(super) fn write_pid_file(path: Option<&Path>, pid: Pid) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::options().write(true).create_new(true).open(&new)?;
        std::io::Write::write_all(&mut file, pid.as_raw_nonzero().to_string().as_bytes())?;
        std::fs::rename(&new, path)
    };
    write().map_err(|source| LifecycleError::PidFile { path: path.to_owned(), source }.into())
}
