//! The VM lane: what needs a kernel and a host of our choosing. `tests/vm/boot` runs it in a VM whose cgroup hierarchy
//! is v2 alone, with every controller, and once more under systemd. Run with `--ignored`, as `tests/vm/run` does.
//!
//! Limits are proven by their effect and with a control without the limit. The VM is emulated, five to twenty times
//! slower than the machine: shares of time are measured, never speeds.
#![allow(
    clippy::tests_outside_test_module,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this whole crate is tests"
)]

mod cgroup;
mod containerd;
mod cpu;
mod delegation;
mod devices;
mod freezer;
mod io;
mod memory;
mod processes;
mod statistics;
mod systemd;
