//! Names of systemd units: `linux.cgroupsPath` as `slice:prefix:name`, checked, and where in the tree a slice lies. Pure.

use std::path::PathBuf;

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Hierarchies;

/// Longest name of a unit (systemd.unit(5)).
const LONGEST_NAME: usize = 255;
const DEFAULT_SLICE: &str = "system.slice";
const DEFAULT_PREFIX: &str = "lazaret";

/// A scope to be made for a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cgroup) struct Scope {
    pub(super) slice: String,
    pub(in crate::cgroup) unit: String,
}

impl Scope {
    /// `path` is `slice:prefix:name`; without it the scope is `lazaret-ID.scope` in `system.slice`.
    pub(in crate::cgroup) fn parse(path: Option<&str>, id: &str) -> Result<Self, CgroupError> {
        let default = format!("{DEFAULT_SLICE}:{DEFAULT_PREFIX}:{id}");
        let given = path.filter(|path| !path.is_empty()).unwrap_or(&default);
        let refused = |why| CgroupError::Location { path: given.to_owned(), why };
        let parts: Vec<&str> = given.split(':').collect();
        let &[slice, prefix, name] = parts.as_slice() else {
            return Err(refused("with --systemd-cgroup it has the form slice:prefix:name"));
        };
        let slice = if slice.is_empty() { DEFAULT_SLICE } else { slice };
        if expand(slice).is_none() {
            return Err(refused("its first part is no slice such as machine.slice or a-b.slice"));
        }
        if name.is_empty() || name.ends_with(".slice") || name.ends_with(".scope") {
            return Err(refused("its third part is the name of a container, without a suffix"));
        }
        let unit = if prefix.is_empty() { format!("{name}.scope") } else { format!("{prefix}-{name}.scope") };
        if !is_unit_name(&unit) || !is_unit_name(slice) {
            return Err(refused("a unit's name has at most 255 letters, digits and :-_.\\@"));
        }
        Ok(Self { slice: slice.to_owned(), unit })
    }

    /// The scope in the same slice whose name begins with `prefix` and goes on as this one's.
    pub(in crate::cgroup) fn beside(&self, prefix: &str) -> Result<Self, CgroupError> {
        let unit = format!("{prefix}{}", self.unit);
        if is_unit_name(&unit) {
            return Ok(Self { slice: self.slice.clone(), unit });
        }
        Err(CgroupError::Location { path: unit, why: "a unit's name has at most 255 letters, digits and :-_.\\@" })
    }

    /// Where systemd makes the cgroup, from the root of the hierarchy.
    pub(in crate::cgroup) fn path(&self) -> PathBuf {
        expand(&self.slice).unwrap_or_default().join(&self.unit)
    }

    /// Its directory on `host`; none where systemd has no unified hierarchy.
    pub(in crate::cgroup) fn places(&self, host: &Hierarchies) -> Vec<PathBuf> {
        host.unified().map(|hierarchy| hierarchy.mount.join(self.path())).into_iter().collect()
    }
}

fn is_unit_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    name.len() <= LONGEST_NAME && name.bytes().all(allowed)
}

/// The directories of a slice: the slice `a-b.slice` lies in `a.slice`, and `-.slice` is the root (systemd.slice(5)).
fn expand(slice: &str) -> Option<PathBuf> {
    let stem = slice.strip_suffix(".slice")?;
    if stem == "-" {
        return Some(PathBuf::new());
    }
    let mut path = PathBuf::new();
    let mut name = String::new();
    for part in stem.split('-') {
        if part.is_empty() || part.contains('/') {
            return None;
        }
        name = if name.is_empty() { part.to_owned() } else { format!("{name}-{part}") };
        path.push(format!("{name}.slice"));
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_of_a_slice_are_levels() {
        let scope = Scope::parse(Some("kubepods-burstable-pod1_2.slice:cri-containerd:abc"), "x").unwrap();
        let path = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-abc.scope";
        assert_eq!(scope.path(), PathBuf::from(path));
        assert_eq!(scope.unit, "cri-containerd-abc.scope");
        let at_root = Scope::parse(Some("-.slice::abc"), "x").unwrap();
        assert_eq!(at_root.path(), PathBuf::from("abc.scope"));
        for path in [None, Some(""), Some(":lazaret:c1")] {
            assert_eq!(Scope::parse(path, "c1").unwrap().path(), PathBuf::from("system.slice/lazaret-c1.scope"));
        }
    }

    #[test]
    fn what_names_no_scope_is_refused() {
        let long = format!("a.slice:p:{}", "x".repeat(250));
        for bad in [
            "/a/b",
            "a/b",
            "a:b",
            "a:b:c",
            "a.slice:b:c:d",
            "a--b.slice:p:n",
            "-a.slice:p:n",
            ".slice:p:n",
            "a.slice:p:",
            "a.slice:p:n.slice",
            "a.slice:p:../n",
            "a/b.slice:p:n",
            "a.slice:p:n\n",
            &long,
        ] {
            assert!(matches!(Scope::parse(Some(bad), "x"), Err(CgroupError::Location { .. })), "{bad:?}");
        }
    }
}
