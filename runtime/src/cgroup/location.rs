//! Where in each hierarchy a container's cgroup goes: `linux.cgroupsPath`, checked. Used by `create` and `update`. It
//! must not touch the file system.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::{Hierarchies, Hierarchy};

/// Longest name of a directory that the kernel takes (`NAME_MAX`).
const LONGEST_NAME: usize = 255;

/// A checked place for a cgroup: at least one component, none of them `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Location {
    /// From the root of each hierarchy.
    Absolute(PathBuf),
    /// Under the caller's own cgroup in each hierarchy.
    Relative(PathBuf),
}

impl Location {
    /// `path` is `linux.cgroupsPath`; without it the cgroup is `lazaret-ID` under the caller's own.
    pub(super) fn parse(path: Option<&str>, id: &str) -> Result<Self, CgroupError> {
        let default_name;
        let given = match path {
            Some(path) => path,
            None => {
                default_name = format!("lazaret-{id}");
                &default_name
            }
        };
        let refused = |why| CgroupError::Location { path: given.to_owned(), why };
        if is_systemd_form(given) {
            return Err(refused("the form slice:prefix:name is for the systemd driver, which is not in use"));
        }
        let mut below = PathBuf::new();
        for component in Path::new(given).components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) if name.len() <= LONGEST_NAME => below.push(name),
                Component::Normal(_) => return Err(refused("a component is longer than 255 bytes")),
                Component::ParentDir | Component::Prefix(_) => return Err(refused("it may not hold \"..\"")),
            }
        }
        if below.as_os_str().is_empty() {
            return Err(refused("it names no cgroup"));
        }
        // cgroup v1 refuses a newline in a name, and so does every reader of /proc/PID/cgroup.
        if given.contains(['\n', '\0']) {
            return Err(refused("it may not hold a newline or a zero byte"));
        }
        Ok(if given.starts_with('/') { Self::Absolute(below) } else { Self::Relative(below) })
    }

    /// The place beside it whose name begins with `prefix` and goes on as this one's.
    pub(super) fn beside(&self, prefix: &str) -> Result<Self, CgroupError> {
        let (Self::Absolute(path) | Self::Relative(path)) = self;
        let mut name = OsString::from(prefix);
        name.push(path.file_name().unwrap_or_default());
        if name.len() > LONGEST_NAME {
            let path = path.to_string_lossy().into_owned();
            return Err(CgroupError::Location { path, why: "beside it there is no room for a longer name" });
        }
        let beside = path.with_file_name(name);
        Ok(match self {
            Self::Absolute(_) => Self::Absolute(beside),
            Self::Relative(_) => Self::Relative(beside),
        })
    }

    /// The directory that exists already, and what to make below it.
    pub(super) fn split<'a>(&'a self, hierarchy: &Hierarchy) -> Result<(PathBuf, &'a Path), CgroupError> {
        match self {
            Self::Absolute(below) => Ok((hierarchy.mount.clone(), below)),
            Self::Relative(below) => Ok((hierarchy.base()?, below)),
        }
    }

    /// Its directory in each hierarchy of `host`.
    pub(super) fn places(&self, host: &Hierarchies) -> Result<Vec<PathBuf>, CgroupError> {
        host.iter().map(|hierarchy| self.split(hierarchy).map(|(base, below)| base.join(below))).collect()
    }
}

/// `slice:prefix:name`: a relative path whose first part is a slice (or empty, the default slice).
fn is_systemd_form(path: &str) -> bool {
    let mut parts = path.split(':');
    let (slice, prefix, name, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
    matches!((slice, prefix, name, rest), (Some(slice), Some(_), Some(_), None)
        if slice.is_empty() || slice.ends_with(".slice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::hierarchy::tests::{hybrid, pure_v2};

    #[test]
    fn default_name_holds_the_id() {
        assert_eq!(Location::parse(None, "c1").expect("ok"), Location::Relative("lazaret-c1".into()));
    }

    #[test]
    fn absolute_is_from_the_root_and_relative_under_the_own_cgroup() {
        let host = hybrid();
        let memory = host.with(super::super::hierarchy::Version::V1, "memory").expect("memory");
        let absolute = Location::parse(Some("/pods//p1/./c1"), "x").expect("ok");
        assert_eq!(
            absolute.split(memory).expect("split"),
            (PathBuf::from("/sys/fs/cgroup/memory"), Path::new("pods/p1/c1"))
        );
        let relative = Location::parse(Some("pods/c1"), "x").expect("ok");
        assert_eq!(
            relative.split(memory).expect("split"),
            (PathBuf::from("/sys/fs/cgroup/memory/user/me"), Path::new("pods/c1"))
        );
        let v2 = pure_v2();
        assert_eq!(
            relative.split(v2.unified().expect("v2")).expect("split").0,
            PathBuf::from("/sys/fs/cgroup/user.slice")
        );
    }

    #[test]
    fn a_place_beside_has_the_same_parent() {
        let beside = |path: Option<&str>| Location::parse(path, "c1").and_then(|location| location.beside("sentry-"));
        assert_eq!(beside(None).expect("ok"), Location::Relative("sentry-lazaret-c1".into()));
        assert_eq!(beside(Some("/pods/p1/c1")).expect("ok"), Location::Absolute("pods/p1/sentry-c1".into()));
        assert!(beside(Some(&"x".repeat(249))).is_err());
    }

    #[test]
    fn paths_that_lead_elsewhere_or_nowhere_are_refused() {
        let long = "x".repeat(256);
        for bad in
            ["", "/", "..", "/a/../../b", "a/..", ".", "system.slice:docker:abc", ":lazaret:abc", "a\nb", "a\0b", &long]
        {
            assert!(matches!(Location::parse(Some(bad), "x"), Err(CgroupError::Location { .. })), "{bad:?}");
        }
        assert!(Location::parse(Some("a:b"), "x").is_ok());
        assert!(Location::parse(None, "a/../../x").is_err());
    }
}
