//! A container's directory in one hierarchy: making it, giving it controllers, writing its limits. Used by `mod` alone.
//! It moves no process.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::directory::{self, Directory};
use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchy, Version};
use crate::cgroup::limits::Setting;
use crate::cgroup::location::Location;

/// How long `delete` waits for a directory whose members are ending.
const PATIENCE: Duration = Duration::from_secs(5);
/// Controllers that v2 switches on for every container where it can: limits set later, and statistics.
const ACCOUNTED: [&str; 7] = ["cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma"];
const SUBTREE_CONTROL: &str = "cgroup.subtree_control";

/// One directory of a container.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Member {
    pub(super) version: Version,
    pub(super) controllers: Vec<String>,
    path: PathBuf,
    /// Every directory that we made, outermost first. The last one is `path`.
    made: Vec<PathBuf>,
    /// Open since `make`; a container read back from its state has none yet.
    #[serde(skip)]
    open: Option<Directory>,
}

impl Member {
    pub(super) fn new(hierarchy: &Hierarchy, location: &Location) -> Result<Self, CgroupError> {
        let (base, below) = location.split(hierarchy)?;
        Ok(Self {
            version: hierarchy.version,
            controllers: hierarchy.controllers.clone(),
            path: base.join(below),
            made: Vec::with_capacity(1),
            open: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A cgroup below it that is there already.
    pub(super) fn below(&self, path: &Path) -> io::Result<Self> {
        let below = Directory::open(&self.path.join(path))?;
        Ok(Self { path: below.path().to_owned(), made: Vec::new(), open: Some(below), ..self.clone() })
    }

    pub(super) fn has(&self, version: Version, controller: &str) -> bool {
        self.version == version && (controller.is_empty() || self.controllers.iter().any(|name| name == controller))
    }

    pub(super) fn directory(&self) -> Result<Directory, CgroupError> {
        match &self.open {
            Some(directory) => Ok(directory.clone()),
            None => Directory::open(&self.path).map_err(|source| CgroupError::Open { path: self.path.clone(), source }),
        }
    }

    /// Makes the directory, and its parents where they are missing. After an error `remove` takes back what was made.
    ///
    /// `needed` are the v2 controllers that the limits use.
    pub(super) fn make(
        &mut self,
        hierarchy: &Hierarchy,
        location: &Location,
        needed: &[&str],
    ) -> Result<(), CgroupError> {
        let (base, below) = location.split(hierarchy)?;
        let base = Directory::open(&base).map_err(|source| CgroupError::Open { path: base.clone(), source })?;
        self.refuse_inside_container(&base, below)?;
        match base.make(below) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_parents(&base, below)?;
                self.make_leaf(&base, below)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.make_leaf(&base, below)?,
            Err(source) => return Err(CgroupError::Make { path: self.path.clone(), source }),
        }
        self.made.push(self.path.clone());
        if self.version == Version::V2 {
            self.enable(hierarchy, needed)?;
        }
        if self.has(Version::V1, "cpuset") {
            self.inherit_cpuset()?;
        }
        let open = base.child(below).map_err(|source| CgroupError::Open { path: self.path.clone(), source })?;
        self.mark(&open)?;
        self.open = Some(open);
        Ok(())
    }

    /// Takes over the directory that systemd has made around the process `holder`.
    pub(super) fn adopt(&mut self, hierarchy: &Hierarchy, needed: &[&str], holder: i32) -> Result<(), CgroupError> {
        let misplaced = |source| CgroupError::Misplaced { path: self.path.clone(), source };
        let directory = Directory::open(&self.path).map_err(|error| misplaced(Some(error)))?;
        let inside = directory.procs().map_err(|error| misplaced(Some(error)))?.contains(&holder);
        if !inside {
            return Err(misplaced(None));
        }
        self.made.push(self.path.clone());
        self.enable(hierarchy, needed)?;
        self.mark(&directory)?;
        self.open = Some(directory);
        Ok(())
    }

    /// Says on the directory by which a container is killed that it is one: see [`Member::refuse_inside_container`].
    fn mark(&self, directory: &Directory) -> Result<(), CgroupError> {
        if self.version == Version::V1 && !self.has(Version::V1, "freezer") {
            return Ok(());
        }
        let marked = directory.mark(mark_name(self.version));
        marked.map_err(|source| CgroupError::Make { path: self.path.clone(), source })
    }

    /// A cgroup below another container's would be killed with that one (`cgroup.kill` reaches everything below), and
    /// would count against its limits. A container inside a container is another matter: there the upper cgroup is the
    /// caller's own, above `base`.
    fn refuse_inside_container(&self, base: &Directory, below: &Path) -> Result<(), CgroupError> {
        let parents = below.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
        let mut open = parents.filter_map(|parent| base.child(parent).ok());
        match open.find(|parent| parent.is_marked(mark_name(self.version))) {
            Some(parent) => {
                let container = parent.path().to_path_buf();
                Err(CgroupError::InsideContainer { path: self.path.clone(), container })
            }
            None => Ok(()),
        }
    }

    /// Moves a whole process in, unless it is there.
    pub(super) fn attach(&self, pid: i32) -> Result<(), CgroupError> {
        let directory = self.directory()?;
        let failed = |source| CgroupError::Attach { path: directory.path().to_path_buf(), pid, source };
        // Reading costs microseconds, moving a process to where it is already costs as much as any move.
        if directory.procs().map_err(failed)?.contains(&pid) {
            return Ok(());
        }
        directory.write("cgroup.procs", &pid.to_string()).map_err(failed)
    }

    /// `memory.checkBeforeUpdate`: on v2 a limit below what is in use has the OOM killer called. v1 needs no help, its
    /// kernel refuses such a limit (`EBUSY`).
    pub(super) fn refuse_below_usage(&self, limit: i64) -> Result<(), CgroupError> {
        let directory = self.directory()?;
        let path = || directory.path().join("memory.current");
        let text = directory.read("memory.current").map_err(|source| CgroupError::Read { path: path(), source })?;
        match text.trim_end().parse::<i64>() {
            Ok(usage) if usage > limit => Err(CgroupError::BelowUsage { limit, usage }),
            Ok(_) => Ok(()),
            Err(error) => Err(CgroupError::Read { path: path(), source: io::Error::other(error) }),
        }
    }

    fn make_parents(&mut self, base: &Directory, below: &Path) -> Result<(), CgroupError> {
        let mut parents: Vec<&Path> = below.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        parents.reverse();
        for parent in parents {
            let path = base.path().join(parent);
            match base.make(parent) {
                Ok(()) => self.made.push(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(CgroupError::Make { path, source }),
            }
        }
        Ok(())
    }

    /// Makes the leaf with nothing of an earlier owner in it: an empty one that exists is replaced, because its limits
    /// are unknown; one in use is an error.
    fn make_leaf(&self, base: &Directory, below: &Path) -> Result<(), CgroupError> {
        match directory::remove_one(&self.path) {
            Ok(()) => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => {
                return Err(CgroupError::Occupied { path: self.path.clone() });
            }
            Err(source) => return Err(CgroupError::Make { path: self.path.clone(), source }),
        }
        base.make(below).map_err(|source| {
            let path = self.path.clone();
            if source.kind() == io::ErrorKind::AlreadyExists {
                CgroupError::Occupied { path }
            } else {
                CgroupError::Make { path, source }
            }
        })
    }

    /// Switches controllers on in every ancestor, so that the leaf gets their files (v2). Those that limits need must
    /// succeed; the others are for accounting, and a parent that is not ours to change stays as it is.
    fn enable(&self, hierarchy: &Hierarchy, needed: &[&str]) -> Result<(), CgroupError> {
        let wanted: Vec<&str> = hierarchy
            .controllers
            .iter()
            .map(String::as_str)
            .filter(|name| needed.contains(name) || (ACCOUNTED.contains(name) && hierarchy.carries_limits()))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut ancestors: Vec<&Path> =
            self.path.ancestors().skip(1).take_while(|path| path.starts_with(&hierarchy.mount)).collect();
        let enabled = |path: &Path| read(&path.join(SUBTREE_CONTROL));
        if let Some(parent) = ancestors.first()
            && missing(&wanted, &enabled(parent)?).is_empty()
        {
            return Ok(());
        }
        ancestors.reverse();
        for ancestor in ancestors {
            let absent = missing(&wanted, &enabled(ancestor)?);
            enable_in(ancestor, &absent, needed)?;
        }
        Ok(())
    }

    /// Waits until a controller of v2 that our parent is said to hand down has its files here, if it hands it down.
    ///
    /// Whoever makes the first two containers below a new parent at once may read that the other has switched the
    /// controller on before the kernel has made its files in our cgroup: it changes the list first, and shows it without a
    /// lock (`cgroup_subtree_control_write` in kernel/cgroup/cgroup.c). Writing takes the lock.
    fn settles(&self, controller: &str) -> bool {
        let parent = self.path.parent().filter(|_parent| self.version == Version::V2 && !controller.is_empty());
        parent.is_some_and(|parent| std::fs::write(parent.join(SUBTREE_CONTROL), switch_on(&[controller])).is_ok())
    }

    /// A new cpuset of v1 has no processors and no memory nodes, and takes no process until it has both.
    fn inherit_cpuset(&self) -> Result<(), CgroupError> {
        for path in &self.made {
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let parent = path.parent().unwrap_or(path).join(file);
                let value = read(&parent)?;
                std::fs::write(path.join(file), value.trim_end()).map_err(|source| CgroupError::Inherit {
                    path: path.clone(),
                    file,
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// Removes what was made. Parents that others use by now are left to them.
    pub(super) fn remove(&self) -> Result<(), CgroupError> {
        let mut made = self.made.iter().rev();
        if self.made.last() == Some(&self.path) {
            made.next();
            directory::remove_tree(&self.path, PATIENCE)?;
        }
        for parent in made {
            match directory::remove_one(parent) {
                Ok(()) => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => break,
                Err(source) => return Err(CgroupError::Remove { path: parent.clone(), source }),
            }
        }
        Ok(())
    }
}

/// v2 lets whoever owns the cgroup write `user.` attributes (Linux 5.7), v1 has `trusted.` ones alone.
fn mark_name(version: Version) -> &'static str {
    match version {
        Version::V1 => "trusted.lazaret.container",
        Version::V2 => "user.lazaret.container",
    }
}

fn read(path: &Path) -> Result<String, CgroupError> {
    std::fs::read_to_string(path).map_err(|source| CgroupError::Read { path: path.to_path_buf(), source })
}

fn missing<'a>(wanted: &[&'a str], enabled: &str) -> Vec<&'a str> {
    wanted.iter().filter(|name| !enabled.split_ascii_whitespace().any(|have| have == **name)).copied().collect()
}

fn enable_in(ancestor: &Path, absent: &[&str], needed: &[&str]) -> Result<(), CgroupError> {
    if absent.is_empty() {
        return Ok(());
    }
    let path = ancestor.join(SUBTREE_CONTROL);
    if std::fs::write(&path, switch_on(absent)).is_ok() {
        return Ok(());
    }
    // The write is all or nothing: what the limits need gets an attempt of its own, whose error counts.
    let needed: Vec<&str> = absent.iter().filter(|name| needed.contains(name)).copied().collect();
    if needed.is_empty() {
        return Ok(());
    }
    let controllers = switch_on(&needed);
    std::fs::write(&path, &controllers).map_err(|source| CgroupError::Enable { path, controllers, source })
}

fn switch_on(controllers: &[&str]) -> String {
    controllers.iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ")
}

/// Writes the limits into the directories of a container.
///
/// The limits of one controller constrain each other (quota and period, memory and swap) and the kernel checks each
/// write alone, so one that it refuses gets a second turn after the others.
pub(super) fn apply(members: &[Member], settings: &[Setting]) -> Result<(), CgroupError> {
    let mut again = Vec::new();
    for setting in settings {
        match apply_one(members, setting) {
            Err(CgroupError::Limit { source, .. }) if source.raw_os_error() == Some(libc::EINVAL) => {
                again.push(setting);
            }
            done => done?,
        }
    }
    again.into_iter().try_for_each(|setting| apply_one(members, setting))
}

fn apply_one(members: &[Member], setting: &Setting) -> Result<(), CgroupError> {
    let unavailable =
        || CgroupError::ControllerUnavailable { key: setting.key.clone(), controller: setting.controller.clone() };
    let member =
        members.iter().find(|member| member.has(setting.version, &setting.controller)).ok_or_else(unavailable)?;
    // Once more after whoever is switching the controller on right now has finished.
    if try_choices(member, setting)? || (member.settles(&setting.controller) && try_choices(member, setting)?) {
        return Ok(());
    }
    let Some((file, _)) = setting.choices.first().filter(|_| !setting.optional) else { return Ok(()) };
    Err(CgroupError::FileUnavailable {
        key: setting.key.clone(),
        controller: setting.controller.clone(),
        file: file.clone(),
    })
}

/// Writes the first of the files that is there; whether one is.
fn try_choices(member: &Member, setting: &Setting) -> Result<bool, CgroupError> {
    let directory = member.directory()?;
    let mut choices = setting.choices.iter().peekable();
    while let Some((file, value)) = choices.next() {
        match directory.write(file, value) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A weight of a device that another scheduler serves than the one whose file this is.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) && choices.peek().is_some() => {}
            Err(source) => {
                let path = directory.path().join(file.as_ref());
                return Err(CgroupError::Limit { key: setting.key.clone(), path, value: value.clone(), source });
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_controllers_are_whole_words() {
        assert_eq!(missing(&["cpu", "memory"], "cpuset memory\n"), ["cpu"]);
        assert_eq!(switch_on(&["cpu", "pids"]), "+cpu +pids");
    }
}
