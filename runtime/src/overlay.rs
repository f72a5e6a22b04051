//! Mounting an overlay from layers that are detached mounts.
//!
//! Since Linux 6.13 layers can be given by descriptor. Before, only by path, and only from the caller's own mount
//! namespace: then a child with a mount namespace to itself attaches them, mounts the overlay by relative paths, and
//! hands a clone of it back. The overlay keeps clones of its layers, so nothing of that namespace is needed afterwards.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags};

use crate::detached::{clone_tree, tmpfs};
use crate::{channel, credentials, sys};

/// The layers and options of one overlay.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    /// Lower layers, the topmost first.
    pub(crate) lower: &'a [OwnedFd],
    /// The writable pair; none makes the overlay read-only.
    pub(crate) writable: Option<&'a Writable>,
    /// Further options.
    pub(crate) options: &'a [String],
    /// Host ids of who owns what the overlay makes.
    pub(crate) owner: (u32, u32),
}

/// The writable pair of an overlay. The kernel wants both on one mount, so their common parent is one tree.
///
/// The tree is kept until the overlay has clones of its own: closing the last descriptor of a detached mount dissolves
/// it, whatever descriptors of files on it are open.
#[derive(Debug)]
pub(crate) struct Writable {
    /// The detached mount with both.
    pub(crate) mount: OwnedFd,
    /// The upper directory below it.
    pub(crate) upper: PathBuf,
    /// The work directory below it.
    pub(crate) work: PathBuf,
}

/// A step of the mount, and why it failed.
#[derive(Debug)]
pub(crate) struct OverlayError {
    /// The option at fault, or what was done last.
    pub(crate) option: String,
    /// The cause.
    pub(crate) source: io::Error,
}

impl OverlayError {
    fn at(option: &str) -> impl FnOnce(rustix::io::Errno) -> Self {
        let option = option.to_owned();
        move |error| Self { option, source: error.into() }
    }

    fn of(option: &str) -> impl FnOnce(io::Error) -> Self {
        let option = option.to_owned();
        move |source| Self { option, source }
    }

    /// Whether the kernel does not know layers by descriptor.
    fn is_unknown_form(&self) -> bool {
        let about_layers = matches!(self.option.as_str(), "lowerdir+" | "upperdir" | "workdir");
        about_layers && matches!(self.source.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
    }
}

impl Overlay<'_> {
    /// Mounts it, detached.
    pub(crate) fn mount(&self) -> Result<OwnedFd, OverlayError> {
        match self.mount_by_descriptor() {
            Err(error) if error.is_unknown_form() => self.mount_by_path(),
            mounted => mounted,
        }
    }

    fn mount_by_descriptor(&self) -> Result<OwnedFd, OverlayError> {
        let at = OverlayError::at;
        let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("fsopen"))?;
        rustix::mount::fsconfig_set_string(context.as_fd(), "source", "overlay").map_err(at("source"))?;
        for layer in self.lower {
            rustix::mount::fsconfig_set_fd(context.as_fd(), "lowerdir+", layer).map_err(at("lowerdir+"))?;
        }
        if let Some(writable) = self.writable {
            for (key, path) in [("upperdir", &writable.upper), ("workdir", &writable.work)] {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let directory = rustix::fs::openat(&writable.mount, path, flags, Mode::empty());
                let directory = directory.map_err(at(&path.display().to_string()))?;
                rustix::mount::fsconfig_set_fd(context.as_fd(), key, directory).map_err(at(key))?;
            }
        }
        for option in self.options {
            match option.split_once('=') {
                Some((key, value)) => rustix::mount::fsconfig_set_string(context.as_fd(), key, value),
                None => rustix::mount::fsconfig_set_flag(context.as_fd(), option.as_str()),
            }
            .map_err(at(option))?;
        }
        let (uid, gid) = self.owner;
        credentials::as_owner(uid, gid, || Ok(rustix::mount::fsconfig_create(context.as_fd())?))
            .map_err(OverlayError::of("create"))?;
        rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
            .map_err(at("fsmount"))
    }

    fn mount_by_path(&self) -> Result<OwnedFd, OverlayError> {
        let ask = || -> io::Result<OwnedFd> {
            let (ours, theirs) = channel::pair().map_err(io::Error::other)?;
            let (pid, _pidfd) = sys::clone::fork(|| self.mount_and_send(&theirs))?;
            drop(theirs);
            let answer = channel::receive::<Result<(), (String, i32)>>(&ours);
            sys::clone::reap(pid);
            let (told, tree) = answer.map_err(io::Error::other)?;
            told.map_err(|(step, errno)| io::Error::other(format!("{step}: {}", io::Error::from_raw_os_error(errno))))?;
            tree.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        };
        ask().map_err(OverlayError::of("by path"))
    }

    /// The child's part: it ends with its mount namespace, whatever came of it.
    fn mount_and_send(&self, to: &OwnedFd) -> u8 {
        let mounted = self.mount_in_own_namespace();
        let told = mounted
            .as_ref()
            .map(|_tree| ())
            .map_err(|error| (error.option.clone(), error.source.raw_os_error().unwrap_or(libc::EIO)));
        u8::from(channel::send(to, &told, mounted.ok().as_ref()).is_err())
    }

    fn mount_in_own_namespace(&self) -> Result<OwnedFd, OverlayError> {
        let at = OverlayError::at;
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)
            .map_err(|error| OverlayError { option: "unshare".to_owned(), source: error.into() })?;
        let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", flags).map_err(at("make private"))?;
        let desk = tmpfs(&[("mode", "755")]).map_err(OverlayError::of("tmpfs"))?;
        attach(&desk, rustix::fs::CWD, Path::new("/")).map_err(at("attach tmpfs"))?;
        rustix::process::fchdir(&desk).map_err(at("enter tmpfs"))?;
        let mut lowerdir = OsString::new();
        for (index, layer) in self.lower.iter().enumerate() {
            let name = index.to_string();
            place(layer, &name).map_err(at("lowerdir"))?;
            if index > 0 {
                lowerdir.push(":");
            }
            lowerdir.push(name);
        }
        let mut data = OsString::from("lowerdir=");
        data.push(lowerdir);
        if let Some(writable) = self.writable {
            place(&writable.mount, "w").map_err(at("upperdir"))?;
            for (key, path) in [(",upperdir=", &writable.upper), (",workdir=", &writable.work)] {
                data.push(key);
                data.push(escaped(&Path::new("w").join(path)));
            }
        }
        for option in self.options {
            data.push(",");
            data.push(option);
        }
        mount_here(&data, self.owner).map_err(OverlayError::of("mount"))
    }
}

/// Mounts the overlay on a folder of the current directory and returns a detached clone of it.
fn mount_here(data: &OsString, (uid, gid): (u32, u32)) -> io::Result<OwnedFd> {
    rustix::fs::mkdir("merged", Mode::from_raw_mode(0o755))?;
    let data = std::ffi::CString::new(data.as_bytes())?;
    credentials::as_owner(uid, gid, || {
        Ok(rustix::mount::mount("overlay", "merged", "overlay", MountFlags::empty(), data.as_c_str())?)
    })?;
    clone_tree(rustix::fs::CWD, Path::new("merged"), false)
}

fn place(tree: &OwnedFd, name: &str) -> rustix::io::Result<()> {
    rustix::fs::mkdir(name, Mode::from_raw_mode(0o755))?;
    attach(tree, rustix::fs::CWD, Path::new(name))
}

fn attach(tree: &OwnedFd, at: std::os::fd::BorrowedFd<'_>, path: &Path) -> rustix::io::Result<()> {
    rustix::mount::move_mount(tree, "", at, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// A path as overlay's option parser takes it: separators behind a backslash.
fn escaped(path: &Path) -> OsString {
    let mut text = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b',' | b':' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    std::os::unix::ffi::OsStringExt::from_vec(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_in_paths_are_escaped() {
        assert_eq!(escaped(Path::new("w/a:b,c\\d")), "w/a\\:b\\,c\\\\d");
    }

    /// Both ways give the same overlay; the one by path is what older kernels get.
    #[test]
    #[ignore = "needs root: mounts"]
    fn an_overlay_by_path_shows_what_one_by_descriptor_shows() {
        let base = std::env::temp_dir().join(format!("lazaret-overlay-{}", std::process::id()));
        for (folder, file) in [("low-a", "a"), ("low-b", "b"), ("rw/upper", "u"), ("rw/work", "w")] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
            std::fs::write(base.join(folder).join(file), file).unwrap();
        }
        let tree = |name: &str| clone_tree(rustix::fs::CWD, &base.join(name), false).unwrap();
        std::fs::remove_file(base.join("rw/work/w")).unwrap();
        for by_path in [true, false] {
            let lower = [tree("low-a"), tree("low-b")];
            let writable = Writable { mount: tree("rw"), upper: "upper".into(), work: "work".into() };
            let overlay = Overlay { lower: &lower, writable: Some(&writable), options: &[], owner: (0, 0) };
            let mounted = if by_path { overlay.mount_by_path() } else { overlay.mount_by_descriptor() }.unwrap();
            for file in ["a", "b", "u"] {
                rustix::fs::openat(&mounted, file, OFlags::RDONLY, Mode::empty()).unwrap();
            }
            let new = OFlags::CREATE | OFlags::WRONLY;
            rustix::fs::openat(&mounted, format!("new-{by_path}"), new, Mode::from_raw_mode(0o600)).unwrap();
            assert!(base.join(format!("rw/upper/new-{by_path}")).exists());
        }
        std::fs::remove_dir_all(base).unwrap();
    }
}
