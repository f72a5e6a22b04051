//! Whose a cgroup is, written on the cgroup itself: an extended attribute with the path of the container's state directory.
//! By it `delete --force` finds the cgroups of a container whose state cannot be read. Called by `lifecycle`.
//!
//! Only root of the host can write a `trusted` attribute (xattr(7)), so no workload can pass its cgroup off as another's,
//! also not in one that was handed to it.

use std::ffi::CStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::cgroup::directory::{self, Directory};
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchies, Version};
use crate::cgroup::{Cgroup, processes};

/// The attribute of a container's cgroup.
const MARK: &CStr = c"trusted.lazaret.container";
/// The attribute of the cgroup of its sentries, which end by themselves when they have written their last.
const SENTRY_MARK: &CStr = c"trusted.lazaret.sentry";
/// Longest value that is one of ours: a path (`PATH_MAX`).
const LONGEST: usize = 4096;
/// How long the killed processes of a found cgroup may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

impl Cgroup {
    /// Writes on every directory that it belongs to the container whose state directory is `owner`. Without the right to
    /// do so (an ordinary user, a container around us) there is no mark, and [`Remains::end`] says when one is missed.
    ///
    /// # Errors
    /// [`CgroupError::Open`] when a directory has vanished.
    pub fn mark(&self, owner: &Path) -> Result<(), CgroupError> {
        self.mark_as(MARK, owner)
    }

    /// The same for the cgroup of the container's sentries.
    ///
    /// # Errors
    /// [`CgroupError::Open`] when a directory has vanished.
    pub fn mark_for_sentry(&self, owner: &Path) -> Result<(), CgroupError> {
        self.mark_as(SENTRY_MARK, owner)
    }

    fn mark_as(&self, mark: &CStr, owner: &Path) -> Result<(), CgroupError> {
        for member in &self.members {
            let directory = member.directory()?;
            let value = owner.as_os_str().as_bytes();
            if let Err(error) = rustix::fs::fsetxattr(directory.fd(), mark, value, XattrFlags::empty()) {
                tracing::debug!(path = %directory.path().display(), %error, "the cgroup bears no mark");
            }
        }
        Ok(())
    }
}

/// What is left on the cgroup side of a container whose state cannot be read.
#[derive(Debug)]
pub struct Remains {
    /// Bears its mark; with the version where the directory lists and ends processes.
    marked: Vec<(PathBuf, Option<Version>)>,
    /// The same of its sentries.
    of_sentries: Vec<PathBuf>,
    /// Where one without a mark may stand.
    places: Vec<PathBuf>,
}

impl Remains {
    /// Looks through every hierarchy for the cgroups of the container whose state directory is `owner`. `places` are those
    /// of [`Cgroup::places`].
    ///
    /// # Errors
    /// [`CgroupError::Read`] when a hierarchy cannot be looked through.
    pub fn find(host: &Hierarchies, owner: &Path, places: Vec<PathBuf>) -> Result<Self, CgroupError> {
        let (mut marked, mut of_sentries) = (Vec::new(), Vec::new());
        for hierarchy in host.iter() {
            let failed = |source| CgroupError::Read { path: hierarchy.mount.clone(), source };
            let root = Directory::open(&hierarchy.mount).map_err(failed)?;
            let tracks = hierarchy.version == Version::V2 || hierarchy.offers(Version::V1, "freezer");
            for below in root.descendants().map_err(failed)? {
                let path = hierarchy.mount.join(below);
                let is_ours = |mark| mark_of(&path, mark).is_some_and(|of| of == owner.as_os_str().as_bytes());
                if is_ours(SENTRY_MARK) {
                    of_sentries.push(path);
                } else if is_ours(MARK) {
                    marked.push((path, tracks.then_some(hierarchy.version)));
                }
            }
        }
        Ok(Self { marked, of_sentries, places })
    }

    /// Removes the cgroups of sentries, once those have ended.
    ///
    /// # Errors
    /// [`CgroupError::Remove`].
    pub fn remove_of_sentries(&self) -> Result<(), CgroupError> {
        self.of_sentries.iter().try_for_each(|path| directory::remove_tree(path, PATIENCE))
    }

    /// Kills what runs in the found cgroups, and removes them. Parents stay: whether they were made for the container alone
    /// is not known any more.
    ///
    /// # Errors
    /// [`CgroupError::Unproven`] when a place of the container's is in use and bears nobody's mark; what killing and
    /// removing may meet.
    pub fn end(&self) -> Result<(), CgroupError> {
        for (path, version) in &self.marked {
            let Some(version) = version else { continue };
            match Directory::open(path) {
                Ok(directory) => processes::kill(&directory, *version)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(CgroupError::Open { path: path.clone(), source }),
            }
        }
        self.marked.iter().try_for_each(|(path, _)| directory::remove_tree(path, PATIENCE))?;
        self.places.iter().filter(|place| mark_of(place, MARK).is_none()).try_for_each(|place| remove_unmarked(place))
    }
}

/// An empty cgroup is what a creation that died has made. One in use may be anybody's.
fn remove_unmarked(place: &Path) -> Result<(), CgroupError> {
    Cgroup::remove_unused(&[place.to_owned()]);
    match Directory::open(place) {
        Ok(directory) if processes::list(&directory)?.is_empty() => Ok(()),
        Ok(_) => Err(CgroupError::Unproven { path: place.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(CgroupError::Open { path: place.to_owned(), source }),
    }
}

/// The value of a cgroup's mark; `None` where there is none, and no directory.
fn mark_of(path: &Path, mark: &CStr) -> Option<Vec<u8>> {
    let mut value = vec![0; LONGEST];
    match rustix::fs::lgetxattr(path, mark, value.as_mut_slice()) {
        Ok(length) => {
            value.truncate(length);
            Some(value)
        }
        Err(Errno::NODATA | Errno::NOENT) => None,
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "the mark of a cgroup cannot be read");
            None
        }
    }
}
