//! The node's rules on paths of the host that bundles bind: which are allowed, and what is forced on their mounts. Data,
//! and what of it holds for an object with several names.

use std::path::{Path, PathBuf};

/// The rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostPaths {
    /// Whether a path that no rule names is refused, unless an engine made it for the container.
    pub only_listed: bool,
    /// The rules, in any order.
    pub list: Vec<HostPath>,
}

/// One rule: for the path, and everything below it that has no closer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPath {
    /// Absolute, without links, `.` and `..`; not `/`.
    pub path: PathBuf,
    /// What a container may do with it.
    pub access: Access,
    /// Whether files of it may be executed.
    pub exec: bool,
}

/// What a container may do with a path of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing: it is refused.
    None,
    /// Read it.
    ReadOnly,
    /// Read and write it.
    ReadWrite,
}

impl Access {
    /// Every choice, the strictest first.
    pub const ALL: &[Self] = &[Self::None, Self::ReadOnly, Self::ReadWrite];

    /// The word of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ReadOnly => "ro",
            Self::ReadWrite => "rw",
        }
    }
}

/// What the rules force on a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forced {
    /// What may be done with it.
    pub access: Access,
    /// Whether its files may be executed.
    pub exec: bool,
}

impl HostPaths {
    /// The closest rule at or above `name`.
    #[must_use]
    pub fn covering(&self, name: &Path) -> Option<&HostPath> {
        let above = self.list.iter().filter(|rule| name.starts_with(&rule.path));
        above.max_by_key(|rule| rule.path.components().count())
    }

    /// What is forced on something with these names: the closest rule above each, and every rule below any, since what is
    /// below comes along. Of several the strictest counts: a second name is no way around a rule.
    #[must_use]
    pub fn forced<'n>(&self, names: impl Iterator<Item = &'n Path>) -> Option<Forced> {
        let mut forced: Option<Forced> = None;
        for name in names {
            let below = self.list.iter().filter(|rule| rule.path != name && rule.path.starts_with(name));
            for rule in self.covering(name).into_iter().chain(below) {
                let so_far = forced.unwrap_or(Forced { access: Access::ReadWrite, exec: true });
                forced = Some(Forced { access: so_far.access.min(rule.access), exec: so_far.exec && rule.exec });
            }
        }
        forced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(list: &[(&str, Access, bool)]) -> HostPaths {
        let list = list.iter().map(|(path, access, exec)| HostPath { path: path.into(), access: *access, exec: *exec });
        HostPaths { only_listed: false, list: list.collect() }
    }

    #[test]
    fn the_closest_rule_above_and_every_one_below_count() {
        let rules = rules(&[
            ("/srv", Access::ReadWrite, true),
            ("/srv/models", Access::ReadOnly, true),
            ("/srv/models/secret", Access::None, false),
        ]);
        let forced = |names: &[&str]| rules.forced(names.iter().map(Path::new));
        let of = |access, exec| Some(Forced { access, exec });
        assert_eq!(forced(&["/data"]), None);
        assert_eq!(forced(&["/srvx"]), None);
        assert_eq!(forced(&["/srv/build"]), of(Access::ReadWrite, true));
        assert_eq!(forced(&["/srv/models/a"]), of(Access::ReadOnly, true));
        assert_eq!(forced(&["/srv/models"]), of(Access::None, false), "it holds what is refused");
        assert_eq!(forced(&["/srv/models/secret/x"]), of(Access::None, false));
        assert_eq!(forced(&["/mnt/alias", "/srv/models/a"]), of(Access::ReadOnly, true));
    }
}
