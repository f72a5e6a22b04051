//! Running a probe in a child of its own: whatever it does to itself (a filter, a namespace, an end by signal) ends there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::answer::{Answer, Want, decode, encode};
use crate::sys::clone;

/// How long a probe may take; the slowest take milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer read, in bytes.
const LONGEST: usize = 4096;

/// What `probe` answers in a child. Ends by SIGSYS are an answer: a filter outside of ours kills whoever asks.
pub(super) fn ask(probe: impl FnOnce() -> Answer) -> Answer {
    let cannot = |error: io::Error| Err(Want::Unknown(format!("no child process could be asked: {error}")));
    let (read, write) = match rustix::pipe::pipe_with(PipeFlags::CLOEXEC) {
        Ok(ends) => ends,
        Err(error) => return cannot(error.into()),
    };
    // By plain fork(2): clone3 is one of the questions.
    let child = clone::fork_plainly(|| {
        // A probe that hangs must not outlive who asks.
        let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        let answer = bound.map_err(|error| Want::Unknown(format!("prctl: {error}"))).and_then(|()| probe());
        u8::from(rustix::io::write(&write, &encode(&answer)).is_err())
    });
    let pid = match child {
        Ok(pid) => pid,
        Err(error) => return cannot(error),
    };
    drop(write);
    let answer = read_all(&read, Instant::now() + PATIENCE);
    let is_late = answer.is_none();
    if is_late && let Err(error) = rustix::process::kill_process(pid, Signal::KILL) {
        tracing::debug!(%error, "a probe has ended meanwhile");
    }
    let status = wait(pid);
    match answer.as_deref().and_then(decode) {
        Some(answer) => answer,
        None if is_late => Err(Want::Unknown(format!("no answer within {} s", PATIENCE.as_secs()))),
        None => Err(without_answer(status)),
    }
}

/// Everything up to the end of the pipe; `None` when that does not come in time.
fn read_all(pipe: &OwnedFd, deadline: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; LONGEST];
    while bytes.len() < LONGEST {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok()?;
        match rustix::event::poll(&mut [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        }
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend(buffer.iter().take(count)),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(bytes)
}

fn wait(pid: Pid) -> Option<WaitStatus> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(ended) => return ended.map(|(_, status)| status),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

fn without_answer(status: Option<WaitStatus>) -> Want {
    match status.and_then(WaitStatus::terminating_signal) {
        Some(libc::SIGSYS) => Want::Gap("the probe was killed by SIGSYS: a filter outside forbids the call".to_owned()),
        Some(signal) => Want::Unknown(format!("the probe was killed by signal {signal}")),
        None => Want::Unknown("the probe ended without an answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_without_an_answer_is_no_answer() {
        assert_eq!(ask(|| Ok("here".to_owned())), Ok("here".to_owned()));
        assert_eq!(ask(|| Err(Want::Gap("x".to_owned()))), Err(Want::Gap("x".to_owned())));
        assert!(matches!(ask(|| clone::exit_now(0)), Err(Want::Unknown(_))));
        let ended_by = |signal| {
            ask(|| {
                let own = rustix::process::getpid();
                rustix::process::kill_process(own, signal).map_err(|error| Want::Unknown(error.to_string()))?;
                Ok(String::new())
            })
        };
        assert_eq!(ended_by(Signal::KILL), Err(Want::Unknown("the probe was killed by signal 9".to_owned())));
        assert!(matches!(ended_by(Signal::SYS), Err(Want::Gap(_))));
    }
}
