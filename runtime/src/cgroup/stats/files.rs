//! The files of a container's cgroups as numbers. Used by `stats` alone. A file that the kernel does not offer, or whose
//! controller the container has not joined, is `None`; one that cannot be read is an error.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::cgroup::error::CgroupError;
use crate::cgroup::hierarchy::Version;

/// What unlimited is as a number: `max` of v2, in runc's words.
pub(super) const UNLIMITED: u64 = u64::MAX;

/// The directories of one controller.
#[derive(Debug)]
pub(super) struct Files<'a> {
    directory: Option<&'a Path>,
}

impl<'a> Files<'a> {
    /// The first directory of `all` with this version and controller; an empty controller is v2's core.
    pub(super) fn of(all: &[(Version, &'a [String], &'a Path)], version: Version, controller: &str) -> Option<Self> {
        let serves = |names: &[String]| controller.is_empty() || names.iter().any(|name| name == controller);
        let (_, _, directory) = all.iter().find(|(have, names, _)| *have == version && serves(names))?;
        Some(Self { directory: Some(directory) })
    }

    /// No files at all.
    pub(super) fn none() -> Self {
        Self { directory: None }
    }

    /// The text of a file.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, CgroupError> {
        let Some(directory) = self.directory else { return Ok(None) };
        let path = directory.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(CgroupError::Read { path, source }),
        }
    }

    /// A file that holds one number, or `max`.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, CgroupError> {
        Ok(self.text(name)?.as_deref().and_then(number))
    }

    /// A file with a key and a number on each line (cgroups(7), "flat keyed").
    pub(super) fn keyed(&self, name: &str) -> Result<BTreeMap<String, u64>, CgroupError> {
        Ok(self.text(name)?.as_deref().map(keyed).unwrap_or_default())
    }

    /// What stands between `before` and `after` in the names of the files: `2MB` of `hugetlb.2MB.current`.
    pub(super) fn between(&self, before: &str, after: &str) -> Result<Vec<String>, CgroupError> {
        let Some(directory) = self.directory else { return Ok(Vec::new()) };
        let failed = |source| CgroupError::Read { path: PathBuf::from(directory), source };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let middle = name.to_str().and_then(|name| name.strip_prefix(before)?.strip_suffix(after));
            found.extend(middle.filter(|middle| !middle.contains('.')).map(str::to_owned));
        }
        found.sort();
        Ok(found)
    }
}

/// ENODEV: the cgroup was removed meanwhile. EOPNOTSUPP: the kernel has the file and not what it tells.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP))
}

fn number(text: &str) -> Option<u64> {
    match text.trim() {
        "max" => Some(UNLIMITED),
        text => text.parse().ok(),
    }
}

fn keyed(text: &str) -> BTreeMap<String, u64> {
    let pair = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_pairs_are_read_and_the_rest_is_left() {
        assert_eq!((number("12\n"), number("max\n"), number("x")), (Some(12), Some(UNLIMITED), None));
        assert_eq!(keyed("a 1\nbroken\nb x\nc 3\n"), [("a".to_owned(), 1), ("c".to_owned(), 3)].into());
    }

    #[test]
    fn a_controller_that_was_not_joined_has_no_files() {
        let names = ["memory".to_owned()];
        let all = [(Version::V1, names.as_slice(), Path::new("/proc/self"))];
        assert!(Files::of(&all, Version::V1, "pids").is_none());
        assert!(Files::of(&all, Version::V2, "").is_none());
        let files = Files::of(&all, Version::V1, "memory").unwrap();
        assert_eq!(files.text("no such file").unwrap(), None);
        assert_eq!(Files::none().number("memory.max").unwrap(), None);
    }
}
