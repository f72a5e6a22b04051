//! Cgroups, as `create` makes them. The one that is made here holds nothing for longer than a moment and is removed.

use std::os::fd::AsFd as _;

use crate::cgroup::{Cgroup, CgroupGuard, Hierarchies};
use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::spec::resources::{DeviceRule, READ_WRITE_MKNOD, Resources};
use crate::sys::clone::{Stage, launch, reap};

/// Controllers that limit what a sandbox uses, with the field of the bundle that each is for.
const LIMITING: [&str; 5] = ["memory", "cpu", "pids", "cpuset", "io"];

fn hierarchies() -> Result<Hierarchies, Want> {
    Hierarchies::read().map_err(|error| Want::Gap(crate::causes::chain(&error)))
}

fn made(resources: &Resources) -> Result<(Cgroup, CgroupGuard), Want> {
    let id = format!("lazaret-doctor-{}", std::process::id());
    Cgroup::create(&hierarchies()?, None, &id, resources).map_err(|error| Want::Gap(crate::causes::chain(&error)))
}

/// A cgroup is made, and removed.
pub(in super::super) fn make(_is_root: bool) -> Answer {
    let hierarchies = hierarchies()?;
    let (_cgroup, guard) = made(&Resources::default())?;
    drop(guard);
    Ok(match (hierarchies.has_v2(), hierarchies.has_v2_controllers()) {
        (_, true) => "v2".to_owned(),
        (true, false) => "v1, and v2 without controllers (hybrid)".to_owned(),
        (false, _) => "v1".to_owned(),
    })
}

/// Controllers to limit with.
pub(in super::super) fn controllers(is_root: bool) -> Answer {
    let all = hierarchies()?;
    let all = if is_root { all } else { all.writable() };
    // blkio is the name of the same controller on v1.
    let has = |name: &str| all.has_controller(name) || (name == "io" && all.has_controller("blkio"));
    let missing: Vec<&str> = LIMITING.into_iter().filter(|name| !has(name)).collect();
    effect(missing.is_empty(), &format!("not there: {}", missing.join(", ")))?;
    Ok(LIMITING.join(", "))
}

/// Access to devices, decided by cgroup: a BPF program on v2, a controller on v1.
pub(in super::super) fn devices(_is_root: bool) -> Answer {
    let nothing = DeviceRule { allow: false, kind: 'a', major: None, minor: None, access: READ_WRITE_MKNOD };
    let mut resources = Resources { devices: vec![nothing], ..Resources::default() };
    resources.allow_default_devices();
    let (_cgroup, guard) = made(&resources)?;
    drop(guard);
    Ok("device rules are taken".to_owned())
}

/// A process born in its cgroup.
pub(in super::super) fn birth(_is_root: bool) -> Answer {
    let (cgroup, guard) = made(&Resources::default())?;
    let target = cgroup.clone_target().map_err(|error| Want::Unknown(crate::causes::chain(&error)))?;
    let Some(target) = target else { return Ok("no v2 hierarchy: processes enter by themselves".to_owned()) };
    // The one between us and the newborn ends at once, and the newborn comes to us.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).prepared("a subreaper")?;
    let stage = Stage { join: Vec::new(), new: 0, cgroup: Some(target.as_fd()), clocks: None };
    let born = launch(&stage, || 0);
    if let Ok((pid, _)) = &born {
        reap(*pid);
    }
    drop(guard);
    born.map_err(|error| Want::Gap(crate::causes::chain(&error)))?;
    Ok("clone3 with CLONE_INTO_CGROUP".to_owned())
}
