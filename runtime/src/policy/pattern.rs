//! Path patterns of the policy tables: absolute paths of which a component may be `*`, `.*` or end in `*`. Pure.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

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

/// A pattern. It borrows the tables' text: a machine has two hundred of them, and most containers need few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Cow<'static, OsStr>,
}

impl Pattern {
    /// The pattern of a table.
    #[must_use]
    pub fn of(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(OsStr::new(text)) }
    }

    /// The pattern of a table with its literal part, of `length` bytes, replaced by what it leads to on this machine.
    #[must_use]
    pub fn moved(text: &'static str, length: usize, target: PathBuf) -> Self {
        let mut moved = target.into_os_string();
        moved.push(text.get(length..).unwrap_or_default());
        Self { text: Cow::Owned(moved) }
    }

    /// How `name`, an absolute path without links, stands to the pattern.
    #[must_use]
    pub fn relation(&self, name: &Path) -> Relation {
        let mut pattern = components(&self.text);
        let mut path = components(name.as_os_str());
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
        let at = components(&self.text).position(|component| component == b"*")?;
        components(name.as_os_str()).nth(at).map(OsStr::from_bytes)
    }
}

/// The part of a pattern that a machine can resolve: what stands before its first component with a `*`.
#[must_use]
pub fn literal(pattern: &'static str) -> &'static str {
    let Some((before, _)) = pattern.split_once('*') else {
        return pattern;
    };
    before.rsplit_once('/').map_or("", |(literal, _)| literal)
}

/// How many components a pattern has: how narrow its row is.
#[must_use]
pub fn depth(pattern: &str) -> usize {
    components(OsStr::new(pattern)).count()
}

fn components(path: &OsStr) -> impl Iterator<Item = &[u8]> {
    path.as_bytes().split(|byte| *byte == b'/').filter(|component| !component.is_empty())
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    pattern.strip_suffix(b"*").map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(pattern: &'static str, name: &str) -> Relation {
        Pattern::of(pattern).relation(Path::new(name))
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
        let pattern = Pattern::of("/pods/*/volumes/*");
        assert_eq!(pattern.owner(Path::new("/pods/uid/volumes/v/w")), Some(OsStr::new("uid")));
        assert_eq!(Pattern::of("/pods").owner(Path::new("/pods")), None);
    }

    #[test]
    fn the_literal_part_ends_at_the_first_star_and_can_be_moved() {
        assert_eq!(literal("/home/*/.*"), "/home");
        assert_eq!(literal("/tmp/systemd-private-*"), "/tmp");
        assert_eq!(literal("/etc"), "/etc");
        assert_eq!(literal("/"), "/");
        let moved = Pattern::moved("/home/*/.*", "/home".len(), "/export/users".into());
        assert_eq!(moved.relation(Path::new("/export/users/a/.ssh")), Relation::Same);
    }
}
