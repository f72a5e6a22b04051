//! A child that evaluates, with limits of time and memory. CEL ends always, and nested loops over a long list of a pod's
//! author end too late; the library neither counts its steps nor its memory, and its parser's stack is as deep as an
//! expression is. All of that ends the child, and nothing else.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::document::Policy;
use super::evaluate::{self, Outcome};
use super::input::Input;
use crate::sys::{clone, process};

/// Most time on the processor, in seconds: the unit of `RLIMIT_CPU`. Honest policies take less than a millisecond.
const CPU_SECONDS: u64 = 1;
/// Most time at all, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most memory beyond what this process has, in bytes.
const MEMORY: u64 = 256 << 20;
/// Longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// What `policies` come to, or why the child has no answer.
pub(super) fn evaluate(policies: &[Policy], input: &Input) -> Result<Vec<Outcome>, String> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| format!("pipe: {error}"))?;
    let pid = clone::fork_plainly(|| child(policies, input, &write)).map_err(|error| format!("fork: {error}"))?;
    drop(write);
    let answer = read_all(&read, Instant::now() + PATIENCE);
    if answer.is_none()
        && let Err(error) = rustix::process::kill_process(pid, Signal::KILL)
    {
        tracing::debug!(%error, "the child has ended meanwhile");
    }
    let status = wait(pid);
    let answer = answer.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    answer.ok_or_else(|| why(status))
}

fn child(policies: &[Policy], input: &Input, write: &OwnedFd) -> u8 {
    if limit().is_err() {
        return 1;
    }
    let Ok(bytes) = serde_json::to_vec(&evaluate::all(policies, input)) else { return 1 };
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        match rustix::io::write(write, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(_closed) => return 1,
        }
    }
    0
}

fn limit() -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let memory = size.ok_or(std::io::ErrorKind::InvalidData)?.saturating_mul(1024).saturating_add(MEMORY);
    process::set_own_rlimit(libc::RLIMIT_AS, memory, memory)?;
    process::set_own_rlimit(libc::RLIMIT_CORE, 0, 0)?;
    process::set_own_rlimit(libc::RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS)
}

/// Everything up to the end of the pipe; `None` when that does not come in time, or is too much.
fn read_all(pipe: &OwnedFd, deadline: Instant) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() < LONGEST {
        let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok()?;
        match rustix::event::poll(&mut [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
        }
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => return Some(bytes),
            Ok(read) => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    None
}

fn wait(pid: Pid) -> Option<WaitStatus> {
    loop {
        match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
            Ok(ended) => return ended.map(|(_, status)| status),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

fn why(status: Option<WaitStatus>) -> String {
    let signal = status.and_then(WaitStatus::terminating_signal);
    let is = |known: Signal| signal == Some(known.as_raw());
    if is(Signal::XCPU) || is(Signal::KILL) {
        return format!("it takes more than {CPU_SECONDS} s of processor time");
    }
    if is(Signal::ABORT) || is(Signal::SEGV) || is(Signal::BUS) {
        return format!("it takes more memory than {} MiB, or is nested too deeply", MEMORY >> 20);
    }
    "the child that evaluates it ended without an answer".to_owned()
}
