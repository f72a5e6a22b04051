//! Creation of a container's cgroup as a transient scope of systemd, which makes the directory; the rest is as ever.

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Hierarchies;
use crate::cgroup::limits;
use crate::cgroup::location::Location;
use crate::cgroup::member::{self, Member};
use crate::cgroup::restrict::DeviceMeans;
use crate::cgroup::systemd::scope::Scope;
use crate::cgroup::{Cgroup, CgroupGuard, joining, systemd};
use crate::spec::resources::Resources;

impl Cgroup {
    /// The same as a transient scope of systemd; `path` is `slice:prefix:name`, without it the scope is
    /// `lazaret-ID.scope` in `system.slice`. The guard has to be settled when the first process is inside.
    ///
    /// # Errors
    /// As [`Cgroup::create`], and [`CgroupError::NoSystemd`] or [`CgroupError::Systemd`].
    pub fn create_scope(
        host: &Hierarchies,
        path: Option<&str>,
        id: &str,
        resources: &Resources,
    ) -> Result<(Self, CgroupGuard), CgroupError> {
        Self::create_scope_named(host, &Scope::parse(path, id)?, id, resources)
    }

    /// The same with the name that the scope is to have.
    pub(super) fn create_scope_named(
        host: &Hierarchies,
        scope: &Scope,
        id: &str,
        resources: &Resources,
    ) -> Result<(Self, CgroupGuard), CgroupError> {
        systemd::check_host(host)?;
        let hierarchy = host.unified().ok_or(CgroupError::NoHierarchy)?;
        let means = DeviceMeans::choose(host, &resources.devices)?;
        let (settings, late) = systemd::part_narrow_limit(limits::plan(resources, host)?);
        let holder = systemd::start(scope, id, &settings, &late)?;
        let location = Location::Absolute(scope.path());
        let mut cgroup =
            Self { members: vec![Member::new(hierarchy, &location)?], location, unit: Some(scope.unit.clone()) };
        let adopted = cgroup
            .members
            .iter_mut()
            .try_for_each(|member| member.adopt(hierarchy, &joining::controllers(&settings), holder.pid()));
        let (cgroup, mut guard) = cgroup.guarded(adopted, Some(holder), |cgroup| {
            member::apply(&cgroup.members, &settings)?;
            means.apply(&cgroup.members, &resources.devices)
        })?;
        guard.late = late;
        Ok((cgroup, guard))
    }
}
