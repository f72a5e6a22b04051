//! Namespaces, id maps, and file systems that belong to them.

use nix::sched::CloneFlags;
use rustix::mount::FsOpenFlags;

use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::doctor::settings;
use crate::idmap;
use crate::rootless;
use crate::spec::container::{IdMappings, IdRange};
use crate::sys::clone;

/// As many ids as a container gets, at a place that no container has.
pub(super) fn mappings() -> IdMappings {
    let first = u32::try_from(idmap::leased_ids().start).unwrap_or(1);
    let range = vec![IdRange { container: 0, host: first, length: idmap::RANGE_LENGTH }];
    IdMappings { uids: range.clone(), gids: range }
}

/// What every other probe of an ordinary user stands in.
pub(super) fn become_root(is_root: bool) -> Result<(), Want> {
    if is_root {
        return Ok(());
    }
    rootless::enter_alone().map_err(|error| Want::Unknown(crate::causes::chain(&error)))
}

/// A user namespace with the ids that a container has.
pub(in super::super) fn user(is_root: bool) -> Answer {
    let made = if is_root {
        idmap::new_user_namespace(&mappings()).map(drop).map_err(|error| crate::causes::chain(&error))
    } else {
        rootless::enter_alone().map_err(|error| crate::causes::chain(&error))
    };
    match (made, settings::against_user_namespaces()) {
        (Ok(()), _) if is_root => Ok(format!("{} ids mapped", idmap::RANGE_LENGTH)),
        (Ok(()), _) => Ok("the own id mapped".to_owned()),
        (Err(why), set) if set.is_empty() => Err(Want::Gap(why)),
        (Err(why), set) => Err(Want::Gap(format!("{why} ({set})"))),
    }
}

/// Ids beside the own one, for an ordinary user.
pub(in super::super) fn subordinate_ids(is_root: bool) -> Answer {
    if is_root {
        return Ok("root needs none".to_owned());
    }
    effect(rootless::has_subordinate_ids(), "no ids in /etc/subuid and /etc/subgid, or no newuidmap and newgidmap")?;
    rootless::enter().map_err(|error| Want::Gap(crate::causes::chain(&error)))?;
    effect(rootless::may_set_groups(), "newuidmap and newgidmap mapped nothing")?;
    Ok("mapped by newuidmap and newgidmap".to_owned())
}

/// Every other namespace that a sandbox has, but for those of processes.
pub(in super::super) fn others(is_root: bool) -> Answer {
    become_root(is_root)?;
    let all = [
        (CloneFlags::CLONE_NEWNS, "mount"),
        (CloneFlags::CLONE_NEWNET, "network"),
        (CloneFlags::CLONE_NEWIPC, "ipc"),
        (CloneFlags::CLONE_NEWUTS, "uts"),
        (CloneFlags::CLONE_NEWCGROUP, "cgroup"),
    ];
    for (flag, kind) in all {
        nix::sched::unshare(flag).asked(&format!("unshare: {kind} namespace"))?;
    }
    Ok(all.map(|(_, kind)| kind).join(", "))
}

/// A namespace of processes, in which a procfs of its own is mounted.
pub(in super::super) fn processes(is_root: bool) -> Answer {
    become_root(is_root)?;
    nix::sched::unshare(CloneFlags::CLONE_NEWPID).asked("unshare: pid namespace")?;
    let inside = super::super::probe::ask(|| {
        effect(rustix::process::getpid().as_raw_nonzero().get() == 1, "the first process of a pid namespace is not 1")?;
        let context = rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC).asked("fsopen: procfs")?;
        rustix::mount::fsconfig_create(&context).asked("a procfs of a new pid namespace")?;
        Ok("with a procfs of its own".to_owned())
    })?;
    Ok(inside)
}

/// Clocks of a container's own.
pub(in super::super) fn time(is_root: bool) -> Answer {
    become_root(is_root)?;
    nix::sched::unshare(CloneFlags::from_bits_retain(libc::CLONE_NEWTIME)).asked("unshare: time namespace")?;
    std::fs::write("/proc/self/timens_offsets", "monotonic 1 0").asked("/proc/self/timens_offsets")?;
    Ok("clocks can be set".to_owned())
}

/// Whether other users' processes can be seen.
pub(in super::super) fn hidden_processes(_is_root: bool) -> Answer {
    let table = std::fs::read_to_string("/proc/self/mountinfo").prepared("/proc/self/mountinfo")?;
    let proc = table.lines().rfind(|line| line.split(' ').nth(4) == Some("/proc"));
    let proc = proc.ok_or_else(|| Want::Unknown("nothing is mounted on /proc".to_owned()))?;
    let hiding = proc.split([' ', ',']).find(|word| word.starts_with("hidepid="));
    // hidepid=0 (off) is what is meant by no option at all (proc(5)).
    match hiding {
        None | Some("hidepid=0" | "hidepid=off") => Ok("no hidepid".to_owned()),
        Some(option) => Err(Want::Gap(format!("/proc is mounted with {option}"))),
    }
}

/// A process whose memory another may be, cloned with its descriptor.
pub(in super::super) fn clone3(_is_root: bool) -> Answer {
    let (pid, _pidfd) = clone::fork(|| 0).asked("clone3(CLONE_PIDFD)")?;
    clone::reap(pid);
    Ok("clone3 with CLONE_PIDFD".to_owned())
}
