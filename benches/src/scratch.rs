//! A directory of one run of a benchmark.
//!
//! Called by `bench-start`. It holds the bundle, the runtimes' states and what they say on stderr.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A directory that only its owner can enter, removed at the end.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a new directory below the system's temporary directory.
    ///
    /// # Errors
    /// As mkdir(2); `AlreadyExists` after a process with our id that did not clean up.
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("lazaret-bench-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    /// A path inside.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays is named, so that it can be removed by hand. It holds no mount: containers have their
        // own mount namespaces.
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            crate::report::warn(&format!("{} stays: {error}", self.path.display()));
        }
    }
}
