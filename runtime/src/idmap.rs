//! Which ids of the host a container's ids are, and the user namespace that says so to the kernel.
//!
//! A bundle may bring its mapping. One that does not gets a range of 65,536 ids that no other container on the machine
//! has: a [`Lease`].

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

use crate::spec::container::{IdMappings, IdRange};
use crate::sys::clone::{self, UsernsHolder};

mod lease;

use lease::RANGES;
pub use lease::{LEASES, Lease, RANGE_LENGTH, inhabitants, leased_ids, release, release_of};

/// Why a mapping could not be had.
#[derive(Debug, thiserror::Error)]
pub enum IdmapError {
    /// The lease directory or a lease in it.
    #[error("could not lease a range of ids at {path}")]
    Lease {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Every range is taken.
    #[error("all {RANGES} ranges of ids are taken by running containers")]
    Exhausted,
    /// The mapping of a joined user namespace cannot be told.
    #[error("could not read the id mapping of the joined user namespace")]
    Join(#[source] io::Error),
    /// A new user namespace was refused.
    #[error("could not create a user namespace")]
    Create(#[source] io::Error),
    /// The maps could not be written.
    #[error("could not write {path} ({map})")]
    Map {
        /// `/proc/PID/uid_map` or `gid_map`.
        path: PathBuf,
        /// The lines.
        map: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl IdmapError {
    /// Stable number of this error, 1450-1459.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Lease { .. } => 1450,
            Self::Exhausted => 1451,
            Self::Create(_) => 1452,
            Self::Map { .. } => 1453,
            Self::Join(_) => 1454,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Lease { .. } => Some("lazaret must run as root with a writable /run".to_owned()),
            Self::Exhausted => Some("delete containers that are no longer needed".to_owned()),
            Self::Create(_) => {
                Some("see /proc/sys/user/max_user_namespaces; sandbox mode needs user namespaces".to_owned())
            }
            Self::Join(_) => Some("is the container whose namespaces are joined still running?".to_owned()),
            Self::Map { .. } => Some("the ranges must lie inside those of lazaret's own user namespace".to_owned()),
        }
    }
}

/// Makes a user namespace with these mappings and returns it. It lives as long as the descriptor or a process in it.
///
/// # Errors
/// [`IdmapError::Create`] and [`IdmapError::Map`].
pub fn new_user_namespace(mappings: &IdMappings) -> Result<OwnedFd, IdmapError> {
    let root = |ranges: &[IdRange]| to_host(ranges, 0).or_else(|| ranges.first().map(|range| range.host)).unwrap_or(0);
    let holder = UsernsHolder::new(root(&mappings.uids), root(&mappings.gids)).map_err(IdmapError::Create)?;
    let proc = PathBuf::from(format!("/proc/{}", holder.pid().as_raw_nonzero()));
    write_map(proc.join("uid_map"), &mappings.uids)?;
    write_map(proc.join("gid_map"), &mappings.gids)?;
    rustix::fs::open(proc.join("ns/user"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| IdmapError::Create(error.into()))
}

/// The mapping of an existing user namespace, in the ids of our own (not of its parent, which may be another). The
/// kernel tells it of a process only, so a child enters the namespace and waits while its maps are read.
///
/// # Errors
/// [`IdmapError::Join`].
pub fn mappings_of(userns: BorrowedFd<'_>) -> Result<IdMappings, IdmapError> {
    let ask = || -> io::Result<IdMappings> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let (pid, pidfd) = clone::fork(|| enter_and_wait(userns, &write))?;
        drop(write);
        let entered = rustix::io::read(&read, &mut [0_u8; 1]);
        let maps = match entered {
            Ok(1) => read_maps(&pid.as_raw_nonzero().to_string()),
            _ => Err(io::ErrorKind::PermissionDenied.into()),
        };
        rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL)?;
        clone::reap(pid);
        maps
    };
    ask().map_err(IdmapError::Join)
}

/// The child's part of [`mappings_of`]: says that it is inside, and waits to be killed.
fn enter_and_wait(userns: BorrowedFd<'_>, tell: &OwnedFd) -> u8 {
    let entered = nix::sched::setns(userns, nix::sched::CloneFlags::CLONE_NEWUSER).map_err(io::Error::from);
    // After the change of credentials, which would cancel it: this process must not outlive who asks.
    let bound = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    if entered.and_then(|()| Ok(bound?)).and_then(|()| Ok(rustix::io::write(tell, b"+")?)).is_err() {
        return 1;
    }
    loop {
        nix::unistd::pause();
    }
}

/// The id mapping of the user namespace that a process is in.
///
/// # Errors
/// [`IdmapError::Join`] when its maps cannot be read: it has ended.
pub fn mappings_of_process(pid: i32) -> Result<IdMappings, IdmapError> {
    read_maps(&pid.to_string()).map_err(IdmapError::Join)
}

/// The maps of the process with this name in `/proc`: a number, or `self`.
pub(crate) fn read_maps(process: &str) -> io::Result<IdMappings> {
    let map = |name: &str| parse_map(&std::fs::read_to_string(format!("/proc/{process}/{name}"))?);
    Ok(IdMappings { uids: map("uid_map")?, gids: map("gid_map")? })
}

pub(crate) fn parse_map(text: &str) -> io::Result<Vec<IdRange>> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace().map(str::parse::<u32>);
        let mut next = || fields.next()?.ok();
        Some(IdRange { container: next()?, host: next()?, length: next()? })
    };
    text.lines().map(|text| line(text).ok_or_else(|| io::ErrorKind::InvalidData.into())).collect()
}

fn write_map(path: PathBuf, ranges: &[IdRange]) -> Result<(), IdmapError> {
    let map = ranges.iter().map(|range| format!("{} {} {}", range.container, range.host, range.length));
    let map = map.collect::<Vec<_>>().join("\n");
    std::fs::write(&path, &map).map_err(|source| IdmapError::Map { path, map, source })
}

/// Whether the object behind `fd` belongs to a user of the container already, as its bundle maps it: an engine that was
/// given the mapping has changed the owners itself, and a second mapping on top would make them nobody's.
///
/// # Errors
/// As `fstat(2)`.
pub fn is_owned(ranges: &[IdRange], fd: impl std::os::fd::AsFd) -> io::Result<bool> {
    let owner = rustix::fs::fstat(fd)?.st_uid;
    Ok(ranges.iter().any(|range| owner.checked_sub(range.host).is_some_and(|offset| offset < range.length)))
}

/// The host id that `id` inside the container is, or `None` when the mapping does not hold it.
#[must_use]
pub fn to_host(ranges: &[IdRange], id: u32) -> Option<u32> {
    ranges.iter().find_map(|range| {
        let offset = id.checked_sub(range.container)?;
        (offset < range.length).then(|| range.host.checked_add(offset)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_ids_are_found_by_range() {
        let ranges =
            [IdRange { container: 0, host: 1000, length: 1 }, IdRange { container: 1, host: 100_000, length: 10 }];
        assert_eq!(to_host(&ranges, 0), Some(1000));
        assert_eq!(to_host(&ranges, 10), Some(100_009));
        assert_eq!(to_host(&ranges, 11), None);
    }

    #[test]
    fn a_map_is_read_as_the_kernel_writes_it() {
        let map = parse_map("         0 1879048192      65536\n     70000          1          2\n").unwrap();
        assert_eq!(map.first(), Some(&IdRange { container: 0, host: 1_879_048_192, length: 65_536 }));
        assert_eq!(map.len(), 2);
        assert!(parse_map("0 1\n").is_err());
    }
}
