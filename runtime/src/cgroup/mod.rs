//! The cgroups of a container: made with their limits before anything runs, entered, frozen, killed, removed. Called by
//! `lifecycle`; what a [`Cgroup`] holds lives in the container's state. It never touches a cgroup that it did not make,
//! but for v2 ancestors, where it switches on controllers that a limit needs.
//!
//! Two drivers: cgroupfs, where the directories are ours to make, and systemd, which makes a scope (`systemd`).
//!
//! Ways in: `clone_target` (v2) and [`Entry`] (v1, the child itself) are cheap; [`Cgroup::attach`] may wait for RCU.

mod change;
mod convert;
mod delegate;
mod devices;
mod directory;
mod entry;
mod error;
mod hierarchy;
mod joining;
mod limits;
mod location;
pub mod mark;
mod member;
mod memory;
pub mod newcomer;
mod processes;
mod restrict;
mod scope;
mod sentry;
pub mod stats;
mod systemd;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::cgroup::directory::Directory;
use crate::cgroup::hierarchy::Hierarchy;
use crate::cgroup::limits::Setting;
use crate::cgroup::location::Location;
use crate::cgroup::member::Member;
use crate::cgroup::restrict::DeviceMeans;
use crate::cgroup::systemd::Holder;
use crate::cgroup::systemd::scope::Scope;
use crate::spec::resources::Resources;

pub use crate::cgroup::entry::Entry;
pub use crate::cgroup::error::CgroupError;
pub use crate::cgroup::hierarchy::{Hierarchies, Version};
pub use crate::cgroup::systemd::bus::BusError;

/// Whether this build can place containers through systemd (transient units over D-Bus). Told by `features`.
pub const HAS_SYSTEMD_DRIVER: bool = true;

/// Who makes the directories of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// lazaret itself.
    #[default]
    Cgroupfs,
    /// systemd, as a transient scope.
    Systemd,
}

impl Driver {
    /// Both.
    pub const ALL: &[Self] = &[Self::Cgroupfs, Self::Systemd];

    /// The word of it, which is the kubelet's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cgroupfs => "cgroupfs",
            Self::Systemd => "systemd",
        }
    }
}

/// The cgroups of one container.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Cgroup {
    location: Location,
    /// The one that tracks the container comes first.
    members: Vec<Member>,
    /// The scope that systemd made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// Removes the cgroups of a container whose creation did not come to its end.
#[derive(Debug)]
#[must_use = "dropping it removes the cgroup"]
pub struct CgroupGuard {
    cgroup: Option<Cgroup>,
    /// What keeps a scope alive that is still empty.
    holder: Option<Holder>,
    /// Limits that leave no room for the holder.
    late: Vec<Setting>,
}

impl CgroupGuard {
    /// The container's first process is inside: makes the limits exact that had to leave room beside it.
    ///
    /// # Errors
    /// As [`Cgroup::update`].
    pub fn settle(&mut self) -> Result<(), CgroupError> {
        drop(self.holder.take());
        let late = std::mem::take(&mut self.late);
        let Some(cgroup) = self.cgroup.as_ref().filter(|_| !late.is_empty()) else { return Ok(()) };
        if let Some(unit) = &cgroup.unit {
            systemd::set(unit, &late)?;
        }
        member::apply(&cgroup.members, &late)
    }

    /// The container exists: its cgroups stay, and [`Cgroup::delete`] removes them one day.
    pub fn keep(mut self) {
        self.cgroup = None;
    }
}

impl Drop for CgroupGuard {
    fn drop(&mut self) {
        drop(self.holder.take());
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
        let mut cgroup = Self { location, members: Vec::with_capacity(4), unit: None };
        let mut filled = Ok(());
        for hierarchy in host.iter().filter(|h| joining::joins(h, host, &settings, &means, path.is_some())) {
            filled = filled.and_then(|()| cgroup.join(hierarchy, &settings));
        }
        cgroup.guarded(filled, None, |cgroup| {
            member::apply(&cgroup.members, &settings)?;
            means.apply(&cgroup.members, &resources.devices)
        })
    }

    /// Puts what was made under a guard, before anything of it is used, and fills it.
    fn guarded(
        self,
        made: Result<(), CgroupError>,
        holder: Option<Holder>,
        fill: impl FnOnce(&Self) -> Result<(), CgroupError>,
    ) -> Result<(Self, CgroupGuard), CgroupError> {
        let guard = CgroupGuard { cgroup: Some(self.clone()), holder, late: Vec::new() };
        made?;
        fill(&self)?;
        Ok((self, guard))
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
        let none = Self { location: Location::parse(None, id)?, members: Vec::new(), unit: None };
        Ok((none, CgroupGuard { cgroup: None, holder: None, late: Vec::new() }))
    }

    /// Whether the container is in no cgroup of its own.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.members.is_empty()
    }

    fn be_somewhere(&self) -> Result<(), CgroupError> {
        if self.is_nowhere() { Err(CgroupError::Nowhere) } else { Ok(()) }
    }

    /// Where [`Cgroup::create`] may make directories, for a state that is written before it does.
    ///
    /// # Errors
    /// [`CgroupError::Location`].
    pub fn places(
        driver: Driver,
        host: &Hierarchies,
        path: Option<&str>,
        id: &str,
    ) -> Result<Vec<PathBuf>, CgroupError> {
        if driver == Driver::Systemd {
            return Ok(Scope::parse(path, id)?.places(host));
        }
        Location::parse(path, id)?.places(host)
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
        let needed = joining::controllers(settings);
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
    ///
    /// # Errors
    /// [`CgroupError::Open`] when somebody has removed the directory: a process must not run beside its limits.
    pub fn clone_target(&self) -> Result<Option<OwnedFd>, CgroupError> {
        let member = self.members.iter().find(|member| member.version == Version::V2);
        member.map(|member| member.directory()?.duplicate()).transpose()
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
        self.members.iter().try_for_each(|member| member.attach(pid))
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
    /// [`CgroupError::NotFrozen`] after five seconds (they run again then), [`CgroupError::Freeze`] from the kernel.
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

    /// Removes every directory, with those that the workload made below, and the parents that we made unless others use
    /// them. Waits up to five seconds for processes that are ending. What is gone already is success.
    ///
    /// # Errors
    /// [`CgroupError::Remove`], after all directories were tried.
    pub fn delete(&self) -> Result<(), CgroupError> {
        // What its processes have left of the scope; usually it ended with the last one.
        let mut first = self.unit.as_deref().map_or(Ok(()), systemd::stop);
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

    /// What the container has used so far, from the controllers that it is in.
    ///
    /// # Errors
    /// [`CgroupError::Read`]; [`CgroupError::Nowhere`] without a cgroup, [`CgroupError::Open`] when it has vanished.
    pub fn stats(&self) -> Result<stats::Stats, CgroupError> {
        self.tracking_or_gone()?;
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
            Err(CgroupError::Nowhere) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn tracking_or_gone(&self) -> Result<(Directory, Version), CgroupError> {
        self.be_somewhere()?;
        let member = self
            .members
            .iter()
            .find(|member| member.version == Version::V2)
            .or_else(|| self.member(Version::V1, "freezer"))
            .ok_or(CgroupError::NoHierarchy)?;
        Ok((member.directory()?, member.version))
    }
}
