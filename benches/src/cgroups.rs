//! The host's cgroup mode, and a view of a hybrid host that every contender accepts.
//!
//! crun refuses a hybrid host. So on such a host `bench-start` moves into a mount namespace of its own, in which nothing
//! propagates to the host, and hides the unified hierarchy there; all contenders run inside. The host's own mounts are
//! never touched: [`hide_unified`] unmounts only after it has seen that its namespace is new and private.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use nix::sched::CloneFlags;
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use serde::Serialize;
use thiserror::Error;

/// Where the hierarchies are mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// Where systemd mounts the unified one of a hybrid host.
const UNIFIED: &str = "/sys/fs/cgroup/unified";
const MOUNTINFO: &str = "/proc/self/mountinfo";
const NAMESPACE: &str = "/proc/self/ns/mnt";

/// What is mounted on /sys/fs/cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// cgroup v2 alone.
    Unified,
    /// cgroup v1, and a v2 hierarchy below.
    Hybrid,
    /// cgroup v1 alone.
    Legacy,
    /// Nothing.
    None,
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unified => "v2",
            Self::Hybrid => "hybrid (v1, and a v2 hierarchy)",
            Self::Legacy => "v1",
            Self::None => "none",
        })
    }
}

/// Why the view was not made.
#[derive(Debug, Error)]
pub enum CgroupsError {
    /// A file of /proc could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No mount namespace of our own (it takes root).
    #[error("cannot make a mount namespace")]
    Unshare(#[source] nix::errno::Errno),
    /// The namespace's mounts could not be cut off from the host's.
    #[error("cannot make the mounts private")]
    Private(#[source] io::Error),
    /// The namespace is the host's, or still tied to it: nothing is unmounted there.
    #[error("the mount namespace is not private; the unified hierarchy stays")]
    NotPrivate,
    /// The hierarchy could not be hidden.
    #[error("cannot unmount {UNIFIED}")]
    Unmount(#[source] io::Error),
}

/// The mode that this process sees.
///
/// # Errors
/// [`CgroupsError::Read`].
pub fn mode() -> Result<Mode, CgroupsError> {
    let text = fs::read_to_string(MOUNTINFO).map_err(|source| unreadable(MOUNTINFO, source))?;
    Ok(mode_of(&text))
}

fn mode_of(mountinfo: &str) -> Mode {
    let mut kinds = (false, false);
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let is_below = before.split(' ').nth(4).is_some_and(|point| Path::new(point).starts_with(ROOT));
        match after.split(' ').next() {
            Some("cgroup") if is_below => kinds.0 = true,
            Some("cgroup2") if is_below => kinds.1 = true,
            Some(_) | None => {}
        }
    }
    match kinds {
        (true, true) => Mode::Hybrid,
        (true, false) => Mode::Legacy,
        (false, true) => Mode::Unified,
        (false, false) => Mode::None,
    }
}

/// Moves this process, which has one thread, into a mount namespace without the unified hierarchy.
///
/// # Errors
/// [`CgroupsError`]; the host is as before in every case.
pub fn hide_unified() -> Result<(), CgroupsError> {
    let before = namespace()?;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS).map_err(CgroupsError::Unshare)?;
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|errno| CgroupsError::Private(errno.into()))?;
    let mountinfo = fs::read_to_string(MOUNTINFO).map_err(|source| unreadable(MOUNTINFO, source))?;
    if namespace()? == before || !is_private(&mountinfo) {
        return Err(CgroupsError::NotPrivate);
    }
    rustix::mount::unmount(UNIFIED, UnmountFlags::DETACH).map_err(|errno| CgroupsError::Unmount(errno.into()))
}

/// Removes the cgroups of this container that a failed run left: its id, or the name that libcontainer makes of it, at
/// the root of any hierarchy. One that is in use stays.
pub fn remove_left(id: &str) {
    let hierarchies = fs::read_dir(ROOT).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in std::iter::once(PathBuf::from(ROOT)).chain(hierarchies) {
        for name in [id.to_owned(), format!(":youki:{id}")] {
            let path = hierarchy.join(name);
            if path.is_dir()
                && let Err(error) = fs::remove_dir(&path)
            {
                crate::report::warn(&format!("{} stays: {error}", path.display()));
            }
        }
    }
}

fn namespace() -> Result<PathBuf, CgroupsError> {
    fs::read_link(NAMESPACE).map_err(|source| unreadable(NAMESPACE, source))
}

/// Whether no mount shares events with another namespace (proc_pid_mountinfo(5), optional fields).
fn is_private(mountinfo: &str) -> bool {
    !mountinfo.lines().any(|line| {
        let optional = line.split(" - ").next().unwrap_or_default().split(' ').skip(6);
        optional.into_iter().any(|field| field.starts_with("shared:") || field.starts_with("master:"))
    })
}

fn unreadable(path: &str, source: io::Error) -> CgroupsError {
    CgroupsError::Read { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "30 20 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";
    const V2_BELOW: &str = "31 20 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
    const V2: &str = "31 20 0:27 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
    const ELSEWHERE: &str = "31 20 0:27 / /mnt/cgroup rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn modes_are_told_apart() {
        assert_eq!(mode_of(&[V1, V2_BELOW].concat()), Mode::Hybrid);
        assert_eq!(mode_of(&[V1, ELSEWHERE].concat()), Mode::Legacy);
        assert_eq!(mode_of(V2), Mode::Unified);
        assert_eq!(mode_of(ELSEWHERE), Mode::None);
    }

    #[test]
    fn shared_and_slave_mounts_are_not_private() {
        assert!(is_private(V1));
        assert!(!is_private("22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"));
        assert!(!is_private("22 1 254:0 / / rw,relatime master:1 - ext4 /dev/vda rw\n"));
    }
}
