//! One task: what the daemon knows of a container, and the order in which its life may go.
//!
//! Used by `tasks`. `turn` serialises start, delete and the announcement of the exit; states and signals never wait
//! for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;
use tokio::sync::watch;

use crate::error::ShimError;
use crate::io::{Stdio, Streams};
use crate::reaper::{Exit, Watch};

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for its start.
    Created,
    /// Started.
    Running,
    /// Its first process has ended and containerd has been told.
    Stopped(Exit),
}

impl Phase {
    /// The word for error messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// A task.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its id.
    pub(crate) id: String,
    /// Absolute path of its bundle.
    pub(crate) bundle: PathBuf,
    /// Process id of its first process.
    pub(crate) pid: i32,
    /// The stdio of its create request.
    pub(crate) stdio: Stdio,
    /// Its running copies.
    pub(crate) streams: Streams,
    /// Held by whoever changes its phase.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Its exit as the reaper saw it, which may be before the phase says so.
    pub(crate) reaped: Watch,
    pidfd: OwnedFd,
    phase: Mutex<Phase>,
    stopped: watch::Sender<Option<Exit>>,
}

impl Container {
    /// A created container.
    pub(crate) fn new(
        (id, bundle): (String, PathBuf),
        (pid, pidfd): (i32, OwnedFd),
        (stdio, streams): (Stdio, Streams),
        reaped: Watch,
    ) -> Self {
        Self {
            id,
            bundle,
            pid,
            stdio,
            streams,
            turn: tokio::sync::Mutex::default(),
            reaped,
            pidfd,
            phase: Mutex::new(Phase::Created),
            stopped: watch::Sender::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it has come.
    pub(crate) fn phase(&self) -> Phase {
        *self.lock()
    }

    /// It has been started. To be called with the turn.
    pub(crate) fn started(&self) {
        *self.lock() = Phase::Running;
    }

    /// It has ended. To be called with the turn.
    pub(crate) fn ended(&self, exit: Exit) {
        *self.lock() = Phase::Stopped(exit);
        self.stopped.send_replace(Some(exit));
    }

    /// Waits until it is stopped.
    pub(crate) async fn stop(&self) -> Exit {
        crate::reaper::exit_of_watch(self.stopped.subscribe()).await
    }

    /// Sends a signal to its first process, by its pidfd: never to another process of the same number.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), ShimError> {
        if self.reaped.borrow().is_some() {
            return Err(ShimError::Finished);
        }
        match rustix::process::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::SRCH) => Err(ShimError::Finished),
            Err(error) => {
                let source = io::Error::from(error);
                Err(ShimError::Signal { signal: signal.as_raw(), pid: self.pid, source })
            }
        }
    }

    /// The error of a verb that does not fit.
    pub(crate) fn wrong_status(&self, verb: &'static str) -> ShimError {
        ShimError::WrongStatus { task: self.id.clone(), verb, status: self.phase().name() }
    }

    /// Process id as the protocol has it.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }
}
