//! A first process that is not the workload, for `do`.
//!
//! The kernel lets the first process of a pid namespace ignore every signal that it does not handle, so a command that
//! is it could neither kill itself nor be interrupted. Here the command is a child: this process passes signals on to
//! it, reaps what it leaves behind, and ends with its status.

use std::io;

use nix::sys::signal::SigSet;
use rustix::process::{Pid, WaitOptions};

use super::error::InitError;
use crate::sys;

/// Forks: the child runs `workload`, and this process never returns, but ends with the child's status.
pub(super) fn run_as_child(workload: impl FnOnce() -> u8) -> Result<std::convert::Infallible, InitError> {
    // A command of `do` shall not outlive it, however it ends. Stage 1 has ended, so our parent is lazaret.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| InitError::Gate(error.into()))?;
    let all = SigSet::all();
    // Blocked before the fork, so that no signal gets lost; the child unblocks them again.
    all.thread_block().map_err(|error| InitError::Gate(error.into()))?;
    let pid = sys::clone::fork_plainly(workload).map_err(InitError::Gate)?;
    // Nothing of the launch stays open here: the launcher waits for the channel's end of file.
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    sys::clone::close_all_but(&streams).map_err(InitError::Gate)?;
    let status = wait_on(pid);
    sys::clone::exit_now(status.unwrap_or(125))
}

/// The child's part, while every signal is blocked: a process group of its own, which the terminal's signals go to.
pub(super) fn take_foreground(terminal: bool) -> Result<(), InitError> {
    let failed =
        |error: rustix::io::Errno| InitError::Console { operation: "take its foreground", source: error.into() };
    rustix::process::setpgid(None, None).map_err(failed)?;
    if terminal {
        rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpgrp()).map_err(failed)?;
    }
    Ok(())
}

fn wait_on(child: Pid) -> io::Result<u8> {
    loop {
        let signal = sys::process::wait_for_signal()?;
        if signal == rustix::process::Signal::CHILD {
            if let Some(status) = reap(child)? {
                return Ok(status);
            }
        } else if let Err(error) = rustix::process::kill_process(child, signal)
            && error != rustix::io::Errno::SRCH
        {
            return Err(error.into());
        }
    }
}

/// Reaps everything that has ended; the status of `child` if it is among them.
fn reap(child: Pid) -> io::Result<Option<u8>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => {
                let number = status.exit_status().or_else(|| Some(128 + status.terminating_signal()?));
                return Ok(number.and_then(|number| u8::try_from(number & 0xff).ok()));
            }
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(None),
            Ok(Some(_another)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
