//! `trace ID`: a tracer of a container that runs, which leaves it running.
//!
//! Called by the command line. The calling thread becomes the tracer of every thread of the container, and returns when
//! the container has ended or a signal asks for an end. What joins the container later by `exec` is not followed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use lazaret_sentry::trace::{FollowError, Follower, Form, Woken};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::causes;
use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::lifecycle::fit::{self, Verb};
use crate::lifecycle::ps;
use crate::lifecycle::tracing_process::{Stream, TraceRequest, TracingError};
use crate::options::{Intercepted, Options};
use crate::sys;

/// Traces the container `id` until it has ended or this process gets SIGINT, SIGTERM, SIGHUP or SIGQUIT. The container
/// goes on as if nobody had looked.
///
/// # Errors
/// [`LifecycleError::NotRunning`], [`LifecycleError::WrongStatus`]; [`TracingError`], after which nothing is traced.
pub fn trace_container(options: &Options, id: &str, request: TraceRequest) -> Result<(), Error> {
    let (stored, status) = fit::look(options, id, Verb::Trace)?;
    if stored.interceptor == Some(Intercepted::Ptrace) {
        return Err(TracingError::Occupied.into());
    }
    let signals = take_signals()?;
    let (output, summary) = Stream::open(request)?.into_parts();
    let form = Form { mode: stored.mode.column(), summary };
    let mut follower = Follower::idle(form, fs::File::from(output));
    let mut wait = |limit| wait(&signals, limit);
    let attached = attach_all(&mut follower, options, id);
    if let Err(error) = attached {
        follower.let_go(&mut wait).map_err(ended)?;
        return Err(error);
    }
    if attached.is_ok_and(|count| count == 0) {
        return Err(LifecycleError::NotRunning { id: id.to_owned(), status: status.name() }.into());
    }
    Ok(follower.follow_until(&mut wait).map_err(ended)?)
}

fn ended(error: FollowError) -> TracingError {
    TracingError::Ended { why: causes::chain(&error) }
}

/// The changes of tracees come as signals too, so that one wait is for both.
fn take_signals() -> Result<SignalFd, Error> {
    let failed = |error: io::Error| Error::from(LifecycleError::Signal(error));
    // Ignored signals would not come, and SIGCHLD is by some callers.
    sys::process::reset_signals().map_err(failed)?;
    let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD];
    let set: SigSet = ends.into_iter().collect();
    let taken =
        set.thread_block().and_then(|()| SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK));
    taken.map_err(|error| failed(error.into()))
}

fn wait(signals: &SignalFd, limit: Option<Duration>) -> io::Result<Woken> {
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut polled = [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
    match rustix::event::poll(&mut polled, limit.as_ref()) {
        Ok(0) => return Ok(Woken::Late),
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Woken::Child),
        Err(error) => return Err(error.into()),
    }
    let mut woken = Woken::Child;
    while let Some(signal) = signals.read_signal()? {
        if signal.ssi_signo != Signal::SIGCHLD as u32 {
            woken = Woken::Caller;
        }
    }
    Ok(woken)
}

/// Attaches to every thread and returns how many there were. A thread that starts meanwhile is either found by the next
/// look, or was started by one that is attached and came along.
fn attach_all(follower: &mut Follower<fs::File>, options: &Options, id: &str) -> Result<usize, Error> {
    let mut count = 0;
    loop {
        let mut is_new = false;
        let threads = processes(options, id)?.into_iter().flat_map(|pid| threads_of(pid).map(move |tid| (pid, tid)));
        for (pid, thread) in threads.filter(|(_, thread)| !follower.knows(*thread)).collect::<Vec<_>>() {
            match follower.attach(thread) {
                Ok(()) => {
                    is_new = true;
                    count += 1;
                }
                Err(_) if is_no_matter(pid, thread) => {}
                Err(error) => return Err(TracingError::Refused { why: causes::chain(&error) }.into()),
            }
        }
        if !is_new {
            return Ok(count);
        }
    }
}

/// The processes of the container: those of its cgroup, and what they have started, since without root there may be no
/// cgroup.
fn processes(options: &Options, id: &str) -> Result<BTreeSet<i32>, Error> {
    let mut found = BTreeSet::new();
    let mut more = ps::process_ids(options, id)?;
    while let Some(pid) = more.pop() {
        if found.insert(pid) {
            more.extend(threads_of(pid).flat_map(|thread| children_of(pid, thread)));
        }
    }
    Ok(found)
}

/// None of a process that has ended.
fn threads_of(pid: i32) -> impl Iterator<Item = i32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// None where the kernel does not tell (`CONFIG_PROC_CHILDREN`).
fn children_of(pid: i32, thread: i32) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default();
    listed.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Whether a thread that cannot be attached needs not be: it is gone, dead, or ours already.
fn is_no_matter(pid: i32, thread: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")) else { return true };
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_dead = field("State:").is_some_and(|state| state.starts_with(['Z', 'X']));
    // The name in /proc is the thread's in the namespace of that procfs, which is ours.
    is_dead || field("TracerPid:") == Some(std::process::id().to_string().as_str())
}
