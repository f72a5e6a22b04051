//! What the sentry knows of one container: its handoff, taken apart.
//!
//! Made by `watch`, read by `court` and the handlers. Must not change after it is made.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::handoff::{Handoff, VERSION};
use crate::record_policy::{Policy, PolicyError};

/// One container.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its id, for records.
    pub(crate) id: String,
    /// Its root may set its host and domain name.
    pub(crate) may_set_hostname: bool,
    /// Its root may mount.
    pub(crate) may_mount: bool,
    /// When it started, on `CLOCK_BOOTTIME`.
    pub(crate) started: Duration,
    /// How much of each decision is recorded.
    pub(crate) records: Policy,
    memory_limit: Option<OwnedFd>,
    memory_usage: Option<OwnedFd>,
}

/// Why a handoff cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainerError {
    /// The handoff is of another version.
    #[error("a handoff of version {0}; only {VERSION} is known")]
    Version(u32),
    /// More or fewer descriptors than it says.
    #[error("a handoff with {found} descriptors where it says {expected}")]
    Descriptors {
        /// How many came.
        found: usize,
        /// How many it says.
        expected: usize,
    },
    /// Rules of what is recorded that are beyond the bounds, or fit nothing.
    #[error("a handoff with rules that cannot be used")]
    Records(#[source] PolicyError),
}

impl Container {
    /// The container and what its calls are trapped by: the listener or the pidfd.
    pub(crate) fn accept(handoff: Handoff, descriptors: Vec<OwnedFd>) -> Result<(Self, Arc<OwnedFd>), ContainerError> {
        if handoff.version != VERSION {
            return Err(ContainerError::Version(handoff.version));
        }
        handoff.records.check().map_err(ContainerError::Records)?;
        let found = descriptors.len();
        let expected = 1 + usize::from(handoff.has_memory_limit) + usize::from(handoff.has_memory_usage);
        let mut descriptors = descriptors.into_iter();
        let listener = match descriptors.next() {
            Some(listener) if found == expected => listener,
            Some(_) | None => return Err(ContainerError::Descriptors { found, expected }),
        };
        let memory_limit = if handoff.has_memory_limit { descriptors.next() } else { None };
        let memory_usage = if handoff.has_memory_usage { descriptors.next() } else { None };
        let container = Self {
            id: handoff.container,
            may_set_hostname: handoff.may_set_hostname,
            may_mount: handoff.may_mount,
            started: handoff.started,
            records: handoff.records,
            memory_limit,
            memory_usage,
        };
        Ok((container, Arc::new(listener)))
    }

    /// The cgroup's memory limit file, where there is one.
    pub(crate) fn memory_limit(&self) -> Option<BorrowedFd<'_>> {
        self.memory_limit.as_ref().map(std::os::fd::AsFd::as_fd)
    }

    /// The cgroup's memory usage file, where there is one.
    pub(crate) fn memory_usage(&self) -> Option<BorrowedFd<'_>> {
        self.memory_usage.as_ref().map(std::os::fd::AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::handoff::Interceptor;

    fn handoff(has_memory_limit: bool, has_memory_usage: bool) -> Handoff {
        Handoff {
            version: VERSION,
            container: "c".to_owned(),
            may_set_hostname: false,
            may_mount: false,
            has_memory_limit,
            has_memory_usage,
            started: Duration::ZERO,
            sandbox_pid: 1,
            interceptor: Interceptor::Notify,
            records: Policy::default(),
        }
    }

    fn descriptors(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| rustix::pipe::pipe().unwrap().0).collect()
    }

    #[test]
    fn descriptors_are_told_apart_by_the_flags() {
        let given = descriptors(2);
        let raw: Vec<i32> = given.iter().map(AsRawFd::as_raw_fd).collect();
        let (container, listener) = Container::accept(handoff(false, true), given).unwrap();
        assert_eq!(listener.as_raw_fd(), raw[0]);
        assert!(container.memory_limit().is_none());
        assert_eq!(container.memory_usage().unwrap().as_raw_fd(), raw[1]);
    }

    #[test]
    fn wrong_number_of_descriptors_or_version_is_refused() {
        for count in [0, 1, 2, 4] {
            let refused = Container::accept(handoff(true, true), descriptors(count)).unwrap_err();
            assert!(matches!(refused, ContainerError::Descriptors { expected: 3, .. }));
        }
        let old = Handoff { version: 0, ..handoff(false, false) };
        assert!(matches!(Container::accept(old, descriptors(1)), Err(ContainerError::Version(0))));
    }

    #[test]
    fn rules_beyond_the_bounds_are_refused() {
        let wrong = Handoff { records: Policy::new(Vec::new()), ..handoff(false, false) };
        assert!(matches!(Container::accept(wrong, descriptors(1)), Err(ContainerError::Records(_))));
    }
}
