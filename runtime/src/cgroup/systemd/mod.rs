//! The systemd driver: a container's cgroup is a transient scope, which systemd makes, and of which it knows the limits.
//! Used by `cgroup` where `--systemd-cgroup` asks for it; writes no file of a cgroup itself.
//!
//! systemd makes a scope only around a process, and lazaret clones a container's first process into a cgroup that is
//! there already. So a holder, a child that does nothing, stands in the scope until the container's own process is in.
//!
//! systemd is asked over D-Bus by a small client of our own: the launcher has one thread and must keep it so
//! (docs/adr/0007).

pub(super) mod bus;
mod manager;
mod properties;
pub(super) mod scope;
mod wire;

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::{Pid, Signal};

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Hierarchies;
use crate::cgroup::limits::Setting;
use crate::cgroup::systemd::manager::Manager;
use crate::cgroup::systemd::properties::{Property, Value};
use crate::cgroup::systemd::scope::Scope;
use crate::sys;

/// What stands where systemd is the init (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";
const PIDS: &str = "pids.max";

/// A process that keeps a scope alive until the container is in it. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Holder {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Holder {
    fn fork() -> Result<Self, CgroupError> {
        let (pid, pidfd) = sys::clone::fork(hold).map_err(CgroupError::Holder)?;
        Ok(Self { pid, pidfd })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        match rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL) {
            // It counts against the limit of processes until it is reaped.
            Ok(()) | Err(rustix::io::Errno::SRCH) => sys::clone::reap(self.pid),
            Err(error) => tracing::warn!(%error, "could not end the process that held a scope"),
        }
    }
}

/// The holder's life: it keeps nothing open of what its parent has, and ends with it.
fn hold() -> u8 {
    let bound = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if bound.is_err() || sys::clone::close_from(0).is_err() {
        return 1;
    }
    loop {
        nix::unistd::pause();
    }
}

/// Refuses a host on which systemd does not manage cgroup v2 alone: v1 controllers would have to be joined behind its back.
pub(super) fn check_host(host: &Hierarchies) -> Result<(), CgroupError> {
    if !Path::new(BOOTED).is_dir() {
        return Err(CgroupError::NoSystemd { why: "this host was not booted with systemd" });
    }
    if !host.has_v2_controllers() {
        return Err(CgroupError::NoSystemd { why: "the controllers of this host are not on cgroup v2" });
    }
    Ok(())
}

/// Starts the scope with these limits and a holder in it.
pub(super) fn start(scope: &Scope, id: &str, settings: &[Setting], late: &[Setting]) -> Result<Holder, CgroupError> {
    let failed = |source| CgroupError::Systemd { operation: "start", unit: scope.unit.clone(), source };
    let mut manager = Manager::connect().map_err(failed)?;
    let holder = Holder::fork()?;
    let flag = |name| Property { name, value: Value::Flag(true) };
    let text = |name, value: String| Property { name, value: Value::Text(value) };
    let mut all = vec![
        text("Description", format!("lazaret container {id}")),
        text("Slice", scope.slice.clone()),
        // Ours to write below: systemd keeps its hands off the files that it has no property for.
        flag("Delegate"),
        // The unit goes with its last process, also after a failure.
        text("CollectMode", "inactive-or-failed".into()),
        Property { name: "DefaultDependencies", value: Value::Flag(false) },
        flag("CPUAccounting"),
        flag("IOAccounting"),
        flag("MemoryAccounting"),
        flag("TasksAccounting"),
    ];
    all.push(Property { name: "PIDs", value: Value::Processes(u32::try_from(holder.pid()).into_iter().collect()) });
    all.extend(limits(&mut manager, settings).map_err(failed)?);
    if !late.is_empty() {
        // Room for the two of them, and for no more.
        all.push(Property { name: "TasksMax", value: Value::Number(2) });
    }
    manager.start(&scope.unit, &all).map_err(failed)?;
    Ok(holder)
}

/// Tells systemd other limits.
pub(super) fn set(unit: &str, settings: &[Setting]) -> Result<(), CgroupError> {
    let failed = |source| CgroupError::Systemd { operation: "change", unit: unit.to_owned(), source };
    let mut manager = Manager::connect().map_err(failed)?;
    let properties = limits(&mut manager, settings).map_err(failed)?;
    manager.set(unit, &properties).map_err(failed)
}

/// Stops what is left of the scope.
pub(super) fn stop(unit: &str) -> Result<(), CgroupError> {
    let failed = |source| CgroupError::Systemd { operation: "stop", unit: unit.to_owned(), source };
    Manager::connect().map_err(failed)?.stop(unit).map_err(failed)
}

fn limits(manager: &mut Manager, settings: &[Setting]) -> Result<Vec<Property>, bus::BusError> {
    let version = if properties::need_version(settings) { manager.version()? } else { 0 };
    Ok(properties::of(settings, version))
}

/// Parts the limit that leaves no room for a holder beside the first process, for after it has gone.
pub(super) fn part_narrow_limit(settings: Vec<Setting>) -> (Vec<Setting>, Vec<Setting>) {
    let narrow = |setting: &Setting| setting.choices.iter().any(|(file, value)| file == PIDS && value.trim() == "1");
    settings.into_iter().partition(|setting| !narrow(setting))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::hierarchy::tests::pure_v2;
    use crate::spec::resources::Resources;

    #[test]
    fn a_limit_of_one_process_waits_for_the_holder_to_go() {
        let plan = |limit| {
            let resources = Resources { pids_limit: Some(limit), memory_limit: Some(1 << 20), ..Resources::default() };
            part_narrow_limit(crate::cgroup::limits::plan(&resources, &pure_v2()).unwrap())
        };
        assert_eq!(plan(1).1.len(), 1);
        assert_eq!((plan(2).0.len(), plan(2).1.len()), (plan(1).0.len() + 1, 0));
    }
}
