//! The process that `create` leaves with a detached container: it watches the container and its sentry until the end.

use std::os::fd::{AsFd, BorrowedFd};

use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::state::{Directory, ProcessId};
use crate::sys;
use crate::watch::Watched;

/// Forks the process that watches a detached container until its end.
pub(super) fn fork(watched: Watched) -> Result<(), Error> {
    if watched.sentry.is_none() {
        return Ok(());
    }
    let (root, id) = (watched.root.clone(), watched.id.clone());
    let (pid, _pidfd) = sys::clone::fork(move || monitor(watched)).map_err(LifecycleError::Monitor)?;
    let directory = Directory::open(&root, &id)?;
    let mut state = directory.read()?;
    state.monitor = ProcessId::of(pid.as_raw_nonzero().get());
    state.launcher = None;
    directory.write(&state)?;
    Ok(())
}

/// The same for a process that joined: several may, so the state does not name their monitors. Each ends with what it
/// watches.
pub(super) fn fork_unrecorded(watched: Watched) -> Result<(), Error> {
    sys::clone::fork(move || monitor(watched)).map_err(LifecycleError::Monitor)?;
    Ok(())
}

/// The monitor's life: nothing of the caller's terminal, session and descriptors, and an end with the container.
fn monitor(mut watched: Watched) -> u8 {
    match detach(&watched).and_then(|()| watched.until_end(None)) {
        Ok(_end) => 0,
        Err(_nobody_to_tell) => 1,
    }
}

fn detach(watched: &Watched) -> std::io::Result<()> {
    nix::unistd::setsid()?;
    rustix::process::chdir("/")?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let sentry = watched.sentry.iter().flat_map(|sentry| [sentry.pidfd.as_fd(), sentry.control.as_fd()]);
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let keep: Vec<BorrowedFd<'_>> = streams.into_iter().chain([watched.init.as_fd()]).chain(sentry).collect();
    sys::clone::close_all_but(&keep)?;
    std::mem::forget(null);
    Ok(())
}
