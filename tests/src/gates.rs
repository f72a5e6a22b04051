//! The gates: rules about the source that no compiler checks. Each takes source text and returns what it objects to,
//! so that a test can show that it does object to a planted violation. Called by `tests/gates.rs`.

pub mod layers;
pub mod paths;
pub mod source;

use source::File;

/// Most production lines of a file; code beside a data table counts, the table does not.
pub const FILE_LINES: usize = 400;

/// Files that are data tables.
const TABLES: &[&str] = &[
    "profiles/src/syscalls/",
    "profiles/src/class/event.rs",
    "profiles/src/programs/emitted.rs",
    "sentry/src/signature/",
    "runtime/src/policy/tables",
];

/// The only places of unsafe code.
const UNSAFE: &[&str] = &["sentry/src/sys.rs", "sentry/src/sys/", "runtime/src/sys/", "tests/src/bin/attacker/raw.rs"];

/// The only places of system call numbers by their `SYS_` names.
const NUMBERS: &[&str] =
    &["profiles/src/syscalls/", "sentry/src/sys.rs", "sentry/src/sys/", "runtime/src/sys/", "tests/", "benches/"];

/// File names that say nothing about what is in the file.
const DRAWERS: &[&str] = &["utils.rs", "util.rs", "common.rs", "helpers.rs", "misc.rs", "stuff.rs"];

fn is_in(file: &File, places: &[&str]) -> bool {
    places.iter().any(|place| file.path.starts_with(place))
}

/// Files with more production lines than [`FILE_LINES`].
#[must_use]
pub fn long_files(files: &[File]) -> Vec<String> {
    let too_long = |file: &&File| !is_in(file, TABLES) && file.production_lines() > FILE_LINES;
    files.iter().filter(too_long).map(|file| format!("{}: {} lines", file.path, file.production_lines())).collect()
}

/// Unsafe code outside of the `sys` modules.
#[must_use]
pub fn stray_unsafe(files: &[File]) -> Vec<String> {
    let outside = files.iter().filter(|file| !is_in(file, UNSAFE));
    outside.flat_map(|file| file.lines_with_word("unsafe")).collect()
}

/// System call numbers outside of the table and `sys`.
#[must_use]
pub fn stray_numbers(files: &[File]) -> Vec<String> {
    let outside = files.iter().filter(|file| !is_in(file, NUMBERS));
    let is_number = |word: &str| {
        word.strip_prefix("SYS_").is_some_and(|name| name.starts_with(|byte: char| byte.is_ascii_lowercase()))
    };
    outside.flat_map(|file| file.lines_where(is_number)).collect()
}

/// Files without a `//!` at their top, or with a name that says nothing.
#[must_use]
pub fn unnamed_files(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        if !file.text.starts_with("//!") {
            found.push(format!("{}: does not open with //!", file.path));
        }
        if file.path.rsplit('/').next().is_some_and(|name| DRAWERS.contains(&name)) {
            found.push(format!("{}: the name says nothing", file.path));
        }
    }
    found
}

/// Notes to oneself, and words that belong to no reader of the repository.
#[must_use]
pub fn notes(files: &[File], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.path, index + 1));
            }
        }
    }
    found
}

/// Numbers of errors that two errors share, with the places: `Kind::Of => 1000,` in a `fn code`, and the constants of
/// `codes.rs`.
#[must_use]
pub fn shared_error_numbers(files: &[File]) -> Vec<String> {
    let mut places: std::collections::BTreeMap<u32, Vec<String>> = std::collections::BTreeMap::new();
    let gives = |file: &&File| file.code.contains("fn code(") || file.path.ends_with("/codes.rs");
    for file in files.iter().filter(gives) {
        for (index, line) in file.code.lines().enumerate() {
            let line = line.trim();
            let number = line.rsplit_once("=> ").or_else(|| line.rsplit_once(": u32 = ")).map(|(_, rest)| rest);
            let number = number.filter(|_| line.starts_with(char::is_uppercase) || line.starts_with("pub const "));
            let number = number.and_then(|rest| rest.trim_end_matches([',', ';']).parse().ok());
            if let Some(number) = number {
                places.entry(number).or_default().push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    places
        .into_iter()
        .filter(|(_, at)| at.len() > 1)
        .map(|(number, at)| format!("{number}: {}", at.join(", ")))
        .collect()
}
