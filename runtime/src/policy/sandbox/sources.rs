//! The judgement on one object of the host that a container would see: a bind mount's source, or the root file system.
//! Pure: it looks at the facts about the object and the facts about the host.
//!
//! An object is judged under every name by which a mount shows it, so that neither a symbolic link nor a bind mount of
//! `/etc` elsewhere hides what it is; and with it every mount below it that a recursive bind brings along.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bundle::field::Field;
use crate::policy::host::{Host, Placed};
use crate::policy::host_paths::{Access, Forced, HostPath, HostPaths};
use crate::policy::mountinfo::Place;
use crate::policy::object::{self, Facts, Kind, Object};
use crate::policy::pattern::{Relation, depth};
use crate::policy::tables::openings::{Opening, Shape};
use crate::policy::tables::sensitive::{SECRET_NAMES, Tree, Within};
use crate::policy::tables::{devices, engines, kernel_filesystems::KERNEL_FILESYSTEMS};
use crate::policy::{PolicyError, SourceKind, Standing};

/// What the object would be in the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The source of a bind mount.
    Bind,
    /// The root file system.
    Rootfs,
}

/// What is asked about an object.
#[derive(Debug, Clone)]
pub(super) struct Question<'c> {
    /// The key that names it.
    pub(super) field: Field,
    pub(super) purpose: Purpose,
    /// Whether mounts below it come along.
    pub(super) recursive: bool,
    /// Whether the container cannot write it.
    pub(super) read_only: bool,
    /// The node's rules on paths.
    pub(super) rules: &'c HostPaths,
    /// The container's annotations: whose container it is.
    pub(super) annotations: &'c BTreeMap<String, String>,
}

/// What an admitted object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: SourceKind,
    /// An opening let it through: an engine made it for this container.
    pub(super) opened: bool,
    /// What the node's rules force on its mount.
    pub(super) forced: Option<Forced>,
}

/// Judges one object.
pub(super) fn judge(facts: &Facts, question: &Question<'_>, host: &Host) -> Result<Verdict, PolicyError> {
    let judge = Judge { facts, question, host };
    let kind = match facts.kind {
        Kind::Character((major, minor)) if devices::safe(major, minor).is_some_and(|device| device.bindable) => {
            return Ok(Verdict { kind: SourceKind::File, opened: false, forced: None });
        }
        Kind::Directory => SourceKind::Directory,
        Kind::File => SourceKind::File,
        Kind::Socket | Kind::Fifo | Kind::Character(_) | Kind::Block(_) | Kind::Unknown => {
            return Err(judge.odd_kind());
        }
    };
    let mut opened = false;
    let places = judge.places()?;
    // Names first: "this is /etc" says more than what happens to listen or to be mounted below it.
    for (place, _) in &places {
        for name in host.mounts.names(place) {
            opened |= judge.refuse_name(&name)?;
        }
    }
    for (place, fstype) in &places {
        judge.refuse_kernel_filesystem(fstype)?;
        judge.refuse_listeners(place)?;
    }
    let forced = judge.by_rules(&places, opened)?;
    Ok(Verdict { kind, opened, forced })
}

/// Judges a path that cannot be opened by its names alone: what a sandbox may not have is refused as such, whether or not
/// it exists on this machine or can be looked at.
pub(super) fn judge_names(names: &[PathBuf], question: &Question<'_>, host: &Host) -> Result<(), PolicyError> {
    for name in names {
        let facts = Facts {
            name: name.clone(),
            mount: 0,
            kind: Kind::Directory,
            identity: ((0, 0), 0),
            magic: 0,
            deleted: false,
        };
        let judge = Judge { facts: &facts, question, host };
        judge.refuse_name(name)?;
    }
    Ok(())
}

/// Refuses a directory in which a socket stands, an engine's by its owner's name.
pub(super) fn refuse_socket_below(object: &Object, field: Field) -> Result<(), PolicyError> {
    if object.facts.kind != Kind::Directory {
        return Ok(());
    }
    let Some(socket) = object.socket_below() else {
        return Ok(());
    };
    let path = object.facts.name.clone();
    let Some(engine) = engines::by_name(&socket) else {
        return Err(PolicyError::SocketBelow { field, path, socket });
    };
    let standing = Standing::Holds(socket.display().to_string());
    Err(PolicyError::EngineSocket { field, path, standing, owner: engine.owner })
}

struct Judge<'j> {
    facts: &'j Facts,
    question: &'j Question<'j>,
    host: &'j Host,
}

impl Judge<'_> {
    fn field(&self) -> Field {
        self.question.field.clone()
    }

    fn odd_kind(&self) -> PolicyError {
        let (field, path) = (self.field(), self.facts.name.clone());
        let what = match self.facts.kind {
            Kind::Character((major, minor)) | Kind::Block((major, minor)) => {
                return PolicyError::DeviceSource { field, path, major, minor };
            }
            Kind::Socket => {
                let engine = engines::by_name(&path);
                return match engine {
                    Some(engine) => {
                        PolicyError::EngineSocket { field, path, standing: Standing::Same, owner: engine.owner }
                    }
                    None => PolicyError::Socket { field, path },
                };
            }
            Kind::Fifo => "named pipe",
            Kind::File | Kind::Directory | Kind::Unknown => "file of unknown type",
        };
        PolicyError::OddSource { field, path, what }
    }

    /// The places that the container would see, with their file system types: the object's own, and those of the mounts
    /// that come along.
    fn places(&self) -> Result<Vec<(Place, &str)>, PolicyError> {
        let mounts = &self.host.mounts;
        let own = mounts.place(self.facts.mount, &self.facts.name);
        let entry = mounts.entry(self.facts.mount);
        let (Some(own), Some(entry), false) = (own, entry, self.facts.deleted || object::is_made_up(&self.facts.name))
        else {
            return Err(PolicyError::ForeignMount { field: self.field(), path: self.facts.name.clone() });
        };
        let mut places = vec![(own, entry.fstype.as_str())];
        if self.question.recursive && self.facts.kind == Kind::Directory {
            places.extend(
                mounts
                    .below(&self.facts.name)
                    .map(|entry| (Place { device: entry.device, path: entry.root.clone() }, entry.fstype.as_str())),
            );
        }
        Ok(places)
    }

    fn refuse_kernel_filesystem(&self, fstype: &str) -> Result<(), PolicyError> {
        let matches = |magic: u64| magic != 0 && magic == self.facts.magic;
        let row = KERNEL_FILESYSTEMS.iter().find(|row| row.name == fstype || matches(row.magic));
        row.map_or(Ok(()), |row| {
            let (field, path) = (self.field(), self.facts.name.clone());
            Err(PolicyError::KernelFilesystem { field, path, fstype: row.name, reason: row.reason })
        })
    }

    fn refuse_listeners(&self, place: &Place) -> Result<(), PolicyError> {
        let Some(listener) = self.host.listeners.iter().find(|listener| place.covers(&listener.place)) else {
            return Ok(());
        };
        let (field, path, socket) = (self.field(), self.facts.name.clone(), listener.name.clone());
        Err(match engines::by_name(&socket) {
            Some(engine) => {
                let standing = Standing::Holds(socket.display().to_string());
                PolicyError::EngineSocket { field, path, standing, owner: engine.owner }
            }
            None => PolicyError::SocketBelow { field, path, socket },
        })
    }

    /// What the node's rules force on the mount. Refuses what they refuse: a rule's path under any name, and a path that no
    /// rule names where only those are allowed.
    fn by_rules(&self, places: &[(Place, &str)], opened: bool) -> Result<Option<Forced>, PolicyError> {
        let rules = self.question.rules;
        if self.question.purpose == Purpose::Rootfs || opened || (rules.list.is_empty() && !rules.only_listed) {
            return Ok(None);
        }
        let names: Vec<PathBuf> = places.iter().flat_map(|(place, _)| self.host.mounts.names(place)).collect();
        let forced = rules.forced(names.iter().map(PathBuf::as_path));
        let (field, path) = (self.field(), self.facts.name.clone());
        match forced {
            Some(Forced { access: Access::None, .. }) => Err(PolicyError::DeniedPath { field, path }),
            None if rules.only_listed => Err(PolicyError::UnlistedPath { field, path }),
            forced => Ok(forced),
        }
    }

    /// Refuses a name by the tables. True: an opening let it through.
    fn refuse_name(&self, name: &Path) -> Result<bool, PolicyError> {
        self.refuse_engine(name)?;
        self.refuse_tree(name)
    }

    /// Refuses a name that is, or holds, the place of an engine's socket, also when nothing listens there now.
    fn refuse_engine(&self, name: &Path) -> Result<(), PolicyError> {
        if name == Path::new("/") {
            // The row for the whole host says it better.
            return Ok(());
        }
        for engine in &self.host.engines {
            let standing = match relation(engine, name) {
                Relation::Same | Relation::Within => Standing::Same,
                Relation::Above if self.facts.kind == Kind::Directory => Standing::Holds(engine.row.socket.to_owned()),
                Relation::Above | Relation::Apart => continue,
            };
            // A tree that is refused whole explains a directory better than one socket in it.
            let is_tree = self.host.trees.iter().any(|tree| relation(tree, name) == Relation::Same);
            if standing == Standing::Same || !is_tree {
                let (field, path, owner) = (self.field(), name.to_path_buf(), engine.row.owner);
                return Err(PolicyError::EngineSocket { field, path, standing, owner });
            }
        }
        Ok(())
    }

    /// Refuses a name that is, holds or lies in a sensitive tree. True: an opening let it through.
    fn refuse_tree(&self, name: &Path) -> Result<bool, PolicyError> {
        let listed = self.question.rules.covering(name).filter(|rule| rule.access != Access::None);
        let listed = listed.filter(|_| self.question.purpose == Purpose::Bind);
        self.refuse_secret_name(name)?;
        let opening = self.opening(name)?;
        let read_only = self.question.read_only || listed.is_some_and(|rule| rule.access == Access::ReadOnly);
        let refused = |tree: &&Placed<Tree>| match (relation(tree, name), tree.row.within) {
            (Relation::Apart, _) | (Relation::Within, Within::Admitted) => false,
            (Relation::Same | Relation::Within, _) if listed.is_some_and(|rule| opens(rule, tree)) => false,
            (Relation::Same | Relation::Above, _) => true,
            (Relation::Within, Within::ReadOnly) => !read_only,
            (Relation::Within, Within::Refused) => {
                opening.is_none_or(|opening| depth(opening.path) <= depth(tree.row.path))
            }
        };
        // The closest row explains best; of equally close ones the narrowest, which comes first.
        let closest = self.host.trees.iter().filter(refused).min_by_key(|tree| closeness(relation(tree, name)));
        if let Some(tree) = closest {
            let standing = match relation(tree, name) {
                Relation::Same => Standing::Same,
                Relation::Within => Standing::Within(tree.row.path),
                Relation::Above | Relation::Apart => Standing::Holds(tree.row.path.to_owned()),
            };
            return Err(self.sensitive(name, standing, tree.row));
        }
        Ok(opening.is_some())
    }

    fn sensitive(&self, name: &Path, standing: Standing, row: &Tree) -> PolicyError {
        let read_only_helps = row.within == Within::ReadOnly;
        let (field, path) = (self.field(), name.to_path_buf());
        PolicyError::Sensitive { field, path, standing, reason: row.reason, read_only_helps }
    }

    fn refuse_secret_name(&self, name: &Path) -> Result<(), PolicyError> {
        let found = SECRET_NAMES.iter().find(|(secret, _)| name.components().any(|part| part.as_os_str() == *secret));
        found.map_or(Ok(()), |(secret, reason)| {
            let (field, path) = (self.field(), name.to_path_buf());
            let standing = Standing::Within(secret);
            Err(PolicyError::Sensitive { field, path, standing, reason, read_only_helps: false })
        })
    }

    /// The opening that names `name`, if it is for this kind of object, this kind of mount and this pod.
    fn opening(&self, name: &Path) -> Result<Option<&'static Opening>, PolicyError> {
        let openings = match self.question.purpose {
            Purpose::Bind => &self.host.openings,
            Purpose::Rootfs => &self.host.rootfs_openings,
        };
        for opening in openings {
            let row = opening.row;
            let fits = match (relation(opening, name), row.shape) {
                (Relation::Same, Shape::File) => self.facts.kind == Kind::File,
                (Relation::Same, Shape::Tree) => self.facts.kind == Kind::Directory,
                (Relation::Within, Shape::Tree | Shape::Either) | (Relation::Same, Shape::Either) => true,
                (Relation::Apart | Relation::Above, _) | (Relation::Within, Shape::File) => false,
            };
            if fits && (self.question.read_only || !row.read_only) {
                self.refuse_other_owner(opening, name)?;
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// A pod may have its own volumes and sandbox files, and nobody else's: their paths are no secret, their content is.
    fn refuse_other_owner(&self, opening: &Placed<Opening>, name: &Path) -> Result<(), PolicyError> {
        let annotations = opening.row.owner.annotations().iter();
        let Some(own) = annotations.filter_map(|key| self.question.annotations.get(*key)).next() else {
            return Ok(());
        };
        let owner = opening
            .patterns
            .iter()
            .filter(|pattern| pattern.relation(name) != Relation::Apart)
            .find_map(|pattern| pattern.owner(name));
        match owner {
            Some(owner) if owner != own.as_str() => Err(PolicyError::OtherPod {
                field: self.field(),
                path: PathBuf::from(name),
                owner: owner.to_string_lossy().into_owned(),
                own: own.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// Whether a rule of the node opens a tree: the one that its path is or lies in, and none that is narrower than the path.
fn opens(rule: &HostPath, tree: &Placed<Tree>) -> bool {
    matches!(relation(tree, &rule.path), Relation::Same | Relation::Within)
}

/// How `name` stands to a row: the closest of its patterns counts.
fn relation<Row>(placed: &Placed<Row>, name: &Path) -> Relation {
    let relations = placed.patterns.iter().map(|pattern| pattern.relation(name));
    relations.min_by_key(|relation| closeness(*relation)).unwrap_or(Relation::Apart)
}

fn closeness(relation: Relation) -> u8 {
    match relation {
        Relation::Same => 0,
        Relation::Within => 1,
        Relation::Above => 2,
        Relation::Apart => 3,
    }
}

#[cfg(test)]
mod tests;
