//! Other limits for a container that runs: `update`. What its creation left out is joined with every process.

use crate::cgroup::Cgroup;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchies, Hierarchy, Version};
use crate::cgroup::limits::{self, Setting};
use crate::cgroup::restrict::DeviceMeans;
use crate::cgroup::{joining, member, processes, systemd};
use crate::spec::resources::Resources;

impl Cgroup {
    /// Changes the limits that `resources` names. A v1 controller that the container has not joined yet is joined now,
    /// with all processes, so the state has to be written again. Without `resources.devices` the device rules stay.
    ///
    /// # Errors
    /// As [`Cgroup::create`]; limits written before the failing one stay.
    pub fn update(&mut self, host: &Hierarchies, resources: &Resources) -> Result<(), CgroupError> {
        self.be_somewhere()?;
        let settings = limits::plan(resources, host)?;
        let rules = &resources.devices;
        let means = DeviceMeans::choose_again(host, &self.members, rules)?;
        if resources.memory_check_before_update
            && let (Some(limit @ 1..), Some(member)) = (resources.memory_limit, self.member(Version::V2, "memory"))
        {
            member.refuse_below_usage(limit)?;
        }
        for hierarchy in host.iter() {
            let limited = joining::limits(hierarchy, &settings, &means);
            let joined =
                self.members.iter().any(|m| m.version == hierarchy.version && m.controllers == hierarchy.controllers);
            if limited && !joined {
                self.join_late(hierarchy, &settings)?;
            }
        }
        if let Some(unit) = &self.unit {
            systemd::set(unit, &settings)?;
        }
        member::apply(&self.members, &settings)?;
        means.apply_running(&self.members, rules, |write| self.in_frost(write))
    }

    /// Does `work` while no process of the container runs.
    fn in_frost(&self, work: &mut dyn FnMut() -> Result<(), CgroupError>) -> Result<(), CgroupError> {
        if self.is_frozen()? {
            return work();
        }
        self.freeze()?;
        let done = work();
        self.thaw()?;
        done
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
                match member.attach(pid) {
                    Err(CgroupError::Attach { source, .. }) if source.raw_os_error() == Some(libc::ESRCH) => {}
                    done => done?,
                }
            }
        }
        Ok(())
    }
}
