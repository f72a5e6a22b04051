//! The container's root file system as a detached mount tree, made on the host's side before the clone.
//!
//! In a user namespace every layer is id-mapped, so that files on disk keep their owners and the container sees them
//! as its own. An overlay mount cannot be id-mapped itself: each layer is, and the overlay is mounted from those, by
//! descriptor.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags};

use crate::credentials;
use crate::mounted_overlay;
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
            Self::Overlay { source, .. } if source.raw_os_error() == Some(libc::EINVAL) => {
                "overlay layers by descriptor need Linux 6.13"
            }
            Self::Attributes { .. } | Self::Overlay { .. } | Self::Tmpfs(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// How a root file system is to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'fd> {
    /// The user namespace to id-map for.
    pub idmap: Option<BorrowedFd<'fd>>,
    /// Host ids of its root, who owns what an overlay makes.
    pub owner: (u32, u32),
    /// `MOUNT_ATTR_*` for the root mount.
    pub attributes: u64,
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
            Self::ThrowAway { lower } => (lower.as_path(), throw_away(lower, opening)?),
            Self::Overlay { lower, upper, work, options } => {
                let lower = lower.iter().map(|path| layer(path, opening.idmap)).collect::<Result<Vec<_>, _>>()?;
                let writable = match (upper, work) {
                    (Some(upper), Some(work)) => Some(Writable::open(upper, work, opening.idmap)?),
                    _ => None,
                };
                (bundle_root, overlay(&lower, writable.as_ref(), options, opening.owner)?)
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
    if opening.idmap.is_some() {
        // A mounted overlay cannot be id-mapped; its layers can.
        let mounted = judged.map_or(Ok(None), mounted_overlay::layers);
        if let Some(layers) = mounted.map_err(|source| RootfsError::Idmap { path: path.to_owned(), source })? {
            return layers.open(path, None, Opening { attributes: 0, ..opening });
        }
    }
    map_ids(tree, path, opening.idmap, true)
}

/// One layer of an overlay: its own file system alone, nothing that is mounted below it.
fn layer(path: &Path, idmap: Option<BorrowedFd<'_>>) -> Result<OwnedFd, RootfsError> {
    let tree = clone_tree(rustix::fs::CWD, path, false)
        .map_err(|source| RootfsError::Open { path: path.to_owned(), source })?;
    map_ids(tree, path, idmap, false)
}

fn map_ids(tree: OwnedFd, path: &Path, idmap: Option<BorrowedFd<'_>>, recursive: bool) -> Result<OwnedFd, RootfsError> {
    if idmap.is_some() {
        mount_setattr(&tree, &MountAttr { idmap, ..MountAttr::default() }, recursive)
            .map_err(|source| RootfsError::Idmap { path: path.to_owned(), source })?;
    }
    Ok(tree)
}

/// A detached clone of what is at `path` below `at` (the descriptor itself when `path` is empty).
pub(crate) fn clone_tree(at: BorrowedFd<'_>, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(at, path, flags)?)
}

/// The writable pair of an overlay. The kernel wants both on one mount, so their common parent is cloned once.
///
/// The clone is kept until the overlay has clones of its own: closing the last descriptor of a detached mount dissolves
/// it, whatever descriptors of files on it are open.
struct Writable {
    upper: OwnedFd,
    work: OwnedFd,
    _mount: OwnedFd,
}

impl Writable {
    fn open(upper: &Path, work: &Path, idmap: Option<BorrowedFd<'_>>) -> Result<Self, RootfsError> {
        let parent: PathBuf =
            upper.components().zip(work.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
        let apart = || RootfsError::NoCommonParent { upper: upper.to_owned(), work: work.to_owned() };
        let below = |path: &Path| path.strip_prefix(&parent).map(Path::to_owned).map_err(|_not_below| apart());
        let (upper_below, work_below) = (below(upper)?, below(work)?);
        let tree = layer(&parent, idmap)?;
        Self::on(tree, &upper_below, &work_below)
    }

    fn on(mount: OwnedFd, upper: &Path, work: &Path) -> Result<Self, RootfsError> {
        let open = |path: &Path| {
            rustix::fs::openat(&mount, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| RootfsError::Open { path: path.to_owned(), source: error.into() })
        };
        Ok(Self { upper: open(upper)?, work: open(work)?, _mount: mount })
    }
}

fn overlay(
    lower: &[OwnedFd],
    writable: Option<&Writable>,
    options: &[String],
    (uid, gid): (u32, u32),
) -> Result<OwnedFd, RootfsError> {
    let failed = |option: &str, error: rustix::io::Errno| RootfsError::Overlay {
        option: option.to_owned(),
        source: error.into(),
    };
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|e| failed("fsopen", e))?;
    rustix::mount::fsconfig_set_string(context.as_fd(), "source", "overlay").map_err(|e| failed("source", e))?;
    for layer in lower {
        rustix::mount::fsconfig_set_fd(context.as_fd(), "lowerdir+", layer).map_err(|e| failed("lowerdir+", e))?;
    }
    if let Some(writable) = writable {
        for (key, fd) in [("upperdir", &writable.upper), ("workdir", &writable.work)] {
            rustix::mount::fsconfig_set_fd(context.as_fd(), key, fd).map_err(|e| failed(key, e))?;
        }
    }
    for option in options {
        match option.split_once('=') {
            Some((key, value)) => rustix::mount::fsconfig_set_string(context.as_fd(), key, value),
            None => rustix::mount::fsconfig_set_flag(context.as_fd(), option.as_str()),
        }
        .map_err(|e| failed(option, e))?;
    }
    credentials::as_owner(uid, gid, || Ok(rustix::mount::fsconfig_create(context.as_fd())?))
        .map_err(|source| RootfsError::Overlay { option: "create".to_owned(), source })?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        .map_err(|e| failed("fsmount", e))
}

/// `lower`, read-only, under an overlay whose upper layer is a new tmpfs that nothing else refers to: it is gone with
/// the last process of the container.
fn throw_away(lower: &Path, opening: Opening<'_>) -> Result<OwnedFd, RootfsError> {
    let Opening { idmap, owner, .. } = opening;
    let tmpfs = tmpfs(&[("mode", "700")]).map_err(RootfsError::Tmpfs)?;
    for (name, mode) in [("upper", 0o755), ("work", 0o700)] {
        rustix::fs::mkdirat(&tmpfs, name, Mode::from_raw_mode(mode)).map_err(|e| RootfsError::Tmpfs(e.into()))?;
    }
    let tmpfs = map_ids(tmpfs, Path::new("tmpfs"), idmap, false)?;
    let writable = Writable::on(tmpfs, Path::new("upper"), Path::new("work"))?;
    overlay(&[layer(lower, idmap)?], Some(&writable), &[], owner)
}

/// A new tmpfs as a detached mount.
pub(crate) fn tmpfs(options: &[(&str, &str)]) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(context.as_fd(), OsString::from(key), *value)?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}
