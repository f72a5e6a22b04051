//! Fuzz targets: functions of bytes that panic at a finding, in one list for all who run them.
//!
//! Run by `tests/smoke.rs` on the stable toolchain (the kept corpus, then mutations of it from a printed seed), and by
//! the programs in `fuzz_targets` under cargo-fuzz, guided by coverage. docs/testing.md says how. Must not be linked by
//! anything else.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a finding of a fuzz target is a panic")]

pub mod corpus;
mod draw;
pub mod mutate;
#[expect(unsafe_code, reason = "mmap(2), fork(2) and seccomp(2), whose effects are what two of the targets look at")]
mod sys;
pub mod targets;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its program and of the directory of its corpus.
    pub name: &'static str,
    /// Takes any bytes; panics at a finding.
    pub run: fn(&[u8]),
    /// Words of its input language, for mutations.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "config", run: targets::config::run, words: targets::config::WORDS },
    #[cfg(feature = "door")]
    Target { name: "copyin", run: targets::copyin::run, words: &[] },
    #[cfg(feature = "door")]
    Target { name: "decoder", run: targets::decoder::run, words: &[] },
    Target { name: "emitter", run: targets::emitter::run, words: &[] },
    Target { name: "filter", run: targets::filter::run, words: &[] },
    Target { name: "handoff", run: targets::handoff::run, words: targets::handoff::WORDS },
    Target { name: "pods", run: targets::pods::run, words: targets::pods::WORDS },
    Target { name: "profile", run: targets::profile::run, words: &[] },
    Target { name: "program", run: targets::program::run, words: &[] },
    Target { name: "record", run: targets::record::run, words: targets::record::WORDS },
    Target { name: "settings", run: targets::settings::run, words: targets::settings::WORDS },
];
