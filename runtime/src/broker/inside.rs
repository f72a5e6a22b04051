//! Into the container: its namespaces, by the process that it began with, and the worker's own root in them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::CloneFlags;
use nix::unistd::{Gid, Uid};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};

use super::Denied;
use crate::policy::mountinfo::MountTable;
use crate::procfs::{Identity, process_of};

/// Namespaces of the container's first process.
#[derive(Debug)]
pub(super) struct Namespaces {
    user: OwnedFd,
    mount: OwnedFd,
    pid: OwnedFd,
}

impl Namespaces {
    /// Those of the process behind `init`.
    pub(super) fn of(init: BorrowedFd<'_>) -> Result<Self, Denied> {
        let pid = process_of(init)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let open = |name: &str| rustix::fs::open(format!("/proc/{pid}/ns/{name}"), flags, Mode::empty());
        let namespaces = Self { user: open("user")?, mount: open("mnt")?, pid: open("pid")? };
        // Only if it lives still was the number its own.
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let has_ended = rustix::event::poll(&mut [PollFd::from_borrowed_fd(init, PollFlags::IN)], Some(&at_once))? > 0;
        if has_ended { Err(Denied::Errno(libc::ESRCH)) } else { Ok(namespaces) }
    }

    pub(super) fn mount_identity(&self) -> io::Result<Identity> {
        let stat = rustix::fs::fstat(&self.mount)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    pub(super) fn user_identity(&self) -> io::Result<Identity> {
        let stat = rustix::fs::fstat(&self.user)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Becomes root of the container's user namespace, with no right over any other.
    pub(super) fn enter_user(&self) -> Result<(), Denied> {
        nix::sched::setns(&self.user, CloneFlags::CLONE_NEWUSER)?;
        let (root, group) = (Uid::from_raw(0), Gid::from_raw(0));
        nix::unistd::setgroups(&[])?;
        nix::unistd::setresgid(group, group, group)?;
        Ok(nix::unistd::setresuid(root, root, root)?)
    }

    /// Has the children of this process be of the container's processes.
    pub(super) fn enter_pid(&self) -> Result<(), Denied> {
        Ok(nix::sched::setns(&self.pid, CloneFlags::CLONE_NEWPID)?)
    }
}

/// A worker in the container.
#[derive(Debug)]
pub(super) struct Inside {
    /// `/proc/PID` of this process in the host's procfs: the container's own shows it nothing of itself.
    proc: OwnedFd,
    root: OwnedFd,
}

impl Inside {
    /// Enters the user namespace, unless that has been done (`is_in_user`), and the mount namespace.
    pub(super) fn enter(namespaces: &Namespaces, own_proc: OwnedFd, is_in_user: bool) -> Result<Self, Denied> {
        if !is_in_user {
            namespaces.enter_user()?;
        }
        nix::sched::setns(&namespaces.mount, CloneFlags::CLONE_NEWNS)?;
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open("/", directory, Mode::empty())?;
        Ok(Self { proc: own_proc, root })
    }

    /// The directory of this process in the host's procfs; to be opened before the host is left.
    pub(super) fn own_proc() -> Result<OwnedFd, Denied> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::open("/proc/self", directory, Mode::empty())?)
    }

    /// The container's root directory.
    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Makes it the root of this process, and the working directory, again.
    pub(super) fn return_to_root(&self) -> Result<(), Denied> {
        rustix::process::fchdir(&self.root)?;
        Ok(rustix::process::chroot(".")?)
    }

    /// The mount table as it is now, seen from the container's root.
    pub(super) fn table(&self) -> Result<MountTable, Denied> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.proc, "mountinfo", flags, Mode::empty())?;
        let mut text = Vec::new();
        io::Read::read_to_end(&mut std::fs::File::from(file), &mut text)?;
        Ok(MountTable::parse(&text).map_err(io::Error::other)?)
    }

    /// Makes the directory of this process's descriptors the working directory, where their numbers are paths.
    pub(super) fn go_to_descriptors(&self) -> Result<(), Denied> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::process::fchdir(rustix::fs::openat(&self.proc, "fd", flags, Mode::empty())?)?)
    }

    /// The path of an opened file, from the container's root.
    pub(super) fn path_of(&self, file: &OwnedFd) -> Result<PathBuf, Denied> {
        use std::os::unix::ffi::OsStringExt as _;
        let link = rustix::fs::readlinkat(&self.proc, format!("fd/{}", file.as_raw_fd()), Vec::new())?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(link.into_bytes()));
        // "(unreachable)" and its like.
        if path.is_absolute() { Ok(path) } else { Err(Denied::Errno(libc::EINVAL)) }
    }
}
