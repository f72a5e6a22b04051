//! A directory of one test, with a tag that no other test has. Every object that a test makes on the host carries the
//! tag in its name, its command line or its environment, so that what is left over can be found.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A directory that is removed at the end. Its mode is 0700: nothing may depend on others reaching it by path.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    tag: String,
}

impl Scratch {
    /// Makes a new directory below the system's temporary directory.
    #[must_use]
    pub fn new() -> Self {
        let tag = tag();
        let path = std::env::temp_dir().join(&tag);
        std::fs::create_dir_all(&path).expect("a scratch directory can be made");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, private).expect("the scratch directory takes a mode");
        Self { path, tag }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The tag: the directory's name.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Never through a mount: what is mounted below may be the host's.
        if crate::leftover::mounts(&self.tag).is_empty() {
            if let Err(error) = std::fs::remove_dir_all(&self.path) {
                eprintln_once(&format!("scratch {} stays: {error}", self.path.display()));
            }
        } else {
            eprintln_once(&format!("scratch {} stays: something is mounted below", self.path.display()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "a drop has no other way to tell the developer")]
fn eprintln_once(message: &str) {
    eprintln!("{message}");
}

/// A word that is unique on this machine: process id and count.
#[must_use]
pub fn tag() -> String {
    format!("lzt-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
