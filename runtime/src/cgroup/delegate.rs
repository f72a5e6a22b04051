//! Handing a container its own cgroup (v2), so that its root may divide it. Called by `lifecycle` before anything runs in
//! it. It must not hand over a file that holds a limit of the container itself.
//!
//! The kernel says which files may go with the directory (`/sys/kernel/cgroup/delegate`, cgroup-v2.rst "Model of
//! Delegation"). With `nsdelegate` on the host's mount a process can also not be moved out over a cgroup namespace's root.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Uid};

use crate::cgroup::directory::Directory;
use crate::cgroup::error::CgroupError;
use crate::cgroup::{Cgroup, Version};

const DELEGATE_LIST: &str = "/sys/kernel/cgroup/delegate";
/// What may be handed over on every kernel with v2.
const ALWAYS: &str = "cgroup.procs\ncgroup.threads\ncgroup.subtree_control\n";
/// Cgroups cost kernel memory, which nobody is charged with on older kernels: as many as a whole distribution with a
/// systemd of its own needs, and no more.
const MOST_DESCENDANTS: u32 = 2048;

impl Cgroup {
    /// Makes host user `uid` and group `gid` the owners of the v2 directory. Cgroups of v1 are nobody's to hand over, as
    /// their files hold limits; on such a host nothing happens.
    ///
    /// # Errors
    /// [`CgroupError::Delegate`].
    pub fn delegate(&self, uid: u32, gid: u32) -> Result<(), CgroupError> {
        let limiting = |member: &&super::Member| member.version == Version::V2 && !member.controllers.is_empty();
        let Some(member) = self.members.iter().find(limiting) else { return Ok(()) };
        let directory = member.directory()?;
        hand_over(&directory, Uid::from_raw(uid), Gid::from_raw(gid))
            .map_err(|source| CgroupError::Delegate { path: directory.path().to_path_buf(), source })
    }
}

fn hand_over(directory: &Directory, uid: Uid, gid: Gid) -> io::Result<()> {
    directory.write("cgroup.max.descendants", &MOST_DESCENDANTS.to_string())?;
    rustix::fs::fchown(directory.fd(), Some(uid), Some(gid))?;
    for name in files().lines() {
        match rustix::fs::chownat(directory.fd(), name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
            // The list is the kernel's for all cgroups; this one may lack the controller.
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Names only: whatever else stood there would be a path to somewhere else.
fn files() -> String {
    let listed = std::fs::read_to_string(Path::new(DELEGATE_LIST)).unwrap_or_else(|_error| ALWAYS.to_owned());
    listed.lines().filter(|name| !name.is_empty() && !name.contains('/')).flat_map(|name| [name, "\n"]).collect()
}
