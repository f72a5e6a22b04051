//! A network namespace that was made by somebody else (CNI) and belongs to the host's user namespace.
//!
//! No right of the container reaches it, which is wanted; what the container would need rights for is done here, from
//! the host's side, before it starts: its sysctls, and the two defaults without which nothing unprivileged could bind a
//! port below 1024 or send a ping.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};

/// What a container expects to be able to do without rights in its network namespace (containerd sets the same):
/// bind any port, and ping. `last_group` is the highest group id of its user namespace.
#[must_use]
pub fn defaults(last_group: u32) -> Vec<(&'static str, String)> {
    vec![
        ("net.ipv4.ip_unprivileged_port_start", "0".to_owned()),
        ("net.ipv4.ping_group_range", format!("0 {last_group}")),
    ]
}

/// The highest group id of the host that `ping_group_range` takes.
const LAST_HOST_GROUP: u32 = 2_147_483_647;

/// A sysctl of a joined network namespace could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write {value:?} to {path} in the joined network namespace (linux.sysctl)")]
pub struct NetworkError {
    path: PathBuf,
    value: String,
    #[source]
    source: io::Error,
}

impl NetworkError {
    /// Stable number of this error.
    #[must_use]
    pub fn code(&self) -> u32 {
        1470
    }
}

/// Whether a sysctl belongs to the network namespace.
#[must_use]
pub fn is_network(key: &str) -> bool {
    key.starts_with("net.") || key.starts_with("net/")
}

/// The file of a sysctl.
#[must_use]
pub fn sysctl_file(key: &str) -> PathBuf {
    Path::new("/proc/sys").join(crate::spec::sysctl::path_below_proc_sys(key))
}

/// Writes the network sysctls of the bundle, and the defaults that it does not set, into the joined namespace.
///
/// # Errors
/// [`NetworkError`].
pub fn set_up(network: BorrowedFd<'_>, sysctl: &BTreeMap<String, String>) -> Result<(), NetworkError> {
    let own = sysctl.iter().filter(|(key, _)| is_network(key)).map(|(key, value)| (sysctl_file(key), value.clone()));
    let defaults = defaults(LAST_HOST_GROUP).into_iter().map(|(key, value)| (sysctl_file(key), value));
    let all: BTreeMap<PathBuf, String> = defaults.chain(own).collect();
    for (path, value) in all {
        within(network, || std::fs::write(&path, &value)).map_err(|source| NetworkError { path, value, source })?;
    }
    Ok(())
}

/// Runs `work` in another network namespace; we are single-threaded, and back again afterwards.
///
/// # Errors
/// Those of `work`, or of `setns(2)`.
pub fn within<T>(network: BorrowedFd<'_>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let enter = |fd: BorrowedFd<'_>| nix::sched::setns(fd, CloneFlags::CLONE_NEWNET);
    let own = rustix::fs::open("/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    enter(network)?;
    let result = work();
    enter(own.as_fd())?;
    result
}
