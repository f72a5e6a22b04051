//! The cheap way into cgroups of v1: a process moves itself. The launcher opens the door before it clones; the child goes
//! through it before it does anything else. It must not allocate: it runs between clone and exec.

use std::os::fd::OwnedFd;

/// The `tasks` files of a container's v1 cgroups, open for writing.
///
/// Moving any other process, or a whole process by `cgroup.procs`, takes the kernel's lock against forks and exits of
/// all processes, whose writer waits for an RCU grace period: 5 to 10 ms on an idle machine. A thread that moves itself
/// alone (0 to `tasks`; Linux 5.5, 9a3284fad42f) needs no such lock and takes 15 to 30 us for each hierarchy. For a
/// process with one thread the two are the same.
#[derive(Debug)]
pub struct Entry {
    tasks: Vec<OwnedFd>,
}

impl Entry {
    pub(super) fn new(tasks: Vec<OwnedFd>) -> Self {
        Self { tasks }
    }

    /// The files, for the process that is to move itself by writing `0` to each. The right to do so is that of whoever
    /// opened them, so that process's own user namespace and identity do not matter; it must have one thread. A write
    /// fails with `ENOSPC` for a cpuset without processors.
    #[must_use]
    pub fn into_tasks(self) -> Vec<OwnedFd> {
        self.tasks
    }
}
