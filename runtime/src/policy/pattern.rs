//! Path patterns of the policy tables: absolute paths of which a component may be `*`, `.*` or end in `*`. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// How a path stands to a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Neither contains the other.
    Apart,
    /// The path is one that the pattern names.
    Same,
    /// The path lies below one that the pattern names.
    Within,
    /// Something that the pattern can name lies below the path.
    Above,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    components: Vec<OsString>,
}

impl Pattern {
    /// The pattern written as `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { components: names(path).map(OsStr::to_os_string).collect() }
    }

    /// How `name`, an absolute path without links, stands to the pattern.
    #[must_use]
    pub fn relation(&self, name: &Path) -> Relation {
        let mut pattern = self.components.iter();
        let mut path = names(name);
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return Relation::Same,
                (None, Some(_)) => return Relation::Within,
                (Some(_), None) => return Relation::Above,
                (Some(expected), Some(found)) if matches(expected, found) => {}
                (Some(_), Some(_)) => return Relation::Apart,
            }
        }
    }

    /// The component of `name` at the pattern's first `*`: whose path it is.
    #[must_use]
    pub fn owner<'n>(&self, name: &'n Path) -> Option<&'n OsStr> {
        let at = self.components.iter().position(|component| component == "*")?;
        names(name).nth(at)
    }

    /// How many components the pattern has.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.components.len()
    }
}

/// Splits a pattern's text at its first component with a `*`: what can be resolved on a machine, and the rest.
#[must_use]
pub fn split_literal(pattern: &str) -> (PathBuf, PathBuf) {
    let is_literal = |component: &Component<'_>| !component.as_os_str().as_bytes().contains(&b'*');
    let components = Path::new(pattern).components();
    let literal: PathBuf = components.clone().take_while(is_literal).collect();
    let rest: PathBuf = components.skip_while(is_literal).collect();
    (literal, rest)
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    })
}

fn matches(pattern: &OsStr, name: &OsStr) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    pattern.strip_suffix(b"*").map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(pattern: &str, name: &str) -> Relation {
        Pattern::new(Path::new(pattern)).relation(Path::new(name))
    }

    #[test]
    fn paths_stand_in_one_of_four_relations() {
        assert_eq!(relation("/etc", "/etc"), Relation::Same);
        assert_eq!(relation("/etc", "/etc/ssl/certs"), Relation::Within);
        assert_eq!(relation("/etc/cni", "/etc"), Relation::Above);
        assert_eq!(relation("/etc", "/"), Relation::Above);
        assert_eq!(relation("/etc", "/etcetera"), Relation::Apart);
        assert_eq!(relation("/", "/"), Relation::Same);
        assert_eq!(relation("/", "/x"), Relation::Within);
        assert_eq!(relation("/home/*/.*", "/home/a"), Relation::Above);
        assert_eq!(relation("/home/*/.*", "/home/a/.ssh/id"), Relation::Within);
        assert_eq!(relation("/home/*/.*", "/home/a/project"), Relation::Apart);
        assert_eq!(relation("/a/io.cri.v1.*/x", "/a/io.cri.v1.runtime/x"), Relation::Same);
    }

    #[test]
    fn the_owner_is_the_first_star() {
        let pattern = Pattern::new(Path::new("/pods/*/volumes/*"));
        assert_eq!(pattern.owner(Path::new("/pods/uid/volumes/v/w")), Some(OsStr::new("uid")));
        assert_eq!(Pattern::new(Path::new("/pods")).owner(Path::new("/pods")), None);
    }

    #[test]
    fn the_literal_part_ends_at_the_first_star() {
        assert_eq!(split_literal("/home/*/.*"), (PathBuf::from("/home"), PathBuf::from("*/.*")));
        assert_eq!(split_literal("/etc"), (PathBuf::from("/etc"), PathBuf::new()));
        assert_eq!(split_literal("/"), (PathBuf::from("/"), PathBuf::new()));
    }
}
