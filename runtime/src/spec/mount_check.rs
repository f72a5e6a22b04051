//! `mounts`: option strings become attributes, sources become absolute, and every option is obeyed or refused by name.

use oci_spec::runtime::Mount as Asked;

use super::error::SpecError;
use super::mount_option::{self, Meaning};
use super::mounts::{Mount, MountKind, Reach, attr};
use super::{id_ranges, text};
use crate::bundle::Bundle;
use crate::bundle::field::element;

const NEEDS_MAPPING: &str = "needs mappings: uidMappings and gidMappings beside it, or a user namespace";

/// Parameters of a new tmpfs that are no error on a bind mount, where the kernel ignores them: engines carry them over.
const TMPFS_PARAMETERS: [&str; 6] = ["mode", "size", "uid", "gid", "nr_inodes", "nr_blocks"];

/// The mounts in the order of the bundle. `has_user_namespace`: whose mappings an id-mapped mount may fall back to.
pub(super) fn check(bundle: &Bundle, has_user_namespace: bool) -> Result<Vec<Mount>, SpecError> {
    let asked = bundle.spec().mounts().as_deref().unwrap_or_default();
    let mount = |(index, asked)| check_one(bundle, index, asked, has_user_namespace);
    asked.iter().enumerate().map(mount).collect()
}

fn check_one(bundle: &Bundle, index: usize, asked: &Asked, has_user_namespace: bool) -> Result<Mount, SpecError> {
    let at = element("mounts", index);
    let uids = asked.uid_mappings().as_deref().unwrap_or_default();
    let gids = asked.gid_mappings().as_deref().unwrap_or_default();
    let options = Options::read(bundle, &at, asked)?;
    let mut mount = Mount {
        index,
        destination: text::clean_path(bundle, &format!("{at}.destination"), asked.destination())?,
        kind: MountKind::Bind { source: std::path::PathBuf::new(), recursive: false },
        attr_set: options.own.set,
        attr_clear: options.own.clear,
        recursive_attr_set: options.tree.set,
        recursive_attr_clear: options.tree.clear,
        propagation: options.propagation,
        id_mappings: id_ranges::check(bundle, &at, uids, gids)?,
        idmap: options.idmap,
    };
    if mount.idmap.is_none() && !mount.id_mappings.uids.is_empty() {
        mount.idmap = Some(Reach::Mount);
    }
    if mount.idmap.is_some() && mount.id_mappings.uids.is_empty() && !has_user_namespace {
        return Err(SpecError::Needs { field: bundle.field(&format!("{at}.options")), rule: NEEDS_MAPPING });
    }
    mount.kind = options.kind(bundle, &at, asked)?;
    Ok(mount)
}

/// Attributes to set and to clear; the last option about an attribute wins.
#[derive(Debug, Default, Clone, Copy)]
struct Attributes {
    set: u64,
    clear: u64,
}

impl Attributes {
    fn apply(&mut self, set: u64, clear: u64) {
        self.set = (self.set & !clear) | set;
        // A plain attribute that is set need not be cleared first; the access-time field must be (mount_setattr(2)).
        self.clear = (self.clear | clear) & (!self.set | attr::ATIME);
    }
}

/// The options of one mount, sorted by what they are about.
#[derive(Debug, Default)]
struct Options {
    own: Attributes,
    tree: Attributes,
    propagation: Option<(super::container::Propagation, bool)>,
    bind: Option<Reach>,
    idmap: Option<Reach>,
    /// Index of `tmpcopyup`.
    copy_up: Option<usize>,
    /// Parameters of a new file system, with the index of the option.
    data: Vec<(usize, String, Option<String>)>,
}

impl Options {
    fn read(bundle: &Bundle, at: &str, asked: &Asked) -> Result<Self, SpecError> {
        let mut options = Self::default();
        for (index, option) in asked.options().iter().flatten().enumerate() {
            let refuse = |why| {
                Err(SpecError::MountOption { field: bundle.field(&element(&format!("{at}.options"), index)), why })
            };
            if option.is_empty() || option.contains('\0') {
                return refuse("it is empty or contains a NUL byte");
            }
            match mount_option::meaning(option) {
                Some(Meaning::Attribute { reach: Reach::Mount, set, clear }) => options.own.apply(set, clear),
                Some(Meaning::Attribute { reach: Reach::Tree, set, clear }) => options.tree.apply(set, clear),
                Some(Meaning::Propagation(kind, reach)) => options.propagation = Some((kind, reach == Reach::Tree)),
                Some(Meaning::Bind(reach)) => options.bind = Some(reach),
                Some(Meaning::IdMap(reach)) => options.idmap = Some(reach),
                Some(Meaning::CopyUp) => options.copy_up = Some(index),
                Some(Meaning::Default) => {}
                Some(Meaning::Refused(why)) => return refuse(why),
                Some(Meaning::Superblock) | None => options.add_parameter(index, option),
            }
        }
        Ok(options)
    }

    fn add_parameter(&mut self, index: usize, option: &str) {
        let (key, value) = option.split_once('=').map_or((option, None), |(key, value)| (key, Some(value.to_owned())));
        self.data.push((index, key.to_owned(), value));
    }

    /// The kind of the mount: a bind mount when the type or an option says so, as runc reads it (the kernel ignores the
    /// type of a bind mount, so the option decides and never the type).
    fn kind(self, bundle: &Bundle, at: &str, asked: &Asked) -> Result<MountKind, SpecError> {
        let fstype = asked.typ().as_deref().unwrap_or("");
        if self.bind.is_some() || fstype == "bind" {
            return self.bind_kind(bundle, at, asked);
        }
        if fstype.is_empty() || fstype == "none" {
            let why = "the file system type, or the option bind or rbind";
            return Err(SpecError::Missing { field: bundle.field(&format!("{at}.type")), why });
        }
        if fstype.contains('\0') {
            return text::invalid(bundle, &format!("{at}.type"), "contains a NUL byte");
        }
        if let Some(index) = self.copy_up.filter(|_| fstype != "tmpfs") {
            let field = bundle.field(&element(&format!("{at}.options"), index));
            return Err(SpecError::MountOption { field, why: "only a tmpfs is filled from the image" });
        }
        let source = asked.source().as_deref().and_then(std::path::Path::to_str).unwrap_or(fstype);
        text::c_string(bundle, &format!("{at}.source"), source)?;
        Ok(MountKind::Filesystem {
            fstype: fstype.to_owned(),
            source: source.to_owned(),
            data: self.data.into_iter().map(|(_, key, value)| (key, value)).collect(),
            copy_up: self.copy_up.is_some(),
        })
    }

    fn bind_kind(self, bundle: &Bundle, at: &str, asked: &Asked) -> Result<MountKind, SpecError> {
        let foreign = self.data.iter().find(|(_, key, _)| !TMPFS_PARAMETERS.contains(&key.as_str()));
        let foreign = foreign.map(|(index, ..)| *index).or(self.copy_up);
        if let Some(index) = foreign {
            let field = bundle.field(&element(&format!("{at}.options"), index));
            return Err(SpecError::MountOption { field, why: "unknown, or without effect on a bind mount" });
        }
        let key = format!("{at}.source");
        let Some(source) = asked.source().as_deref().filter(|source| !source.as_os_str().is_empty()) else {
            return Err(SpecError::Missing { field: bundle.field(&key), why: "what to bind" });
        };
        let source = text::bundle_path(bundle, &key, source)?;
        Ok(MountKind::Bind { source, recursive: self.bind == Some(Reach::Tree) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::container::Propagation;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn checked(mount: &Value) -> Result<Mount, String> {
        let bundle = testing::bundle(|config| config["mounts"] = json!([mount]));
        crate::spec::check_with(&bundle, false)
            .map(|mut container| container.mounts.remove(0))
            .map_err(|error| error.field().path().to_owned())
    }

    fn bind(options: &[&str]) -> Result<Mount, String> {
        checked(&json!({"destination": "/d", "source": "data", "options": options}))
    }

    #[test]
    fn a_bind_is_known_by_its_option_or_its_type() {
        let source = std::path::PathBuf::from("/bundle/data");
        let mount = bind(&["rbind", "ro"]).unwrap();
        assert_eq!(mount.kind, MountKind::Bind { source: source.clone(), recursive: true });
        assert_eq!((mount.attr_set, mount.attr_clear), (attr::RDONLY, 0));
        for mount in [
            json!({"destination": "/d", "source": "data", "type": "bind"}),
            json!({"destination": "/d", "source": "data", "type": "tmpfs", "options": ["bind"]}),
            json!({"destination": "/d", "source": "data", "type": "none", "options": ["bind"]}),
        ] {
            assert_eq!(checked(&mount).unwrap().kind, MountKind::Bind { source: source.clone(), recursive: false });
        }
    }

    #[test]
    fn parameters_of_a_tmpfs_say_nothing_on_a_bind_and_others_are_refused() {
        let mount = bind(&["bind", "ro", "mode=755", "size=1k"]).unwrap();
        assert!(matches!(mount.kind, MountKind::Bind { .. }));
        assert_eq!(bind(&["bind", "mode=755", "huge=always"]).unwrap_err(), "mounts[0].options[2]");
        assert_eq!(bind(&["bind", "nosiud"]).unwrap_err(), "mounts[0].options[1]");
    }

    #[test]
    fn the_last_option_about_an_attribute_wins() {
        let attributes = |options: &[&str]| {
            let mount = bind(&[&["bind"], options].concat()).unwrap();
            (mount.attr_set, mount.attr_clear)
        };
        assert_eq!(attributes(&["ro", "rw"]), (0, attr::RDONLY));
        assert_eq!(attributes(&["rw", "ro", "nosuid"]), (attr::RDONLY | attr::NOSUID, 0));
        assert_eq!(attributes(&["noatime"]), (attr::NOATIME, attr::ATIME));
        assert_eq!(attributes(&["strictatime", "relatime"]), (0, attr::ATIME));
        assert_eq!(attributes(&["noatime", "nodiratime"]), (attr::NOATIME | attr::NODIRATIME, attr::ATIME));
    }

    #[test]
    fn tree_attributes_propagation_and_idmap_are_read() {
        let mount = bind(&["rbind", "rro", "rnoatime", "rslave"]).unwrap();
        assert_eq!((mount.recursive_attr_set, mount.recursive_attr_clear), (attr::RDONLY | attr::NOATIME, attr::ATIME));
        assert_eq!(mount.propagation, Some((Propagation::Slave, true)));
        let ids = json!([{"containerID": 0, "hostID": 100_000, "size": 10}]);
        let mount = checked(&json!({"destination": "/d", "source": "s", "options": ["bind"],
                                    "uidMappings": ids, "gidMappings": ids}));
        assert_eq!(mount.unwrap().idmap, Some(Reach::Mount));
    }

    #[test]
    fn parameters_of_a_file_system_are_passed_on() {
        let mount = checked(&json!({"destination": "/t", "type": "tmpfs", "options":
            ["nosuid", "size=1k", "mode=1777", "sync", "noswap", "tmpcopyup"]}));
        let data = [("size", Some("1k")), ("mode", Some("1777")), ("sync", None), ("noswap", None)]
            .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        assert_eq!(
            mount.unwrap().kind,
            MountKind::Filesystem {
                fstype: "tmpfs".to_owned(),
                source: "tmpfs".to_owned(),
                data: data.to_vec(),
                copy_up: true
            }
        );
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_by_name() {
        for (options, index) in
            [(&["bind", "sync"][..], 1), (&["bind", "huge=always"], 1), (&["remount", "bind"], 0), (&["bind", ""], 1)]
        {
            assert_eq!(bind(options).map(|_| ()), Err(format!("mounts[0].options[{index}]")));
        }
        for option in ["tmpcopyup", "mand", "iversion", "silent", "r\u{0}"] {
            assert_eq!(bind(&["bind", option]).map(|_| ()), Err("mounts[0].options[1]".to_owned()), "{option}");
        }
        assert_eq!(bind(&["bind", "idmap"]).map(|_| ()), Err("mounts[0].options".to_owned()));
        for (mount, key) in [
            (json!({"destination": "d", "source": "s", "type": "bind"}), "destination"),
            (json!({"destination": "/d", "type": "bind"}), "source"),
            (json!({"destination": "/d", "source": "", "options": ["bind"]}), "source"),
            (json!({"destination": "/d", "source": "s"}), "type"),
            (json!({"destination": "/d", "source": "s", "type": "none"}), "type"),
            (json!({"destination": "/d", "type": "proc", "options": ["tmpcopyup"]}), "options[0]"),
        ] {
            assert_eq!(checked(&mount).map(|_| ()), Err(format!("mounts[0].{key}")));
        }
    }
}
