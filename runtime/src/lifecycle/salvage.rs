//! `delete --force` of a container whose state cannot be read: what it has left is found without.
//!
//! Proof comes from the kernel, and nothing is ended without: a cgroup bears the path of the state directory as its mark,
//! the sentry holds the container's audit record open from a user namespace of its own, a leased range of ids names the
//! state directory. The monitor ends by itself after those that it watches. What lives on then is named, and nothing that
//! is needed to find it again is removed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cgroup::mark::Remains;
use crate::cgroup::{Cgroup, CgroupError, Driver, Hierarchies};
use crate::error::Error;
use crate::idmap;
use crate::lifecycle::{LifecycleError, delete};
use crate::rootless;
use crate::state::{self, ProcessId};

/// How long the sentry may take to write its last and end by itself, once the workload is gone.
const FLUSH: Duration = Duration::from_secs(2);
/// How long everything may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// Why there is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// There is no state directory.
    NoDirectory,
    /// There is a directory and no state in it.
    Unwritten,
    /// There is one, and it cannot be read.
    Unreadable,
}

/// Ends what is left of the container `id` with the state directory `owner`. The directory and the lease stay.
///
/// # Errors
/// [`LifecycleError::LeftBehind`] when processes live on, [`LifecycleError::Untraceable`] when nothing could tell;
/// `CgroupError` for a cgroup that cannot be ended.
pub(super) fn end_all(owner: &Path, id: &str, damage: Damage) -> Result<(), Error> {
    let remains = remains(owner, id, damage)?;
    remains.as_ref().map_or(Ok(()), Remains::end)?;
    end_sentries(owner, id)?;
    wait_until_gone(owner, id)?;
    remains.as_ref().map_or(Ok(()), Remains::remove_of_sentries)?;
    // Without root there may be neither cgroup nor lease, and without a sentry nothing else tells of the container.
    let without_root = rootless::is_needed() || rootless::is_active();
    if damage == Damage::Unreadable && without_root && !owner.join(state::AUDIT_FILE).exists() {
        return Err(LifecycleError::Untraceable { id: id.to_owned(), path: owner.to_owned() }.into());
    }
    Ok(())
}

fn remains(owner: &Path, id: &str, damage: Damage) -> Result<Option<Remains>, Error> {
    let host = match Hierarchies::read() {
        Err(CgroupError::NoHierarchy) => return Ok(None),
        host => host?,
    };
    let places = match damage {
        // Of a container that never was there is no place either.
        Damage::NoDirectory => Vec::new(),
        Damage::Unwritten | Damage::Unreadable => {
            // Which driver placed it is lost as well; the form of the path tells them apart.
            let path = cgroups_path(owner);
            let by = |driver| {
                let mut places = Cgroup::places(driver, &host, path.as_deref(), id)?;
                places.extend(Cgroup::places_of_sentry(driver, &host, path.as_deref(), id)?);
                Ok::<_, CgroupError>(places)
            };
            by(Driver::Cgroupfs).or_else(|_not_its_form| by(Driver::Systemd))?
        }
    };
    Ok(Some(Remains::find(&host, owner, places)?))
}

/// `linux.cgroupsPath` of the frozen configuration.
fn cgroups_path(owner: &Path) -> Option<String> {
    let bundle = state::read_config(owner, owner).ok()?;
    Some(bundle.raw().pointer("/linux/cgroupsPath")?.as_str()?.to_owned())
}

/// The sentries of the container, that of its first process and those of processes that joined.
fn end_sentries(owner: &Path, id: &str) -> Result<(), Error> {
    for sentry in record_keepers(owner).into_iter().filter(|process| lives_elsewhere(*process)) {
        if !delete::wait_for(sentry, FLUSH)? {
            delete::kill_and_wait(sentry, id)?;
        }
    }
    Ok(())
}

fn wait_until_gone(owner: &Path, id: &str) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut left: Vec<i32> = record_keepers(owner).iter().map(|process| process.pid).collect();
        let inhabitants = idmap::inhabitants(owner).into_iter().filter_map(ProcessId::of);
        left.extend(inhabitants.filter(ProcessId::is_alive).map(|process| process.pid));
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            left.sort_unstable();
            left.dedup();
            return Err(LifecycleError::LeftBehind { id: id.to_owned(), processes: left }.into());
        }
        std::thread::sleep(PAUSE);
    }
}

/// The processes, this one excepted, that write the audit record of the container.
fn record_keepers(owner: &Path) -> Vec<ProcessId> {
    let Ok(record) = std::fs::metadata(owner.join(state::AUDIT_FILE)) else { return Vec::new() };
    let own = ProcessId::own();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // Identified first and looked at then: a number that is given away in between is not taken for it.
    pids.filter_map(ProcessId::of).filter(|process| Some(*process) != own && writes(*process, &record)).collect()
}

fn writes(process: ProcessId, file: &Metadata) -> bool {
    let proc = PathBuf::from("/proc").join(process.pid.to_string());
    let open = std::fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
    let is_it = |other: Metadata| (other.dev(), other.ino()) == (file.dev(), file.ino());
    let mut found = open.filter(|entry| std::fs::metadata(entry.path()).is_ok_and(is_it));
    found.any(|entry| is_for_writing(&proc.join("fdinfo").join(entry.file_name()))) && process.is_alive()
}

/// By the flags of open(2) in `/proc/PID/fdinfo/FD`, which are octal (proc_pid_fdinfo(5)).
fn is_for_writing(information: &Path) -> bool {
    let text = std::fs::read_to_string(information).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_ACCMODE != libc::O_RDONLY)
}

/// Whether it is in another user namespace than this process, as a sentry is and a reader of the record is not.
fn lives_elsewhere(process: ProcessId) -> bool {
    let namespace = |of: &str| std::fs::read_link(PathBuf::from("/proc").join(of).join("ns/user")).ok();
    matches!((namespace("self"), namespace(&process.pid.to_string())), (Some(ours), Some(theirs)) if ours != theirs)
}
