//! The host's root for `do` by an ordinary user: what the user may read, under overlays whose writes are thrown away.
//!
//! In a mount namespace of an ordinary user the mounts of the host are locked together: no directory with a mount below
//! it can be cloned or be a layer without that mount (`has_locked_children`, fs/namespace.c). So the tree is put
//! together piece by piece on a tmpfs: a directory without mounts below it is one overlay; one with mounts is made anew
//! and filled entry by entry; what is mounted is left out, and an empty directory stands in its place. Called by
//! `rootfs`.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode};
use rustix::mount::{MoveMountFlags, UnmountFlags};

use crate::detached::{clone_tree, tmpfs};
use crate::overlay::{Overlay, OverlayError, Writable};

/// Why the view could not be made: at which path, and the cause.
#[derive(Debug)]
pub(crate) struct ViewError {
    /// The path on the host.
    pub(crate) path: PathBuf,
    /// The cause.
    pub(crate) source: io::Error,
}

/// The view as a detached tree. `desk` is an empty directory of ours on which it is put together; nothing stays there.
///
/// # Errors
/// [`ViewError`].
pub(crate) fn assemble(desk: &Path) -> Result<OwnedFd, ViewError> {
    let at = |source| ViewError { path: desk.to_owned(), source };
    let canvas = tmpfs(&[("mode", "755")]).map_err(at)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&canvas, "", rustix::fs::CWD, desk, flags).map_err(|error| at(error.into()))?;
    let mut view =
        View { mounted: mount_points().map_err(at)?, writes: tmpfs(&[("mode", "700")]).map_err(at)?, count: 0 };
    let drawn = view.fill(Path::new("/"), desk);
    let tree = drawn.and_then(|()| clone_tree(rustix::fs::CWD, desk, true).map_err(at));
    rustix::mount::unmount(desk, UnmountFlags::DETACH).map_err(|error| at(error.into()))?;
    tree
}

struct View {
    /// Mount points of the host.
    mounted: BTreeSet<PathBuf>,
    /// Holds the upper layers of every piece.
    writes: OwnedFd,
    /// Pieces so far.
    count: u32,
}

impl View {
    /// Fills `place` with the entries of the host's directory `from`, which has mounts below it.
    fn fill(&mut self, from: &Path, place: &Path) -> Result<(), ViewError> {
        let at = |source| ViewError { path: from.to_owned(), source };
        for entry in std::fs::read_dir(from).map_err(at)? {
            let entry = entry.map_err(at)?;
            let path = entry.path();
            match self.place(&entry, &path, &place.join(entry.file_name())) {
                // It went away meanwhile: the host lives on.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                placed => placed.map_err(|source| ViewError { path, source })?,
            }
        }
        Ok(())
    }

    fn place(&mut self, entry: &DirEntry, path: &Path, place: &Path) -> io::Result<()> {
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            return std::os::unix::fs::symlink(std::fs::read_link(path)?, place);
        }
        if kind.is_file() {
            return if self.mounted.contains(path) { Ok(()) } else { bind_file(path, place) };
        }
        if !kind.is_dir() {
            return Ok(());
        }
        let mode = std::fs::symlink_metadata(path)?.mode() & 0o7777;
        std::fs::create_dir(place)?;
        // Not by mkdir(2), whose mode the umask narrows.
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode))?;
        let is_readable = rustix::fs::access(path, Access::READ_OK | Access::EXEC_OK).is_ok();
        if self.mounted.contains(path) || !is_readable {
            return Ok(());
        }
        if self.has_mounts_below(path) {
            return self.fill(path, place).map_err(|error| error.source);
        }
        let overlay = self.overlay(path, mode).map_err(|error| error.source)?;
        attach(&overlay, place)
    }

    fn has_mounts_below(&self, path: &Path) -> bool {
        self.mounted.iter().any(|mount| mount.starts_with(path))
    }

    /// One piece: a directory of the host, and an upper layer for it.
    fn overlay(&mut self, path: &Path, mode: u32) -> Result<OwnedFd, OverlayError> {
        let failed = |source: io::Error| OverlayError { option: "upperdir".to_owned(), source };
        self.count += 1;
        let (own, upper, work) =
            (self.count.to_string(), format!("{}/upper", self.count), format!("{}/work", self.count));
        for (name, mode) in [(&own, 0o700), (&upper, mode), (&work, 0o700)] {
            rustix::fs::mkdirat(&self.writes, name, Mode::from_raw_mode(mode)).map_err(|error| failed(error.into()))?;
        }
        rustix::fs::chmodat(&self.writes, &upper, Mode::from_raw_mode(mode), rustix::fs::AtFlags::empty())
            .map_err(|error| failed(error.into()))?;
        let lower = [clone_tree(rustix::fs::CWD, path, false).map_err(failed)?];
        let mount = self.writes.try_clone().map_err(failed)?;
        let writable = Writable { mount, upper: upper.into(), work: work.into() };
        // Marks of the overlay in trusted.* need a right of the host; user.* are the file owner's.
        let options = ["userxattr".to_owned()];
        Overlay { lower: &lower, writable: Some(&writable), options: &options, owner: (0, 0) }.mount()
    }
}

/// A file beside mounts cannot be under an overlay of its own: it is shown as it is, read-only.
fn bind_file(path: &Path, place: &Path) -> io::Result<()> {
    std::fs::File::create_new(place)?;
    let tree = clone_tree(rustix::fs::CWD, path, false)?;
    let readonly =
        crate::sys::mount::MountAttr { set: libc::MOUNT_ATTR_RDONLY, ..crate::sys::mount::MountAttr::default() };
    crate::sys::mount::mount_setattr(&tree, &readonly, false)?;
    attach(&tree, place)
}

fn attach(tree: &OwnedFd, place: &Path) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(rustix::mount::move_mount(tree.as_fd(), "", rustix::fs::CWD, place, flags)?)
}

/// Where something is mounted (field 5 of proc_pid_mountinfo(5)), but for the root itself.
fn mount_points() -> io::Result<BTreeSet<PathBuf>> {
    let table = std::fs::read("/proc/self/mountinfo")?;
    let points = table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    let points =
        points.map(|point| PathBuf::from(std::ffi::OsStr::from_bytes(&crate::mounted_overlay::unescape_octal(point))));
    Ok(points.filter(|point| point != Path::new("/")).collect())
}
