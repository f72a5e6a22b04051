//! Who calls: a thread of the container, its socket, and its view of the container's files.
//!
//! Everything is read through one directory of procfs, which stays that thread's whatever becomes of its number.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use crate::procfs::{self, field};

/// The calling thread.
#[derive(Debug)]
pub(super) struct Caller {
    pid: Pid,
    /// `/proc/PID`, of the host's procfs.
    proc: OwnedFd,
    /// Its root directory.
    pub(super) root: OwnedFd,
    /// Its working directory.
    pub(super) working_directory: OwnedFd,
    /// Whether it is in our own network namespace.
    pub(super) shares_network: bool,
}

/// As whom it acts on files, in the ids of its user namespace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    /// Its effective capabilities, a bit each.
    pub(super) capabilities: u64,
}

impl Caller {
    /// The thread `pid`, which must be in the user namespace of the process behind `init`.
    ///
    /// # Errors
    /// `EPERM` when it is not, `ESRCH` when it is gone.
    pub(super) fn open(pid: i32, init: BorrowedFd<'_>) -> io::Result<Self> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let number = Pid::from_raw(pid).ok_or_else(gone)?;
        let proc = rustix::fs::open(format!("/proc/{pid}"), directory, Mode::empty()).map_err(|_gone| gone())?;
        let first = rustix::fs::open(format!("/proc/{}", procfs::process_of(init)?), directory, Mode::empty())?;
        if procfs::namespace(&proc, "user")? != procfs::namespace(&first, "user")? {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let open = |name: &str| rustix::fs::openat(&proc, name, directory, Mode::empty());
        let (root, working_directory) = (open("root")?, open("cwd")?);
        let own = rustix::fs::open("/proc/self", directory, Mode::empty())?;
        let shares_network = procfs::namespace(&proc, "net")? == procfs::namespace(&own, "net")?;
        Ok(Self { pid: number, proc, root, working_directory, shares_network })
    }

    /// What a process has to keep open to work for it.
    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.proc.as_fd(), self.root.as_fd(), self.working_directory.as_fd()]
    }

    /// Its descriptor `fd`, as ours (pidfd_getfd(2)).
    ///
    /// # Errors
    /// `EBADF` when it has none of that number.
    pub(super) fn descriptor(&self, fd: i32) -> io::Result<OwnedFd> {
        // A thread may have descriptors of its own. Before Linux 6.9 there is no pidfd of a thread: then those of its
        // process are taken, which nearly always are the same.
        let thread = PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned());
        let pidfd = match rustix::process::pidfd_open(self.pid, thread) {
            Err(Errno::INVAL) => rustix::process::pidfd_open(self.process()?, PidfdFlags::empty()),
            other => other,
        }?;
        let found = rustix::process::pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty())?;
        // Only if the thread is still there was the number its own.
        procfs::status(&self.proc).map(|_status| found)
    }

    /// Whether somebody traces it.
    ///
    /// # Errors
    /// `ESRCH` when it is gone.
    pub(super) fn is_traced(&self) -> io::Result<bool> {
        let status = procfs::status(&self.proc)?;
        Ok(field(&status, "TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
    }

    /// Whether a signal waits that the kernel would interrupt its call for, whoever takes it: one to the thread, or to
    /// its process when that has no other thread.
    ///
    /// # Errors
    /// `ESRCH` when it is gone.
    pub(super) fn has_signal(&self) -> io::Result<bool> {
        Ok(is_called(&procfs::status(&self.proc)?))
    }

    /// The process that the thread is of.
    fn process(&self) -> io::Result<Pid> {
        let status = procfs::status(&self.proc)?;
        let process = field(&status, "Tgid:").and_then(|text| text.trim().parse().ok()).and_then(Pid::from_raw);
        process.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Its rights over files. To be asked in its user namespace, whose ids are then those of procfs.
    ///
    /// # Errors
    /// `ESRCH` when it is gone.
    pub(super) fn rights(&self) -> io::Result<Rights> {
        Rights::parse(&procfs::status(&self.proc)?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

impl Rights {
    /// From `/proc/PID/status` (proc_pid_status(5)): the effective ids are the second of each line.
    fn parse(status: &str) -> Option<Self> {
        let effective = |name| field(status, name)?.split_ascii_whitespace().nth(1)?.parse().ok();
        let groups = field(status, "Groups:")?.split_ascii_whitespace().map(str::parse);
        Some(Self {
            uid: effective("Uid:")?,
            gid: effective("Gid:")?,
            groups: groups.collect::<Result<_, _>>().ok()?,
            capabilities: u64::from_str_radix(field(status, "CapEff:")?.trim(), 16).ok()?,
        })
    }
}

/// Whether `/proc/PID/status` (proc_pid_status(5)) tells of a signal that is neither blocked nor ignored.
fn is_called(status: &str) -> bool {
    let set = |name| field(status, name).and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    let is_alone = field(status, "Threads:").is_some_and(|count| count.trim() == "1");
    let shared = set("ShdPnd:").filter(|_pending| is_alone);
    let pending = set("SigPnd:").unwrap_or(0) | shared.unwrap_or(0);
    pending & !set("SigBlk:").unwrap_or(u64::MAX) & !set("SigIgn:").unwrap_or(u64::MAX) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_calls_whom_it_reaches_in_any_case() {
        let status = |threads: u32, [own, shared, blocked, ignored]: [u64; 4]| {
            format!(
                "Threads:\t{threads}\nSigQ:\t1/2\nSigPnd:\t{own:016x}\nShdPnd:\t{shared:016x}\n\
                 SigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\n"
            )
        };
        assert!(!is_called(&status(1, [0, 0, 0, 0])));
        assert!(is_called(&status(7, [0x200, 0, 0, 0])));
        assert!(is_called(&status(1, [0, 0x200, 0, 0])));
        assert!(!is_called(&status(2, [0, 0x200, 0, 0])), "another thread may take it");
        assert!(!is_called(&status(1, [0x200, 0x200, 0x200, 0])));
        assert!(!is_called(&status(1, [0x200, 0x200, 0, 0x200])));
        assert!(!is_called("SigPnd:\t0000000000000200\n"), "what is not told reaches nobody");
    }

    #[test]
    fn rights_are_the_effective_ones() {
        let status =
            "Name:\tx\nTgid:\t5\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nCapEff:\t00000000a80425fb\n";
        let rights = Rights::parse(status).unwrap();
        assert_eq!(rights, Rights { uid: 2, gid: 6, groups: vec![9, 10], capabilities: 0xa804_25fb });
        assert!(Rights::parse("Uid:\t1\t2\nGid:\t1\t2\nGroups:\t\nCapEff:\t0\n").unwrap().groups.is_empty());
        assert_eq!(Rights::parse("Uid:\t1\nGid:\t1\t2\nGroups:\t\nCapEff:\t0\n"), None);
    }
}
