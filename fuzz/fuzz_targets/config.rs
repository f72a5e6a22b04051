//! The target `config` for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lazaret_fuzz::targets::config::run(input));
