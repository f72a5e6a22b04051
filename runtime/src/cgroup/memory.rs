//! The memory of a container: how much it may use and uses, and that it had too little.
//!
//! Used by `lifecycle` and, for the alarm, by the shim.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::EventfdFlags;
use rustix::fs::{OFlags, inotify};

use crate::cgroup::directory::Directory;
use crate::cgroup::member::Member;
use crate::cgroup::{Cgroup, CgroupError, Version};

/// The files that count the processes killed for want of memory.
const V1_FILE: &str = "memory.oom_control";
const V2_FILE: &str = "memory.events";

impl Cgroup {
    /// Read-only descriptors of the memory limit and of the memory in use, in bytes (the limit may say `max`); `None`
    /// where the container is not in a memory cgroup.
    #[must_use]
    pub fn memory_files(&self) -> (Option<OwnedFd>, Option<OwnedFd>) {
        let (member, limit, usage) = match self.member(Version::V1, "memory") {
            Some(member) => (member, "memory.limit_in_bytes", "memory.usage_in_bytes"),
            None => match self.member(Version::V2, "memory") {
                Some(member) => (member, "memory.max", "memory.current"),
                None => return (None, None),
            },
        };
        let open = |name| member.directory().ok().and_then(|directory| directory.file(name, OFlags::RDONLY).ok());
        (open(limit), open(usage))
    }

    /// How many processes of the container the kernel has killed for want of memory; `None` where the container is not
    /// in a memory cgroup.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub fn oom_kills(&self) -> Result<Option<u64>, CgroupError> {
        let Some((member, file)) = self.oom_file() else { return Ok(None) };
        let directory = member.directory()?;
        let failed = |source| CgroupError::Read { path: directory.path().join(file), source };
        let text = directory.read(file).map_err(failed)?;
        Ok(text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.parse().ok()))
    }

    /// A non-blocking descriptor that becomes readable when [`Cgroup::oom_kills`] may have changed, or on v1 is about to;
    /// `None` where the container is not in a memory cgroup. What is read from it means nothing.
    ///
    /// # Errors
    /// [`CgroupError::Read`] when the kernel does not watch the file (inotify(7); on v1 eventfd(2) and
    /// `cgroup.event_control`, Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control").
    pub fn oom_alarm(&self) -> Result<Option<OwnedFd>, CgroupError> {
        let Some((member, file)) = self.oom_file() else { return Ok(None) };
        let directory = member.directory()?;
        let alarm = match member.version {
            Version::V1 => v1_alarm(&directory),
            Version::V2 => v2_alarm(&directory),
        };
        alarm.map(Some).map_err(|source| CgroupError::Read { path: directory.path().join(file), source })
    }

    fn oom_file(&self) -> Option<(&Member, &'static str)> {
        let v1 = self.member(Version::V1, "memory").map(|member| (member, V1_FILE));
        v1.or_else(|| self.member(Version::V2, "memory").map(|member| (member, V2_FILE)))
    }
}

fn v1_alarm(directory: &Directory) -> std::io::Result<OwnedFd> {
    let alarm = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let watched = directory.file(V1_FILE, OFlags::RDONLY)?;
    let order = format!("{} {}", alarm.as_raw_fd(), watched.as_raw_fd());
    directory.write("cgroup.event_control", &order)?;
    Ok(alarm)
}

fn v2_alarm(directory: &Directory) -> std::io::Result<OwnedFd> {
    let alarm = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    inotify::add_watch(&alarm, directory.path().join(V2_FILE), inotify::WatchFlags::MODIFY)?;
    Ok(alarm)
}
