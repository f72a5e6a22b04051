//! One process of a task: its first one, or one that `exec` has added. What the daemon knows of it, and the order in
//! which its life may go.
//!
//! Used by `container` and `tasks`. `turn` serialises start, delete and the announcement of the exit; states and
//! signals never wait for it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::process::Signal;
use tokio::sync::watch;

use crate::error::ShimError;
use crate::io::{Stdio, Streams};
use crate::reaper::{Exit, Watch};

/// How far a process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waiting for its start.
    Created,
    /// Started.
    Running,
    /// It has ended and containerd has been told; or it could not be started, or was killed before.
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

/// What there is of a process once it exists.
#[derive(Debug)]
pub(crate) struct Alive {
    /// Its number on the host.
    pub(crate) pid: i32,
    /// Its pidfd.
    pub(crate) pidfd: OwnedFd,
    /// Its running copies.
    pub(crate) streams: Streams,
    /// Its exit as the reaper saw it, which may be before the phase says so.
    pub(crate) reaped: Watch,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    /// The stdio of its request.
    pub(crate) stdio: Stdio,
    /// Held by whoever changes its phase.
    pub(crate) turn: tokio::sync::Mutex<()>,
    alive: OnceLock<Alive>,
    phase: Mutex<Phase>,
    stopped: watch::Sender<Option<Exit>>,
}

impl Process {
    /// One that does not exist yet.
    pub(crate) fn new(stdio: Stdio) -> Self {
        Self {
            stdio,
            turn: tokio::sync::Mutex::default(),
            alive: OnceLock::new(),
            phase: Mutex::new(Phase::Created),
            stopped: watch::Sender::new(None),
        }
    }

    /// It exists. Only the first call counts; the second is a fault of ours and is logged.
    pub(crate) fn born(&self, alive: Alive) {
        if self.alive.set(alive).is_err() {
            tracing::error!("a process was started twice");
        }
    }

    /// What there is of it, if it exists or has existed.
    pub(crate) fn alive(&self) -> Option<&Alive> {
        self.alive.get()
    }

    /// Process id as the protocol has it; 0 before its birth.
    pub(crate) fn pid(&self) -> u32 {
        self.alive().map_or(0, |alive| alive.pid.unsigned_abs())
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

    /// Sends it a signal, by its pidfd: never to another process of the same number.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), ShimError> {
        let alive = self.alive().filter(|alive| alive.reaped.borrow().is_none()).ok_or(ShimError::Finished)?;
        match rustix::process::pidfd_send_signal(&alive.pidfd, signal) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::SRCH) => Err(ShimError::Finished),
            Err(error) => {
                Err(ShimError::Signal { signal: signal.as_raw(), pid: alive.pid, source: io::Error::from(error) })
            }
        }
    }
}
