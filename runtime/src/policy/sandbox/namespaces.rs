//! Namespaces: a sandbox has its own of every kind, or joins those of its pod; never the host's.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::bundle::field::Field;
use crate::policy::host::Host;
use crate::policy::object::{Facts, Object, descriptor_link};
use crate::policy::{NamespaceKind, PolicyError};
use crate::spec::container::{Container, Namespace, Namespaces};

/// `NSFS_MAGIC` of statfs(2).
const NSFS: u64 = 0x6e73_6673;

/// The kinds that a bundle must list. A user, cgroup or time namespace that it leaves out lazaret adds, or does without.
const NEEDED: [NamespaceKind; 5] =
    [NamespaceKind::Pid, NamespaceKind::Network, NamespaceKind::Ipc, NamespaceKind::Uts, NamespaceKind::Mount];

/// Refuses a container that would run in a namespace of the host, or in another container's mounts.
pub(super) fn refuse_missing(container: &Container) -> Result<(), PolicyError> {
    for kind in NEEDED {
        if *asked(&container.namespaces, kind) == Namespace::Host {
            return Err(PolicyError::HostNamespace { field: Field::new("linux.namespaces", None), kind });
        }
    }
    if let Namespace::Join(path) = &container.namespaces.mount {
        return Err(PolicyError::MountNamespaceJoined { field: field(NamespaceKind::Mount, path) });
    }
    Ok(())
}

/// Opens the namespaces to join.
pub(super) fn open(container: &Container, host: &Host) -> Result<Vec<(NamespaceKind, OwnedFd)>, PolicyError> {
    let mut joins = Vec::new();
    for kind in NamespaceKind::ALL {
        if let Namespace::Join(path) = asked(&container.namespaces, kind) {
            joins.push((kind, open_one(kind, path, host)?));
        }
    }
    Ok(joins)
}

fn open_one(kind: NamespaceKind, path: &Path, host: &Host) -> Result<OwnedFd, PolicyError> {
    let refused = |source| PolicyError::Open { field: field(kind, path), source };
    let object = Object::open(path).map_err(refused)?;
    judge(kind, &object.facts, path, host)?;
    // setns(2) takes no O_PATH descriptor. The same object is opened again through the descriptor, not by its path.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(descriptor_link(object.fd.as_fd()))
        .map_err(refused)?;
    Ok(file.into())
}

fn judge(kind: NamespaceKind, facts: &Facts, path: &Path, host: &Host) -> Result<(), PolicyError> {
    if facts.magic != NSFS {
        return Err(PolicyError::NotNamespace { field: field(kind, path) });
    }
    if host.is_own_namespace(kind, facts.identity) {
        return Err(PolicyError::HostNamespaceJoined { field: field(kind, path), kind });
    }
    Ok(())
}

fn asked(namespaces: &Namespaces, kind: NamespaceKind) -> &Namespace {
    match kind {
        NamespaceKind::User => &namespaces.user,
        NamespaceKind::Mount => &namespaces.mount,
        NamespaceKind::Pid => &namespaces.pid,
        NamespaceKind::Network => &namespaces.network,
        NamespaceKind::Ipc => &namespaces.ipc,
        NamespaceKind::Uts => &namespaces.uts,
        NamespaceKind::Cgroup => &namespaces.cgroup,
        NamespaceKind::Time => &namespaces.time,
    }
}

/// The checked form has no index any more; a kind stands once, so it names the entry.
fn field(kind: NamespaceKind, path: &Path) -> Field {
    Field::text(&format!("linux.namespaces ({}).path", kind.oci_name()), &path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::mountinfo::MountTable;
    use crate::policy::object::Kind;
    use crate::spec::testing;
    use serde_json::json;

    #[test]
    fn every_kind_that_a_sandbox_needs_must_be_listed() {
        let all = ["pid", "network", "ipc", "uts", "mount"];
        for missing in all {
            let kept: Vec<_> =
                all.iter().filter(|kind| **kind != missing).map(|kind| json!({ "type": kind })).collect();
            let container = crate::spec::check_without_machine(&testing::bundle(|config| {
                config["hostname"] = json!("");
                config["linux"]["namespaces"] = json!(kept);
            }));
            let error = refuse_missing(&container.unwrap()).unwrap_err();
            assert!(matches!(&error, PolicyError::HostNamespace { kind, .. } if kind.oci_name() == missing), "{error}");
            assert!(error.hint().unwrap().contains(missing));
        }
        let container = crate::spec::check_without_machine(&testing::bundle(|_| {})).unwrap();
        assert!(refuse_missing(&container).is_ok());
    }

    #[test]
    fn a_joined_namespace_is_judged_by_identity() {
        let mut host = Host::from_tables(MountTable::default(), &mut |_| None);
        host.namespaces.insert(NamespaceKind::Network, vec![((0, 4), 7)]);
        let facts = |magic, inode| Facts {
            name: "net:[7]".into(),
            mount: 1,
            kind: Kind::File,
            identity: ((0, 4), inode),
            magic,
            deleted: false,
        };
        let judged = |kind, facts: &Facts| judge(kind, facts, Path::new("/run/netns/x"), &host);
        assert!(judged(NamespaceKind::Network, &facts(NSFS, 8)).is_ok());
        assert!(matches!(
            judged(NamespaceKind::Network, &facts(NSFS, 7)),
            Err(PolicyError::HostNamespaceJoined { .. })
        ));
        assert!(matches!(judged(NamespaceKind::Network, &facts(0xef53, 8)), Err(PolicyError::NotNamespace { .. })));
    }

    #[test]
    fn a_mount_namespace_is_never_joined() {
        let container = crate::spec::check_without_machine(&testing::bundle(|config| {
            config["linux"]["namespaces"][4]["path"] = json!("/proc/7/ns/mnt");
        }));
        assert!(matches!(refuse_missing(&container.unwrap()), Err(PolicyError::MountNamespaceJoined { .. })));
    }
}
