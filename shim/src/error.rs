//! What can go wrong for a request, and the gRPC status that containerd gets for it.
//!
//! Every module that serves a request returns [`ShimError`]; `service` turns it into a status at the border. The
//! words `process already finished` and `does not exist` are part of the contract: engines look for them.

use std::io;
use std::path::PathBuf;

use containerd_shim::protos::ttrpc::{self, Code};

use crate::launcher::{Failure, FailureKind};

/// A request that could not be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShimError {
    /// No task of that id in this shim.
    #[error("task {0:?} does not exist")]
    NoTask(String),
    /// No exec process of that id in the task.
    #[error("process {process:?} of task {task:?} does not exist")]
    NoProcess {
        /// Id of the task.
        task: String,
        /// Id of the process.
        process: String,
    },
    /// The id is taken.
    #[error("task {0:?} already exists")]
    Exists(String),
    /// The process that a signal was meant for has ended.
    #[error("os: process already finished")]
    Finished,
    /// The verb does not fit the task's status.
    #[error("cannot {verb} task {task:?}: it is {status}")]
    WrongStatus {
        /// Id of the task.
        task: String,
        /// What was asked for.
        verb: &'static str,
        /// What the task is.
        status: &'static str,
    },
    /// Part of the Task service that lazaret does not have.
    #[error("{0} is not implemented by lazaret")]
    Unimplemented(String),
    /// A field of the request that cannot be obeyed.
    #[error("{field} = {value:?}: {why}")]
    Invalid {
        /// The field, as the protocol names it.
        field: &'static str,
        /// What it held.
        value: String,
        /// Why that cannot be.
        why: &'static str,
    },
    /// A message in the request that does not decode.
    #[error("cannot decode {field}")]
    Undecodable {
        /// The field, as the protocol names it.
        field: &'static str,
        /// Cause.
        #[source]
        source: containerd_shim::protos::protobuf::Error,
    },
    /// The runtime refused or failed.
    #[error(transparent)]
    Runtime(#[from] Failure),
    /// The launcher process is gone or cannot be spoken to.
    #[error("the launcher process of this shim does not answer")]
    Launcher(#[source] io::Error),
    /// A stdio file of the task.
    #[error("cannot open {stream} of the task at {path:?}")]
    Stdio {
        /// `stdin`, `stdout` or `stderr`.
        stream: &'static str,
        /// The path in the request.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A pipe between the container and its fifos.
    #[error("cannot make a pipe for {stream} of the task")]
    Pipe {
        /// `stdin`, `stdout` or `stderr`.
        stream: &'static str,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The program that was to take the process's output.
    #[error("cannot start the logger {path:?}")]
    Logger {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The terminal of a process.
    #[error("cannot use the terminal of the process")]
    Terminal(#[source] io::Error),
    /// A signal could not be sent.
    #[error("cannot send signal {signal} to process {pid}")]
    Signal {
        /// Its number.
        signal: i32,
        /// The process.
        pid: i32,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The task's cgroup.
    #[error("cannot read the statistics of task {task:?}")]
    Stats {
        /// Id of the task.
        task: String,
        /// Cause.
        #[source]
        source: containerd_shim::Error,
    },
    /// An exit that did not come in time.
    #[error("task {0:?} was killed and has not ended yet")]
    StillRunning(String),
}

impl ShimError {
    /// The gRPC code that containerd's own error kinds are mapped to.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::NoTask(_) | Self::NoProcess { .. } | Self::Finished => Code::NOT_FOUND,
            Self::Exists(_) => Code::ALREADY_EXISTS,
            Self::WrongStatus { .. } => Code::FAILED_PRECONDITION,
            Self::Unimplemented(_) => Code::UNIMPLEMENTED,
            Self::Invalid { .. } | Self::Undecodable { .. } => Code::INVALID_ARGUMENT,
            Self::Launcher(_) => Code::UNAVAILABLE,
            Self::Runtime(failure) => match failure.kind {
                FailureKind::NotFound => Code::NOT_FOUND,
                FailureKind::AlreadyExists => Code::ALREADY_EXISTS,
                FailureKind::WrongState => Code::FAILED_PRECONDITION,
                FailureKind::Other => Code::UNKNOWN,
            },
            Self::Stdio { .. }
            | Self::Pipe { .. }
            | Self::Logger { .. }
            | Self::Terminal(_)
            | Self::Signal { .. }
            | Self::Stats { .. }
            | Self::StillRunning(_) => Code::INTERNAL,
        }
    }

    /// The status that crosses the socket: the code, and the error with all of its causes.
    pub(crate) fn into_status(self) -> ttrpc::Error {
        ttrpc::Error::RpcStatus(ttrpc::get_status(self.code(), lazaret::causes::chain(&self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(error: ShimError) -> (Code, String) {
        let ttrpc::Error::RpcStatus(status) = error.into_status() else { panic!("not a status") };
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn a_finished_process_is_not_found_in_the_words_engines_look_for() {
        let (code, message) = status_of(ShimError::Finished);
        assert_eq!(code, Code::NOT_FOUND);
        assert!(message.contains("process already finished"));
    }

    #[test]
    fn a_status_carries_the_whole_chain() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let (code, message) = status_of(ShimError::Stdio { stream: "stdout", path: "/run/x".into(), source });
        assert_eq!(code, Code::INTERNAL);
        assert_eq!(message, "cannot open stdout of the task at \"/run/x\": entity not found");
    }

    #[test]
    fn failures_of_the_runtime_keep_their_kind() {
        let failure = |kind| Failure { kind, code: 1001, exit_status: 125, message: "m".into(), hint: None };
        for (kind, code) in [
            (FailureKind::NotFound, Code::NOT_FOUND),
            (FailureKind::AlreadyExists, Code::ALREADY_EXISTS),
            (FailureKind::WrongState, Code::FAILED_PRECONDITION),
            (FailureKind::Other, Code::UNKNOWN),
        ] {
            assert_eq!(status_of(failure(kind).into()).0, code);
        }
    }
}
