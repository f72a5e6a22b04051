//! The harness of lazaret's tests: bundles, the programs under test, canaries, and the proof that nothing is left.
//!
//! Used by the host lane (`tests/host`) and by the gates (`tests/gates.rs`). It waits for events with a deadline and
//! never sleeps to synchronise; what it makes on the host it makes in a directory of its own with a tag of its own,
//! so that tests run beside each other. It must not touch what it has not made.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a harness ends the test that it serves at the first surprise"
)]

pub mod bundle;
pub mod canary;
pub mod containerd;
pub mod deadline;
pub mod descriptor;
pub mod gates;
pub mod image;
pub mod lazaret;
pub mod leftover;
pub mod outcome;
pub mod programs;
pub mod runc;
pub mod scratch;
pub mod silent_file;
pub mod stepper;
pub mod user;
pub mod verdict;
