//! The verbs: one file each, used alike by the command line and the shim.
//!
//! `create` = `bundle` -> `spec` -> `policy` -> `launch`; the other verbs start from the state on disk.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::process::Pid;

use crate::rootfs::Rootfs;
use crate::state::Status;

mod agent;
mod attach;
mod attendance;
mod create;
mod default_config;
mod delete;
mod events;
mod exec;
mod features;
mod fit;
mod foreground;
mod host_root;
mod judgement;
pub mod kernel_paths;
mod kill;
mod launch;
mod list;
mod monitor;
mod nested;
mod newborn;
mod orders;
mod pause;
mod places;
mod profile;
mod ps;
mod records;
mod salvage;
mod scheduling;
mod start;
mod status;
mod streams;
mod syscalls;
mod terminal;
mod tracing_process;
mod undo;
mod update;
mod without_root;
mod workload;

pub use attach::trace_container;
pub use create::create;
pub use default_config::{ConfigFileError, write_default_config};
pub use delete::delete;
pub use events::{Event, EventsError, events, parse_interval, stats};
pub use exec::{Command, Detached, ExecRequest, Executed, Process as ExecProcess, exec};
pub use features::features;
pub use foreground::{Outcome, run, run_on_host_root, trace_on_host_root};
pub use host_root::HostRoot;
pub use kill::{kill, parse_signal};
pub use list::{Listed, list};
pub use nested::NestedError;
pub use pause::{pause, resume};
pub use ps::{Process, process_ids, processes};
pub use records::{pod, records, refusals};
pub use start::start;
pub use status::{OciState, state};
pub use syscalls::{ListedCall, syscalls};
pub use tracing_process::{TraceRequest, TracingError};
pub use update::{Flags, Limits, UpdateError, update};

/// What `create` needs beside the options.
#[derive(Debug, Default)]
pub struct CreateRequest {
    /// The container's id.
    pub id: String,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// Standard input, output and error of the workload; `None` inherits the caller's.
    pub stdio: [Option<OwnedFd>; 3],
    /// Where to write the first process's id.
    pub pid_file: Option<PathBuf>,
    /// Socket that gets the terminal's master when the bundle asks for a terminal.
    pub console_socket: Option<PathBuf>,
    /// Without such a socket: give the terminal's master back in [`Created`].
    pub returns_terminal: bool,
    /// Socket that gets the first process's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// How many descriptors from 3 on the workload shall inherit.
    pub preserve_fds: u32,
    /// The root file system.
    pub rootfs: Rootfs,
    /// A reader of the sentry's records beside the audit file: a socket or pipe that does not block.
    pub record_sink: Option<OwnedFd>,
}

/// A container that stands ready for `start`.
#[derive(Debug)]
pub struct Created {
    /// Its first process, as the host counts. It is a child of the nearest subreaper above the caller.
    pub pid: Pid,
    /// The pidfd of that process.
    pub pidfd: OwnedFd,
    /// Its terminal's master, if it has one and the request wants it back.
    pub terminal: Option<OwnedFd>,
}

/// A verb that does not fit.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The status is another one than the verb needs.
    #[error("cannot {verb} container {id:?}: it is {status}, not {needed}", needed = fit::either(needed))]
    WrongStatus {
        /// The verb.
        verb: &'static str,
        /// The container.
        id: String,
        /// Its status.
        status: &'static str,
        /// The statuses that fit the verb.
        needed: &'static [Status],
    },
    /// It is not running. The words are those that containerd's shim and Docker look for.
    #[error("container not running: os: process already finished ({id:?} is {status})")]
    NotRunning {
        /// The container.
        id: String,
        /// Its status.
        status: &'static str,
    },
    /// Not a signal.
    #[error("unknown signal {0:?}")]
    UnknownSignal(String),
    /// A signal could not be sent.
    #[error("could not send the signal")]
    Signal(#[source] std::io::Error),
    /// Waiting for a process failed.
    #[error("could not wait for the container")]
    Wait(#[source] std::io::Error),
    /// The pid file.
    #[error("could not write the pid file {path}")]
    PidFile {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A terminal without a place to send it, or the reverse.
    #[error("{0}")]
    Terminal(&'static str),
    /// The console socket.
    #[error("could not connect to the console socket {path}")]
    ConsoleSocket {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The socket for the process's pidfd.
    #[error("could not send the pidfd to the socket {path}")]
    PidfdSocket {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The socket on which the container waits for `start`.
    #[error("could not reach the container's start socket")]
    Gate(#[source] std::io::Error),
    /// The standard streams could not be passed on.
    #[error("could not pass the standard streams on")]
    Streams(#[source] std::io::Error),
    /// The profile's system calls.
    #[error("the profile's system calls cannot be had")]
    Calls(#[source] lazaret_profiles::adjust::ChangeError),
    /// A filter for the profile.
    #[error("no filter could be made for the profile")]
    Emit(#[source] lazaret_profiles::bpf::EmitError),
    /// The relay between the caller's terminal and the container's.
    #[error("could not relay the terminal")]
    Relay(#[source] std::io::Error),
    /// A directory among the descriptors that the workload would inherit.
    #[error("a standard stream or preserved descriptor is a directory, which no sandbox may inherit")]
    DirectoryStream,
    /// A property of the process that only the host may set.
    #[error("could not set {field} to {value}")]
    Property {
        /// Field of config.json.
        field: &'static str,
        /// The value.
        value: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A descriptor that `--preserve-fds` counts is not open.
    #[error("--preserve-fds {count}: descriptor {missing} is not open")]
    PreserveFds {
        /// As asked.
        count: u32,
        /// The first that is not open.
        missing: u32,
    },
    /// The monitor could not be forked.
    #[error("could not fork the container's monitor")]
    Monitor(#[source] std::io::Error),
    /// No command was given.
    #[error("no command to run")]
    NoCommand,
    /// A verb of runc that lazaret does not have.
    #[error("{verb} is not supported: {why}")]
    NotSupported {
        /// The verb.
        verb: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The seccomp agent.
    #[error("could not hand the seccomp listener to {path} (linux.seccomp.listenerPath)")]
    Agent {
        /// Its socket.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Processes of the container outlive its end.
    #[error("could not end every process of container {0:?}")]
    Undead(String),
    /// Processes that belong to a container whose state is lost, and that nothing proves to be its own alone.
    #[error("the state of container {id:?} is damaged, and processes live on that may be its own: {processes:?}")]
    LeftBehind {
        /// The container.
        id: String,
        /// Their ids.
        processes: Vec<i32>,
    },
    /// A container whose state is lost, and of which nothing else tells.
    #[error("the state of container {id:?} is damaged, and nothing tells whether its processes have ended")]
    Untraceable {
        /// The container.
        id: String,
        /// Its state directory.
        path: PathBuf,
    },
}

impl LifecycleError {
    /// Stable number of this error, 1010-1029.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::WrongStatus { .. } => 1010,
            Self::NotRunning { .. } => 1011,
            Self::UnknownSignal(_) => 1012,
            Self::Signal(_) => 1013,
            Self::Wait(_) => 1014,
            Self::PidFile { .. } => 1015,
            Self::Terminal(_) => 1016,
            Self::ConsoleSocket { .. } => 1017,
            Self::Gate(_) => 1018,
            Self::PidfdSocket { .. } => 1028,
            Self::Property { .. } => 1019,
            Self::PreserveFds { .. } => 1020,
            Self::Monitor(_) => 1021,
            Self::Streams(_) => 1025,
            Self::Calls(_) => 1764,
            Self::Emit(_) => 1765,
            Self::Relay(_) => 1009,
            Self::DirectoryStream => 1008,
            Self::NoCommand => 1022,
            Self::Undead(_) => 1023,
            Self::LeftBehind { .. } => 1024,
            Self::Untraceable { .. } => 1029,
            Self::NotSupported { .. } => 1026,
            Self::Agent { .. } => 1027,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::WrongStatus { verb: "delete", status: "creating", .. } => {
                "another process is creating it: wait for that, or end that process"
            }
            Self::WrongStatus { verb: "delete", .. } => "kill it first, or use delete --force",
            Self::WrongStatus { verb: "exec a process in", status: "paused", .. } => {
                "resume it first; with --ignore-paused the process waits for that"
            }
            Self::WrongStatus { .. } => "see lazaret state",
            Self::UnknownSignal(_) => "give a name such as TERM or SIGTERM, or a number from 1 to 64",
            Self::Terminal(_) => "process.terminal and --console-socket go together",
            Self::Property { source, .. } if source.raw_os_error() == Some(libc::EPERM) => {
                "raising it needs CAP_SYS_RESOURCE, which lazaret itself does not have here"
            }
            Self::Agent { .. } => "the agent must listen there before the container is created",
            Self::Property { field: "process.user.uid" | "process.user.gid", .. } => {
                "the id is not mapped in the container's user namespace"
            }
            Self::NoCommand => "give it after two dashes: lazaret do -- sh -c 'id'",
            Self::LeftBehind { .. } => {
                "delete the other containers of its pod, or end these processes; then delete it again"
            }
            Self::Untraceable { path, .. } => {
                return Some(format!("end its processes, then remove the directory {}", path.display()));
            }
            Self::NotRunning { .. }
            | Self::Signal(_)
            | Self::Wait(_)
            | Self::PidFile { .. }
            | Self::ConsoleSocket { .. }
            | Self::PidfdSocket { .. }
            | Self::Gate(_)
            | Self::Streams(_)
            | Self::Calls(_)
            | Self::Emit(_)
            | Self::Relay(_)
            | Self::DirectoryStream
            | Self::Property { .. }
            | Self::PreserveFds { .. }
            | Self::Monitor(_)
            | Self::NotSupported { .. }
            | Self::Undead(_) => return None,
        };
        Some(hint.to_owned())
    }
}
