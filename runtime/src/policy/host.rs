//! Gathers the facts about the machine that sandbox mode judges by: the mount table, where this machine keeps the trees
//! of the tables, who listens on which unix socket, and which namespaces are the host's own. All I/O of the policy apart
//! from opening the sources (`object`) is here; nothing is decided.

pub mod hooks;
mod listeners;
mod places;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::mountinfo::{Device, MountTable, Place};
use super::pattern::{Pattern, depth};
use super::tables::engines::{ENGINES, Engine};
use super::tables::openings::{OPENINGS, Opening, ROOTFS_OPENINGS};
use super::tables::sensitive::{TREES, Tree};
use super::{NamespaceKind, PolicyError};
use crate::spec::container::{Container, Namespace, Namespaces};
use crate::spec::mounts::MountKind;

/// A row of a table with its patterns on this machine: as written, and with the links in it resolved.
#[derive(Debug, Clone)]
pub struct Placed<Row: 'static> {
    /// The row.
    pub row: &'static Row,
    /// Its patterns.
    pub patterns: Vec<Pattern>,
}

/// A unix socket on which a process of this network namespace listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: PathBuf,
    /// Where it is.
    pub place: Place,
}

/// Device and inode number of a namespace.
pub type Identity = (Device, u64);

/// The facts.
#[derive(Debug, Clone)]
pub struct Host {
    /// The mount table.
    pub mounts: MountTable,
    /// The trees of the host, the narrowest first.
    pub trees: Vec<Placed<Tree>>,
    /// Openings for bind mounts.
    pub openings: Vec<Placed<Opening>>,
    /// Openings for `root.path`.
    pub rootfs_openings: Vec<Placed<Opening>>,
    /// Where engines keep their sockets.
    pub engines: Vec<Placed<Engine>>,
    /// Who listens where.
    pub listeners: Vec<Listener>,
    /// The host's own namespaces: those of the runtime and of process 1.
    pub namespaces: BTreeMap<NamespaceKind, Vec<Identity>>,
    /// Programs that may run as hooks.
    pub hooks: hooks::AllowedHooks,
}

/// Of this thread: the descriptors that are judged against it are opened by this thread.
const MOUNT_TABLE: &str = "/proc/thread-self/mountinfo";

impl Host {
    /// Gathers what is needed to judge `container`: listeners are left out when it binds nothing, the host's namespaces
    /// when it joins none.
    ///
    /// # Errors
    /// [`PolicyError::Facts`] or [`PolicyError::MountTable`] when the kernel's tables cannot be read.
    pub fn gather(container: &Container) -> Result<Self, PolicyError> {
        let binds = container.mounts.iter().any(|mount| matches!(mount.kind, MountKind::Bind { .. }));
        let mounts = read_mounts()?;
        let listeners = if binds { listeners::gather(&mounts)? } else { Vec::new() };
        let namespaces = if joins_any(&container.namespaces) { own_namespaces()? } else { BTreeMap::new() };
        let hooks = hooks::AllowedHooks::gather(container)?;
        let mut resolver = places::Resolver::default();
        Ok(Self { listeners, namespaces, hooks, ..Self::from_tables(mounts, &mut |path| resolver.resolve(path)) })
    }

    /// The tables on a machine with these mounts, on which `resolve` says where a path leads, if that is elsewhere.
    pub(crate) fn from_tables(mounts: MountTable, resolve: &mut dyn FnMut(&'static str) -> Option<PathBuf>) -> Self {
        let mut trees: Vec<_> = TREES.iter().map(|row| places::place(row, &[row.path], resolve)).collect();
        trees.sort_by_key(|tree| std::cmp::Reverse(depth(tree.row.path)));
        let engines = ENGINES.iter().map(|row| places::place(row, row.places, resolve)).collect();
        let mut openings =
            |rows: &'static [Opening]| rows.iter().map(|row| places::place(row, &[row.path], resolve)).collect();
        let (openings, rootfs_openings) = (openings(OPENINGS), openings(ROOTFS_OPENINGS));
        let (listeners, namespaces) = (Vec::new(), BTreeMap::new());
        let hooks = hooks::AllowedHooks::default();
        Self { mounts, trees, openings, rootfs_openings, engines, listeners, namespaces, hooks }
    }

    /// Whether `identity` is a namespace of the host.
    #[must_use]
    pub fn is_own_namespace(&self, kind: NamespaceKind, identity: Identity) -> bool {
        self.namespaces.get(&kind).is_some_and(|own| own.contains(&identity))
    }
}

fn read_mounts() -> Result<MountTable, PolicyError> {
    let path = PathBuf::from(MOUNT_TABLE);
    let text = std::fs::read(&path).map_err(|source| PolicyError::Facts { path: path.clone(), source })?;
    MountTable::parse(&text).map_err(|source| PolicyError::MountTable { path, source })
}

fn joins_any(namespaces: &Namespaces) -> bool {
    let Namespaces { user, mount, pid, network, ipc, uts, cgroup, time } = namespaces;
    [user, mount, pid, network, ipc, uts, cgroup, time].iter().any(|asked| matches!(asked, Namespace::Join(_)))
}

/// The namespaces of the runtime and of process 1. Those of process 1 may be hidden from us (an outer container); then
/// what is the host for this sandbox is our own.
fn own_namespaces() -> Result<BTreeMap<NamespaceKind, Vec<Identity>>, PolicyError> {
    let mut namespaces: BTreeMap<NamespaceKind, Vec<Identity>> = BTreeMap::new();
    for kind in NamespaceKind::ALL {
        let own = PathBuf::from(format!("/proc/thread-self/ns/{}", kind.proc_name()));
        match identity(&own) {
            Ok(identity) => namespaces.entry(kind).or_default().push(identity),
            // The kernel is built without this kind: nobody can join it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(PolicyError::Facts { path: own, source }),
        }
        if let Ok(identity) = identity(Path::new(&format!("/proc/1/ns/{}", kind.proc_name()))) {
            namespaces.entry(kind).or_default().push(identity);
        }
    }
    Ok(namespaces)
}

/// The namespaces of the host, to compare others with.
#[derive(Debug, Default)]
pub struct OwnNamespaces(BTreeMap<NamespaceKind, Vec<Identity>>);

impl OwnNamespaces {
    /// Those of this machine.
    ///
    /// # Errors
    /// [`PolicyError::Facts`] when they cannot be told.
    pub fn gather() -> Result<Self, PolicyError> {
        own_namespaces().map(Self)
    }

    /// Whether the namespace at `path`, of the kind that the runtime specification calls `kind`, is the host's. A path
    /// that leads nowhere is nobody's: it cannot be joined either.
    #[must_use]
    pub fn is_at(&self, kind: &str, path: &Path) -> bool {
        let kind = NamespaceKind::ALL.into_iter().find(|known| known.oci_name() == kind);
        let own = kind.and_then(|kind| self.0.get(&kind));
        own.is_some_and(|own| identity(path).is_ok_and(|identity| own.contains(&identity)))
    }
}

fn identity(path: &Path) -> std::io::Result<Identity> {
    let stat = rustix::fs::stat(path)?;
    Ok(((rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev)), stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;

    #[test]
    fn the_facts_of_this_machine_can_be_gathered() {
        let container = crate::spec::check_without_machine(&testing::bundle(|config| {
            config["mounts"] = serde_json::json!([{"destination": "/x", "source": "/tmp", "type": "bind"}]);
            config["linux"]["namespaces"][1]["path"] = serde_json::json!("/proc/1/ns/net");
        }))
        .unwrap();
        let host = Host::gather(&container).unwrap();
        assert!(host.mounts.names(&host.mounts.place(root_mount(), Path::new("/")).unwrap()).count() > 0);
        let own = identity(Path::new("/proc/self/ns/net")).unwrap();
        assert!(host.is_own_namespace(NamespaceKind::Network, own));
        assert!(!host.is_own_namespace(NamespaceKind::Uts, own));
    }

    fn root_mount() -> u64 {
        super::super::object::Object::open(Path::new("/")).unwrap().facts.mount
    }
}
