//! Where the programs under test and the peers are. A program that is missing fails the test that asks for it.

use std::path::{Path, PathBuf};

/// The directory of the programs under test: `LAZARET_BIN_DIR`, which `tests/run` sets to the release build, or the
/// directory that this executable was built into.
///
/// # Panics
/// When the process does not know its own program.
#[must_use]
pub fn build_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("LAZARET_BIN_DIR") {
        return directory.into();
    }
    let executable = std::env::current_exe().expect("a process knows its program");
    let directory = executable.parent().expect("a program stands in a directory");
    if directory.ends_with("deps") {
        directory.parent().expect("deps has a parent").to_owned()
    } else {
        directory.to_owned()
    }
}

fn built(name: &str) -> PathBuf {
    let path = build_directory().join(name);
    assert!(path.is_file(), "{} is missing: build the whole workspace first, with the same profile", path.display());
    path
}

/// The command line under test.
#[must_use]
pub fn lazaret() -> PathBuf {
    built("lazaret")
}

/// The shim under test.
#[must_use]
pub fn shim() -> PathBuf {
    built("containerd-shim-lazaret-v1")
}

/// The hostile workload.
#[must_use]
pub fn attacker() -> PathBuf {
    built("attacker")
}

/// A program of the distribution.
#[must_use]
pub fn installed(name: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: tests/run installs it"))
}
