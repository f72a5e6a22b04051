//! The probes, by what they belong to. Each runs in a child process of its own, which it may spoil as it likes.

pub(super) mod cgroups;
mod child;
pub(super) mod landlock;
pub(super) mod mounts;
pub(super) mod namespaces;
pub(super) mod processes;
pub(super) mod seccomp;
pub(super) mod tracing;
mod trap;
