//! The mount that a container without a mount namespace of its own has on the host: its root, over its own directory.
//!
//! Used by `lifecycle` to take the mount away again. It must never take away another one, which somebody put in the same
//! place before or since: the mount's id tells.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::mount::UnmountFlags;

/// A mount on the host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostMount {
    /// Where it is.
    path: PathBuf,
    /// Its id, as statx(2) has it.
    id: u64,
}

/// The mount could not be made or taken away.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} the root file system at {path}, in the host's mount namespace")]
pub struct HostMountError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl HostMountError {
    /// Stable number of this error.
    #[must_use]
    pub fn code(&self) -> u32 {
        1465
    }

    fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.to_owned(), source: source.into() }
    }
}

/// The directory `path` as a place to mount on.
///
/// # Errors
/// As `open(2)`.
pub(crate) fn place(path: &Path) -> Result<OwnedFd, HostMountError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| HostMountError::new("open", path, error))
}

impl HostMount {
    /// What the detached `tree` will be once it is at `path`: a mount keeps its id when it is attached.
    ///
    /// # Errors
    /// As `statx(2)`.
    pub fn of(tree: impl AsFd, path: &Path) -> Result<Self, HostMountError> {
        let stat = rustix::fs::statx(tree, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID);
        let id = stat.map_err(|error| HostMountError::new("identify", path, error))?.stx_mnt_id;
        Ok(Self { path: path.to_owned(), id })
    }

    /// Takes it away with everything below it. One that is gone, or covered by another, is left alone.
    ///
    /// # Errors
    /// As `umount2(2)`.
    pub fn take_away(&self) -> Result<(), HostMountError> {
        match rustix::fs::statx(rustix::fs::CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID) {
            Ok(stat) if stat.stx_mnt_id == self.id => {}
            Ok(_another) => return Ok(()),
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(HostMountError::new("find", &self.path, error)),
        }
        rustix::mount::unmount(&self.path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
            .map_err(|error| HostMountError::new("unmount", &self.path, error))
    }
}
