//! The container's root file system as a detached mount tree, made on the host's side before the clone.
//!
//! In a user namespace every layer is id-mapped, so that files on disk keep their owners and the container sees them
//! as its own. An overlay mount cannot be id-mapped itself: each layer is, and the overlay is mounted from those, by
//! descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::detached::{clone_tree, tmpfs};
use crate::host_view;
use crate::idmap;
use crate::mounted_overlay::{self, Layers};
use crate::overlay::{Overlay, OverlayError, Writable};
use crate::spec::container::IdRange;
use crate::sys::mount::{MountAttr, mount_setattr};

/// What a caller gives as root file system.
#[derive(Debug, Clone, Default)]
pub enum Rootfs {
    /// `root.path` of the bundle, as it is.
    #[default]
    Bundle,
    /// Layers for an overlay that is mounted here.
    Overlay {
        /// Lower layers, the topmost first.
        lower: Vec<PathBuf>,
        /// The writable layer; none makes the overlay read-only.
        upper: Option<PathBuf>,
        /// The work directory of `upper`, below the same parent on the same file system.
        work: Option<PathBuf>,
        /// Further overlay options (`index=off` …).
        options: Vec<String>,
    },
    /// A directory.
    Bind {
        /// Its path.
        source: PathBuf,
        /// Whether it shall be read-only.
        readonly: bool,
    },
    /// A directory under an overlay whose writes are thrown away (`lazaret do`).
    ThrowAway {
        /// The directory shown; what is mounted below it is not.
        lower: PathBuf,
    },
}

/// Why no root file system could be made.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// A directory could not be opened as a mount tree.
    #[error("invalid rootfs: could not open {path}")]
    Open {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Its file system cannot be id-mapped.
    #[error("the file system of {path} cannot be id-mapped, so the container's root could not own its files")]
    Idmap {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Attributes could not be set.
    #[error("could not set the mount attributes of {path}")]
    Attributes {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Upper and work directory do not stand side by side.
    #[error("the overlay's upper directory {upper} and work directory {work} have no parent in common")]
    NoCommonParent {
        /// The upper directory.
        upper: PathBuf,
        /// The work directory.
        work: PathBuf,
    },
    /// The overlay itself.
    #[error("could not mount the overlay ({option})")]
    Overlay {
        /// The option at fault, or what was done last.
        option: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A piece of the host's root could not be shown.
    #[error("could not show {path} of the host")]
    View {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The throw-away layer.
    #[error("could not make a tmpfs for the throw-away layer")]
    Tmpfs(#[source] io::Error),
}

impl RootfsError {
    /// Stable number of this error, 1500-1509.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Open { .. } => 1500,
            Self::Idmap { .. } => 1501,
            Self::Attributes { .. } => 1502,
            Self::NoCommonParent { .. } => 1503,
            Self::Overlay { .. } => 1504,
            Self::Tmpfs(_) => 1505,
            Self::View { .. } => 1506,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Open { .. } => "root.path must be an existing directory",
            Self::NoCommonParent { .. } => "the layers of one snapshot stand side by side in its folder",
            Self::Idmap { .. } => {
                "ext4, xfs, btrfs, tmpfs (Linux 6.3) and others can; put the bundle there, or use --mode native"
            }
            Self::Attributes { .. } | Self::Overlay { .. } | Self::Tmpfs(_) | Self::View { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// How a root file system is to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'fd> {
    /// The user namespace to id-map for.
    pub idmap: Option<BorrowedFd<'fd>>,
    /// The user ids of the bundle's own mapping, if it has one: what belongs to one of them is not id-mapped.
    pub mapped: &'fd [IdRange],
    /// Host ids of its root, who owns what an overlay makes.
    pub owner: (u32, u32),
    /// `MOUNT_ATTR_*` for the root mount.
    pub attributes: u64,
    /// Without root: the container's state directory, where a view of the host is put together.
    pub rootless: Option<&'fd Path>,
}

impl<'fd> Opening<'fd> {
    /// The user namespace to id-map the directory `fd` at `path` for; `None` when it belongs to the container already.
    fn idmap_for(&self, path: &Path, fd: &OwnedFd) -> Result<Option<BorrowedFd<'fd>>, RootfsError> {
        let is_owned = idmap::is_owned(self.mapped, fd);
        let is_owned = is_owned.map_err(|source| RootfsError::Open { path: path.to_owned(), source })?;
        Ok(self.idmap.filter(|_userns| !is_owned))
    }
}

impl Rootfs {
    /// Opens it as a detached tree. `bundle_root` is `root.path`, `judged` the descriptor of it that policy admitted.
    ///
    /// # Errors
    /// See [`RootfsError`].
    pub fn open(
        &self,
        bundle_root: &Path,
        judged: Option<&OwnedFd>,
        opening: Opening<'_>,
    ) -> Result<OwnedFd, RootfsError> {
        let (path, tree) = match self {
            Self::Bundle => (bundle_root, directory(bundle_root, judged, opening)?),
            Self::Bind { source, .. } => (source.as_path(), directory(source, None, opening)?),
            Self::ThrowAway { lower } => match opening.rootless {
                Some(directory) => (lower.as_path(), host_view(directory)?),
                None => (lower.as_path(), throw_away(lower, opening)?),
            },
            Self::Overlay { lower, upper, work, options } => {
                let lower = lower.iter().map(|path| layer(path, path, opening)).collect::<Result<Vec<_>, _>>()?;
                let writable = match (upper, work) {
                    (Some(upper), Some(work)) => Some(writable(upper, work, opening)?),
                    _ => None,
                };
                let overlay = Overlay { lower: &lower, writable: writable.as_ref(), options, owner: opening.owner };
                (bundle_root, overlay.mount()?)
            }
        };
        let readonly = matches!(self, Self::Bind { readonly: true, .. });
        let set = opening.attributes | if readonly { libc::MOUNT_ATTR_RDONLY } else { 0 };
        if set != 0 {
            mount_setattr(&tree, &MountAttr { set, ..MountAttr::default() }, true)
                .map_err(|source| RootfsError::Attributes { path: path.to_owned(), source })?;
        }
        Ok(tree)
    }
}

fn directory(path: &Path, judged: Option<&OwnedFd>, opening: Opening<'_>) -> Result<OwnedFd, RootfsError> {
    let tree = match judged {
        Some(fd) => clone_tree(fd.as_fd(), Path::new(""), true),
        None => clone_tree(rustix::fs::CWD, path, true),
    };
    let tree = tree.map_err(|source| RootfsError::Open { path: path.to_owned(), source })?;
    let idmap = opening.idmap_for(path, &tree)?;
    if idmap.is_some() {
        // A mounted overlay cannot be id-mapped; its layers can.
        let mounted = judged.map_or(Ok(None), mounted_overlay::layers);
        if let Some(layers) = mounted.map_err(|source| RootfsError::Idmap { path: path.to_owned(), source })? {
            let Layers { lower, upper, work, options } = layers;
            let rootfs = Rootfs::Overlay { lower, upper, work, options };
            return rootfs.open(path, None, Opening { attributes: 0, ..opening });
        }
    }
    map_ids(tree, path, idmap, true)
}

/// One layer of an overlay: its own file system alone, nothing that is mounted below it. `content` is the directory whose
/// owner counts.
fn layer(path: &Path, content: &Path, opening: Opening<'_>) -> Result<OwnedFd, RootfsError> {
    let tree = clone_tree(rustix::fs::CWD, path, false)
        .map_err(|source| RootfsError::Open { path: path.to_owned(), source })?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let content_fd = rustix::fs::open(content, flags, Mode::empty())
        .map_err(|error| RootfsError::Open { path: content.to_owned(), source: error.into() })?;
    map_ids(tree, path, opening.idmap_for(content, &content_fd)?, false)
}

fn map_ids(tree: OwnedFd, path: &Path, idmap: Option<BorrowedFd<'_>>, recursive: bool) -> Result<OwnedFd, RootfsError> {
    if idmap.is_some() {
        mount_setattr(&tree, &MountAttr { idmap, ..MountAttr::default() }, recursive)
            .map_err(|source| RootfsError::Idmap { path: path.to_owned(), source })?;
    }
    Ok(tree)
}

/// The common parent of an overlay's upper and work directory, as one tree.
fn writable(upper: &Path, work: &Path, opening: Opening<'_>) -> Result<Writable, RootfsError> {
    let parent: PathBuf =
        upper.components().zip(work.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let apart = || RootfsError::NoCommonParent { upper: upper.to_owned(), work: work.to_owned() };
    let below = |path: &Path| path.strip_prefix(&parent).map(Path::to_owned).map_err(|_not_below| apart());
    Ok(Writable { upper: below(upper)?, work: below(work)?, mount: layer(&parent, upper, opening)? })
}

/// `lower`, read-only, under an overlay whose upper layer is a new tmpfs that nothing else refers to: it is gone with
/// the last process of the container.
///
/// The tmpfs is not id-mapped, which would need Linux 6.3: nothing outlives it, so its files may be owned by the
/// container's ids themselves.
fn throw_away(lower: &Path, opening: Opening<'_>) -> Result<OwnedFd, RootfsError> {
    let (uid, gid) = opening.owner;
    let prepare = || -> io::Result<OwnedFd> {
        let mount = tmpfs(&[("mode", "755")])?;
        for (name, mode) in [("upper", 0o755), ("work", 0o700)] {
            rustix::fs::mkdirat(&mount, name, Mode::from_raw_mode(mode))?;
            let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
            rustix::fs::chownat(&mount, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(mount)
    };
    let mount = prepare().map_err(RootfsError::Tmpfs)?;
    let writable = Writable { mount, upper: "upper".into(), work: "work".into() };
    let lower = [layer(lower, lower, opening)?];
    let overlay = Overlay { lower: &lower, writable: Some(&writable), options: &[], owner: opening.owner };
    Ok(overlay.mount()?)
}

/// The same for an ordinary user, for whom the host's root is no layer.
fn host_view(directory: &Path) -> Result<OwnedFd, RootfsError> {
    let desk = directory.join("root");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RootfsError::View { path, source }
    };
    std::fs::create_dir(&desk).map_err(failed(&desk))?;
    let tree = host_view::assemble(&desk).map_err(|error| failed(&error.path)(error.source))?;
    std::fs::remove_dir(&desk).map_err(failed(&desk))?;
    Ok(tree)
}

impl From<OverlayError> for RootfsError {
    fn from(error: OverlayError) -> Self {
        Self::Overlay { option: error.option, source: error.source }
    }
}
