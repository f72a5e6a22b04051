//! What the launcher does for a process between its clone and its `execve(2)`: the conversation over the channel, the
//! hand-over of its listener, and the properties that only the host may set. For the first process of a container and
//! for those that join it later.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;

use crate::cgroup::Cgroup;
use crate::channel::{self, FromInit};
use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::options::Mode;
use crate::sentry_link::Sentry;
use crate::spec::container::{Container, Namespace, Rlimit};
use crate::sys;

/// Waits until the process is confined; returns the protections that this host could not give, and its listener.
pub(super) fn confined(channel: &OwnedFd) -> Result<(Vec<String>, Option<OwnedFd>), Error> {
    match channel::receive::<FromInit>(channel)? {
        (FromInit::Confined { missing }, listener) => {
            for protection in &missing {
                tracing::warn!(protection, "a protection does not hold on this host");
            }
            Ok((missing, listener))
        }
        (FromInit::Failed(failure), _) => Err(failure.into()),
    }
}

/// Waits until the workload is executed: the channel's end of file.
pub(super) fn executed(channel: &OwnedFd) -> Result<(), Error> {
    match channel::receive::<FromInit>(channel) {
        Err(channel::ChannelError::Closed) => Ok(()),
        Ok((FromInit::Failed(failure), _)) => Err(failure.into()),
        Ok((FromInit::Confined { .. }, _)) => Err(channel::ChannelError::Closed.into()),
        Err(error) => Err(error.into()),
    }
}

/// What the sentry is told of the container whose process it is to watch.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    /// The container's id.
    pub(super) id: &'a str,
    /// The process.
    pub(super) pid: Pid,
    /// When the container started, on `CLOCK_BOOTTIME`.
    pub(super) started: Duration,
    /// The container's cgroup.
    pub(super) cgroup: &'a Cgroup,
}

/// Gives the listener to the sentry, with what it needs to answer for this container.
pub(super) fn hand_over(
    sentry: Option<&Sentry>,
    listener: Option<OwnedFd>,
    container: &Container,
    watch: Watch<'_>,
) -> Result<(), Error> {
    let (Some(sentry), Some(listener)) = (sentry, listener) else { return Ok(()) };
    sentry.jailed()?;
    let (limit, usage) = watch.cgroup.memory_files();
    let handoff = lazaret_sentry::handoff::Handoff {
        version: lazaret_sentry::handoff::VERSION,
        container: watch.id.to_owned(),
        may_set_hostname: container.namespaces.uts != Namespace::Host,
        has_memory_limit: limit.is_some(),
        has_memory_usage: usage.is_some(),
        started: watch.started,
        sandbox_pid: watch.pid.as_raw_nonzero().get(),
    };
    let descriptors: Vec<BorrowedFd<'_>> =
        [Some(&listener), limit.as_ref(), usage.as_ref()].into_iter().flatten().map(AsFd::as_fd).collect();
    sentry.watch(handoff, &descriptors)?;
    Ok(())
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
            Ok(kind) if kind.is_dir() && mode == Mode::Sandbox => return Err(LifecycleError::DirectoryStream.into()),
            Ok(_) => {}
        }
    }
    Ok(())
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
