//! What procfs tells of a process of a container, read by whoever works for it from outside (`broker`, `connect`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use lazaret_sentry::limits;
use rustix::fs::{AtFlags, Mode, OFlags};

/// What tells a namespace from others: device and inode.
pub(crate) type Identity = (u64, u64);

/// The identity of the namespace `name` (`user`, `mnt` …) below `proc`, a `/proc/PID`.
///
/// # Errors
/// When the process is gone.
pub(crate) fn namespace(proc: impl AsFd, name: &str) -> io::Result<Identity> {
    let stat = rustix::fs::statat(proc, format!("ns/{name}"), AtFlags::empty())?;
    Ok((stat.st_dev, stat.st_ino))
}

/// The number of the process behind a pidfd, as procfs has it.
///
/// # Errors
/// `ESRCH` when it has been reaped.
pub(crate) fn process_of(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let pid = field(&info, "Pid:").and_then(|text| text.trim().parse().ok());
    pid.filter(|pid| *pid > 0).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// `status` below `proc`, a `/proc/PID` (proc_pid_status(5)). Its ids are those of our user namespace.
///
/// # Errors
/// `ESRCH` when the process is gone.
pub(crate) fn status(proc: &OwnedFd) -> io::Result<String> {
    let file = rustix::fs::openat(proc, "status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = vec![0; limits::PROC_STATUS];
    let length = rustix::io::read(&file, &mut bytes)?;
    bytes.truncate(length);
    if bytes.is_empty() {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What stands behind `name` at the beginning of a line.
pub(crate) fn field<'s>(text: &'s str, name: &str) -> Option<&'s str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}
