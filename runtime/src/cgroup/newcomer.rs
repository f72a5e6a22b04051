//! Where a process is born that joins a container which runs: in the container's own v2 cgroup, or, once the workload has
//! handed controllers down from that to cgroups of its own, in the one where the container's first process is. A cgroup
//! that hands controllers down takes no process ("no internal processes", cgroups(7)).

use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use crate::cgroup::Cgroup;
use crate::cgroup::directory::Directory;
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;

impl Cgroup {
    /// The v2 directory for a process that joins the container whose first process is `init`; `None` where v2 is not
    /// mounted.
    ///
    /// # Errors
    /// [`CgroupError::Open`] when the directory has vanished, [`CgroupError::Read`].
    pub fn newcomer_target(&self, init: i32) -> Result<Option<OwnedFd>, CgroupError> {
        let Some(member) = self.members.iter().find(|member| member.version == Version::V2) else { return Ok(None) };
        let directory = member.directory()?;
        let read = |path: PathBuf| std::fs::read_to_string(&path).map_err(|source| CgroupError::Read { path, source });
        if read(member.path().join("cgroup.subtree_control"))?.trim().is_empty() {
            return directory.duplicate().map(Some);
        }
        let place = below(member.path(), &read(PathBuf::from(format!("/proc/{init}/cgroup")))?);
        let directory = Directory::open(&place).map_err(|source| CgroupError::Open { path: place, source })?;
        directory.duplicate().map(Some)
    }
}

/// A cgroup below the container's own, which a newcomer is to be born in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubCgroup {
    /// Names of v1 controllers; none for every hierarchy.
    controllers: Vec<String>,
    /// Relative, and straight down.
    path: PathBuf,
}

impl std::str::FromStr for SubCgroup {
    type Err = String;

    /// runc's form: `PATH`, or `CONTROLLER[,CONTROLLER]:PATH`. The path counts from the container's own cgroup.
    fn from_str(text: &str) -> Result<Self, String> {
        let (controllers, path) = match text.split_once(':') {
            Some((controllers, path)) => (controllers.split(',').map(str::to_owned).collect(), path),
            None => (Vec::new(), text),
        };
        let path: PathBuf = Path::new(path).strip_prefix("/").unwrap_or(Path::new(path)).to_owned();
        if path.components().all(|part| matches!(part, Component::Normal(_))) {
            Ok(Self { controllers, path })
        } else {
            Err(format!("{text:?} does not lead straight down from the container's cgroup"))
        }
    }
}

impl Cgroup {
    /// These cgroups with the given ones below them in their place.
    ///
    /// # Errors
    /// [`CgroupError::NoSubCgroup`] for one that is not there.
    pub fn narrowed(&self, choices: &[SubCgroup]) -> Result<Self, CgroupError> {
        let mut this = self.clone();
        for choice in choices {
            let is_meant = |controller: &str| choice.controllers.iter().any(|name| name == controller);
            let missing = |source| CgroupError::NoSubCgroup { path: choice.path.clone(), source };
            let mut found = false;
            for member in &mut this.members {
                if choice.controllers.is_empty() || member.controllers.iter().any(|name| is_meant(name)) {
                    *member = member.below(&choice.path).map_err(missing)?;
                    found = true;
                }
            }
            if !found {
                return Err(missing(std::io::Error::other("the container is in no hierarchy of that controller")));
            }
        }
        Ok(this)
    }
}

/// The directory, at or below the container's own, that the v2 line of `/proc/PID/cgroup` names. The line counts from
/// the root of our cgroup namespace, which need not be the root of the mount: what both have in common tells.
fn below(container: &Path, lines: &str) -> PathBuf {
    let named = lines.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let named = Path::new(named);
    let common = named.ancestors().find(|part| !part.as_os_str().is_empty() && container.ends_with(part));
    let rest = common.and_then(|common| named.strip_prefix(common).ok());
    rest.map_or_else(|| container.to_owned(), |rest| container.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_below_is_named_as_runc_has_it() {
        let parsed = |text: &str| text.parse::<SubCgroup>().map(|sub| (sub.controllers, sub.path));
        assert_eq!(parsed("/"), Ok((Vec::new(), PathBuf::new())));
        assert_eq!(parsed("a/b"), Ok((Vec::new(), PathBuf::from("a/b"))));
        assert_eq!(parsed("cpu,memory:/a"), Ok((vec!["cpu".to_owned(), "memory".to_owned()], PathBuf::from("a"))));
        for wrong in ["..", "a/../..", "cpu:../x"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_process_is_found_below_the_containers_own_cgroup() {
        let container = Path::new("/sys/fs/cgroup/pods/c1");
        for (line, expected) in [
            ("0::/pods/c1/init.scope", "/sys/fs/cgroup/pods/c1/init.scope"),
            ("0::/pods/c1", "/sys/fs/cgroup/pods/c1"),
            ("1:cpu:/x\n0::/c1/a/b", "/sys/fs/cgroup/pods/c1/a/b"),
            ("0::/elsewhere", "/sys/fs/cgroup/pods/c1"),
            ("0::/", "/sys/fs/cgroup/pods/c1"),
        ] {
            assert_eq!(below(container, line), Path::new(expected), "{line}");
        }
    }
}
