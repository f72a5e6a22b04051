//! Facts about a caller, read from the private procfs by its process id.
//!
//! Called by `court`, which asks afterwards whether the caller still waits. Must not decide; what it returns is
//! what the kernel says, seen from the pod's user namespace.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{limits, text};

/// The processes that may call.
#[derive(Debug)]
pub(crate) struct Tracees {
    proc: OwnedFd,
}

/// Why a fact is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceeError {
    /// `/proc/PID/status` cannot be opened.
    #[error("cannot open the status of process {pid}")]
    Open {
        /// The process.
        pid: i32,
        /// Why.
        #[source]
        source: Errno,
    },
    /// `/proc/PID/status` cannot be read.
    #[error("cannot read the status of process {pid}")]
    Read {
        /// The process.
        pid: i32,
        /// Why.
        #[source]
        source: Errno,
    },
    /// `/proc/PID/status` has no such line.
    #[error("no effective user id in the status of process {pid}")]
    NoUid {
        /// The process.
        pid: i32,
    },
}

impl Tracees {
    /// Of this procfs.
    pub(crate) fn new(proc: OwnedFd) -> Self {
        Self { proc }
    }

    /// The path of its executable as the kernel names it, cut. `?` when the caller may not be looked at, or is gone.
    pub(crate) fn executable(&self, pid: i32) -> String {
        let buffer = Vec::with_capacity(limits::RECORDED_TEXT);
        rustix::fs::readlinkat(&self.proc, format!("{pid}/exe"), buffer)
            .map_or_else(|_errno| "?".to_owned(), |path| text::cut(path.as_bytes(), limits::RECORDED_TEXT))
    }

    /// Its effective user id.
    pub(crate) fn effective_uid(&self, pid: i32) -> Result<u32, TraceeError> {
        let status =
            rustix::fs::openat(&self.proc, format!("{pid}/status"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|source| TraceeError::Open { pid, source })?;
        let mut bytes = vec![0; limits::PROC_STATUS];
        let read = rustix::io::read(status.as_fd(), &mut bytes).map_err(|source| TraceeError::Read { pid, source })?;
        bytes.truncate(read);
        effective_uid(&bytes).ok_or(TraceeError::NoUid { pid })
    }
}

/// The second number of the line `Uid:` (proc_pid_status(5)). The name of the process stands before it, but its line
/// ends are escaped there.
fn effective_uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_proc() -> Tracees {
        Tracees::new(
            rustix::fs::open("/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap(),
        )
    }

    #[test]
    fn the_second_number_is_the_effective_one() {
        assert_eq!(effective_uid(b"Name:\tx\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n"), Some(2));
        assert_eq!(effective_uid(b"Name:\tx\\nUid:\t0\t0\nGid:\t5\n"), None);
        assert_eq!(effective_uid(b"Uid:\t1\n"), None);
        assert_eq!(effective_uid(b""), None);
    }

    #[test]
    fn own_facts_are_found() {
        let own = i32::try_from(std::process::id()).unwrap();
        let executable = std::env::current_exe().unwrap();
        assert!(own_proc().executable(own).starts_with(&executable.display().to_string()[..20]));
        assert_eq!(own_proc().effective_uid(own).unwrap(), rustix::process::geteuid().as_raw());
    }

    #[test]
    fn missing_process_is_a_question_mark_and_an_error() {
        assert_eq!(own_proc().executable(0), "?");
        assert!(matches!(own_proc().effective_uid(0), Err(TraceeError::Open { pid: 0, .. })));
    }
}
