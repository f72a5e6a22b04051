//! A forked child that is asked one thing and answers over a pipe, within a time and with so many bytes. What it does to
//! itself, or what ends it, ends there. Used where work is not trusted to end, or to leave the process as it was.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use crate::sys::clone;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What the child wrote; `None` when it was late or wrote too much, and was killed.
    pub(crate) answer: Option<Vec<u8>>,
    /// How it ended, where that is known.
    pub(crate) status: Option<WaitStatus>,
}

/// Forks a child that answers with what `work` returns, and waits for that no longer than `patience`. The caller is
/// single-threaded. It forks by plain fork(2), which any filter around us lets through.
///
/// # Errors
/// When there is no pipe or no child.
pub(crate) fn ask(patience: Duration, longest: usize, work: impl FnOnce() -> Option<Vec<u8>>) -> io::Result<Asked> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let pid = clone::fork_plainly(|| u8::from(work().is_none_or(|answer| write_all(&write, &answer).is_err())))?;
    drop(write);
    let answer = read_all(&read, longest, Instant::now() + patience);
    if answer.is_none()
        && let Err(error) = rustix::process::kill_process(pid, Signal::KILL)
    {
        tracing::debug!(%error, "the child has ended meanwhile");
    }
    Ok(Asked { answer, status: wait(pid) })
}

fn write_all(pipe: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::write(pipe, bytes)?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Everything up to the end of the pipe; `None` when that does not come in time, or is too much.
fn read_all(pipe: &OwnedFd, longest: usize, deadline: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() < longest {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok()?;
        match rustix::event::poll(&mut [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        }
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => return Some(bytes),
            Ok(read) => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    None
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
