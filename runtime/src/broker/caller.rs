//! Who calls: a thread of the container, told by the kernel, and the view that it has of the container's files.
//!
//! Everything is read through one directory of procfs, which stays that thread's whatever becomes of its number. Paths
//! are followed as the thread follows them: from its root and working directory, with its capabilities over files.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use lazaret_sentry::nested::Refusal;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::Denied;
use super::inside::{Inside, Namespaces};
use crate::credentials;
use crate::procfs::{self, field};

/// The calling thread.
#[derive(Debug)]
pub(super) struct Caller {
    /// `/proc/PID`, of the host's procfs.
    proc: OwnedFd,
    root: OwnedFd,
    working_directory: OwnedFd,
    /// Its effective capabilities, once [`Caller::may_mount`] has read them.
    effective: std::cell::Cell<u64>,
}

impl Caller {
    /// The thread `pid`, which must be in the mount and user namespace of the container.
    pub(super) fn open(pid: i32, namespaces: &Namespaces) -> Result<Self, Denied> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::open(format!("/proc/{pid}"), directory, Mode::empty())?;
        for (name, own) in [("mnt", namespaces.mount_identity()?), ("user", namespaces.user_identity()?)] {
            match procfs::namespace(&proc, name) {
                Ok(found) if found == own => {}
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error.into()),
                // Those of the container may all be looked at.
                Ok(_) | Err(_) => return Err(Refusal::Outside.into()),
            }
        }
        let open = |name: &str| rustix::fs::openat(&proc, name, directory, Mode::empty());
        let (root, working_directory) = (open("root")?, open("cwd")?);
        Ok(Self { proc, root, working_directory, effective: std::cell::Cell::new(0) })
    }

    /// Whether it is root of the container and has the capability that stands for its view of files. CAP_SYS_ADMIN is none
    /// that a sandbox has; CAP_SYS_CHROOT is the one that whoever gives up rights over the file tree gives up. To be asked in the
    /// container's user namespace, whose ids are then those of procfs.
    pub(super) fn may_mount(&self) -> Result<(), Denied> {
        let Some((0, effective)) = rights(&procfs::status(&self.proc)?) else { return Err(Refusal::Caller.into()) };
        if effective & caps::Capability::CAP_SYS_CHROOT.bitmask() == 0 {
            return Err(Refusal::Caller.into());
        }
        self.effective.set(effective);
        Ok(())
    }

    /// Runs `work` with this thread's root, working directory and capabilities, and comes back.
    pub(super) fn as_caller<T>(&self, inside: &Inside, work: impl FnOnce() -> Result<T, Denied>) -> Result<T, Denied> {
        rustix::process::fchdir(&self.root)?;
        rustix::process::chroot(".")?;
        rustix::process::fchdir(&self.working_directory)?;
        credentials::set_effective(self.effective.get())?;
        let done = work();
        credentials::set_effective(self.with_the_right_to_mount())?;
        inside.return_to_root()?;
        done
    }

    /// What an overlay keeps as the capabilities of who mounted it: the caller's own, and the right to mount.
    fn with_the_right_to_mount(&self) -> u64 {
        self.effective.get() | caps::Capability::CAP_SYS_ADMIN.bitmask() | caps::Capability::CAP_SYS_CHROOT.bitmask()
    }
}

/// Opens a path of the caller's; within [`Caller::as_caller`]. Without magic links: what those of a procfs lead to depends on
/// who looks, and that is this process. The kernel would follow them for the caller, so `ELOOP` is stricter.
pub(super) fn open(path: &[u8], follow: bool) -> Result<OwnedFd, Denied> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    Ok(rustix::fs::openat2(CWD, OsStr::from_bytes(path), flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?)
}

/// The id of the mount that an opened file is on, and whether the file is that mount's root.
pub(super) fn mount_of(file: impl AsFd) -> io::Result<(u64, bool)> {
    crate::sys::mount::mount_of(file, "")
}

/// The effective user id and the effective capabilities of `/proc/PID/status` (proc_pid_status(5)).
fn rights(status: &str) -> Option<(u32, u64)> {
    let uid = field(status, "Uid:")?.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((uid, u64::from_str_radix(field(status, "CapEff:")?.trim(), 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_the_effective_ones() {
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000040001\n";
        assert_eq!(rights(status), Some((2, 0x4_0001)));
        assert_eq!(rights("Name:\tUid:\\n0\nCapEff:\t0\n"), None);
        assert_eq!(rights("Uid:\t0\t0\t0\t0\n"), None);
    }
}
