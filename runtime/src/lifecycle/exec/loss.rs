//! Why a process that was to join is lost: because the container or the new sentry has ended meanwhile. The caller is told
//! that, and not at which step it was noticed.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::sentry_link::{Sentry, SentryError};
use crate::state::Status;

/// How long the end of what has taken the process along may be in coming: a PID namespace, and a tracer, end after those
/// that the kernel ends with them (pid_namespaces(7), `PTRACE_O_EXITKILL` of ptrace(2)).
const GRACE: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// The error to tell instead of `error`, with which joining the container `id`, whose first process is behind `init`, has
/// failed; the same when nothing has ended.
pub(super) fn explain(error: Error, id: &str, init: &OwnedFd, sentry: Option<&Sentry>) -> Error {
    let may_be_a_loss = matches!(
        error,
        Error::Channel(_)
            | Error::Launch(_)
            | Error::Namespace(_)
            | Error::Idmap(_)
            | Error::Cgroup(_)
            | Error::Sentry(_)
    );
    if !may_be_a_loss {
        return error;
    }
    let mut ends: Vec<PollFd<'_>> = std::iter::once(init)
        .chain(sentry.map(|sentry| &sentry.pidfd))
        .map(|end| PollFd::new(end, PollFlags::IN))
        .collect();
    let has_ended = match rustix::event::poll(&mut ends, Some(&GRACE)) {
        Ok(_) => ends.iter().map(|end| !end.revents().is_empty()).collect(),
        Err(_interrupted) => Vec::new(),
    };
    let told = match has_ended.as_slice() {
        [true, ..] => Error::from(LifecycleError::NotRunning { id: id.to_owned(), status: Status::Stopped.name() }),
        [false, true] => SentryError::Died.into(),
        _ => return error,
    };
    tracing::debug!(%error, "how the loss was noticed");
    told
}
