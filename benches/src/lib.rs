//! lazaret measured: what a start costs beside its peers, what the filter costs, what a refusal costs, what a sandbox
//! costs those who do nothing forbidden.
//!
//! Four commands (`bench-start`, `bench-filter`, `bench-refusal`, `bench-cost`) are made of these rooms. docs/performance.md says how
//! to run them and what came out. Nothing imports this crate, and it changes nothing on the host: what it mounts and
//! unmounts lies in a mount namespace of its own, what it writes in a scratch directory that it removes.

pub mod bundle;
pub mod cgroups;
pub mod contender;
pub mod cost;
pub mod hosts;
pub mod linear;
pub mod machine;
pub mod pin;
pub mod race;
pub mod random;
#[cfg(feature = "libcontainer")]
pub mod reference;
pub mod refused;
pub mod report;
pub mod scratch;
pub mod statistics;
pub mod untrapped;
