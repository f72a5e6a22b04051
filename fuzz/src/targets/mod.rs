//! The targets, a file each.

pub mod config;
#[cfg(feature = "door")]
pub mod copyin;
#[cfg(feature = "door")]
pub mod decoder;
pub mod emitter;
pub mod filter;
pub mod handoff;
mod plans;
pub mod pods;
pub mod profile;
pub mod program;
pub mod record;
pub mod settings;
