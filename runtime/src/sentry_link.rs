//! The runtime's end of the sentry: seating it in its process, and giving it a container's listener.
//!
//! The sentry is forked before the workload exists, into the container's user namespace, with nothing but its seat; it
//! jails itself before it is handed anything.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lazaret_sentry::Seat;
use lazaret_sentry::handoff::{self, FromSentry, Handoff, HandoffError, ToSentry};
use nix::sched::CloneFlags;
use nix::unistd::{Gid, Uid};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use crate::cgroup::{Cgroup, Entry};
use crate::detached;
use crate::idmap;
use crate::init;
use crate::spec::container::IdRange;
use crate::state;
use crate::sys;
use crate::sys::mount::{MountAttr, mount_setattr};

/// How long the sentry may take to jail itself or to take a listener, before the launch is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no sentry.
#[derive(Debug, thiserror::Error)]
pub enum SentryError {
    /// Something of its seat could not be made.
    #[error("could not make the sentry's {what}")]
    Seat {
        /// What.
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The audit file.
    #[error("could not open {path} for the sentry")]
    Audit {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The conversation failed.
    #[error("the sentry did not answer")]
    Handoff(#[source] HandoffError),
    /// It said why it cannot serve.
    #[error("the sentry cannot serve: {why}")]
    Failed {
        /// Its words.
        why: String,
    },
    /// It cannot trace the process.
    #[error("the sentry cannot trace the container: {why}")]
    CannotTrace {
        /// Its words.
        why: String,
    },
    /// It said something else.
    #[error("the sentry answered out of turn")]
    OutOfTurn,
    /// It was gone before the process was executed that it was to watch.
    #[error("the sentry died, and nothing is executed unwatched")]
    Died,
}

impl SentryError {
    /// What would help, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if let Self::Audit { source, .. } = self { Some(state::io_hint(source).to_owned()) } else { None }
    }

    /// Stable number of this error, 1650-1659.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Seat { .. } => 1650,
            Self::Audit { .. } => 1651,
            Self::Handoff(_) => 1652,
            Self::Failed { .. } => 1653,
            Self::OutOfTurn => 1654,
            Self::CannotTrace { .. } => 1655,
            Self::Died => 1656,
        }
    }
}

/// What the sentry may see of its container beside the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// A procfs of its own.
    Processes,
    /// Nothing: an ordinary user can mount no procfs of the host's process ids, and the host's own shows too much. Then
    /// records do not name the program, and what needs its user is refused.
    Nothing,
}

impl Sight {
    /// What can be had, as root of the host or (`rootless`) of a user namespace of our own.
    #[must_use]
    pub fn of(rootless: bool) -> Self {
        if rootless { Self::Nothing } else { Self::Processes }
    }

    fn proc(self) -> io::Result<OwnedFd> {
        match self {
            Self::Processes => private_proc(),
            Self::Nothing => empty_root(),
        }
    }
}

/// A running, jailed sentry.
#[derive(Debug)]
pub struct Sentry {
    /// Its process id.
    pub pid: Pid,
    /// Its pidfd: readable when it has ended.
    pub pidfd: OwnedFd,
    /// Our end of its control socket.
    pub control: OwnedFd,
    /// Whether it has said that it ends because nothing is left to watch.
    pub is_done: bool,
}

impl Sentry {
    /// Forks a sentry into `userns` and, if there is one, into the cgroup for it, with its records going to `audit` and `sinks`; with
    /// `may_trace` its jail lets it trace. It is a child of the caller; call [`Sentry::jailed`] before relying on it.
    ///
    /// # Errors
    /// See [`SentryError`].
    pub fn fork(
        (userns, cgroup): (BorrowedFd<'_>, Option<&Cgroup>),
        (audit, sinks): (&Path, Vec<OwnedFd>),
        sight: Sight,
        may_trace: bool,
    ) -> Result<Self, SentryError> {
        let unopened = |error| SentryError::Seat { what: "cgroup", source: io::Error::other(error) };
        let target = cgroup.and_then(|cgroup| cgroup.clone_target().transpose()).transpose().map_err(unopened)?;
        let tasks = cgroup.map(Cgroup::entry).transpose().map_err(unopened)?.map(Entry::into_tasks);
        let (control, theirs) = crate::channel::pair()
            .map_err(|error| SentryError::Seat { what: "control socket", source: io::Error::other(error) })?;
        let seat = Seat {
            control: theirs,
            counters: Some(open_counters(&audit.with_file_name(state::COUNTERS_FILE))?),
            audit: open_audit(audit)?,
            sinks,
            proc: sight.proc().map_err(|source| SentryError::Seat { what: "view of /proc", source })?,
            empty_root: empty_root().map_err(|source| SentryError::Seat { what: "empty root", source })?,
            may_trace,
        };
        let child = || sit_down((userns, tasks.unwrap_or_default()), seat);
        let (pid, pidfd) = sys::clone::fork_into(target.as_ref().map(AsFd::as_fd), child)
            .map_err(|source| SentryError::Seat { what: "process", source })?;
        Ok(Self { pid, pidfd, control, is_done: false })
    }

    /// Waits until it is in its jail.
    ///
    /// # Errors
    /// See [`SentryError`].
    pub fn jailed(&self) -> Result<(), SentryError> {
        self.expect(&FromSentry::Jailed)
    }

    /// Gives it a container, with what its calls are trapped by, and waits until its thread watches it.
    ///
    /// # Errors
    /// See [`SentryError`].
    pub fn watch(&self, handoff: Handoff, descriptors: &[BorrowedFd<'_>]) -> Result<(), SentryError> {
        handoff::send_to_sentry(self.control.as_fd(), &ToSentry::Handoff(handoff), descriptors)
            .map_err(SentryError::Handoff)?;
        self.expect(&FromSentry::Watching)
    }

    /// Makes sure that it has not ended.
    ///
    /// # Errors
    /// [`SentryError::Died`].
    pub fn is_there(&self) -> Result<(), SentryError> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match rustix::event::poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&at_once)) {
            Ok(0) => Ok(()),
            Ok(_) | Err(_) => Err(SentryError::Died),
        }
    }

    /// Whether it has ended in order, once it has ended: what it said last tells, whoever's child it was.
    pub fn ended_in_order(&mut self) -> bool {
        while !self.is_done {
            match handoff::receive_from_sentry(self.control.as_fd(), Some(Duration::ZERO)) {
                Ok(message) => self.is_done = message == FromSentry::Done,
                Err(_no_more) => return false,
            }
        }
        true
    }

    fn expect(&self, expected: &FromSentry) -> Result<(), SentryError> {
        match handoff::receive_from_sentry(self.control.as_fd(), Some(PATIENCE)) {
            Ok(message) if message == *expected => Ok(()),
            Ok(FromSentry::Failed { why }) => Err(SentryError::Failed { why }),
            Ok(FromSentry::NotWatching { why }) => Err(SentryError::CannotTrace { why }),
            Ok(_other) => Err(SentryError::OutOfTurn),
            Err(error) => Err(SentryError::Handoff(error)),
        }
    }
}

/// The child's part: into its cgroup and into the user namespace, off every privilege of ours, then the sentry's life.
fn sit_down((userns, tasks): (BorrowedFd<'_>, Vec<OwnedFd>), seat: Seat) -> u8 {
    let has_moved = tasks.iter().try_for_each(|tasks| nix::unistd::write(tasks, b"0").map(|_one| ()));
    let entered = has_moved
        .and_then(|()| nix::unistd::setsid())
        .and_then(|_session| nix::sched::setns(userns, CloneFlags::CLONE_NEWUSER))
        .and_then(|()| {
            let maps = idmap::read_maps("self").map_err(unreadable)?;
            let (uid, gid) = (Uid::from_raw(last_id(&maps.uids)), Gid::from_raw(last_id(&maps.gids)));
            nix::unistd::setresgid(gid, gid, gid)?;
            rustix::thread::set_keep_capabilities(true).map_err(|error| nix::Error::from_raw(error.raw_os_error()))?;
            nix::unistd::setresuid(uid, uid, uid)
        });
    match entered {
        Ok(()) => u8::from(lazaret_sentry::serve(seat) != std::process::ExitCode::SUCCESS),
        Err(error) => {
            let why = format!("could not enter its cgroup and the container's user namespace: {error}");
            handoff::send_to_monitor(seat.control.as_fd(), &FromSentry::Failed { why }).map_or(1, |()| 1)
        }
    }
}

/// A map that nobody can read leaves the sentry without an id of its own; as the container's root it must not serve.
fn unreadable(error: io::Error) -> nix::Error {
    nix::Error::from_raw(error.raw_os_error().unwrap_or(libc::EINVAL))
}

/// The highest id of a user namespace: one that no workload runs as, so none may signal the sentry. Of one without ids,
/// where no id can be taken on, 0.
fn last_id(ranges: &[IdRange]) -> u32 {
    let last = |range: &IdRange| range.container.checked_add(range.length.checked_sub(1)?);
    ranges.iter().filter_map(last).max().unwrap_or(0)
}

fn open_audit(path: &Path) -> Result<OwnedFd, SentryError> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))
        .map_err(|error| SentryError::Audit { path: path.to_owned(), source: error.into() })
}

/// The sentries of a container share one: whoever comes first makes it as long as it has to be. Written, not stretched: a
/// page that a full disk has no room for would end the sentry when it first counts.
fn open_counters(path: &Path) -> Result<OwnedFd, SentryError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let failed = |source: io::Error| SentryError::Audit { path: path.to_owned(), source };
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)).map_err(|error| failed(error.into()))?;
    let mut file = std::fs::File::from(file);
    if file.metadata().map_err(failed)?.len() == 0 {
        file.write_all(&[0; lazaret_sentry::counters::BYTES]).map_err(failed)?;
    }
    Ok(file.into())
}

/// A procfs of its own that shows the sentry only processes that it may trace: those of its user namespace.
fn private_proc() -> io::Result<OwnedFd> {
    let ptraceable = [(c"hidepid".to_owned(), Some(c"ptraceable".to_owned()))];
    init::new_filesystem(c"proc", c"proc", &ptraceable)
}

fn empty_root() -> io::Result<OwnedFd> {
    let tmpfs = detached::tmpfs(&[("mode", "555"), ("size", "0")])?;
    let set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    mount_setattr(&tmpfs, &MountAttr { set, ..MountAttr::default() }, false)?;
    Ok(tmpfs)
}
