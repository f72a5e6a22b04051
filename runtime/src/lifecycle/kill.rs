//! `kill`: a signal to the first process, or to every process of the container.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::lifecycle::fit::{self, Verb};
use crate::options::Options;
use crate::state::{self, ProcessId, Status, Stored};

/// Sends `signal` to the container's first process, or with `all` to every process in its cgroup.
///
/// # Errors
/// [`LifecycleError::NotRunning`] unless it is created, running or paused (with `all`, a stopped container is no error: its
/// first process may have left others behind).
pub fn kill(options: &Options, id: &str, signal: Signal, all: bool) -> Result<(), Error> {
    if all {
        return signal_all(&state::peek(&options.root, id)?, signal);
    }
    let (state, status) = fit::look(options, id, Verb::Kill)?;
    let not_running = || LifecycleError::NotRunning { id: id.to_owned(), status: Status::Stopped.name() };
    let pidfd = open(state.init.ok_or_else(not_running)?)?.ok_or_else(not_running)?;
    match rustix::process::pidfd_send_signal(&pidfd, signal) {
        Err(rustix::io::Errno::SRCH) => Err(not_running().into()),
        Err(error) => Err(LifecycleError::Signal(error.into()).into()),
        Ok(()) if status == Status::Paused && signal == Signal::KILL => die_in_frost(&state),
        Ok(()) => Ok(()),
    }
}

/// A process that the freezer of cgroup v1 holds does not even die of SIGKILL; the thaw that it needs is due anyway,
/// since with the first process the container ends. Any other signal waits for `resume`.
fn die_in_frost(state: &Stored) -> Result<(), Error> {
    state.cgroup.as_ref().map_or(Ok(()), |cgroup| Ok(cgroup.thaw()?))
}

fn signal_all(state: &Stored, signal: Signal) -> Result<(), Error> {
    let Some(cgroup) = &state.cgroup else { return Ok(()) };
    if cgroup.is_nowhere() {
        // Without root there may be none. With the first process its pid namespace ends.
        return state.init.map_or(Ok(()), |init| send(init, signal));
    }
    if signal == Signal::KILL {
        return Ok(cgroup.kill()?);
    }
    for pid in cgroup.pids()? {
        if let Some(process) = ProcessId::of(pid) {
            send(process, signal)?;
        }
    }
    Ok(())
}

/// A process that has ended needs no signal.
fn send(process: ProcessId, signal: Signal) -> Result<(), Error> {
    if let Some(pidfd) = open(process)?
        && let Err(error) = rustix::process::pidfd_send_signal(&pidfd, signal)
        && error != rustix::io::Errno::SRCH
    {
        return Err(LifecycleError::Signal(error.into()).into());
    }
    Ok(())
}

/// A pidfd of exactly this process; `None` when it has ended (its number may be another's by now).
pub(super) fn open(process: ProcessId) -> Result<Option<OwnedFd>, LifecycleError> {
    let Some(pid) = Pid::from_raw(process.pid) else { return Ok(None) };
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(process.is_alive().then_some(pidfd)),
        // EINVAL: the process has ended, and its number is still that of a session or process group that it led.
        Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => Ok(None),
        Err(error) => Err(LifecycleError::Signal(error.into())),
    }
}

/// The signal that `text` names: `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+1`.
///
/// # Errors
/// [`LifecycleError::UnknownSignal`].
pub fn parse_signal(text: &str) -> Result<Signal, LifecycleError> {
    let unknown = || LifecycleError::UnknownSignal(text.to_owned());
    if let Ok(number) = text.parse::<i32>() {
        return signal_of(number).ok_or_else(unknown);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let realtime = |rest: &str, base: i32, sign: i32| -> Option<i32> {
        let offset = match (rest, sign) {
            ("", _) => 0,
            (rest, 1) => rest.strip_prefix('+')?.parse::<u8>().ok()?.into(),
            (rest, _) => rest.strip_prefix('-')?.parse::<u8>().ok()?.into(),
        };
        Some(base + sign * offset)
    };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        realtime(rest, libc::SIGRTMIN(), 1)
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        realtime(rest, libc::SIGRTMAX(), -1)
    } else {
        format!("SIG{name}").parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32)
    };
    number.and_then(signal_of).ok_or_else(unknown)
}

/// The signal of this number, of 1 to 64.
fn signal_of(number: i32) -> Option<Signal> {
    crate::sys::process::signal_of(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_and_number() {
        for (text, number) in [
            ("9", 9),
            ("KILL", 9),
            ("SIGKILL", 9),
            ("sigterm", 15),
            ("RTMIN", libc::SIGRTMIN()),
            ("RTMIN+2", libc::SIGRTMIN() + 2),
            ("RTMAX-1", 63),
            ("64", 64),
        ] {
            assert_eq!(parse_signal(text).unwrap().as_raw(), number, "{text}");
        }
        for text in ["", "0", "65", "-1", "NOPE", "SIG", "RTMIN+99", "RTMIN-1", "RTMAX+1", "9 "] {
            assert!(parse_signal(text).is_err(), "{text:?}");
        }
    }
}
