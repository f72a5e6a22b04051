//! The process of `trace` that traces a container: its birth before the workload's, and its end.
//!
//! `launch` makes it while the first process waits for its word; `foreground` waits for it. It holds nothing of ours but
//! the stream, and dies with us.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use lazaret_sentry::trace::{FollowError, Follower, Form};
use rustix::process::{Pid, Signal, WaitOptions};

use crate::causes;
use crate::lifecycle::undo;
use crate::options::{Intercepted, Mode};
use crate::sys;

/// What `trace` is asked for.
#[derive(Debug, Default)]
pub struct TraceRequest {
    /// Where the stream goes; `None` for standard error.
    pub output: Option<PathBuf>,
    /// A table at the end instead of a line for each call.
    pub summary: bool,
}

/// Why a container is not traced.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// The file of the stream.
    #[error("could not open {path} for the stream")]
    Output {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The tracing process.
    #[error("could not make the tracing process")]
    Process(#[source] io::Error),
    /// The kernel allows one tracer, and the sentry is it.
    #[error("the container's calls reach the sentry by ptrace, and the kernel allows one tracer only")]
    Occupied,
    /// It cannot be traced.
    #[error("could not trace the container: {why}")]
    Refused {
        /// The tracer's words.
        why: String,
    },
    /// The tracer of a container that runs ended before it was told to.
    #[error("tracing ended, and the container goes on: {why}")]
    Ended {
        /// The tracer's words.
        why: String,
    },
    /// The tracer ended before the container, which the kernel then killed.
    #[error("the tracer failed, and the kernel killed what it traced; the stream is not complete")]
    Incomplete,
}

impl TracingError {
    /// Stable number of this error, 1670-1679.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Output { .. } => 1670,
            Self::Process(_) => 1671,
            Self::Occupied => 1672,
            Self::Refused { .. } => 1673,
            Self::Incomplete => 1674,
            Self::Ended { .. } => 1676,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Occupied => "use --interceptor notify, on a host that grants a listener",
            Self::Refused { .. } => {
                "the host may forbid it: see /proc/sys/kernel/yama/ptrace_scope and its security modules"
            }
            Self::Incomplete | Self::Ended { .. } => {
                "see that the stream's reader stays and that its file system has room"
            }
            Self::Output { .. } | Self::Process(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// A stream that is open and traces nothing yet.
#[derive(Debug)]
pub(super) struct Stream {
    output: OwnedFd,
    summary: bool,
}

impl Stream {
    /// Opens what was asked for; a file that is there is emptied.
    pub(super) fn open(request: TraceRequest) -> Result<Self, TracingError> {
        let summary = request.summary;
        let output = match request.output {
            None => io::stderr().as_fd().try_clone_to_owned().map_err(TracingError::Process)?,
            Some(path) => File::create(&path).map_err(|source| TracingError::Output { path, source })?.into(),
        };
        Ok(Self { output, summary })
    }

    /// What it is made of: where it is written, and whether only a table is.
    pub(super) fn into_parts(self) -> (OwnedFd, bool) {
        (self.output, self.summary)
    }

    /// Traces `pid`, which waits for our word, in a process of its own.
    pub(super) fn follow(
        self,
        pid: Pid,
        mode: Mode,
        interceptor: Option<Intercepted>,
    ) -> Result<TracingProcess, TracingError> {
        if interceptor == Some(Intercepted::Ptrace) {
            return Err(TracingError::Occupied);
        }
        let form = Form { mode: mode.column(), summary: self.summary };
        let (word, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|error| TracingError::Process(error.into()))?;
        let pid = pid.as_raw_nonzero().get();
        let child = || u8::from(live(pid, form, self.output, theirs).is_err());
        let (tracer, pidfd) = sys::clone::fork(child).map_err(TracingError::Process)?;
        let process = TracingProcess { pid: tracer, pidfd, is_reaped: false };
        let mut said = String::new();
        File::from(word).read_to_string(&mut said).map_err(TracingError::Process)?;
        if said == SEIZED { Ok(process) } else { Err(TracingError::Refused { why: said }) }
    }
}

/// What the tracer says once nothing of the workload can be missed; anything else is why there is no tracer.
const SEIZED: &str = "seized";

/// The tracer's life.
fn live(pid: i32, form: Form, output: OwnedFd, word: OwnedFd) -> Result<(), FollowError> {
    let alone = sys::clone::close_all_but_from(3, &[output.as_fd(), word.as_fd()]);
    alone.map_err(FollowError::Output)?;
    // A tracer that nobody waits for any more would keep the container alive.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| FollowError::Output(error.into()))?;
    let mut word = File::from(word);
    let follower = Follower::seize(pid, form, File::from(output));
    let said = follower.as_ref().map_or_else(|error| causes::chain(error), |_follower| SEIZED.to_owned());
    word.write_all(said.as_bytes()).map_err(FollowError::Output)?;
    drop(word);
    follower?.follow()
}

/// A tracer at work; dropped, it is killed, and what it traces with it.
#[derive(Debug)]
pub(super) struct TracingProcess {
    pid: Pid,
    pidfd: OwnedFd,
    is_reaped: bool,
}

impl TracingProcess {
    /// Waits until everything that was traced is gone and the stream is written.
    pub(super) fn finish(mut self) -> Result<(), TracingError> {
        loop {
            match rustix::process::waitpid(Some(self.pid), WaitOptions::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(TracingError::Process(error.into())),
                Ok(ended) => {
                    self.is_reaped = true;
                    let is_good = ended.is_some_and(|(_, status)| status.exit_status() == Some(0));
                    return if is_good { Ok(()) } else { Err(TracingError::Incomplete) };
                }
            }
        }
    }
}

impl Drop for TracingProcess {
    fn drop(&mut self) {
        if !self.is_reaped {
            undo::end(self.pid, &self.pidfd);
        }
    }
}
