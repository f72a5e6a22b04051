//! System calls that neither nix nor rustix wraps. The only unsafe code of this crate; raw fds and pointers stay here.

pub mod bpf;
