//! The gates over the whole workspace: layers, file size, unsafe code, system call numbers, notes.
#![allow(clippy::tests_outside_test_module, reason = "this whole crate is tests")]

use lazaret_tests::gates::{self, layers, source};

const CRATES: &[&str] =
    &["profiles/src", "sentry/src", "runtime/src", "shim/src", "tests/src", "benches/src", "benches/benches"];

#[test]
fn no_layer_is_crossed() {
    let files = source::files(CRATES);
    assert!(files.len() > 20, "the gate sees the source");
    let found = layers::violations(&files);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_layer_rule_binds_a_module() {
    let idle = layers::idle_rules(&source::files(CRATES));
    assert!(idle.is_empty(), "{idle:?}");
}

#[test]
fn modules_form_no_circle() {
    let found = layers::circles(&source::files(&["profiles/src", "sentry/src", "runtime/src", "shim/src"]));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_is_too_long() {
    let found = gates::long_files(&source::files(CRATES));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_code_stands_in_sys_alone() {
    let found = gates::stray_unsafe(&source::files(CRATES));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn system_call_numbers_stand_in_the_table_and_in_sys() {
    let found = gates::stray_numbers(&source::files(CRATES));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_error_has_a_number_of_its_own() {
    let found = gates::shared_error_numbers(&source::files(&["runtime/src", "shim/src"]));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_file_says_what_it_is() {
    let found = gates::unnamed_files(&source::files(CRATES));
    assert!(found.is_empty(), "{found:#?}");
}

/// The features let a test take the jailed sentry's place and fuzz targets into private rooms, so a program that is shipped
/// must never have them.
#[test]
fn no_manifest_turns_a_test_feature_of_the_sentry_on() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named = Vec::new();
    for directory in ["", "profiles", "sentry", "runtime", "shim", "tests", "benches", "fuzz"] {
        let manifest = std::fs::read_to_string(root.join(directory).join("Cargo.toml")).unwrap();
        let names =
            |line: &&str| line.contains("jail-hook") || line.contains("fuzz-door") || line.contains("lazaret-fuzz");
        named.extend(manifest.lines().filter(names).map(|line| format!("{directory}: {line}")));
    }
    let expected = [
        "sentry: jail-hook = []",
        "sentry: fuzz-door = []",
        "fuzz: name = \"lazaret-fuzz\"",
        "fuzz: door = [\"lazaret-sentry/fuzz-door\"]",
    ];
    assert_eq!(named, expected);
}

/// The words are put together here so that this file does not hold them.
#[test]
fn no_note_is_left_in_the_source() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("/wo", "rk/main"),
        concat!("/wo", "rk/shared"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let found =
        gates::notes(&source::files(&["profiles", "sentry", "runtime", "shim", "tests", "benches", "fuzz"]), &words);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn planted_violations_are_caught() {
    let long = source::File::new("runtime/src/long.rs", &"fn f() {}\n".repeat(gates::FILE_LINES + 1));
    assert_eq!(gates::long_files(&[long]).len(), 1);
    let unsafe_code = source::File::new("runtime/src/state.rs", "fn f() { unsafe { g() } }");
    assert_eq!(gates::stray_unsafe(&[unsafe_code]).len(), 1);
    let number = source::File::new("runtime/src/state.rs", "let n = libc::SYS_mount;");
    assert_eq!(gates::stray_numbers(&[number]).len(), 1);
    let codes = "fn code(&self) -> u32 {\n match self {\n Self::A => 1000,\n Self::B => 1000,\n } }";
    assert_eq!(gates::shared_error_numbers(&[source::File::new("runtime/src/state.rs", codes)]).len(), 1);
    let unnamed = source::File::new("runtime/src/utils.rs", "fn f() {}");
    assert_eq!(gates::unnamed_files(&[unnamed]).len(), 2);
}
