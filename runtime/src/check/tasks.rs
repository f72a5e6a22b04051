//! What `/proc` tells of the tasks of a process: the facts that confine each, as the kernel has them.

use std::io;
use std::path::{Path, PathBuf};

use crate::procfs::field;

/// Most tasks of a container that are looked at.
const MOST: usize = 20_000;

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// Its id on the host.
    pub(super) tid: i32,
    /// `NoNewPrivs` is 1.
    pub(super) no_new_privileges: bool,
    /// `Seccomp`: 0 none, 1 strict, 2 filters.
    pub(super) seccomp: u32,
    /// `CapBnd` and `CapPrm`, together.
    pub(super) capabilities: u64,
    /// `TracerPid`.
    pub(super) tracer: i32,
    /// The four user ids, on the host.
    pub(super) uids: Vec<u32>,
    /// Whether it has ended and waits for its parent.
    pub(super) is_zombie: bool,
}

/// The tasks of the processes `pids`. One that ends meanwhile is left out, and so are zombies: they run no code.
///
/// # Errors
/// When a task that lives cannot be looked at, or there are too many.
pub(super) fn of(pids: &[i32]) -> io::Result<Vec<Task>> {
    let mut all = Vec::new();
    for pid in pids {
        let folder = PathBuf::from(format!("/proc/{pid}/task"));
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if has_ended(&error) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = match entry {
                Err(error) if has_ended(&error) => continue,
                entry => entry?,
            };
            match look(&entry.path()) {
                Err(error) if has_ended(&error) => {}
                task => all.extend(Some(task?).filter(|task| !task.is_zombie)),
            }
            if all.len() > MOST {
                return Err(io::Error::other(format!("there are more than {MOST} tasks")));
            }
        }
    }
    Ok(all)
}

/// What the kernel says of a task that has ended between two looks.
fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// The task behind a `/proc/PID/task/TID`, or the first one of a `/proc/PID`.
pub(super) fn look(folder: &Path) -> io::Result<Task> {
    let status = std::fs::read_to_string(folder.join("status"))?;
    parse(&status).ok_or_else(|| io::Error::other(format!("{} is not understood", folder.join("status").display())))
}

/// From the lines of proc_pid_status(5). A process's name stands before them with its line ends escaped.
fn parse(status: &str) -> Option<Task> {
    let number = |name: &str| field(status, name)?.trim().parse::<u32>().ok();
    let mask = |name: &str| u64::from_str_radix(field(status, name)?.trim(), 16).ok();
    let uids = field(status, "Uid:")?.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>().ok()?;
    Some(Task {
        tid: i32::try_from(number("Pid:")?).ok()?,
        no_new_privileges: number("NoNewPrivs:")? == 1,
        seccomp: number("Seccomp:")?,
        capabilities: mask("CapBnd:")? | mask("CapPrm:")?,
        tracer: i32::try_from(number("TracerPid:")?).ok()?,
        uids,
        is_zombie: field(status, "State:")?.trim_start().starts_with(['Z', 'X']),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_by_its_lines() {
        let status = "Name:\tSeccomp:\\n0\nState:\tS (sleeping)\nPid:\t7\nTracerPid:\t9\nUid:\t1\t2\t3\t4\n\
                      CapPrm:\t0000000000000400\nCapBnd:\t0000000000000001\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        let task = parse(status).unwrap();
        assert_eq!((task.tid, task.tracer, task.seccomp, task.capabilities), (7, 9, 2, 0x401));
        assert!(task.no_new_privileges && !task.is_zombie);
        assert_eq!(task.uids, [1, 2, 3, 4]);
        assert_eq!(parse(&status.replace("Seccomp:\t2\n", "")), None, "a missing line is no pass");
    }

    #[test]
    fn own_tasks_are_found_and_ended_processes_are_none() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(of(&[own, i32::MAX]).unwrap().iter().any(|task| task.tid == own));
    }
}
