//! One cgroup directory by descriptor: its files, its children, its removal. Used by the other files of this room, which
//! turn the plain I/O errors of here into errors that name the operation. It knows nothing of limits or containers.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::cgroup::error::CgroupError;

/// The largest file read from a cgroup. `cgroup.procs` of 100,000 processes has 700 KB.
const LARGEST_FILE: usize = 16 << 20;
/// Room for the text of a small file and one byte to see that it has ended.
pub(super) const USUAL_FILE: usize = 1024;
/// The first and the longest pause between two attempts to remove a directory that is still busy.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(20));

/// An open cgroup directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd), path: path.to_path_buf() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Another descriptor of it.
    pub(super) fn duplicate(&self) -> Result<OwnedFd, CgroupError> {
        let failed = |source| CgroupError::Open { path: self.path.clone(), source };
        self.fd().try_clone_to_owned().map_err(failed)
    }

    /// Makes a child. `below` may have several components, of which all but the last exist.
    pub(super) fn make(&self, below: &Path) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(self.fd(), below, Mode::from_raw_mode(0o755))?)
    }

    pub(super) fn child(&self, below: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(self.fd(), below, flags, Mode::empty())?;
        Ok(Self { fd: Arc::new(fd), path: self.path.join(below) })
    }

    pub(super) fn file(&self, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
        Ok(rustix::fs::openat(self.fd(), name, flags | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// Sets an extended attribute that says no more than that it is there. A kernel without such attributes on cgroups is
    /// no error: the mark only makes a refusal possible.
    pub(super) fn mark(&self, name: &str) -> io::Result<()> {
        match rustix::fs::fsetxattr(&self.fd, name, b"1", rustix::fs::XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn is_marked(&self, name: &str) -> bool {
        let mut value = [0_u8; 8];
        rustix::fs::fgetxattr(&self.fd, name, &mut value).is_ok()
    }

    /// Writes `value` in one call, as every cgroup file wants it.
    pub(super) fn write(&self, name: &str, value: &str) -> io::Result<()> {
        let file = self.file(name, OFlags::WRONLY)?;
        let written = rustix::io::write(&file, value.as_bytes())?;
        if written == value.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    pub(super) fn read(&self, name: &str) -> io::Result<String> {
        read_all(&self.file(name, OFlags::RDONLY)?, USUAL_FILE)
    }

    /// The processes that are members of this very directory.
    pub(super) fn procs(&self) -> io::Result<Vec<i32>> {
        match self.read("cgroup.procs") {
            Ok(list) => Ok(list.lines().filter_map(|line| line.parse().ok()).collect()),
            // A threaded child (v2): its processes are listed by the ancestor that is its domain.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The cgroups below this one, parents before children.
    pub(super) fn descendants(&self) -> io::Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = Vec::new();
        let mut next = Some(PathBuf::from("."));
        let mut seen = 0;
        while let Some(below) = next {
            match self.child(&below) {
                Ok(directory) => {
                    for name in directory.child_names()? {
                        found.push(if below == Path::new(".") { name.into() } else { below.join(name) });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            next = found.get(seen).cloned();
            seen += 1;
        }
        Ok(found)
    }

    fn child_names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.fd())? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(Errno::NOENT) => break,
                Err(error) => return Err(error.into()),
            };
            let name = entry.file_name();
            if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
                names.push(CString::from(name).into_string().map_err(io::Error::other)?);
            }
        }
        Ok(names)
    }
}

/// Reads a whole file from its start; also again, to see what has changed. `usual` is the size it has as a rule: the
/// kernel makes the text anew for each call, and std would begin with reads of 32 bytes.
pub(super) fn read_all(file: &OwnedFd, usual: usize) -> io::Result<String> {
    let mut bytes = vec![0; usual];
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..) {
        let offset = u64::try_from(length).map_err(io::Error::other)?;
        match rustix::io::pread(file, room, offset) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if length == bytes.len() {
            if length >= LARGEST_FILE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            bytes.resize(length * 4, 0);
        }
    }
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Removes the cgroup at `path` with every cgroup below it, waiting up to `patience` for members that are on their way
/// out. That it does not exist (any more) is success.
pub(super) fn remove_tree(path: &Path, patience: Duration) -> Result<(), CgroupError> {
    let failed = |path: &Path, source| CgroupError::Remove { path: path.to_path_buf(), source };
    let deadline = Instant::now() + patience;
    let mut pause = PAUSES.0;
    loop {
        // The usual case, one call. Only a delegated workload has children.
        let error = match remove_one(path) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.raw_os_error() != Some(libc::EBUSY) && error.raw_os_error() != Some(libc::ENOTEMPTY) {
            return Err(failed(path, error));
        }
        match remove_children(path) {
            Ok(false) => {
                if Instant::now() >= deadline {
                    return Err(failed(path, error));
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSES.1);
            }
            Ok(true) => {}
            Err(error) => return Err(failed(path, error)),
        }
    }
}

/// Whether a child was removed, so that the parent is worth another attempt.
fn remove_children(path: &Path) -> io::Result<bool> {
    let children = match Directory::open(path).and_then(|directory| directory.descendants()) {
        Ok(children) => children,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut removed = false;
    for child in children.iter().rev() {
        match remove_one(&path.join(child)) {
            Ok(()) => removed = true,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// Removes one directory. That it does not exist is success.
pub(super) fn remove_one(path: &Path) -> io::Result<()> {
    match rustix::fs::unlinkat(rustix::fs::CWD, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
