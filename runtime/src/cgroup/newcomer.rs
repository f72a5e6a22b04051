//! Where a process is born that joins a container which runs: in the container's own v2 cgroup, or, once the workload has
//! handed controllers down from that to cgroups of its own, in the one where the container's first process is. A cgroup
//! that hands controllers down takes no process ("no internal processes", cgroups(7)).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

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
