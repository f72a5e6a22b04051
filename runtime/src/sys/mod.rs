//! System calls that neither nix nor rustix wraps. The only unsafe code of this crate; raw fds and pointers stay here.

pub mod bpf;
pub mod clone;
pub mod landlock;
pub mod mount;
pub mod namespace;
pub mod process;
pub mod seccomp;
pub mod socket;
pub mod task;
