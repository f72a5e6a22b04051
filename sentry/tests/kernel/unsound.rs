//! A supervisor as it must not be: it looks at what a call points to and then lets the kernel look once more; and it
//! writes answers through `/proc/PID/mem`, which asks no page for permission.
//!
//! The control of [`crate::races`]: the attacker that wins nothing against the sentry has to win against this.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use lazaret_sentry::handoff::Interceptor;
use rustix::event::{PollFd, PollFlags};

use crate::sys::{self, POINTEE};
use crate::trap::{self, Stop};

/// What it lets through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge {
    /// The call that is raced.
    pub(crate) number: i64,
    /// What its first pointer has to point to.
    pub(crate) harmless: [u8; POINTEE],
    /// Which argument that is.
    pub(crate) argument: usize,
    /// Writes an answer there instead of looking.
    pub(crate) answers: bool,
}

/// What is to become of a call.
enum Judged {
    Run,
    Refused,
    Answered,
}

impl Judge {
    fn judge(&self, pid: i32, number: i64, arguments: [u64; 6]) -> Judged {
        if number != self.number {
            return Judged::Refused;
        }
        let address = arguments[self.argument];
        if self.answers {
            let memory = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem"));
            let written = memory.and_then(|memory| memory.write_at(&[0; 112], address));
            return if written.is_ok() { Judged::Answered } else { Judged::Refused };
        }
        let mut pointee = [0; POINTEE];
        let is_whole = sys::read_memory(pid, address, &mut pointee) == POINTEE;
        if is_whole && pointee == self.harmless { Judged::Run } else { Judged::Refused }
    }
}

/// Supervises until nothing is left to supervise.
pub(crate) fn supervise(by: Interceptor, pid: i32, trap: &OwnedFd, judge: &Judge, ready: impl FnOnce()) -> i32 {
    match by {
        Interceptor::Notify => {
            ready();
            listen(trap, judge);
        }
        Interceptor::Ptrace => {
            trap::seize(pid);
            ready();
            trace(judge);
        }
    }
    0
}

fn listen(listener: &OwnedFd, judge: &Judge) {
    while is_supervised(listener) {
        let Some((id, pid, number, arguments)) = trap::receive(listener.as_fd()) else { continue };
        let answer = match judge.judge(pid, number, arguments) {
            Judged::Run => trap::Answer::Run,
            Judged::Refused => trap::Answer::Errno(libc::EPERM),
            Judged::Answered => trap::Answer::Errno(0),
        };
        trap::answer(listener.as_fd(), id, answer);
    }
}

/// Waits for a call; `false` when nobody is left to make one.
fn is_supervised(listener: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    rustix::event::poll(&mut fds, None).unwrap();
    fds[0].revents().contains(PollFlags::IN)
}

fn trace(judge: &Judge) {
    while let Some((pid, stop)) = trap::next_stop() {
        let signal = match stop {
            Stop::Call { number, arguments } => {
                match judge.judge(pid, number, arguments) {
                    Judged::Run => {}
                    Judged::Refused => trap::skip_call(pid, -i64::from(libc::EPERM)),
                    Judged::Answered => trap::skip_call(pid, 0),
                }
                0
            }
            Stop::Signal(signal) => signal,
            Stop::Event => 0,
            Stop::End => continue,
        };
        trap::go_on(pid, signal);
    }
}
