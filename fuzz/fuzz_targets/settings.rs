//! The target `settings` for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lazaret_fuzz::targets::settings::run(input));
