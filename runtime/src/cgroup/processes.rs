//! The processes of a cgroup as one: list, freeze, thaw, kill. Used by `mod` on the directory that tracks a container (v2
//! where there is one, else the v1 freezer). Every wait has a bound.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lazaret_sentry::limits;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::cgroup::directory::{self, Directory};
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;

/// How long it may take until every process is frozen. Who waits for a sentry's answer is frozen after it, so that this is
/// longer than what an answer takes that the workload itself can hold back.
const FREEZE_BOUND: Duration = Duration::from_secs(5);
/// The same before each round of killing, which succeeds without it.
const FREEZE_BOUND_TO_KILL: Duration = Duration::from_secs(2);
/// How long processes may take to end after SIGKILL, on kernels without `cgroup.kill`.
const KILL_BOUND: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);

/// Every process of the directory and of the cgroups below it.
pub(super) fn list(root: &Directory) -> Result<Vec<i32>, CgroupError> {
    let failed = |source| CgroupError::Read { path: root.path().join("cgroup.procs"), source };
    let mut pids = match root.procs() {
        Ok(pids) => pids,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    for below in root.descendants().or_else(nothing_when_gone).map_err(failed)? {
        match root.child(&below).and_then(|child| child.procs()) {
            Ok(more) => pids.extend(more),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(pids)
}

fn nothing_when_gone(error: io::Error) -> io::Result<Vec<PathBuf>> {
    if is_gone(&error) { Ok(Vec::new()) } else { Err(error) }
}

/// A file of a directory that was removed after it was opened answers ENODEV.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

const _: () = {
    let held_back = limits::COPY_DEADLINE.as_millis() + limits::COPY_CHECK.as_millis();
    assert!(FREEZE_BOUND.as_millis() > held_back && FREEZE_BOUND.as_millis() > limits::HOSTNAME_DEADLINE.as_millis());
};

/// Stops every process and waits until all of them stand still. When they do not in time, they are thawed again.
pub(super) fn freeze(directory: &Directory, version: Version) -> Result<(), CgroupError> {
    freeze_within(directory, version, FREEZE_BOUND)
}

fn freeze_within(directory: &Directory, version: Version, bound: Duration) -> Result<(), CgroupError> {
    let (file, value) = match version {
        Version::V1 => ("freezer.state", "FROZEN"),
        Version::V2 => ("cgroup.freeze", "1"),
    };
    let deadline = Instant::now() + bound;
    set(directory, file, value)?;
    let frozen = match version {
        Version::V1 => wait_for_freezer(directory, deadline),
        Version::V2 => wait_for_event(directory, "frozen 1", deadline),
    }
    .map_err(|source| CgroupError::Read { path: directory.path().to_path_buf(), source })?;
    if frozen {
        return Ok(());
    }
    thaw(directory, version)?;
    Err(CgroupError::NotFrozen { path: directory.path().to_path_buf(), millis: bound.as_millis() })
}

/// Lets frozen processes run again.
pub(super) fn thaw(directory: &Directory, version: Version) -> Result<(), CgroupError> {
    match version {
        Version::V1 => set(directory, "freezer.state", "THAWED"),
        Version::V2 => set(directory, "cgroup.freeze", "0"),
    }
}

/// Whether someone has asked for the frost and not for the thaw; the kernel may still be stopping the last processes.
pub(super) fn is_frozen(directory: &Directory, version: Version) -> Result<bool, CgroupError> {
    let (file, thawed) = match version {
        Version::V1 => ("freezer.state", "THAWED"),
        Version::V2 => ("cgroup.freeze", "0"),
    };
    match directory.read(file) {
        Ok(text) => Ok(text.trim_end() != thawed),
        Err(error) if is_gone(&error) => Ok(false),
        Err(source) => Err(CgroupError::Read { path: directory.path().join(file), source }),
    }
}

fn set(directory: &Directory, file: &str, value: &'static str) -> Result<(), CgroupError> {
    directory.write(file, value).map_err(|source| CgroupError::Freeze {
        path: directory.path().join(file),
        value,
        source,
    })
}

/// v1: the state stays FREEZING while a process cannot be stopped yet; writing again reaches those that were born since.
fn wait_for_freezer(directory: &Directory, deadline: Instant) -> io::Result<bool> {
    loop {
        if directory.read("freezer.state")?.trim_end() == "FROZEN" {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
        directory.write("freezer.state", "FROZEN")?;
    }
}

/// v2: `cgroup.events` can be polled for POLLPRI after it was read.
fn wait_for_event(directory: &Directory, line: &str, deadline: Instant) -> io::Result<bool> {
    let events = directory.file("cgroup.events", OFlags::RDONLY)?;
    loop {
        if directory::read_all(&events, directory::USUAL_FILE)?.lines().any(|have| have == line) {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills every process below `directory`. With `cgroup.kill` (v2, Linux 5.14) the kernel does it at once and no fork
/// escapes; they may still be on their way out when this returns.
pub(super) fn kill(directory: &Directory, version: Version) -> Result<(), CgroupError> {
    if version == Version::V2 {
        match directory.write("cgroup.kill", "1") {
            Ok(()) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(CgroupError::Kill { path: directory.path().to_path_buf(), what: "all".into(), source });
            }
        }
    }
    kill_one_by_one(directory, version)
}

/// Freezes, so that nothing forks away, signals each process and thaws, so that the signal is delivered (a frozen
/// process of v1 does not even die); again until none is left.
fn kill_one_by_one(directory: &Directory, version: Version) -> Result<(), CgroupError> {
    let deadline = Instant::now() + KILL_BOUND;
    loop {
        let pids = list(directory)?;
        if pids.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let path = directory.path().to_path_buf();
            return Err(CgroupError::StillAlive { path, count: pids.len(), millis: KILL_BOUND.as_millis() });
        }
        // One that cannot be frozen is killed as well: only a fork bomb needs the frost, and it has more than one round.
        let frozen = freeze_within(directory, version, FREEZE_BOUND_TO_KILL);
        let killed = signal_members(directory);
        thaw(directory, version)?;
        killed?;
        if let Err(error) = frozen {
            tracing::debug!(path = %directory.path().display(), %error, "killing without freezing");
        }
        std::thread::sleep(PAUSE);
    }
}

/// Sends SIGKILL to each member. A pid is only a number until its pidfd is open: the process is a member for sure when
/// the list names it again after that.
pub(super) fn signal_members(directory: &Directory) -> Result<(), CgroupError> {
    let mut opened: Vec<(i32, OwnedFd)> = Vec::new();
    for pid in list(directory)? {
        let Some(raw) = Pid::from_raw(pid) else { continue };
        match rustix::process::pidfd_open(raw, PidfdFlags::empty()) {
            Ok(pidfd) => opened.push((pid, pidfd)),
            Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(kill_failed(directory.path(), pid, error.into())),
        }
    }
    let members = list(directory)?;
    for (pid, pidfd) in opened.iter().filter(|(pid, _)| members.contains(pid)) {
        match rustix::process::pidfd_send_signal(pidfd, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(kill_failed(directory.path(), *pid, error.into())),
        }
    }
    Ok(())
}

fn kill_failed(path: &Path, pid: i32, source: io::Error) -> CgroupError {
    CgroupError::Kill { path: path.to_path_buf(), what: format!("process {pid}").into(), source }
}
