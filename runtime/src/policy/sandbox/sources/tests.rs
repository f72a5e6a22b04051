//! Every row of the tables against a machine made of text: a mount table, no links, no I/O.

use super::*;
use crate::policy::host::Listener;
use crate::policy::mountinfo::MountTable;
use crate::policy::tables::openings::{OPENINGS, Owner, ROOTFS_OPENINGS};
use crate::policy::tables::sensitive::TREES;

/// `/` on 8:1, `/proc`, `/dev`; `/data` on 8:2; aliases of parts of 8:1 elsewhere, one of them below `/data`.
const MOUNTS: &[u8] = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:5 / /proc rw - proc proc rw
3 1 0:6 / /dev rw - devtmpfs devtmpfs rw
4 1 8:2 / /data rw - ext4 /dev/sdb1 rw
5 4 8:1 /etc /data/sub/alias rw - ext4 /dev/sda1 rw
6 1 8:1 / /mnt/whole rw - ext4 /dev/sda1 rw
7 1 8:1 /srv/shared /mnt/honest rw - ext4 /dev/sda1 rw
8 1 8:1 /etc/hosts /srv/hosts rw - ext4 /dev/sda1 rw
9 4 0:7 / /data/trace rw - tracefs tracefs rw
";

fn host() -> Host {
    Host::from_tables(MountTable::parse(MOUNTS).unwrap(), &mut |_| None)
}

/// The mount of the table that shows `name`.
fn mount_of(name: &Path) -> u64 {
    let id = |point: &str, id| name.starts_with(point).then_some((point.len(), id));
    let points = [
        ("/", 1),
        ("/proc", 2),
        ("/dev", 3),
        ("/data", 4),
        ("/data/sub/alias", 5),
        ("/mnt/whole", 6),
        ("/mnt/honest", 7),
        ("/srv/hosts", 8),
        ("/data/trace", 9),
    ];
    points.into_iter().filter_map(|(point, number)| id(point, number)).max().unwrap().1
}

fn facts(name: &str, kind: Kind) -> Facts {
    let name = PathBuf::from(name);
    Facts { mount: mount_of(&name), name, kind, identity: ((8, 1), 2), magic: 0xef53, deleted: false }
}

#[derive(Clone, Copy)]
struct Ask {
    purpose: Purpose,
    read_only: bool,
    recursive: bool,
}

const BIND: Ask = Ask { purpose: Purpose::Bind, read_only: false, recursive: true };
const READ_ONLY: Ask = Ask { read_only: true, ..BIND };
const ROOTFS: Ask = Ask { purpose: Purpose::Rootfs, ..BIND };

fn asked(facts: &Facts, ask: Ask, annotations: &BTreeMap<String, String>, host: &Host) -> Result<Verdict, PolicyError> {
    by_rules(facts, ask, annotations, host, &HostPaths::default())
}

fn by_rules(
    facts: &Facts,
    ask: Ask,
    annotations: &BTreeMap<String, String>,
    host: &Host,
    rules: &HostPaths,
) -> Result<Verdict, PolicyError> {
    let question = Question {
        field: Field::text("mounts[0].source", "/as/written"),
        purpose: ask.purpose,
        recursive: ask.recursive,
        read_only: ask.read_only,
        rules,
        annotations,
    };
    judge(facts, &question, host)
}

fn verdict(name: &str, kind: Kind, ask: Ask) -> Result<Verdict, PolicyError> {
    asked(&facts(name, kind), ask, &BTreeMap::new(), &host())
}

fn directory(name: &str) -> Result<Verdict, PolicyError> {
    verdict(name, Kind::Directory, BIND)
}

/// A path that a pattern names.
fn instance(pattern: &str) -> String {
    pattern.replace("/.*", "/.hidden").replace('*', "x")
}

#[test]
fn every_tree_is_refused_whole_with_its_reason_and_so_is_what_holds_it() {
    for tree in TREES {
        let path = instance(tree.path);
        for ask in [BIND, READ_ONLY, ROOTFS, Ask { recursive: false, ..BIND }] {
            let error = verdict(&path, Kind::Directory, ask).unwrap_err();
            assert!(
                matches!(error, PolicyError::Sensitive { .. } | PolicyError::KernelFilesystem { .. }),
                "{path}: {error}"
            );
        }
        for parent in Path::new(&path).ancestors().skip(1) {
            let error = directory(parent.to_str().unwrap()).unwrap_err();
            let expected = matches!(error, PolicyError::Sensitive { .. } | PolicyError::EngineSocket { .. });
            assert!(expected, "{}: {error}", parent.display());
        }
    }
}

#[test]
fn within_a_tree_its_rule_holds() {
    for tree in TREES.iter().filter(|tree| !["/proc", "/dev", "/"].contains(&tree.path)) {
        let path = format!("{}/a/b", instance(tree.path));
        // A wider tree or an engine's place may refuse what this one admits; those rows have their own turn.
        let deciding = TREES.iter().filter(|other| path.starts_with(&format!("{}/", instance(other.path)))).count();
        for kind in [Kind::File, Kind::Directory] {
            let (writable, read_only) = (verdict(&path, kind, BIND), verdict(&path, kind, READ_ONLY));
            match tree.within {
                Within::Refused => assert!(writable.is_err() && read_only.is_err(), "{path}"),
                Within::ReadOnly => assert!(writable.is_err() && read_only.is_ok(), "{path}: {read_only:?}"),
                Within::Admitted => assert!(writable.is_ok() || deciding > 2, "{path}: {writable:?}"),
            }
        }
    }
}

#[test]
fn every_tree_is_refused_through_an_alias_of_its_file_system() {
    for tree in TREES.iter().filter(|tree| !["/proc", "/dev"].contains(&tree.path)) {
        let path = format!("/mnt/whole{}", instance(tree.path));
        let error = directory(path.trim_end_matches('/')).unwrap_err();
        assert!(matches!(error, PolicyError::Sensitive { .. }), "{path}: {error}");
    }
    let error = directory("/data/sub/alias/ssh").unwrap_err();
    assert!(error.to_string().contains("hostPath /etc/ssh, within /etc,"), "{error}");
}

#[test]
fn a_mount_below_the_source_counts_when_it_comes_along() {
    let error = directory("/data/sub").unwrap_err();
    assert!(matches!(error, PolicyError::Sensitive { .. }), "{error}");
    assert!(verdict("/data/sub", Kind::Directory, Ask { recursive: false, ..BIND }).is_ok());
    let error = directory("/data").unwrap_err();
    assert!(matches!(error, PolicyError::Sensitive { .. } | PolicyError::KernelFilesystem { .. }), "{error}");
    assert!(verdict("/data", Kind::Directory, Ask { recursive: false, ..BIND }).is_ok());
    // A bind mount of one file of /etc below /srv, which read-only mounts may show.
    assert!(directory("/srv").is_err());
    assert!(verdict("/srv/hosts", Kind::File, BIND).is_err());
    assert!(verdict("/srv/hosts", Kind::File, READ_ONLY).is_ok());
}

#[test]
fn honest_neighbours_are_admitted() {
    for path in [
        "/srv/app",
        "/opt/app",
        "/data/files",
        "/mnt/honest",
        "/home/bob/project",
        "/home/bob/project/.git",
        "/var/lib/mysql",
        "/var/www",
        "/var/cache/app",
        "/tmp/build",
        "/var/tmp/x",
        "/work",
        "/export/etc",
    ] {
        for kind in [Kind::File, Kind::Directory] {
            assert_eq!(verdict(path, kind, BIND).map(|verdict| verdict.opened).ok(), Some(false), "{path}");
            assert!(verdict(path, kind, ROOTFS).is_ok(), "{path}");
        }
    }
    assert!(verdict("/root/bundle/rootfs", Kind::Directory, ROOTFS).is_ok());
    assert!(directory("/root/bundle/rootfs").is_err());
    assert!(verdict("/root/.ssh/rootfs", Kind::Directory, ROOTFS).is_err());
}

#[test]
fn every_opening_admits_its_own_kind_and_nothing_beside_it() {
    for (ask, openings) in [(BIND, OPENINGS), (ROOTFS, ROOTFS_OPENINGS)] {
        for opening in openings {
            let ask = Ask { read_only: opening.read_only, ..ask };
            let path = instance(opening.path);
            let kinds = match opening.shape {
                Shape::File => &[Kind::File][..],
                Shape::Tree => &[Kind::Directory],
                Shape::Either => &[Kind::File, Kind::Directory],
            };
            for kind in kinds {
                let verdict = verdict(&path, *kind, ask);
                assert_eq!(verdict.as_ref().map(|verdict| verdict.opened).ok(), Some(true), "{path}: {verdict:?}");
            }
            if opening.read_only {
                assert!(verdict(&path, kinds[0], Ask { read_only: false, ..ask }).is_err(), "{path}");
            }
            let parent = Path::new(&path).parent().unwrap().to_str().unwrap();
            assert!(verdict(parent, Kind::Directory, ask).is_err(), "{parent}");
            assert!(verdict(&path, Kind::Socket, ask).is_err(), "{path}");
            assert!(verdict(&path, Kind::Block((8, 0)), ask).is_err(), "{path}");
        }
    }
}

#[test]
fn a_pod_has_its_own_volumes_and_no_others() {
    for opening in OPENINGS.iter().filter(|opening| opening.owner != Owner::Unnamed) {
        let kind = if opening.shape == Shape::File { Kind::File } else { Kind::Directory };
        let facts = facts(&instance(opening.path), kind);
        for key in opening.owner.annotations() {
            let annotations = |value: &str| BTreeMap::from([((*key).to_owned(), value.to_owned())]);
            assert!(asked(&facts, BIND, &annotations("x"), &host()).is_ok(), "{}", opening.path);
            let error = asked(&facts, BIND, &annotations("y"), &host()).unwrap_err();
            assert!(matches!(error, PolicyError::OtherPod { .. }), "{}: {error}", opening.path);
        }
    }
}

#[test]
fn a_subpath_of_a_volume_that_is_a_hostpath_is_judged_by_what_it_shows() {
    let mounts = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:1 /etc /var/lib/kubelet/pods/u/volume-subpaths/v/c/0 rw - ext4 /dev/sda1 rw
3 1 8:1 /var/lib/kubelet/pods/u/volumes/k~e/v/s /var/lib/kubelet/pods/u/volume-subpaths/v/c/1 rw - ext4 /dev/sda1 rw
";
    let host = Host::from_tables(MountTable::parse(mounts).unwrap(), &mut |_| None);
    let at = |mount, index| {
        let name = PathBuf::from(format!("/var/lib/kubelet/pods/u/volume-subpaths/v/c/{index}"));
        let facts = Facts { name, mount, ..facts("/x", Kind::Directory) };
        asked(&facts, BIND, &BTreeMap::new(), &host)
    };
    assert!(matches!(at(2, 0).unwrap_err(), PolicyError::Sensitive { .. }));
    assert!(at(3, 1).unwrap().opened);
}

#[test]
fn every_engine_socket_is_refused_by_place_and_by_name() {
    for engine in engines::ENGINES {
        for place in engine.places {
            for kind in [Kind::Socket, Kind::File, Kind::Directory] {
                let path = instance(place);
                let error = verdict(&path, kind, BIND).unwrap_err();
                assert!(matches!(error, PolicyError::EngineSocket { .. }), "{path}: {error}");
            }
            let holder = instance(place.rsplit_once('/').unwrap().0);
            assert!(directory(&holder).is_err(), "{holder}");
        }
        let elsewhere = format!("/srv/app/{}", engine.socket);
        let error = verdict(&elsewhere, Kind::Socket, BIND).unwrap_err();
        assert!(matches!(error, PolicyError::EngineSocket { .. }), "{elsewhere}: {error}");
    }
    assert!(matches!(verdict("/srv/app.sock", Kind::Socket, BIND), Err(PolicyError::Socket { .. })));
}

#[test]
fn a_listener_below_the_source_is_found_through_an_alias() {
    let mut host = host();
    let place = Place { device: (8, 1), path: "/srv/shared/run/app.sock".into() };
    host.listeners.push(Listener { name: "/srv/shared/run/app.sock".into(), place });
    for path in ["/srv/shared", "/mnt/honest", "/mnt/honest/run"] {
        let error = asked(&facts(path, Kind::Directory), BIND, &BTreeMap::new(), &host).unwrap_err();
        assert!(matches!(error, PolicyError::SocketBelow { .. }), "{path}: {error}");
    }
    assert!(asked(&facts("/mnt/honest/data", Kind::Directory), BIND, &BTreeMap::new(), &host).is_ok());
}

#[test]
fn kernel_file_systems_are_refused_wherever_they_are_mounted() {
    for row in KERNEL_FILESYSTEMS {
        let mounts = format!("1 0 8:1 / / rw - ext4 x rw\n2 1 0:9 / /srv/kernel rw - {} x rw\n", row.name);
        let host = Host::from_tables(MountTable::parse(mounts.as_bytes()).unwrap(), &mut |_| None);
        for path in ["/srv/kernel/file", "/srv"] {
            let mount = if path == "/srv" { 1 } else { 2 };
            let facts = Facts { mount, ..facts(path, Kind::Directory) };
            let error = asked(&facts, BIND, &BTreeMap::new(), &host).unwrap_err();
            assert!(matches!(error, PolicyError::KernelFilesystem { .. }), "{path}: {error}");
        }
        if row.magic != 0 {
            let facts = Facts { magic: row.magic, ..facts("/srv/x", Kind::File) };
            let error = asked(&facts, BIND, &BTreeMap::new(), &host).unwrap_err();
            assert!(matches!(error, PolicyError::KernelFilesystem { .. }), "{}: {error}", row.name);
        }
    }
}

#[test]
fn devices_pipes_deleted_and_foreign_objects_are_refused_and_the_six_devices_admitted() {
    for device in devices::SAFE_DEVICES {
        let kind = Kind::Character((device.major, device.minor.unwrap_or(0)));
        let verdict = verdict(&format!("/dev/{}", device.name), kind, BIND);
        assert_eq!(verdict.is_ok(), device.bindable, "{}", device.name);
    }
    for kind in [Kind::Character((1, 1)), Kind::Block((1, 3)), Kind::Block((8, 0)), Kind::Character((10, 229))] {
        assert!(matches!(verdict("/srv/device", kind, BIND), Err(PolicyError::DeviceSource { .. })));
    }
    for kind in [Kind::Fifo, Kind::Unknown] {
        assert!(matches!(verdict("/srv/odd", kind, BIND), Err(PolicyError::OddSource { .. })));
    }
    let honest = facts("/srv/app", Kind::Directory);
    for odd in [
        Facts { deleted: true, ..honest.clone() },
        Facts { mount: 99, ..honest.clone() },
        Facts { mount: 4, ..honest.clone() },
        Facts { name: "/memfd:x (deleted)".into(), ..honest.clone() },
        Facts { name: "pipe:[1]".into(), ..honest },
    ] {
        let error = asked(&odd, BIND, &BTreeMap::new(), &host()).unwrap_err();
        assert!(matches!(error, PolicyError::ForeignMount { .. }), "{odd:?}: {error}");
    }
}

#[test]
fn secrets_are_known_by_name_wherever_they_stand() {
    for (secret, _) in SECRET_NAMES {
        for path in [format!("/data/x/{secret}"), format!("/srv/{secret}/key")] {
            let error = directory(&path).unwrap_err();
            assert!(matches!(error, PolicyError::Sensitive { .. }), "{path}: {error}");
        }
    }
}

#[test]
fn a_machine_whose_trees_are_links_is_judged_by_where_they_lead() {
    let mut resolve =
        |path: &str| path.strip_prefix("/var/lib/docker").map(|rest| PathBuf::from(format!("/data/d{rest}")));
    let host = Host::from_tables(MountTable::parse(MOUNTS).unwrap(), &mut resolve);
    let asked = |path: &str| asked(&facts(path, Kind::Directory), BIND, &BTreeMap::new(), &host);
    assert!(asked("/data/d/overlay2").is_err());
    assert!(asked("/data/d/volumes/v/_data").unwrap().opened);
    assert!(asked("/data/e").is_ok());
}

fn rules(list: &[(&str, Access)], only_listed: bool) -> HostPaths {
    let list = list.iter().map(|(path, access)| HostPath { path: path.into(), access: *access, exec: false });
    HostPaths { only_listed, list: list.collect() }
}

fn ruled(name: &str, rules: &HostPaths) -> Result<Verdict, PolicyError> {
    by_rules(&facts(name, Kind::Directory), BIND, &BTreeMap::new(), &host(), rules)
}

#[test]
fn a_rule_opens_the_tree_that_it_lies_in_and_none_that_is_narrower() {
    let rules = rules(
        &[("/etc/ssl", Access::ReadOnly), ("/var/log", Access::ReadWrite), ("/var/lib", Access::ReadOnly)],
        false,
    );
    let forced = |access| Some(Forced { access, exec: false });
    assert_eq!(ruled("/etc/ssl/certs", &rules).unwrap().forced, forced(Access::ReadOnly));
    assert_eq!(ruled("/etc/ssl", &rules).unwrap().forced, forced(Access::ReadOnly));
    assert_eq!(ruled("/var/log/pods", &rules).unwrap().forced, forced(Access::ReadWrite));
    // Beside it, above it, and a tree of its own below it.
    for name in ["/etc", "/etc/sslx", "/var", "/var/lib/etcd", "/var/lib/kubelet/pods", "/var/lib/docker", "/"] {
        assert!(ruled(name, &rules).is_err(), "{name}");
    }
    // A name that a bind mount gives to another part is judged too, and a kernel file system stays one.
    let alias = self::rules(&[("/data", Access::ReadWrite), ("/proc", Access::ReadWrite)], false);
    for name in ["/data/sub/alias", "/data/sub", "/data", "/data/trace", "/proc", "/proc/sys"] {
        assert!(ruled(name, &alias).is_err(), "{name}");
    }
    assert_eq!(ruled("/data/other", &alias).unwrap().forced, forced(Access::ReadWrite));
}

#[test]
fn a_rule_holds_under_every_name_and_for_what_holds_its_path() {
    let rules = rules(&[("/srv/shared", Access::ReadOnly), ("/opt/app/keys", Access::None)], false);
    for name in ["/srv/shared", "/srv/shared/a", "/mnt/honest/a", "/mnt/honest"] {
        let forced = ruled(name, &rules).unwrap().forced;
        assert_eq!(forced, Some(Forced { access: Access::ReadOnly, exec: false }), "{name}");
    }
    for name in ["/opt/app/keys", "/opt/app/keys/a", "/opt/app"] {
        let error = ruled(name, &rules).unwrap_err();
        assert!(matches!(error, PolicyError::DeniedPath { .. }), "{name}: {error}");
    }
    assert_eq!(ruled("/opt/data", &rules).unwrap().forced, None);
}

#[test]
fn where_only_listed_paths_are_allowed_an_engines_own_are_too() {
    let only = rules(&[("/srv/shared", Access::ReadOnly)], true);
    let error = ruled("/opt/data", &only).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mounts[0].source = \"/as/written\": hostPath /opt/data is not among the paths that the node's configuration allows (host_paths)"
    );
    assert!(error.hint().unwrap().starts_with("list it in the node's configuration: [host_paths.\"/opt/data\"]"));
    assert!(ruled("/srv/shared/x", &only).is_ok());
    let volume = "/var/lib/kubelet/pods/uid-1/volumes/kubernetes.io~empty-dir/cache";
    let own = BTreeMap::from([("io.kubernetes.cri.sandbox-uid".to_owned(), "uid-1".to_owned())]);
    let volume = facts(volume, Kind::Directory);
    assert_eq!(by_rules(&volume, BIND, &own, &host(), &only).unwrap().forced, None);
    let others = BTreeMap::from([("io.kubernetes.cri.sandbox-uid".to_owned(), "uid-2".to_owned())]);
    assert!(matches!(by_rules(&volume, BIND, &others, &host(), &only), Err(PolicyError::OtherPod { .. })));
}

#[test]
fn no_rule_opens_credentials() {
    let rules = rules(&[("/opt/ci", Access::ReadOnly), ("/opt/ci/.docker", Access::ReadOnly)], false);
    assert!(ruled("/opt/ci/build", &rules).is_ok());
    assert!(ruled("/opt/ci/.docker", &rules).is_err() && ruled("/opt/ci/.ssh", &rules).is_err());
}
