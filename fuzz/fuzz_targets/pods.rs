//! The target `pods` for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lazaret_fuzz::targets::pods::run(input));
