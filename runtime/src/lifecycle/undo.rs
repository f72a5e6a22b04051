//! What a launch, or an `exec`, has made so far, and how it is taken back when a later step fails.
//!
//! Every field is filled by the step that made the thing, in the line after; dropping the value takes back whatever
//! is in it, in the reverse order. A launch that succeeds takes the things out.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions};

use crate::cgroup::CgroupGuard;
use crate::host_mount::HostMount;
use crate::idmap::Lease;
use crate::lifecycle::attendance::Farewell;
use crate::options::Intercepted;
use crate::sentry_link::Sentry;
use crate::state::Directory;

/// How long a killed process may take to be gone.
const PATIENCE_SECONDS: i64 = 10;

/// The makings of a container.
#[derive(Debug, Default)]
pub(super) struct Undo {
    /// Its state directory.
    pub(super) directory: Option<Directory>,
    /// Its range of ids.
    pub(super) lease: Option<Lease>,
    /// Its cgroup.
    pub(super) cgroup: Option<CgroupGuard>,
    /// The cgroup of its sentry.
    pub(super) sentry_cgroup: Option<CgroupGuard>,
    /// Its root in the host's mount namespace, if that is where it is.
    pub(super) host_mount: Option<HostMount>,
    /// Its sentry.
    pub(super) sentry: Option<Sentry>,
    /// Its first process, or the one that joins it.
    pub(super) init: Option<(Pid, OwnedFd)>,
    /// The hooks for its end, once others may have run.
    pub(super) farewell: Option<Farewell>,
}

impl Undo {
    /// Ends a sentry that has nothing to see.
    pub(super) fn keep_sentry_if(&mut self, interceptor: Option<Intercepted>) {
        if interceptor == Some(Intercepted::None)
            && let Some(sentry) = self.sentry.take()
        {
            end(sentry.pid, &sentry.pidfd);
        }
    }

    /// Ends the process itself, before all else.
    pub(super) fn end_init(&mut self) {
        if let Some((pid, pidfd)) = self.init.take() {
            end(pid, &pidfd);
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.end_init();
        if let Some(sentry) = self.sentry.take() {
            end(sentry.pid, &sentry.pidfd);
        }
        if let Some(Err(error)) = self.host_mount.take().map(|mount| mount.take_away()) {
            tracing::warn!(%error, "could not take back a mount of the failed launch");
        }
        drop(self.cgroup.take());
        drop(self.sentry_cgroup.take());
        drop(self.lease.take());
        if let Some(directory) = self.directory.take()
            && let Err(error) = directory.remove()
        {
            tracing::warn!(%error, "could not take back the state directory");
        }
        if let Some(farewell) = self.farewell.take() {
            farewell.say();
        }
    }
}

/// Kills a process, waits until it is gone, and reaps it if it is ours.
pub(super) fn end(pid: Pid, pidfd: &OwnedFd) {
    if let Err(error) = rustix::process::pidfd_send_signal(pidfd, Signal::KILL)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = pid.as_raw_nonzero(), "could not kill a process of the failed launch");
    }
    let limit = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
    match rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&limit)) {
        Ok(0) => tracing::warn!(pid = pid.as_raw_nonzero(), "a killed process of the failed launch does not end"),
        // Reaping is for the subreaper above us when that is not we: then ECHILD says so.
        Ok(_) => match rustix::process::waitpid(Some(pid), WaitOptions::NOHANG) {
            Ok(_) | Err(rustix::io::Errno::CHILD) => {}
            Err(error) => tracing::warn!(%error, "could not reap a process of the failed launch"),
        },
        Err(error) => tracing::warn!(%error, "could not wait for a killed process"),
    }
}
