//! Paths inside the container, resolved so that nothing in its root file system can lead outside of it.
//!
//! Everything that the image controls is hostile here: a destination may be a symbolic link to `/proc/self/fd`, or to
//! the host's tree by way of `..`. `openat2(2)` with `RESOLVE_IN_ROOT` and without magic links keeps every step below
//! the root descriptor; components are made one at a time by descriptor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// Resolution below a root.
const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// The container's kernel file systems, by descriptor. What lies below `/proc` and `/sys` is looked up from these and not
/// through the root again: there the image, or another container on the same image, may have put a link in their place
/// since.
#[derive(Debug, Default)]
pub(crate) struct KernelMounts {
    /// What is mounted on `/proc`.
    pub(crate) proc: Option<OwnedFd>,
    /// What is mounted on `/sys`.
    pub(crate) sys: Option<OwnedFd>,
}

impl KernelMounts {
    /// Opens a path of the container, for `flags`. One that climbs (`/proc/../etc/x`) is none of the kernel's mounts.
    pub(crate) fn open(&self, root: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        for (name, mount) in [("/proc", &self.proc), ("/sys", &self.sys)] {
            if let (Ok(below), Some(mount)) = (path.strip_prefix(name), mount)
                && !below.as_os_str().is_empty()
                && !climbs(below)
            {
                return open(mount, below, flags);
            }
        }
        open(root, path, flags)
    }
}

/// Whether a path names a parent, so that its beginning says nothing of where it leads.
pub(crate) fn climbs(path: &Path) -> bool {
    path.components().any(|component| component == Component::ParentDir)
}

/// Opens `path` below `root` with `O_PATH`, following its symbolic links inside.
pub(crate) fn find(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    open(root, path, OFlags::PATH)
}

/// Opens `path` below `root` for `flags`.
pub(crate) fn open(root: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), IN_ROOT)?)
}

/// Refuses a file that is not on a procfs: one that the image put in the place of a kernel interface.
pub(crate) fn require_procfs(file: impl AsFd) -> io::Result<()> {
    if is_procfs(file)? { Ok(()) } else { Err(io::Error::other("it is not on a procfs")) }
}

/// Whether a file lies on a procfs.
pub(crate) fn is_procfs(file: impl AsFd) -> io::Result<bool> {
    Ok(rustix::fs::fstatfs(file)?.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

/// Opens the directory `path` below `root`, making what is missing of it with mode 0755.
pub(crate) fn make_directory(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    match find(&root, path) {
        Ok(found) => return Ok(found),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_missing) => {}
    }
    let mut walked = std::path::PathBuf::from("/");
    let mut current = find(&root, &walked)?;
    for component in path.components() {
        let Component::Normal(name) = component else { continue };
        walked.push(name);
        current = match find(&root, &walked) {
            Ok(next) => next,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_one(&current, name)?;
                find(&root, &walked)?
            }
            Err(error) => return Err(error),
        };
    }
    Ok(current)
}

/// Makes one directory. A dangling symbolic link of that name is an error, not followed: `mkdirat` never does.
fn make_one(parent: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<()> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens the file `path` below `root`, making it empty (and the directories above it) when it is missing.
pub(crate) fn make_file(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    match find(&root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let (parent, name) = parent_of(&root, path)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::WRONLY;
    match rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(rustix::io::Errno::EXIST) => find(root, path),
        Err(error) => Err(error.into()),
    }
}

/// The directory of `path`, made if missing, and its last component.
pub(crate) fn parent_of(root: impl AsFd, path: &Path) -> io::Result<(OwnedFd, &std::ffi::OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    Ok((make_directory(root, parent)?, name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("lazaret-inside-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    fn root_of(path: &Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn links_that_lead_outside_end_inside() {
        let path = scratch("links");
        std::fs::create_dir_all(path.join("etc")).unwrap();
        symlink("/etc", path.join("absolute")).unwrap();
        symlink("../../../../etc", path.join("relative")).unwrap();
        let root = root_of(&path);
        let inside = rustix::fs::fstat(find(&root, Path::new("/etc")).unwrap()).unwrap();
        for link in ["/absolute", "/relative", "/../../etc"] {
            let stat = rustix::fs::fstat(find(&root, Path::new(link)).unwrap()).unwrap();
            assert_eq!((stat.st_dev, stat.st_ino), (inside.st_dev, inside.st_ino), "{link}");
        }
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn missing_directories_and_files_are_made_inside() {
        let path = scratch("make");
        symlink("/lost", path.join("dangling")).unwrap();
        let root = root_of(&path);
        make_directory(&root, Path::new("/a/b/c")).unwrap();
        make_file(&root, Path::new("/a/file")).unwrap();
        assert!(path.join("a/b/c").is_dir());
        assert!(path.join("a/file").is_file());
        assert!(make_directory(&root, Path::new("/dangling/x")).is_err());
        assert!(!Path::new("/lost").exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
