//! Turns the bundle's `config.json` into checked types. To come.

pub mod container;
pub mod mounts;
pub mod resources;
