//! The kept inputs of a target: `corpus/TARGET/*` beside this crate's manifest.

use std::path::{Path, PathBuf};

/// Bytes that the kept inputs of one target may have together.
pub const LIMIT: usize = 512 * 1024;

/// Where they are kept.
#[must_use]
pub fn directory(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// All of them, in the order of their names.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn read(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}
