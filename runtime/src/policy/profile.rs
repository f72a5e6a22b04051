//! A profile: everything that a name says of a container's confinement, with what it inherits already in it. Pure data and
//! the comparison of two; `config` reads it from a file, `lifecycle` keeps it in the state so that `exec` has the same.

use std::collections::BTreeSet;

use lazaret_profiles::adjust::{ChangeError, Changes};
use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::pod_security::Level;

/// What holds for a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name, or the path of its file.
    pub name: String,
    /// What it is, in one line.
    #[serde(skip)]
    pub about: String,
    /// The walls.
    pub mode: Mode,
    /// The least Pod Security level that is enforced.
    #[serde(skip)]
    pub level: Option<Level>,
    /// System calls that are refused beside those of the mode.
    pub refuse: BTreeSet<String>,
    /// System calls of strict mode's table that the container gets as in the sandbox.
    pub allow: BTreeSet<String>,
    /// The capabilities that may be left; `None`: those of any sandbox.
    pub ceiling: Option<BTreeSet<String>>,
    /// Whether Landlock has a rule for every path.
    pub path_rules: bool,
    /// Whether root may be allowed to mount inside.
    pub nested: bool,
    /// Whether the root file system is read-only whatever the bundle says.
    pub read_only_root: bool,
    /// Kernel parameters that a bundle may set; `None`: those that the mode admits.
    pub sysctls: Option<BTreeSet<String>>,
    /// What it loosens against the profile that it extends, in words.
    pub loosened: Vec<String>,
}

/// One point in which two profiles differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key of the file.
    pub key: &'static str,
    /// The value of the first.
    pub left: String,
    /// The value of the second.
    pub right: String,
    /// Whether the second is looser in it.
    pub is_looser: bool,
}

impl Profile {
    /// A profile that says nothing but its mode.
    #[must_use]
    pub fn of_mode(name: &str, mode: Mode) -> Self {
        Self {
            name: name.to_owned(),
            about: String::new(),
            mode,
            level: None,
            refuse: BTreeSet::new(),
            allow: BTreeSet::new(),
            ceiling: None,
            path_rules: mode == Mode::Strict,
            nested: true,
            read_only_root: false,
            sysctls: None,
            loosened: Vec::new(),
        }
    }

    /// Its changes to the table of system calls.
    ///
    /// # Errors
    /// The first call that cannot be changed so.
    pub fn changes(&self) -> Result<Changes, ChangeError> {
        Changes::new(self.refuse.iter().map(String::as_str), self.allow.iter().map(String::as_str))
    }

    /// Whether a bundle may set a kernel parameter, by its dotted name.
    #[must_use]
    pub fn allows_sysctl(&self, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        self.sysctls.as_ref().is_none_or(|allowed| allowed.iter().any(fits))
    }

    /// Every point in which `other` differs.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let list = |set: &BTreeSet<String>| format!("{:?}", set.iter().collect::<Vec<_>>());
        let optional = |set: &Option<BTreeSet<String>>| set.as_ref().map_or("(the mode's)".to_owned(), list);
        let level = |level: Option<Level>| level.map_or("(none)", Level::name).to_owned();
        let wider = |left: &Option<BTreeSet<String>>, right: &Option<BTreeSet<String>>| match (left, right) {
            (Some(left), Some(right)) => !right.is_subset(left),
            (Some(_), None) => true,
            (None, _) => false,
        };
        let point = |key, left, right, is_looser| Difference { key, left, right, is_looser };
        let words = |is: bool, yes: &str, no: &str| if is { yes.to_owned() } else { no.to_owned() };
        let points = [
            point(
                "mode",
                self.mode.name().to_owned(),
                other.mode.name().to_owned(),
                other.mode.is_looser_than(self.mode),
            ),
            point("pod_security", level(self.level), level(other.level), other.level < self.level),
            point("calls.refuse", list(&self.refuse), list(&other.refuse), !self.refuse.is_subset(&other.refuse)),
            point("calls.allow", list(&self.allow), list(&other.allow), !other.allow.is_subset(&self.allow)),
            point(
                "capabilities.ceiling",
                optional(&self.ceiling),
                optional(&other.ceiling),
                wider(&self.ceiling, &other.ceiling),
            ),
            point(
                "landlock.rules",
                words(self.path_rules, "paths", "light"),
                words(other.path_rules, "paths", "light"),
                self.path_rules && !other.path_rules,
            ),
            point(
                "mounts.nested",
                words(self.nested, "allow", "refuse"),
                words(other.nested, "allow", "refuse"),
                !self.nested && other.nested,
            ),
            point(
                "mounts.read_only_root",
                self.read_only_root.to_string(),
                other.read_only_root.to_string(),
                self.read_only_root && !other.read_only_root,
            ),
            point(
                "sysctls.allow",
                optional(&self.sysctls),
                optional(&other.sysctls),
                wider(&self.sysctls, &other.sysctls),
            ),
        ];
        points.into_iter().filter(|point| point.left != point.right).collect()
    }

    /// What `other` loosens, in words.
    #[must_use]
    pub fn loosened_by(&self, other: &Self) -> Vec<String> {
        let loosened = self.differences(other).into_iter().filter(|point| point.is_looser);
        loosened.map(|point| format!("{}: {} instead of {}", point.key, point.right, point.left)).collect()
    }
}
