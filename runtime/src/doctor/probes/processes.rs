//! Calls about processes by descriptor, and about what they have open.

use std::os::fd::{AsFd as _, AsRawFd as _};

use rustix::process::{PidfdFlags, PidfdGetfdFlags, Signal, WaitId, WaitIdOptions};

use super::child;
use crate::doctor::answer::{Answer, Step as _, Want, effect};
use crate::sys::clone;

/// A process signalled and waited for by descriptor.
pub(in super::super) fn by_descriptor(_is_root: bool) -> Answer {
    let pid = child::idle()?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).asked("pidfd_open")?;
    rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).asked("pidfd_send_signal")?;
    let ended =
        rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).asked("waitid(P_PIDFD)")?;
    let signal = ended.and_then(|status| status.terminating_signal());
    effect(signal == Some(libc::SIGKILL), "a process killed by descriptor ended otherwise")?;
    Ok("pidfd_open, pidfd_send_signal, waitid(P_PIDFD)".to_owned())
}

/// A descriptor taken from another process.
pub(in super::super) fn descriptor_of(_is_root: bool) -> Answer {
    let file = std::fs::File::open("/proc/self/status").prepared("/proc/self/status")?;
    let pid = child::idle()?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).prepared("pidfd_open")?;
    let taken = rustix::process::pidfd_getfd(&pidfd, file.as_raw_fd(), PidfdGetfdFlags::empty());
    child::end(pid);
    taken.asked("pidfd_getfd")?;
    Ok("pidfd_getfd".to_owned())
}

/// Ranges of descriptors closed.
pub(in super::super) fn close_range(_is_root: bool) -> Answer {
    let file = std::fs::File::open("/proc/self/status").prepared("/proc/self/status")?;
    clone::cloexec_from(3).asked("close_range(CLOSE_RANGE_CLOEXEC)")?;
    let flags = rustix::io::fcntl_getfd(&file).prepared("fcntl(F_GETFD)")?;
    effect(flags.contains(rustix::io::FdFlags::CLOEXEC), "close_range marks no descriptor")?;
    Ok("close_range".to_owned())
}

/// Orphans come to us.
pub(in super::super) fn subreaper(_is_root: bool) -> Answer {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).asked("prctl(PR_SET_CHILD_SUBREAPER)")?;
    Ok("PR_SET_CHILD_SUBREAPER".to_owned())
}

/// A file in memory alone.
pub(in super::super) fn memory_file(_is_root: bool) -> Answer {
    let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("probe", flags).asked("memfd_create")?;
    rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::WRITE).asked("F_ADD_SEALS")?;
    effect(rustix::io::write(&file, b"x").is_err(), "a sealed file is written to")?;
    Ok("memfd_create with seals".to_owned())
}

/// A session keyring of the container's own.
pub(in super::super) fn keyring(_is_root: bool) -> Answer {
    crate::sys::process::join_new_session_keyring().asked("keyctl(KEYCTL_JOIN_SESSION_KEYRING)")?;
    Ok("a keyring of its own".to_owned())
}

/// AppArmor, through which a bundle's profile is asked for.
pub(in super::super) fn apparmor(_is_root: bool) -> Answer {
    let label =
        std::fs::read_to_string("/proc/self/attr/apparmor/current").asked("/proc/self/attr/apparmor/current")?;
    Ok(format!("this process is {}", label.trim()))
}

/// Limits raised.
pub(in super::super) fn raise_limits(is_root: bool) -> Answer {
    if !is_root {
        return Err(Want::Gap("an ordinary user raises no hard limit".to_owned()));
    }
    // The core size, and in this child alone.
    let resource = libc::RLIMIT_CORE;
    crate::sys::process::set_own_rlimit(resource, 0, 0).prepared("a lower limit")?;
    crate::sys::process::set_own_rlimit(resource, 0, 1).asked("a hard limit raised (CAP_SYS_RESOURCE)")?;
    Ok("CAP_SYS_RESOURCE".to_owned())
}
