//! Attacks by namespaces: making new ones by unshare, clone and clone3, and joining others by setns.

use std::os::fd::AsRawFd as _;

use crate::raw::{self, call, own};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};

/// The attacks of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("unshare", unshare),
    ("clone", clone),
    ("clone-high-bits", clone_high_bits),
    ("clone-untraced", clone_untraced),
    ("clone3", clone3),
    ("setns-path", setns_path),
    ("setns-pidfd", setns_pidfd),
    ("userns-capabilities", userns_capabilities),
];

/// The flag of a namespace kind, and where /proc shows a process's (and a child's) instance of it.
fn kind(name: &str) -> (u64, &'static str) {
    match name {
        "user" => (libc::CLONE_NEWUSER as u64, "/proc/self/ns/user"),
        "mnt" => (libc::CLONE_NEWNS as u64, "/proc/self/ns/mnt"),
        "pid" => (libc::CLONE_NEWPID as u64, "/proc/self/ns/pid_for_children"),
        "net" => (libc::CLONE_NEWNET as u64, "/proc/self/ns/net"),
        "ipc" => (libc::CLONE_NEWIPC as u64, "/proc/self/ns/ipc"),
        "uts" => (libc::CLONE_NEWUTS as u64, "/proc/self/ns/uts"),
        "cgroup" => (libc::CLONE_NEWCGROUP as u64, "/proc/self/ns/cgroup"),
        _ => (0x80, "/proc/self/ns/time_for_children"),
    }
}

fn link(path: &str) -> String {
    std::fs::read_link(path).map(|link| link.display().to_string()).unwrap_or_default()
}

fn differs(before: &str, after: &str, step: &str) -> Outcome {
    if after.is_empty() || before == after { without_effect(step) } else { Ok(format!("{before} became {after}")) }
}

fn unshare(arguments: &[String]) -> Outcome {
    let (flag, path) = kind(argument(arguments, 0)?);
    let before = link(path);
    call(libc::SYS_unshare, &[flag]).step("unshare")?;
    // The first child completes a new pid or time namespace; the link is empty before.
    let after = raw::ask(|work| raw::fork(work), || link(path)).step("fork")?;
    differs(&before, &after, "unshare")
}

fn clone(arguments: &[String]) -> Outcome {
    let (flag, path) = kind(argument(arguments, 0)?);
    let after = raw::ask(|work| raw::clone(flag, work), || link(path)).step("clone")?;
    differs(&link(path), &after, "clone")
}

/// The kernel ignores the upper half of clone's flags; a filter that compares 64 bits does not.
fn clone_high_bits(arguments: &[String]) -> Outcome {
    let (flag, path) = kind(argument(arguments, 0)?);
    let after = raw::ask(|work| raw::clone(flag | 0x8000_0001_0000_0000, work), || link(path)).step("clone")?;
    differs(&link(path), &after, "clone")
}

/// A child that a tracer of its parent does not get.
fn clone_untraced(_: &[String]) -> Outcome {
    let flag = u64::from(libc::CLONE_UNTRACED.cast_unsigned());
    raw::ask(|work| raw::clone(flag, work), || "the child ran".to_owned()).step("clone")
}

fn clone3(arguments: &[String]) -> Outcome {
    let (flag, path) = kind(argument(arguments, 0)?);
    let after = raw::ask(|work| raw::clone3(flag, work), || link(path)).step("clone3")?;
    differs(&link(path), &after, "clone3")
}

/// Joins the uts namespace that a path names and says which it is in then.
fn setns_path(arguments: &[String]) -> Outcome {
    let before = link("/proc/self/ns/uts");
    let file = std::fs::File::open(argument(arguments, 0)?).step("open")?;
    call(libc::SYS_setns, &[file.as_raw_fd() as u64, 0]).step("setns")?;
    differs(&before, &link("/proc/self/ns/uts"), "setns")
}

/// Joins namespaces of pid 1 by its pidfd.
fn setns_pidfd(_: &[String]) -> Outcome {
    let before = link("/proc/self/ns/uts");
    let pidfd = own(call(libc::SYS_pidfd_open, &[1, 0]).step("pidfd_open")?);
    call(libc::SYS_setns, &[pidfd.as_raw_fd() as u64, libc::CLONE_NEWUTS as u64]).step("setns")?;
    differs(&before, &link("/proc/self/ns/uts"), "setns")
}

/// A nested user namespace gives every capability: the gate to most kernel escalations.
fn userns_capabilities(_: &[String]) -> Outcome {
    call(libc::SYS_unshare, &[libc::CLONE_NEWUSER as u64]).step("unshare")?;
    let status = std::fs::read_to_string("/proc/self/status").step("read status")?;
    let line = status.lines().find(|line| line.starts_with("CapEff")).unwrap_or_default();
    if line.ends_with("ffffffff") { Ok(line.to_owned()) } else { without_effect("unshare") }
}
