//! The node's files, seen below a directory: `/`, or where a pod that checks its node has the node's root mounted. Links
//! lead where they would lead on the node, and never out of it.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, Stat};

use crate::state::StateError;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// Most entries of a directory that are looked at.
const MOST: usize = 1000;

/// The node's root.
#[derive(Debug)]
pub(super) struct Host {
    root: OwnedFd,
    is_own: bool,
}

impl Host {
    /// That at `path`.
    ///
    /// # Errors
    /// [`StateError::Io`] when it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let failed = |error: rustix::io::Errno| StateError::Io {
            operation: "open",
            path: path.to_owned(),
            source: error.into(),
        };
        let root = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(failed)?;
        Ok(Self { root, is_own: path == Path::new("/") })
    }

    /// Whether it is this process's own root, so that what runs here is what stands there.
    pub(super) fn is_own(&self) -> bool {
        self.is_own
    }

    fn find(&self, path: &Path, flags: OFlags) -> io::Result<Option<OwnedFd>> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        match rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve) {
            Ok(found) => Ok(Some(found)),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What stands at `path`, if anything does.
    pub(super) fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let found = self.find(path, OFlags::PATH)?;
        Ok(found.map(rustix::fs::fstat).transpose()?)
    }

    /// The text of the file at `path`, if there is one.
    pub(super) fn read(&self, path: &Path) -> io::Result<Option<String>> {
        let Some(found) = self.find(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)? else { return Ok(None) };
        let mut bytes = Vec::new();
        std::fs::File::from(found).take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() > usize::try_from(LARGEST).unwrap_or(usize::MAX) {
            return Err(io::Error::other(format!("larger than {LARGEST} bytes")));
        }
        String::from_utf8(bytes).map(Some).map_err(io::Error::other)
    }

    /// The entries of the directory at `path` in order; none when there is no such directory.
    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let Some(found) = self.find(path, OFlags::RDONLY | OFlags::DIRECTORY)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in Dir::new(found)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                names.push(path.join(name));
            }
            if names.len() > MOST {
                return Err(io::Error::other(format!("more than {MOST} entries")));
            }
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_they_would_on_the_node() {
        let root = std::env::temp_dir().join(format!("lazaret-host-{}", std::process::id()));
        std::fs::create_dir_all(root.join("etc/x.d")).unwrap();
        std::fs::write(root.join("etc/real"), "text").unwrap();
        std::os::unix::fs::symlink("/etc/real", root.join("etc/link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("etc/out")).unwrap();
        for name in ["b", "a"] {
            std::fs::write(root.join("etc/x.d").join(name), "").unwrap();
        }
        let host = Host::open(&root).unwrap();
        assert_eq!(host.read(Path::new("/etc/link")).unwrap().unwrap(), "text");
        assert!(host.stat(Path::new("/etc/out")).unwrap().is_none(), "the node has no such file");
        assert_eq!(host.list(Path::new("/etc/x.d")).unwrap(), [Path::new("/etc/x.d/a"), Path::new("/etc/x.d/b")]);
        assert!(host.list(Path::new("/none")).unwrap().is_empty() && !host.is_own());
        std::fs::remove_dir_all(root).unwrap();
    }
}
