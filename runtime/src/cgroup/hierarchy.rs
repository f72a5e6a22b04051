//! Which cgroup hierarchies this host has, where they are mounted, and where in them the caller itself lives. Read once
//! by whoever launches containers, from `/proc/self/mountinfo` and `/proc/self/cgroup` (proc(5), cgroups(7)).
//!
//! Three kinds of host: pure v2 (one hierarchy for everything), v1, and hybrid (v1 controllers, with a v2 hierarchy that
//! has few controllers or none, and yet its `cgroup.kill`, `cgroup.freeze` and `CLONE_INTO_CGROUP`). A controller
//! belongs to one hierarchy at a time, so no question has two answers. This file makes and changes nothing.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::cgroup::directory;
use crate::cgroup::error::CgroupError;

/// Room for the mounts of a usual host.
const MOUNTINFO_BYTES: usize = 32 * 1024;

/// The version of the cgroup interface that a hierarchy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// One hierarchy for each set of controllers.
    V1,
    /// The unified hierarchy.
    V2,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// The kernel's names. On v2: the controllers that the root of the mount can hand out.
    pub(super) controllers: Vec<String>,
    pub(super) mount: PathBuf,
    /// The caller's cgroup, relative to `mount`; `None` when the mount does not show it.
    pub(super) own: Option<PathBuf>,
}

impl Hierarchy {
    pub(super) fn offers(&self, version: Version, controller: &str) -> bool {
        self.version == version && self.controllers.iter().any(|name| name == controller)
    }

    /// The directory below which a container with a relative path is made.
    ///
    /// On v2 that is the parent of the caller's own cgroup: a cgroup that holds processes cannot hand controllers down
    /// ("no internal processes", cgroups(7)), and the caller's own one holds at least the caller. runc does the same.
    /// Where v2 has no controllers there is nothing to hand down, and the own cgroup will do.
    pub(super) fn base(&self) -> Result<PathBuf, CgroupError> {
        let own = self.own.as_ref().ok_or_else(|| CgroupError::OwnCgroupHidden { mount: self.mount.clone() })?;
        let below = if self.version == Version::V2 && self.carries_limits() {
            own.parent().unwrap_or(Path::new(""))
        } else {
            own.as_path()
        };
        Ok(self.mount.join(below))
    }

    pub(super) fn carries_limits(&self) -> bool {
        ["cpu", "memory", "pids"].iter().any(|name| self.controllers.iter().any(|have| have == name))
    }
}

/// The cgroup hierarchies of this host that lazaret can use, as the calling process sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies {
    /// The v2 hierarchy, when there is one, comes first.
    all: Vec<Hierarchy>,
}

impl Hierarchies {
    /// Reads what is mounted, and where the caller is in it.
    ///
    /// # Errors
    /// [`CgroupError::Read`] when `/proc` cannot be read, [`CgroupError::NoHierarchy`] when nothing is mounted.
    pub fn read() -> Result<Self, CgroupError> {
        let mountinfo = read_file(Path::new("/proc/self/mountinfo"), MOUNTINFO_BYTES)?;
        let own = read_file(Path::new("/proc/self/cgroup"), directory::USUAL_FILE)?;
        let mut this = Self::parse(&mountinfo, &own);
        if this.all.is_empty() {
            return Err(CgroupError::NoHierarchy);
        }
        for hierarchy in this.all.iter_mut().filter(|h| h.version == Version::V2) {
            let list = read_file(&hierarchy.mount.join("cgroup.controllers"), directory::USUAL_FILE)?;
            hierarchy.controllers = list.split_ascii_whitespace().map(str::to_owned).collect();
        }
        Ok(this)
    }

    /// Those in which this process may make cgroups and move itself: for an ordinary user a v2 cgroup that was delegated
    /// to it, if any.
    #[must_use]
    pub fn writable(&self) -> Self {
        let may_write = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
        let is_ours = |hierarchy: &&Hierarchy| {
            hierarchy.version == Version::V2
                && hierarchy.base().is_ok_and(|base| may_write(&base) && may_write(&base.join("cgroup.procs")))
        };
        Self { all: self.all.iter().filter(is_ours).cloned().collect() }
    }

    /// Whether the v2 hierarchy has the controllers that limit a container (cpu, memory or pids): a pure v2 host.
    #[must_use]
    pub fn has_v2_controllers(&self) -> bool {
        self.unified().is_some_and(Hierarchy::carries_limits)
    }

    /// Whether a v2 hierarchy is mounted at all, so that a process can be cloned into a cgroup.
    #[must_use]
    pub fn has_v2(&self) -> bool {
        self.unified().is_some()
    }

    /// What a container's own view is mounted from on a host with v1 hierarchies: for each a folder name and the options
    /// that select it. On a hybrid host v2 is among them, without options. Empty on a pure v2 host.
    pub fn v1_mounts(&self) -> impl Iterator<Item = (&str, Vec<(CString, Option<CString>)>)> {
        let hybrid = self.all.iter().any(|h| h.version == Version::V1);
        self.all.iter().filter(move |_| hybrid).filter_map(|hierarchy| {
            let folder = hierarchy.mount.file_name()?.to_str()?;
            let options: Option<Vec<_>> = match hierarchy.version {
                Version::V2 => Some(Vec::new()),
                Version::V1 => hierarchy.controllers.iter().map(|name| mount_option(name)).collect(),
            };
            Some((folder, options?))
        })
    }

    /// Whether a controller can be had, in whichever version.
    #[must_use]
    pub fn has_controller(&self, name: &str) -> bool {
        [Version::V1, Version::V2].into_iter().any(|version| self.with(version, name).is_some())
    }

    pub(super) fn unified(&self) -> Option<&Hierarchy> {
        self.all.iter().find(|h| h.version == Version::V2)
    }

    pub(super) fn with(&self, version: Version, controller: &str) -> Option<&Hierarchy> {
        self.all.iter().find(|h| h.offers(version, controller))
    }

    /// Every hierarchy, v2 first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Hierarchy> {
        self.all.iter()
    }

    /// The v2 controllers are left empty: they stand in a file of the hierarchy itself.
    pub(super) fn parse(mountinfo: &str, own: &str) -> Self {
        let own: Vec<OwnCgroup<'_>> = own.lines().filter_map(OwnCgroup::parse).collect();
        let mut all: Vec<Hierarchy> = Vec::with_capacity(own.len());
        for mount in mountinfo.lines().filter_map(Mount::parse) {
            let Some(entry) = own.iter().find(|entry| mount.shows(entry)) else { continue };
            let controllers: Vec<String> = entry.controllers.iter().map(|&name| name.to_owned()).collect();
            let version = mount.version;
            // The first mount of a hierarchy is the host's own; later ones are bind mounts or those of containers.
            if all.iter().any(|h| h.version == version && h.controllers == controllers) {
                continue;
            }
            let own = Path::new(entry.path).strip_prefix(&mount.root).ok().map(Path::to_path_buf);
            let hierarchy = Hierarchy { version, controllers, mount: mount.point, own };
            if version == Version::V2 { all.insert(0, hierarchy) } else { all.push(hierarchy) }
        }
        Self { all }
    }

    #[cfg(test)]
    pub(super) fn with_v2_controllers(mut self, names: &[&str]) -> Self {
        for hierarchy in self.all.iter_mut().filter(|h| h.version == Version::V2) {
            hierarchy.controllers = names.iter().map(|&name| name.to_owned()).collect();
        }
        self
    }
}

/// `memory` is a flag, `name=systemd` a key and its value (fsconfig(2)).
fn mount_option(controller: &str) -> Option<(CString, Option<CString>)> {
    let (key, value) = match controller.split_once('=') {
        Some((key, value)) => (key, Some(CString::new(value).ok()?)),
        None => (controller, None),
    };
    Some((CString::new(key).ok()?, value))
}

/// One line of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`, with neither an id nor controllers for v2.
struct OwnCgroup<'a> {
    controllers: Vec<&'a str>,
    path: &'a str,
}

impl<'a> OwnCgroup<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (_id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { controllers: controllers.split(',').filter(|name| !name.is_empty()).collect(), path })
    }
}

/// One cgroup line of `/proc/self/mountinfo`.
struct Mount<'a> {
    version: Version,
    root: PathBuf,
    point: PathBuf,
    /// Options of the superblock: on v1 the controllers are among them.
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `None` for other file systems, and for a line that has not the fields that proc(5) promises.
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let version = match after.next()? {
            "cgroup2" => Version::V2,
            "cgroup" => Version::V1,
            _ => return None,
        };
        let options = after.nth(1)?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        Some(Self { version, root: unescape(root).into(), point: unescape(point).into(), options })
    }

    fn shows(&self, own: &OwnCgroup<'_>) -> bool {
        match self.version {
            Version::V2 => own.controllers.is_empty(),
            Version::V1 => {
                !own.controllers.is_empty()
                    && own.controllers.iter().all(|name| self.options.split(',').any(|option| option == *name))
            }
        }
    }
}

/// Undoes the octal escapes of proc(5) (`\040` is a space).
fn unescape(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) if code.is_ascii() => {
                plain.push(char::from(code));
                plain.push_str(rest);
            }
            _ => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn read_file(path: &Path, usual: usize) -> Result<String, CgroupError> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|file| directory::read_all(&file, usual))
        .map_err(|source| CgroupError::Read { path: path.to_path_buf(), source })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const HYBRID_MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
90 31 0:32 / /mnt/again rw,relatime - cgroup cgroup rw,memory
";
    const HYBRID_OWN: &str = "\
9:name=systemd:/
8:pids:/
7:blkio:/
6:freezer:/
5:devices:/
4:memory:/user/me
3:cpuset:/
1:cpu,cpuacct:/
0::/user/me
";
    const V2_MOUNTS: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    /// A host like those of 2020: v1 controllers and a v2 hierarchy without any.
    pub(in crate::cgroup) fn hybrid() -> Hierarchies {
        Hierarchies::parse(HYBRID_MOUNTS, HYBRID_OWN).with_v2_controllers(&[])
    }

    /// A pure v2 host, the caller in a session of its own.
    pub(in crate::cgroup) fn pure_v2() -> Hierarchies {
        Hierarchies::parse(V2_MOUNTS, "0::/user.slice/session.scope\n")
            .with_v2_controllers(&["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"])
    }

    /// A v1 host that never mounted v2.
    pub(in crate::cgroup) fn pure_v1() -> Hierarchies {
        let mounts: Vec<&str> = HYBRID_MOUNTS.lines().filter(|line| !line.contains("cgroup2")).collect();
        Hierarchies::parse(&mounts.join("\n"), HYBRID_OWN)
    }

    #[test]
    fn hybrid_host_has_v1_controllers_and_v2_first() {
        let host = hybrid();
        assert!(!host.has_v2_controllers());
        assert!(host.has_v2());
        assert_eq!(host.iter().next().map(|h| h.version), Some(Version::V2));
        let memory = host.with(Version::V1, "memory").expect("memory");
        assert_eq!(memory.base().expect("base"), Path::new("/sys/fs/cgroup/memory/user/me"));
        let cpu = host.with(Version::V1, "cpuacct").expect("cpuacct");
        assert_eq!(cpu.controllers, ["cpu", "cpuacct"]);
        assert_eq!(cpu.base().expect("base"), Path::new("/sys/fs/cgroup/cpu,cpuacct/"));
        assert!(host.with(Version::V1, "name=systemd").is_some());
        assert_eq!(host.iter().count(), 9);
    }

    #[test]
    fn hybrid_base_of_v2_is_the_own_cgroup_and_pure_v2_base_is_its_parent() {
        assert_eq!(hybrid().unified().expect("v2").base().expect("base"), Path::new("/sys/fs/cgroup/unified/user/me"));
        assert_eq!(pure_v2().unified().expect("v2").base().expect("base"), Path::new("/sys/fs/cgroup/user.slice"));
        assert!(pure_v2().has_v2_controllers());
        assert!(!pure_v1().has_v2());
    }

    #[test]
    fn mount_that_shows_a_part_of_the_hierarchy_is_relative_to_that_part() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let inside = Hierarchies::parse(mounts, "0::/docker/abc/init\n").with_v2_controllers(&["cpu"]);
        assert_eq!(inside.unified().expect("v2").base().expect("base"), Path::new("/sys/fs/cgroup/"));
        let outside = Hierarchies::parse(mounts, "0::/elsewhere\n");
        assert!(matches!(
            outside.unified().expect("v2").base(),
            Err(CgroupError::OwnCgroupHidden { mount }) if mount == Path::new("/sys/fs/cgroup")
        ));
    }

    #[test]
    fn view_of_a_container_names_every_v1_hierarchy_and_nothing_on_v2() {
        let host = hybrid();
        let view: Vec<_> = host.v1_mounts().collect();
        assert_eq!(view.len(), 9);
        assert!(view.contains(&("memory", vec![(c"memory".into(), None)])));
        assert!(view.contains(&("cpu,cpuacct", vec![(c"cpu".into(), None), (c"cpuacct".into(), None)])));
        assert!(view.contains(&("systemd", vec![(c"name".into(), Some(c"systemd".into()))])));
        assert!(view.contains(&("unified", vec![])));
        assert_eq!(pure_v2().v1_mounts().count(), 0);
    }

    #[test]
    fn escapes_and_broken_lines_do_not_confuse_the_parser() {
        let mounts = "1 2 0:3 / /a\\040b rw - cgroup2 none rw\nnonsense\n1 2 - cgroup2\n7 8 9 - cgroup x\n";
        let host = Hierarchies::parse(mounts, "0::/\nnonsense\n");
        assert_eq!(host.unified().expect("v2").mount, Path::new("/a b"));
        assert_eq!(unescape("x\\04"), "x\\04");
        assert_eq!(unescape("\\134n"), "\\n");
        assert_eq!(unescape("\\777"), "\\777");
    }
}
