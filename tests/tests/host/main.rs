//! The host lane: everything that needs root and a real kernel. Run with `--ignored`, as `tests/run` does; a need that
//! is missing fails the test.
//!
//! Each refusal comes with its attack, with a positive control (the same attack reaches its goal under runc with the
//! lax configuration, or against a weak variant made for it) and with its honest neighbour.
#![allow(
    clippy::tests_outside_test_module,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this whole crate is tests"
)]

mod annotations;
mod attacks;
mod audit;
mod bad_input;
mod check;
mod command_do;
mod config_tricks;
mod configuration;
mod connects;
mod console;
mod containerd;
mod cycles;
mod damaged_state;
mod denial_of_service;
mod doctor;
mod exec;
mod exec_and_death;
mod faults;
mod full_disk;
mod hooks;
mod host_doors;
mod host_paths;
mod image_tricks;
mod information;
mod interceptors;
mod interrupted;
mod isolation;
mod leaks;
mod lifecycle;
mod loggers;
mod logs;
mod metrics;
mod mounts;
mod native_mode;
mod nested;
mod out_of_memory;
mod pod;
mod pod_security;
mod policy;
mod privilege;
mod process_attributes;
mod profiles;
mod record_levels;
mod record_sinks;
mod regressions;
mod rootless;
mod sentry;
mod sentry_memory;
mod shim_faults;
mod slow_connects;
mod strict;
mod stuck_memory;
mod swaps;
mod trace;
mod turmoil;
mod verdicts;
