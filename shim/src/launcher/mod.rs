//! The launcher: the one process of a shim that calls the runtime library.
//!
//! It is forked before any thread exists, because making namespaces and running Rust code in a clone both need a
//! single-threaded process. It serves one request at a time: a slow create delays other creates, starts and deletes
//! of the pod, but neither signals nor states nor exits, which the daemon handles itself. This file holds what the
//! two processes say to each other; `client` is the daemon's side, `process` the launcher's, `runtime` the only
//! place that touches the library, `logger` starts loggers, `packet` is the framing, `orphan` what is left to do when the
//! launcher is gone.

mod client;
mod logger;
mod orphan;
mod packet;
mod process;
mod runtime;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::options::RuntimeOptions;

pub(crate) use client::Launcher;
pub(crate) use orphan::delete as delete_without;
pub(crate) use packet::pair;
pub(crate) use process::run;
pub(crate) use runtime::{
    OomWatch, Runtime, close_inherited, end_reason, fork, is_paused, known_pid, now, pids, seal_for, v1_directory,
};

/// A request of the daemon.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Given back in the answer.
    pub(crate) ticket: u64,
    /// What to do.
    pub(crate) call: Call,
}

/// What the daemon asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    /// Create a container. Where its records go comes along, and its three stdio descriptors.
    Create(Create),
    /// Let it execute its program.
    Start {
        /// The container.
        id: String,
    },
    /// Send a signal.
    Kill {
        /// The container.
        id: String,
        /// Number of the signal.
        signal: i32,
        /// To every process of the container rather than to its first.
        all: bool,
    },
    /// Execute a further process in it. Where its records go comes along, and its three stdio descriptors, but for one with a
    /// terminal.
    Exec {
        /// The container.
        id: String,
        /// An OCI `Process` as JSON.
        process: String,
    },
    /// Start a program that takes a process's output. Its descriptors 3, 4 and 5 come along.
    Log(LoggerProgram),
    /// Stop its processes.
    Pause {
        /// The container.
        id: String,
    },
    /// Let them run again.
    Resume {
        /// The container.
        id: String,
    },
    /// Change its limits.
    Update {
        /// The container.
        id: String,
        /// OCI `LinuxResources` as JSON.
        resources: String,
    },
    /// Remove what is left of it.
    Delete {
        /// The container.
        id: String,
        /// Also when it has not ended.
        force: bool,
    },
}

/// A program that takes a process's output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LoggerProgram {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// Its arguments, without its name.
    pub(crate) arguments: Vec<String>,
    /// The process whose output it takes, for its environment.
    pub(crate) id: String,
    /// containerd's namespace, for its environment.
    pub(crate) namespace: String,
}

/// A container to create.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Create {
    /// Its id.
    pub(crate) id: String,
    /// Absolute path of its bundle.
    pub(crate) bundle: PathBuf,
    /// Where its root file system comes from.
    pub(crate) rootfs: Rootfs,
    /// Where its configuration is.
    pub(crate) options: RuntimeOptions,
}

/// Where a root file system comes from. The runtime id-maps and mounts it, detached: the shim mounts nothing.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Rootfs {
    /// `root.path` of the bundle as it is.
    Bundle,
    /// An overlay of these layers, uppermost first.
    Overlay {
        /// Read-only layers.
        lower: Vec<PathBuf>,
        /// Writable layer.
        upper: Option<PathBuf>,
        /// Work directory of the writable layer.
        work: Option<PathBuf>,
        /// Further options of the overlay.
        options: Vec<String>,
    },
    /// One directory.
    Bind {
        /// The directory.
        source: PathBuf,
        /// Nothing may be written.
        readonly: bool,
    },
}

/// What the launcher says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromLauncher {
    /// The outcome of a request. With `Born` a pidfd comes along, and behind it the master of a terminal, if there is one.
    Answer {
        /// Of the request.
        ticket: u64,
        /// What came of it.
        result: Result<Outcome, Failure>,
    },
}

/// What came of a request that succeeded.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The process exists: a container's first one, an added one, or a logger.
    Born {
        /// Its number.
        pid: i32,
    },
    /// The logger cannot be started, for this `errno`.
    NoLogger(i32),
    /// Done.
    Done,
}

/// A request that the runtime refused, or that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("lazaret-{code:04}: {message}{}", self.hint.as_deref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default())]
pub(crate) struct Failure {
    /// The classes that callers tell apart.
    pub(crate) kind: FailureKind,
    /// Stable number of the error.
    pub(crate) code: u32,
    /// 125, 126 or 127.
    pub(crate) exit_status: u8,
    /// The error and its causes.
    pub(crate) message: String,
    /// What would help.
    pub(crate) hint: Option<String>,
}

/// Class of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailureKind {
    /// The container does not exist.
    NotFound,
    /// Its id is taken.
    AlreadyExists,
    /// The verb does not fit its status.
    WrongState,
    /// Anything else.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_code_its_causes_and_its_hint() {
        let mut failure = Failure {
            kind: FailureKind::Other,
            code: 12,
            exit_status: 125,
            message: "cannot mount: no such device".into(),
            hint: None,
        };
        assert_eq!(failure.to_string(), "lazaret-0012: cannot mount: no such device");
        failure.hint = Some("load the module".into());
        assert_eq!(failure.to_string(), "lazaret-0012: cannot mount: no such device (hint: load the module)");
    }
}
