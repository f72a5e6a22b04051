//! Why stage 2 stopped: one variant a step, with what it was working on.

use std::io;
use std::path::PathBuf;

use crate::causes;
use crate::channel::{ChannelError, Failure};
use crate::hook_process::HookError;

/// A failed step of stage 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    #[error("could not become the container's root in its user namespace")]
    EnterUserns(#[source] io::Error),
    #[error("could not {operation} the container's root file system")]
    Root { operation: &'static str, source: io::Error },
    #[error("could not {operation} {path}")]
    Path { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("could not mount {fstype} on {destination} ({field})")]
    Mount { fstype: String, destination: PathBuf, field: String, source: io::Error },
    #[error("could not mount {fstype} on {destination} ({field}.options: {option:?})")]
    MountOption { fstype: String, destination: PathBuf, field: String, option: String, source: io::Error },
    #[error("could not make the device {path} (linux.devices)")]
    Device { path: PathBuf, source: io::Error },
    #[error("could not write {value:?} to {path} (linux.sysctl)")]
    Sysctl { path: PathBuf, value: String, source: io::Error },
    #[error("could not set the {what}")]
    Names { what: &'static str, source: io::Error },
    #[error("could not set up the terminal: {operation}")]
    Console { operation: &'static str, source: io::Error },
    #[error("could not set the process's {what} ({field})")]
    Identity { what: &'static str, field: &'static str, source: io::Error },
    #[error("could not set capabilities (process.capabilities)")]
    Capabilities(#[source] caps::errors::CapsError),
    #[error("could not enter a Landlock domain")]
    Landlock(#[source] landlock::RulesetError),
    #[error("this kernel's Landlock has no whole set of path rules, which strict mode needs")]
    PathRules(#[source] landlock::RulesetError),
    #[error("could not make the Landlock rule of {path}")]
    PathRule { path: PathBuf, source: io::Error },
    #[error("could not install the {which} seccomp filter")]
    Seccomp { which: &'static str, source: io::Error },
    #[error("cannot enter the working directory {path} (process.cwd)")]
    Cwd { path: PathBuf, source: io::Error },
    #[error("the working directory {path} lies outside the container (process.cwd)")]
    CwdOutside { path: PathBuf },
    #[error("exec: {program:?}: executable file not found in $PATH")]
    NotInPath { program: String },
    #[error("exec: {program:?}: stat {program}: no such file or directory")]
    Missing { program: String },
    #[error("exec: {program:?}: permission denied")]
    NotExecutable { program: String },
    #[error("exec: {program:?}: the kernel cannot execute it")]
    Exec { program: String, source: io::Error },
    #[error("could not wait for start")]
    Gate(#[source] io::Error),
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error("could not start the thread that hands the listener over (linux.seccomp)")]
    Agent(#[source] io::Error),
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

impl InitError {
    fn code(&self) -> u32 {
        match self {
            Self::EnterUserns(_) => 1600,
            Self::Root { .. } => 1601,
            Self::Path { .. } => 1602,
            Self::Mount { .. } => 1603,
            Self::MountOption { .. } => 1614,
            Self::Device { .. } => 1604,
            Self::Sysctl { .. } => 1605,
            Self::Names { .. } => 1606,
            Self::Console { .. } => 1607,
            Self::Identity { .. } => 1608,
            Self::Capabilities(_) => 1609,
            Self::Landlock(_) => 1610,
            Self::Seccomp { .. } => 1611,
            Self::PathRules(_) => 1615,
            Self::PathRule { .. } => 1616,
            Self::Cwd { .. } => 1612,
            Self::CwdOutside { .. } => 1613,
            Self::NotInPath { .. } => 1620,
            Self::Missing { .. } => 1621,
            Self::NotExecutable { .. } => 1622,
            Self::Exec { .. } => 1623,
            Self::Gate(_) => 1630,
            Self::Channel(_) => 1631,
            Self::Agent(_) => 1632,
            Self::Hook(error) => error.code(),
        }
    }

    fn exit_status(&self) -> u8 {
        if matches!(self, Self::NotInPath { .. } | Self::Missing { .. }) {
            127
        } else if matches!(self, Self::NotExecutable { .. } | Self::Exec { .. }) {
            126
        } else {
            125
        }
    }

    fn hint(&self) -> Option<String> {
        if let Self::Hook(error) = self {
            return error.hint();
        }
        self.hint_by_kind().or_else(|| self.hint_by_cause()).map(str::to_owned)
    }

    fn hint_by_kind(&self) -> Option<&'static str> {
        if matches!(self, Self::NotInPath { .. }) {
            return Some("the image has no such program, or PATH in process.env does not name its folder");
        }
        if matches!(self, Self::Missing { .. }) {
            return Some("the image has no such file; a path in process.args is looked up inside the container");
        }
        if matches!(self, Self::NotExecutable { .. }) {
            return Some("the file must be a regular file with execute permission for process.user");
        }
        if matches!(self, Self::PathRules(_)) {
            return Some("use Linux 6.2 or later with landlock among its security modules (lsm=), or --mode sandbox");
        }
        if matches!(self, Self::MountOption { .. }) {
            return Some("the file system does not take this option or this value; leave it out");
        }
        matches!(self, Self::Cwd { .. }).then_some("process.cwd must be a directory that process.user may enter")
    }

    fn hint_by_cause(&self) -> Option<&'static str> {
        if let Self::Exec { source, .. } = self {
            return match source.raw_os_error() {
                Some(libc::ENOEXEC) => {
                    Some("it is neither a program for this machine's architecture nor a script that begins with #!")
                }
                Some(libc::ENOENT) => {
                    Some("its interpreter (the #! line, or the dynamic loader) is missing in the image")
                }
                _ => None,
            };
        }
        if let Self::Seccomp { source, .. } = self {
            let busy = source.raw_os_error() == Some(libc::EBUSY);
            return busy
                .then_some("a supervisor outside has the one listener there can be; use --interceptor auto or ptrace");
        }
        if let Self::Identity { source, .. } = self {
            let unmapped = source.raw_os_error() == Some(libc::EINVAL);
            return unmapped.then_some("the id is not mapped in the container's user namespace");
        }
        None
    }
}

impl From<&InitError> for Failure {
    fn from(error: &InitError) -> Self {
        Self { code: error.code(), message: causes::chain(error), exit_status: error.exit_status(), hint: error.hint() }
    }
}
