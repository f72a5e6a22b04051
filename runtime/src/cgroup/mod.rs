//! The cgroups of a container: made with their limits before anything runs, entered, frozen, killed, removed. Called by
//! `lifecycle`; what a [`Cgroup`] holds lives in the container's state. It never touches a cgroup that it did not make,
//! but for v2 ancestors, where it switches on controllers that a limit needs.
//!
//! Which hierarchies a container joins: every directory costs about 0.16 ms (mkdir 95 us, enter 27 us, rmdir 35 us;
//! `memory` 0.21, `cpuset` 0.4; measured on Linux 6.18), so only those with a use:
//! - v2, where mounted: it tracks the container (kill, freeze, list), and has every limit on a pure v2 host. Without v2
//!   the v1 `freezer` tracks.
//! - a v1 controller with a limit; `devices` with device rules.
//! - `memory`, `cpuacct` and `pids` of v1 also when `linux.cgroupsPath` is given: an engine that places cgroups reads
//!   its statistics from them. `name=systemd` is never joined.
//!
//! Ways in: `clone_target` (v2) and [`Entry`] (v1, the child itself) are cheap; [`Cgroup::attach`] may wait for RCU.

mod convert;
mod delegate;
mod devices;
mod directory;
mod entry;
mod error;
mod hierarchy;
mod limits;
mod location;
mod member;
mod newcomer;
mod processes;
mod restrict;
pub mod stats;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::cgroup::directory::Directory;
use crate::cgroup::hierarchy::Hierarchy;
use crate::cgroup::limits::Setting;
use crate::cgroup::location::Location;
use crate::cgroup::member::Member;
use crate::cgroup::restrict::DeviceMeans;
use crate::spec::resources::Resources;

pub use crate::cgroup::entry::Entry;
pub use crate::cgroup::error::CgroupError;
pub use crate::cgroup::hierarchy::{Hierarchies, Version};

/// Whether this build can place containers through systemd (transient units over D-Bus). Told by `features`.
pub const HAS_SYSTEMD_DRIVER: bool = false;
/// Controllers of v1 whose files are the statistics of a container.
const STATISTICS: [&str; 3] = ["memory", "cpuacct", "pids"];

/// The cgroups of one container.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Cgroup {
    location: Location,
    /// The one that tracks the container comes first.
    members: Vec<Member>,
}

/// Removes the cgroups of a container whose creation did not come to its end.
#[derive(Debug)]
#[must_use = "dropping it removes the cgroup"]
pub struct CgroupGuard {
    cgroup: Option<Cgroup>,
}

impl CgroupGuard {
    /// The container exists: its cgroups stay, and [`Cgroup::delete`] removes them one day.
    pub fn keep(mut self) {
        self.cgroup = None;
    }
}

impl Drop for CgroupGuard {
    fn drop(&mut self) {
        if let Some(error) = self.cgroup.take().and_then(|cgroup| cgroup.delete().err()) {
            tracing::error!(%error, "a cgroup is left behind");
        }
    }
}

impl Cgroup {
    /// Makes the directories of a container and writes its limits. `path` is `linux.cgroupsPath`: an absolute one
    /// counts from the root of each hierarchy, a relative one from the caller's own cgroup (on a pure v2 host from its
    /// parent); without it the name is `lazaret-ID`. An empty leaf that exists is replaced, its parents are used.
    /// Without `resources.devices` every device stays allowed.
    ///
    /// # Errors
    /// A [`CgroupError`] that names the field of `config.json`, or the path; nothing is left behind.
    pub fn create(
        host: &Hierarchies,
        path: Option<&str>,
        id: &str,
        resources: &Resources,
    ) -> Result<(Self, CgroupGuard), CgroupError> {
        let location = Location::parse(path, id)?;
        let settings = limits::plan(resources, host)?;
        let means = DeviceMeans::choose(host, &resources.devices)?;
        let mut guard = CgroupGuard { cgroup: Some(Self { location, members: Vec::with_capacity(4) }) };
        if let Some(cgroup) = &mut guard.cgroup {
            for hierarchy in host.iter().filter(|h| joins(h, host, &settings, &means, path.is_some())) {
                cgroup.join(hierarchy, &settings)?;
            }
            member::apply(&cgroup.members, &settings)?;
            means.apply(&cgroup.members, &resources.devices)?;
            let cgroup = cgroup.clone();
            return Ok((cgroup, guard));
        }
        Err(CgroupError::NoHierarchy)
    }

    /// As [`Cgroup::create`] for an ordinary user: in a v2 cgroup that was delegated to it, or else none at all, if no
    /// limit is asked for. Device rules are left out: no device node that the host has not bound can be opened in a user
    /// namespace.
    ///
    /// # Errors
    /// [`CgroupError::NoRights`] for a limit that cannot be set; as [`Cgroup::create`].
    pub fn create_without_root(
        host: &Hierarchies,
        id: &str,
        resources: &Resources,
    ) -> Result<(Self, CgroupGuard), CgroupError> {
        let ours = host.writable();
        let limits = Resources { devices: Vec::new(), ..resources.clone() };
        if ours.iter().next().is_some() {
            return Self::create(&ours, None, id, &limits);
        }
        if let Some(limit) = limits::plan(&limits, host)?.into_iter().next() {
            return Err(CgroupError::NoRights { key: limit.key });
        }
        let none = Self { location: Location::parse(None, id)?, members: Vec::new() };
        Ok((none, CgroupGuard { cgroup: None }))
    }

    /// Whether the container is in no cgroup of its own.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.members.is_empty()
    }

    /// Where [`Cgroup::create`] may make directories, for a state that is written before it does.
    ///
    /// # Errors
    /// [`CgroupError::Location`].
    pub fn places(host: &Hierarchies, path: Option<&str>, id: &str) -> Result<Vec<PathBuf>, CgroupError> {
        let location = Location::parse(path, id)?;
        host.iter().map(|hierarchy| location.split(hierarchy).map(|(base, below)| base.join(below))).collect()
    }

    /// Removes those of `places` that exist and are empty. One in use is not ours to empty: a creation that died made
    /// at most an empty one, and the process in it ends by itself. It gets a second for that.
    pub fn remove_unused(places: &[PathBuf]) {
        for place in places {
            for _attempt in 0..200 {
                let Err(rustix::io::Errno::BUSY) = rustix::fs::rmdir(place) else { break };
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    }

    /// Adds the directory of one hierarchy, also to `self` when it is only half made, so that `delete` finds it.
    fn join(&mut self, hierarchy: &Hierarchy, settings: &[Setting]) -> Result<(), CgroupError> {
        let needed: Vec<&str> =
            settings.iter().filter(|s| s.version == Version::V2).map(|s| s.controller.as_ref()).collect();
        self.members.push(Member::new(hierarchy, &self.location)?);
        match self.members.last_mut() {
            Some(member) => member.make(hierarchy, &self.location, &needed),
            None => Ok(()),
        }
    }

    /// The v2 directory for CLONE_INTO_CGROUP, also on a hybrid host; `None` where v2 is not mounted.
    ///
    /// A cgroup namespace has to be unshared *after* the process is in (by this, and by the [`Entry`]): its root is where
    /// the process is then.
    #[must_use]
    pub fn clone_target(&self) -> Option<OwnedFd> {
        let member = self.members.iter().find(|member| member.version == Version::V2)?;
        member.directory().and_then(|directory| duplicate(&directory)).ok()
    }

    /// The doors into the v1 directories, for a process that moves itself; see [`Entry`].
    ///
    /// # Errors
    /// [`CgroupError::Open`] when a directory has vanished.
    pub fn entry(&self) -> Result<Entry, CgroupError> {
        let mut tasks = Vec::with_capacity(self.members.len());
        for member in self.members.iter().filter(|member| member.version == Version::V1) {
            let directory = member.directory()?;
            let file = directory
                .file("tasks", OFlags::WRONLY)
                .map_err(|source| CgroupError::Open { path: directory.path().join("tasks"), source })?;
            tasks.push(file);
        }
        Ok(Entry::new(tasks))
    }

    /// Moves a whole process into every directory in which it is not yet. The kernel may take 5 to 10 ms for the first
    /// move after a while; a child of our own has cheaper ways in, see [`Cgroup::clone_target`] and [`Entry`].
    ///
    /// # Errors
    /// [`CgroupError::Attach`]: `ESRCH` for a process that has ended, `EAGAIN` over the limit of processes.
    pub fn attach(&self, pid: i32) -> Result<(), CgroupError> {
        self.members.iter().try_for_each(|member| attach_to(member, pid))
    }

    /// Kills every process of the container, also those of cgroups that the workload made. By `cgroup.kill` where v2
    /// is mounted: it returns at once, the end of the processes is seen by pidfd or by [`Cgroup::delete`]. Without it,
    /// returns when none is left. A container whose directory is gone has no processes.
    ///
    /// # Errors
    /// [`CgroupError::Kill`], or [`CgroupError::StillAlive`] after five seconds.
    pub fn kill(&self) -> Result<(), CgroupError> {
        match self.tracking()? {
            Some((directory, version)) => processes::kill(&directory, version),
            None => Ok(()),
        }
    }

    /// Stops every process, and returns when they stand still.
    ///
    /// # Errors
    /// [`CgroupError::NotFrozen`] after two seconds (they run again then), [`CgroupError::Freeze`] from the kernel.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        let (directory, version) = self.tracking_or_gone()?;
        processes::freeze(&directory, version)
    }

    /// Lets every process run again.
    ///
    /// # Errors
    /// [`CgroupError::Freeze`].
    pub fn thaw(&self) -> Result<(), CgroupError> {
        let (directory, version) = self.tracking_or_gone()?;
        processes::thaw(&directory, version)
    }

    /// Whether the processes were stopped by [`Cgroup::freeze`] (or by whoever writes the same file) and not thawed.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        match self.tracking()? {
            Some((directory, version)) => processes::is_frozen(&directory, version),
            None => Ok(false),
        }
    }

    /// Every process of the container, also those of cgroups that the workload made, as pids of the caller's namespace.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub fn pids(&self) -> Result<Vec<i32>, CgroupError> {
        match self.tracking()? {
            Some((directory, _version)) => processes::list(&directory),
            None => Ok(Vec::new()),
        }
    }

    /// Changes the limits that `resources` names. A v1 controller that the container has not joined yet is joined now,
    /// with all processes, so the state has to be written again. Device rules stay those of `create`.
    ///
    /// # Errors
    /// As [`Cgroup::create`]; limits written before the failing one stay.
    pub fn update(&mut self, host: &Hierarchies, resources: &Resources) -> Result<(), CgroupError> {
        let settings = limits::plan(resources, host)?;
        if resources.memory_check_before_update {
            self.refuse_limit_below_usage(resources)?;
        }
        for hierarchy in host.iter() {
            let limited = settings.iter().any(|s| hierarchy.offers(s.version, &s.controller));
            let joined =
                self.members.iter().any(|m| m.version == hierarchy.version && m.controllers == hierarchy.controllers);
            if limited && !joined {
                self.join_late(hierarchy, &settings)?;
            }
        }
        member::apply(&self.members, &settings)
    }

    /// `memory.checkBeforeUpdate`: on v2 a limit below what is in use has the OOM killer called. v1 needs no help, its
    /// kernel refuses such a limit (`EBUSY`).
    fn refuse_limit_below_usage(&self, resources: &Resources) -> Result<(), CgroupError> {
        let (Some(limit @ 1..), Some(member)) = (resources.memory_limit, self.member(Version::V2, "memory")) else {
            return Ok(());
        };
        let directory = member.directory()?;
        let path = || directory.path().join("memory.current");
        let text = directory.read("memory.current").map_err(|source| CgroupError::Read { path: path(), source })?;
        match text.trim_end().parse::<i64>() {
            Ok(usage) if usage > limit => Err(CgroupError::BelowUsage { limit, usage }),
            Ok(_) => Ok(()),
            Err(error) => Err(CgroupError::Read { path: path(), source: std::io::Error::other(error) }),
        }
    }

    /// Joins one more hierarchy with every process. Whoever is born while we move its parent is found by the next round.
    fn join_late(&mut self, hierarchy: &Hierarchy, settings: &[Setting]) -> Result<(), CgroupError> {
        const ROUNDS: usize = 16;
        self.join(hierarchy, settings)?;
        let Some(member) = self.members.last() else { return Ok(()) };
        for _ in 0..ROUNDS {
            let inside = processes::list(&member.directory()?)?;
            let outside: Vec<i32> = self.pids()?.into_iter().filter(|pid| !inside.contains(pid)).collect();
            if outside.is_empty() {
                break;
            }
            for pid in outside {
                match attach_to(member, pid) {
                    Err(CgroupError::Attach { source, .. }) if source.raw_os_error() == Some(libc::ESRCH) => {}
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// Removes every directory, with those that the workload made below, and the parents that we made unless others use
    /// them. Waits up to five seconds for processes that are ending. What is gone already is success.
    ///
    /// # Errors
    /// [`CgroupError::Remove`], after all directories were tried.
    pub fn delete(&self) -> Result<(), CgroupError> {
        let mut first = Ok(());
        for member in self.members.iter().rev() {
            let removed = member.remove();
            if first.is_ok() {
                first = removed;
            } else if let Err(error) = removed {
                tracing::debug!(%error, "another cgroup could not be removed");
            }
        }
        first
    }

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
        let (member, file) = match (self.member(Version::V1, "memory"), self.member(Version::V2, "memory")) {
            (Some(member), _) => (member, "memory.oom_control"),
            (None, Some(member)) => (member, "memory.events"),
            (None, None) => return Ok(None),
        };
        let directory = member.directory()?;
        let failed = |source| CgroupError::Read { path: directory.path().join(file), source };
        let text = directory.read(file).map_err(failed)?;
        Ok(text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.parse().ok()))
    }

    /// What the container has used so far, from the controllers that it is in.
    ///
    /// # Errors
    /// [`CgroupError::Read`].
    pub fn stats(&self) -> Result<stats::Stats, CgroupError> {
        stats::Stats::read(self)
    }

    /// The directories by version and the kernel's names of their controllers, the tracking one first: where statistics
    /// are read.
    pub fn directories(&self) -> impl Iterator<Item = (Version, &[String], &Path)> {
        self.members.iter().map(|member| (member.version, member.controllers.as_slice(), member.path()))
    }

    fn member(&self, version: Version, controller: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.has(version, controller))
    }

    /// The directory by which the container is killed and frozen; `None` when it was removed.
    fn tracking(&self) -> Result<Option<(Directory, Version)>, CgroupError> {
        match self.tracking_or_gone() {
            Ok(found) => Ok(Some(found)),
            Err(CgroupError::Open { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(CgroupError::NoHierarchy) if self.members.is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn tracking_or_gone(&self) -> Result<(Directory, Version), CgroupError> {
        let member = self
            .members
            .iter()
            .find(|member| member.version == Version::V2)
            .or_else(|| self.member(Version::V1, "freezer"))
            .ok_or(CgroupError::NoHierarchy)?;
        Ok((member.directory()?, member.version))
    }
}

/// Whether a container with these limits joins the hierarchy; the reasons are in the header.
fn joins(hierarchy: &Hierarchy, host: &Hierarchies, settings: &[Setting], means: &DeviceMeans, placed: bool) -> bool {
    let v1 = |name| hierarchy.offers(Version::V1, name);
    hierarchy.version == Version::V2
        || settings.iter().any(|setting| hierarchy.offers(setting.version, &setting.controller))
        || (!host.has_v2() && v1("freezer"))
        || (matches!(means, DeviceMeans::Lines(_)) && v1("devices"))
        || (placed && STATISTICS.into_iter().any(v1))
}

fn attach_to(member: &Member, pid: i32) -> Result<(), CgroupError> {
    let directory = member.directory()?;
    let failed = |source| CgroupError::Attach { path: directory.path().to_path_buf(), pid, source };
    // Reading costs microseconds, moving a process to where it is already costs as much as any move.
    if directory.procs().map_err(failed)?.contains(&pid) {
        return Ok(());
    }
    directory.write("cgroup.procs", &pid.to_string()).map_err(failed)
}

fn duplicate(directory: &Directory) -> Result<OwnedFd, CgroupError> {
    directory
        .fd()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| CgroupError::Open { path: directory.path().to_path_buf(), source })
}
