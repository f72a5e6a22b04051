//! Opens what a configuration names and says what it is. `sandbox` judges the facts, the launcher uses the descriptor:
//! between the two the path is never looked up again.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, StatxFlags};

use super::mountinfo::Device;

/// What an object is, apart from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A unix socket.
    Socket,
    /// A named pipe.
    Fifo,
    /// A character device with its numbers.
    Character(Device),
    /// A block device with its numbers.
    Block(Device),
    /// What the kernel calls none of these.
    Unknown,
}

/// The facts that are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its name in this mount namespace, without links.
    pub name: PathBuf,
    /// Id of the mount that it was reached through.
    pub mount: u64,
    /// What it is.
    pub kind: Kind,
    /// Device and inode number.
    pub identity: (Device, u64),
    /// Magic number of its file system.
    pub magic: u64,
    /// No name leads to it any more.
    pub deleted: bool,
}

/// An open object.
#[derive(Debug)]
pub struct Object {
    /// What it is.
    pub facts: Facts,
    /// The object, opened with `O_PATH | O_CLOEXEC`.
    pub fd: OwnedFd,
}

impl Object {
    /// Opens `path`, links followed, without touching what it names (`O_PATH` opens no device and waits for no FIFO).
    ///
    /// # Errors
    /// What `openat(2)`, `statx(2)` or `readlink(2)` say.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let facts = facts(fd.as_fd())?;
        Ok(Self { facts, fd })
    }

    /// The first unix socket in the tree below a directory, within bounds: a directory that holds more than `ENTRIES_MAX`
    /// entries or is deeper than `DEPTH_MAX` is not searched to its end. Sockets that listen under an absolute name are
    /// known from the kernel as well; this search finds those that it does not name: bound by a relative name, in another
    /// network namespace, or waiting for their owner. Errors end the search of a part.
    #[must_use]
    pub fn socket_below(&self) -> Option<PathBuf> {
        let mut left = ENTRIES_MAX;
        let found = search(self.fd.as_fd(), Path::new("."), DEPTH_MAX, &mut left)?;
        Some(self.facts.name.join(found.strip_prefix(".").unwrap_or(&found)))
    }
}

/// Entries looked at in the search for sockets.
const ENTRIES_MAX: usize = 4096;
/// Levels of directories looked at.
const DEPTH_MAX: usize = 4;

fn search(directory: BorrowedFd<'_>, path: &Path, depth: usize, left: &mut usize) -> Option<PathBuf> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = rustix::fs::openat(directory, path.file_name().unwrap_or(".".as_ref()), flags, Mode::empty()).ok()?;
    let mut below = Vec::new();
    for entry in Dir::read_from(&open).ok()? {
        let entry = entry.ok()?;
        *left = left.checked_sub(1)?;
        let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
        let is_self_or_parent = name == "." || name == "..";
        let path = path.join(name);
        match entry.file_type() {
            FileType::Socket => return Some(path),
            FileType::Directory if !is_self_or_parent && depth > 0 => below.push(path),
            FileType::Directory
            | FileType::RegularFile
            | FileType::Symlink
            | FileType::Fifo
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {}
        }
    }
    below.iter().find_map(|path| search(open.as_fd(), path, depth - 1, left))
}

/// The facts about an open object.
fn facts(fd: BorrowedFd<'_>) -> io::Result<Facts> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, wanted)?;
    if !StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::MNT_ID) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "statx gives no mount id (Linux 5.8 does)"));
    }
    let name = rustix::fs::readlinkat(CWD, descriptor_link(fd), Vec::new())?;
    Ok(Facts {
        name: PathBuf::from(OsString::from_vec(name.into_bytes())),
        mount: stat.stx_mnt_id,
        kind: kind(stat.stx_mode, (stat.stx_rdev_major, stat.stx_rdev_minor)),
        identity: ((stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino),
        magic: magic(fd)?,
        deleted: stat.stx_nlink == 0,
    })
}

/// The link by which procfs names an open object. It is also how the launcher reopens one without a path.
#[must_use]
pub fn descriptor_link(fd: BorrowedFd<'_>) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn magic(fd: BorrowedFd<'_>) -> io::Result<u64> {
    // f_type is signed; magic numbers are 32 bits wide.
    let number = rustix::fs::fstatfs(fd)?.f_type;
    Ok(u64::from_ne_bytes(number.to_ne_bytes()) & 0xffff_ffff)
}

fn kind(mode: u16, numbers: Device) -> Kind {
    match FileType::from_raw_mode(u32::from(mode)) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Socket => Kind::Socket,
        FileType::Fifo => Kind::Fifo,
        FileType::CharacterDevice => Kind::Character(numbers),
        FileType::BlockDevice => Kind::Block(numbers),
        FileType::Symlink | FileType::Unknown => Kind::Unknown,
    }
}

/// The names that a path which cannot be opened probably has: as written without `.` and `..`, and with the links of the
/// part that exists resolved.
#[must_use]
pub fn likely_names(path: &Path) -> Vec<PathBuf> {
    let mut written = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => written.push(name),
            Component::ParentDir => {
                written.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    let resolved = path.ancestors().find_map(|ancestor| {
        let rest = path.strip_prefix(ancestor).ok()?;
        Some(std::fs::canonicalize(ancestor).ok()?.join(rest))
    });
    [Some(written), resolved].into_iter().flatten().collect()
}

/// Whether `name` is one that the kernel made up for an object without a path (`pipe:[1]`, `/memfd:x (deleted)`).
#[must_use]
pub fn is_made_up(name: &Path) -> bool {
    !name.is_absolute() || name.as_os_str().as_bytes().starts_with(b"/memfd:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("lazaret-object-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path.canonicalize().unwrap()
    }

    #[test]
    fn an_object_is_named_by_what_its_links_lead_to() {
        let directory = scratch("link");
        std::fs::write(directory.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", directory.join("link")).unwrap();
        let through = directory.join("../").join(directory.file_name().unwrap()).join("link");
        let object = Object::open(&through).unwrap();
        assert_eq!(object.facts.name, directory.join("file"));
        assert_eq!(object.facts.kind, Kind::File);
        let magic_link = Object::open(&descriptor_link(object.fd.as_fd())).unwrap();
        assert_eq!(magic_link.facts, object.facts);
        std::fs::remove_file(directory.join("file")).unwrap();
        assert!(facts(object.fd.as_fd()).unwrap().deleted);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn kinds_are_told_without_opening_them() {
        assert_eq!(Object::open(Path::new("/dev/null")).unwrap().facts.kind, Kind::Character((1, 3)));
        let object = Object::open(Path::new("/proc/self/status")).unwrap();
        assert_eq!((object.facts.kind, object.facts.magic), (Kind::File, 0x9fa0));
        assert!(Object::open(Path::new("/proc/self/none")).is_err());
    }

    #[test]
    fn sockets_are_found_within_bounds() {
        let directory = scratch("search");
        let deep = directory.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let object = Object::open(&directory).unwrap();
        assert!(object.socket_below().is_none());
        let _engine = UnixDatagram::bind(deep.join("podman.sock")).unwrap();
        assert_eq!(object.socket_below().unwrap(), deep.join("podman.sock"));
        let _other = UnixListener::bind(directory.join("odd\nname")).unwrap();
        assert_eq!(object.socket_below().unwrap(), directory.join("odd\nname"));
        std::fs::remove_dir_all(directory).unwrap();
    }
}
