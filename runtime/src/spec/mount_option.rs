//! Every mount option by name (mount(8), runtime-spec "config-linux", runc) and what it means here. Data and one
//! look-up; [`super::mount_check`] applies them.

use super::container::Propagation;
use super::mounts::{Reach, attr};

/// What an option does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Sets the attributes `set` after clearing those of `clear`.
    Attribute { reach: Reach, set: u64, clear: u64 },
    /// Changes the propagation.
    Propagation(Propagation, Reach),
    /// Makes the mount a bind mount.
    Bind(Reach),
    /// Asks for an id-mapped mount.
    IdMap(Reach),
    /// Copies up what the image has at the destination; tmpfs only.
    CopyUp,
    /// A flag of the whole file system: a parameter of a new one; a bind mount cannot change it.
    Superblock,
    /// What a mount does anyway.
    Default,
    /// Known and refused.
    Refused(&'static str),
}

const fn attribute(reach: Reach, set: u64, clear: u64) -> Meaning {
    Meaning::Attribute { reach, set, clear }
}

const fn on(bit: u64) -> Meaning {
    attribute(Reach::Mount, bit, bit)
}

const fn off(bit: u64) -> Meaning {
    attribute(Reach::Mount, 0, bit)
}

const fn tree_on(bit: u64) -> Meaning {
    attribute(Reach::Tree, bit, bit)
}

const fn tree_off(bit: u64) -> Meaning {
    attribute(Reach::Tree, 0, bit)
}

const fn atime(reach: Reach, mode: u64) -> Meaning {
    attribute(reach, mode, attr::ATIME)
}

/// The access-time mode that holds when none is asked for.
const RELATIVE: u64 = 0;

const OPTIONS: &[(&str, Meaning)] = &[
    ("defaults", Meaning::Default),
    ("ro", on(attr::RDONLY)),
    ("rw", off(attr::RDONLY)),
    ("nosuid", on(attr::NOSUID)),
    ("suid", off(attr::NOSUID)),
    ("nodev", on(attr::NODEV)),
    ("dev", off(attr::NODEV)),
    ("noexec", on(attr::NOEXEC)),
    ("exec", off(attr::NOEXEC)),
    ("nosymfollow", on(attr::NOSYMFOLLOW)),
    ("symfollow", off(attr::NOSYMFOLLOW)),
    ("nodiratime", on(attr::NODIRATIME)),
    ("diratime", off(attr::NODIRATIME)),
    ("noatime", atime(Reach::Mount, attr::NOATIME)),
    ("atime", atime(Reach::Mount, RELATIVE)),
    ("relatime", atime(Reach::Mount, RELATIVE)),
    // Since Linux 2.6.30 "not relative" and "not strict" are the default, which is relative.
    ("norelatime", atime(Reach::Mount, RELATIVE)),
    ("strictatime", atime(Reach::Mount, attr::STRICTATIME)),
    ("nostrictatime", atime(Reach::Mount, RELATIVE)),
    ("rro", tree_on(attr::RDONLY)),
    ("rrw", tree_off(attr::RDONLY)),
    ("rnosuid", tree_on(attr::NOSUID)),
    ("rsuid", tree_off(attr::NOSUID)),
    ("rnodev", tree_on(attr::NODEV)),
    ("rdev", tree_off(attr::NODEV)),
    ("rnoexec", tree_on(attr::NOEXEC)),
    ("rexec", tree_off(attr::NOEXEC)),
    ("rnosymfollow", tree_on(attr::NOSYMFOLLOW)),
    ("rsymfollow", tree_off(attr::NOSYMFOLLOW)),
    ("rnodiratime", tree_on(attr::NODIRATIME)),
    ("rdiratime", tree_off(attr::NODIRATIME)),
    ("rnoatime", atime(Reach::Tree, attr::NOATIME)),
    ("ratime", atime(Reach::Tree, RELATIVE)),
    ("rrelatime", atime(Reach::Tree, RELATIVE)),
    ("rnorelatime", atime(Reach::Tree, RELATIVE)),
    ("rstrictatime", atime(Reach::Tree, attr::STRICTATIME)),
    ("rnostrictatime", atime(Reach::Tree, RELATIVE)),
    ("private", Meaning::Propagation(Propagation::Private, Reach::Mount)),
    ("shared", Meaning::Propagation(Propagation::Shared, Reach::Mount)),
    ("slave", Meaning::Propagation(Propagation::Slave, Reach::Mount)),
    ("unbindable", Meaning::Propagation(Propagation::Unbindable, Reach::Mount)),
    ("rprivate", Meaning::Propagation(Propagation::Private, Reach::Tree)),
    ("rshared", Meaning::Propagation(Propagation::Shared, Reach::Tree)),
    ("rslave", Meaning::Propagation(Propagation::Slave, Reach::Tree)),
    ("runbindable", Meaning::Propagation(Propagation::Unbindable, Reach::Tree)),
    ("bind", Meaning::Bind(Reach::Mount)),
    ("rbind", Meaning::Bind(Reach::Tree)),
    ("idmap", Meaning::IdMap(Reach::Mount)),
    ("ridmap", Meaning::IdMap(Reach::Tree)),
    ("tmpcopyup", Meaning::CopyUp),
    ("sync", Meaning::Superblock),
    ("dirsync", Meaning::Superblock),
    ("lazytime", Meaning::Superblock),
    ("async", Meaning::Default),
    ("nolazytime", Meaning::Default),
    ("nomand", Meaning::Default),
    ("noiversion", Meaning::Default),
    ("loud", Meaning::Default),
    ("mand", Meaning::Refused("the kernel has no mandatory locks any more (since 5.15)")),
    ("iversion", Meaning::Refused("inode versions are not a mount option any more (since 6.1)")),
    ("silent", Meaning::Refused("kernel messages of a mount are not suppressed")),
    ("remount", Meaning::Refused("a container's mounts are made once; write the options on the mount itself")),
];

/// The options that are obeyed, for `features`.
pub(super) fn obeyed() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().filter(|(_, meaning)| !matches!(meaning, Meaning::Refused(_))).map(|(name, _)| *name)
}

/// The meaning of `name`; `None` for an option of the file system itself, or an unknown one.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_once_and_clears_what_it_sets() {
        let names: std::collections::BTreeSet<_> = OPTIONS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), OPTIONS.len());
        for (name, meaning) in OPTIONS {
            if let Meaning::Attribute { set, clear, reach } = meaning {
                assert_eq!(set & !clear, 0, "{name}");
                // mount_setattr(2): EINVAL when only part of the access-time field is cleared.
                assert!(clear & attr::ATIME == 0 || clear & attr::ATIME == attr::ATIME, "{name}");
                let twin = if *reach == Reach::Mount { format!("r{name}") } else { name[1..].to_owned() };
                assert!(names.contains(&twin.as_str()), "{name} lacks {twin}");
            }
        }
    }
}
