//! The cgroup of a container's sentries, which bounds their memory. Made by `create` beside the container's own and not in
//! it: the sentry is neither frozen nor starved along with those that it watches, and what it uses counts to what an
//! engine has put around both, such as the cgroup of a pod.

use std::path::PathBuf;
use std::time::Duration;

use crate::cgroup::directory::{self, Directory};
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Hierarchies;
use crate::cgroup::location::Location;
use crate::cgroup::systemd::scope::Scope;
use crate::cgroup::{Cgroup, CgroupGuard, Driver, limits, member, processes};
use crate::spec::resources::Resources;

/// How long sentries that have nothing left to watch may take to be gone before they are killed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Begins the name of a sentry's cgroup; that of the container's follows, which no other one beside it has.
const PREFIX: &str = "sentry-";

impl Cgroup {
    /// Makes the cgroup for the sentries of the container `id`, whose own is to be at `path` (`linux.cgroupsPath`), with
    /// [`lazaret_sentry::limits::MEMORY`] as its limit. The guard has to be settled when the sentry is inside.
    ///
    /// # Errors
    /// A [`CgroupError`]: [`CgroupError::ControllerUnavailable`] where memory cannot be limited. Nothing is left behind.
    pub fn create_for_sentry(
        driver: Driver,
        host: &Hierarchies,
        path: Option<&str>,
        id: &str,
    ) -> Result<(Self, CgroupGuard), CgroupError> {
        let limit = i64::try_from(lazaret_sentry::limits::MEMORY).unwrap_or(i64::MAX);
        let resources = Resources { memory_limit: Some(limit), ..Resources::default() };
        if driver == Driver::Systemd {
            return Self::create_scope_named(host, &Scope::parse(path, id)?.beside(PREFIX)?, id, &resources);
        }
        let location = Location::parse(path, id)?.beside(PREFIX)?;
        let settings = limits::plan(&resources, host)?;
        let mut cgroup = Self { location, members: Vec::with_capacity(1), unit: None };
        let mut with_limits = host
            .iter()
            .filter(|hierarchy| settings.iter().any(|limit| hierarchy.offers(limit.version, &limit.controller)));
        let made = with_limits.try_for_each(|hierarchy| cgroup.join(hierarchy, &settings));
        cgroup.guarded(made, None, |cgroup| member::apply(&cgroup.members, &settings))
    }

    /// Where [`Cgroup::create_for_sentry`] may make directories.
    ///
    /// # Errors
    /// [`CgroupError::Location`].
    pub fn places_of_sentry(
        driver: Driver,
        host: &Hierarchies,
        path: Option<&str>,
        id: &str,
    ) -> Result<Vec<PathBuf>, CgroupError> {
        if driver == Driver::Systemd {
            return Ok(Scope::parse(path, id)?.beside(PREFIX)?.places(host));
        }
        Location::parse(path, id)?.beside(PREFIX)?.places(host)
    }

    /// Removes the cgroup of sentries whose container is gone. One that does not end by itself, such as a stopped one of a
    /// process that joined, is killed.
    ///
    /// # Errors
    /// As [`Cgroup::delete`].
    pub fn delete_of_sentry(&self) -> Result<(), CgroupError> {
        for member in &self.members {
            if directory::remove_tree(member.path(), PATIENCE).is_err()
                && let Ok(directory) = Directory::open(member.path())
            {
                processes::signal_members(&directory)?;
            }
        }
        self.delete()
    }
}
