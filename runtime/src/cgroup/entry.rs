//! The cheap way into cgroups of v1: a process moves itself. The launcher opens the door before it clones; the child goes
//! through it before it does anything else. It must not allocate: it runs between clone and exec.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

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

    /// Moves the calling process, which must have one thread, into every v1 cgroup of the container. The right to do so
    /// is that of whoever opened the files, so the caller's own user namespace and identity do not matter.
    ///
    /// # Errors
    /// The kernel's answer: `ENOSPC` for a cpuset without processors.
    pub fn enter(&self) -> Result<(), Errno> {
        for file in &self.tasks {
            rustix::io::write(file, b"0")?;
        }
        Ok(())
    }
}
