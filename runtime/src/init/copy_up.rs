//! `tmpcopyup`: a new tmpfs gets a copy of what the container has at its destination.
//!
//! Called by `mounts` while the tmpfs is attached nowhere. What is copied belongs to the image and is hostile: every step
//! goes by descriptor from its parent, no link is followed and no mount crossed, what is neither a directory, a file nor
//! a link is refused, and number and depth are bounded. The size is bounded by the tmpfs and the container's own memory
//! limit, which the copier is under already.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags};

/// Most files, links and directories that are copied.
const ENTRIES: u32 = 100_000;
/// Deepest directory that is copied: each level holds three descriptors.
const DEPTH: u32 = 64;
/// Largest list of attribute names, and largest value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const ATTRIBUTES: usize = 65536;

/// What could not be copied, and why.
#[derive(Debug)]
pub(super) struct CopyError {
    /// Its path inside the container.
    pub(super) path: PathBuf,
    /// The cause.
    pub(super) source: io::Error,
}

/// Copies the content of the directory `from` into `to`, an empty directory. `path` is `from`'s name for messages.
pub(super) fn copy(from: impl AsFd, to: impl AsFd, path: &Path) -> Result<(), CopyError> {
    let open = |fd| open_directory(fd, c".").map_err(|source| CopyError { path: path.to_owned(), source });
    Copier { left: ENTRIES, buffers: Buffers::new() }.directory(&open(from.as_fd())?, &open(to.as_fd())?, path, DEPTH)
}

struct Copier {
    /// How many more entries may come.
    left: u32,
    buffers: Buffers,
}

/// Room for one file's extended attributes.
struct Buffers {
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Buffers {
    fn new() -> Self {
        Self { names: vec![0; ATTRIBUTES], value: vec![0; ATTRIBUTES] }
    }
}

impl Copier {
    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, path: &Path, levels: u32) -> Result<(), CopyError> {
        let failed = |source: io::Error| CopyError { path: path.to_owned(), source };
        for entry in rustix::fs::Dir::read_from(from).map_err(|error| failed(error.into()))? {
            let entry = entry.map_err(|error| failed(error.into()))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.left = self.left.checked_sub(1).ok_or_else(|| failed(too_much("files")))?;
            let path = path.join(OsStr::from_bytes(name.to_bytes()));
            self.entry((from, to), name, &path, levels)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        (from, to): (&OwnedFd, &OwnedFd),
        name: &CStr,
        path: &Path,
        levels: u32,
    ) -> Result<(), CopyError> {
        let failed = |source: io::Error| CopyError { path: path.to_owned(), source };
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| failed(error.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => link(from, to, name, &stat).map_err(failed),
            FileType::RegularFile => file(from, to, name, &mut self.buffers).map_err(failed),
            FileType::Directory => {
                let below = levels.checked_sub(1).ok_or_else(|| failed(too_much("levels of directories")))?;
                rustix::fs::mkdirat(to, name, Mode::RWXU).map_err(|error| failed(error.into()))?;
                let new = open_directory(to.as_fd(), name).map_err(failed)?;
                match open_directory(from.as_fd(), name) {
                    Ok(old) => {
                        self.directory(&old, &new, path, below)?;
                        attributes(&old, &new, &mut self.buffers).map_err(failed)
                    }
                    // A mount point: what is mounted there is not the image's, and the new tmpfs hides it.
                    Err(error) if error.raw_os_error() == Some(libc::EXDEV) => Ok(()),
                    Err(error) => Err(failed(error)),
                }
            }
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {
                Err(failed(io::Error::other("it is a device, a FIFO or a socket, and tmpcopyup copies none")))
            }
        }
    }
}

fn too_much(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("too many {what} for tmpcopyup"))
}

/// Opens the directory `name` of `parent` for reading, on the same mount.
fn open_directory(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    open(parent, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Opens `name` of `parent`, which must be no link and no mount point. It never waits for a FIFO put in its place.
fn open(parent: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    Ok(rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve)?)
}

fn link(from: &OwnedFd, to: &OwnedFd, name: &CStr, stat: &Stat) -> io::Result<()> {
    let target: CString = rustix::fs::readlinkat(from, name, Vec::new())?;
    rustix::fs::symlinkat(target.as_c_str(), to, name)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    Ok(rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn file(from: &OwnedFd, to: &OwnedFd, name: &CStr, buffers: &mut Buffers) -> io::Result<()> {
    let old = open(from.as_fd(), name, OFlags::RDONLY)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&old)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it was replaced while it was copied"));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let new = rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)?;
    let (mut old, mut new) = (File::from(old), File::from(new));
    io::copy(&mut old, &mut new)?;
    attributes(&old, &new, buffers)
}

/// Gives `new` the owner, mode, extended attributes and times of `old`.
fn attributes(old: impl AsFd, new: impl AsFd, buffers: &mut Buffers) -> io::Result<()> {
    let stat = rustix::fs::fstat(&old)?;
    // In this order: a change of owner takes set-user-ID bits and file capabilities away.
    rustix::fs::fchown(&new, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(&new, Mode::from_raw_mode(stat.st_mode))?;
    extended(&old, &new, buffers)?;
    let time = |seconds, nanoseconds| -> io::Result<Timespec> {
        Ok(Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanoseconds).map_err(io::Error::other)? })
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec)?,
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec)?,
    };
    Ok(rustix::fs::futimens(&new, &times)?)
}

fn extended(old: impl AsFd, new: impl AsFd, buffers: &mut Buffers) -> io::Result<()> {
    let length = match rustix::fs::flistxattr(&old, buffers.names.as_mut_slice()) {
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    let names = buffers.names.get(..length).unwrap_or_default();
    for name in names.split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        let length = rustix::fs::fgetxattr(&old, name, buffers.value.as_mut_slice())?;
        let value = buffers.value.get(..length).unwrap_or_default();
        rustix::fs::fsetxattr(&new, name, value, XattrFlags::empty())?;
    }
    Ok(())
}
