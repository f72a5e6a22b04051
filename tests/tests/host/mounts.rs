//! The mounts of a bundle, each option proven by what the kernel shows of the mount or by what it does.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome::Outcome;
use lazaret_tests::scratch::Scratch;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use serde_json::{Value, json};

fn native() -> Lazaret {
    Lazaret::with_options(&["--mode", "native"])
}

fn both_modes() -> [Lazaret; 2] {
    [native(), Lazaret::new()]
}

/// A tmpfs of the test's own on the host, unmounted at the end with what is below it.
struct HostMount(PathBuf);

impl HostMount {
    fn new(path: PathBuf, propagation: MountPropagationFlags) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        rustix::mount::mount("tmpfs", &path, "tmpfs", MountFlags::empty(), None).unwrap();
        let mount = Self(path);
        rustix::mount::mount_change(&mount.0, propagation).unwrap();
        mount
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for HostMount {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

/// One line of `mountinfo` (proc_pid_mountinfo(5)).
#[derive(Debug)]
struct Line {
    options: Vec<String>,
    tags: String,
    fstype: String,
    superblock: String,
}

impl Line {
    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|known| known == option)
    }
}

/// What a `mountinfo` says of the last mount on `place`.
fn mount_on(mountinfo: &str, place: &str) -> Line {
    let line = mountinfo.lines().rev().find(|line| line.split(' ').nth(4) == Some(place));
    let line = line.unwrap_or_else(|| panic!("nothing is mounted on {place}:\n{mountinfo}"));
    let (own, superblock) = line.split_once(" - ").unwrap();
    let own: Vec<&str> = own.split(' ').collect();
    let superblock: Vec<&str> = superblock.split(' ').collect();
    Line {
        options: own[5].split(',').map(str::to_owned).collect(),
        tags: own[6..].join(" "),
        fstype: superblock[0].to_owned(),
        superblock: superblock[2].to_owned(),
    }
}

/// The container's `mountinfo` with this entry of `mounts` beside the usual ones.
fn mountinfo(lazaret: &Lazaret, entry: Value) -> String {
    lazaret.run(&Bundle::shell("cat /proc/self/mountinfo").mount(entry)).expect(0).stdout
}

fn run_shell(lazaret: &Lazaret, line: &str, entry: Value) -> Outcome {
    lazaret.run(&Bundle::shell(line).writable().mount(entry))
}

/// Every option of the specification's table about one mount, with the flag that the kernel shows for it.
const FLAGS: &[(&[&str], &str, bool)] = &[
    (&["ro"], "ro", true),
    (&["rw"], "rw", true),
    (&["ro", "rw"], "rw", true),
    (&["nosuid"], "nosuid", true),
    (&["nosuid", "suid"], "nosuid", false),
    (&["nodev"], "nodev", true),
    (&["nodev", "dev"], "nodev", false),
    (&["noexec"], "noexec", true),
    (&["noexec", "exec"], "noexec", false),
    (&["noatime"], "noatime", true),
    (&["noatime", "atime"], "noatime", false),
    (&["relatime"], "relatime", true),
    (&["relatime", "norelatime"], "relatime", true),
    (&["strictatime"], "relatime", false),
    (&["strictatime", "nostrictatime"], "relatime", true),
    (&["nodiratime"], "nodiratime", true),
    (&["nodiratime", "diratime"], "nodiratime", false),
    (&["nosymfollow"], "nosymfollow", true),
    (&["nosymfollow", "symfollow"], "nosymfollow", false),
    (&["defaults"], "rw", true),
];

fn with_rbind<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&["rbind"], options].concat()
}

#[test]
#[ignore = "needs root: mounts"]
fn every_flag_of_a_mount_is_set_on_binds_and_on_new_file_systems() {
    let source = Scratch::new();
    let lazaret = native();
    // All at once, each on a place of its own: one container instead of eighty.
    let mut bundle = Bundle::shell("cat /proc/self/mountinfo").writable();
    let mut expected = Vec::new();
    for (index, (options, flag, shown)) in FLAGS.iter().enumerate() {
        let recursive: Vec<String> =
            options.iter().filter(|name| **name != "defaults").map(|name| format!("r{name}")).collect();
        let recursive: Vec<&str> = recursive.iter().map(String::as_str).collect();
        let mounts = [
            ("bind", json!({"type": "bind", "source": source.path(), "options": with_rbind(options)})),
            ("tree", json!({"type": "bind", "source": source.path(), "options": with_rbind(&recursive)})),
            ("tmpfs", json!({"type": "tmpfs", "source": "x", "options": options})),
            ("tmpfs-tree", json!({"type": "tmpfs", "source": "x", "options": recursive})),
        ];
        for (kind, mut entry) in mounts {
            let place = format!("/m/{kind}-{index}");
            entry["destination"] = json!(place);
            bundle = bundle.mount(entry);
            expected.push((place, options, *flag, *shown));
        }
    }
    let table = lazaret.run(&bundle).expect(0).stdout;
    for (place, options, flag, shown) in expected {
        let line = mount_on(&table, &place);
        assert_eq!(line.has(flag), shown, "{place} with {options:?}: {line:?}");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn an_attribute_reaches_the_mounts_below_only_when_it_is_recursive() {
    let scratch = Scratch::new();
    let outer = HostMount::new(scratch.join("outer"), MountPropagationFlags::PRIVATE);
    let _inner = HostMount::new(outer.path().join("inner"), MountPropagationFlags::PRIVATE);
    for lazaret in both_modes() {
        for (options, flag, below) in [
            (vec!["rbind", "ro"], "ro", false),
            (vec!["rbind", "rro"], "ro", true),
            (vec!["rbind", "noexec"], "noexec", false),
            (vec!["rbind", "rnoexec"], "noexec", true),
            (vec!["rbind", "rnoatime"], "noatime", true),
            (vec!["rbind", "rnosymfollow"], "nosymfollow", true),
            (vec!["rbind", "rro", "rw"], "ro", true),
        ] {
            let entry = json!({"destination": "/mnt", "type": "bind", "source": outer.path(), "options": options});
            let table = mountinfo(&lazaret, entry);
            assert!(options.contains(&"rw") || mount_on(&table, "/mnt").has(flag), "{options:?}");
            assert_eq!(mount_on(&table, "/mnt/inner").has(flag), below, "{options:?}:\n{table}");
        }
        let entry = json!({"destination": "/mnt", "type": "bind", "source": outer.path(), "options": ["bind"]});
        assert!(!mountinfo(&lazaret, entry).contains("/mnt/inner"), "bind took what is mounted below");
        let entry = json!({"destination": "/mnt", "type": "bind", "source": outer.path(), "options": ["rbind", "rro"]});
        let outcome = run_shell(&lazaret, "touch /mnt/inner/x", entry);
        assert!(outcome.status != 0 && outcome.stderr.contains("Read-only"), "{outcome:?}");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn propagation_is_what_the_option_says() {
    let scratch = Scratch::new();
    let shared = HostMount::new(scratch.join("shared"), MountPropagationFlags::SHARED);
    let lazaret = native();
    for (option, tag) in [
        ("private", ""),
        ("rprivate", ""),
        ("slave", "master:"),
        ("rslave", "master:"),
        ("shared", "shared:"),
        ("rshared", "shared:"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ] {
        for kind in ["bind", "rbind"] {
            let options = [kind, option];
            let entry = json!({"destination": "/mnt", "type": "bind", "source": shared.path(), "options": options});
            let line = mount_on(&mountinfo(&lazaret, entry), "/mnt");
            assert!(line.tags.starts_with(tag) && line.tags.is_empty() == tag.is_empty(), "{options:?}: {line:?}");
        }
    }
    let entry = json!({"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["shared"]});
    assert!(mount_on(&mountinfo(&lazaret, entry), "/mnt").tags.starts_with("shared:"));
}

#[test]
#[ignore = "needs root: mounts"]
fn a_later_mount_of_the_host_arrives_through_a_slave_and_through_nothing_else() {
    let scratch = Scratch::new();
    for (option, arrives) in [("rslave", true), ("rshared", true), ("rprivate", false)] {
        let shared = HostMount::new(scratch.join(option), MountPropagationFlags::SHARED);
        let lazaret = native();
        let bundle = Bundle::shell("echo ready; read line < /mnt/go; ls /mnt/late").mount(
            json!({"destination": "/mnt", "type": "bind", "source": shared.path(), "options": ["rbind", option]}),
        );
        std::fs::create_dir(shared.path().join("late")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            shared.path().join("go"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let _late = HostMount::new(shared.path().join("late"), MountPropagationFlags::SHARED);
        std::fs::write(shared.path().join("late/arrived"), "").unwrap();
        std::fs::write(shared.path().join("go"), "go\n").unwrap();
        running.wait();
        assert_eq!(running.output().contains("arrived"), arrives, "{option}: {}", running.output());
        running.delete();
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn the_root_gets_the_propagation_that_is_asked_for() {
    for (value, tag) in [("private", ""), ("slave", ""), ("shared", "shared:"), ("unbindable", "unbindable")] {
        let bundle = Bundle::shell("cat /proc/self/mountinfo")
            .edit(|config| config["linux"]["rootfsPropagation"] = json!(value));
        let table = native().run(&bundle).expect(0).stdout;
        let tags = mount_on(&table, "/").tags;
        assert!(tags.starts_with(tag) && (!tag.is_empty() || !tags.contains("shared")), "{value}: {tags}");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn an_id_mapped_mount_shows_its_owners_through_its_own_mapping() {
    let scratch = Scratch::new();
    let file = scratch.join("file");
    std::fs::write(&file, "x").unwrap();
    std::os::unix::fs::chown(&file, Some(1000), Some(1001)).unwrap();
    std::os::unix::fs::chown(scratch.path(), Some(1000), Some(1001)).unwrap();
    std::fs::set_permissions(scratch.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let map = |inside: u32, outside: u32| json!([{"containerID": inside, "hostID": outside, "size": 1}]);
    let entry = |options: &[&str]| {
        json!({"destination": "/mnt", "type": "bind", "source": scratch.path(), "options": options,
               "uidMappings": map(1000, 7), "gidMappings": map(1001, 8)})
    };
    let line = "stat -c %u:%g /mnt/file";
    for options in [&["bind"][..], &["rbind", "idmap"], &["rbind", "ridmap"]] {
        let outcome = run_shell(&native(), line, entry(options)).expect(0);
        assert_eq!(outcome.stdout.trim(), "7:8", "{options:?}");
    }
    // What is written through the mount belongs to the same owner on disk.
    let bundle = Bundle::shell("touch /mnt/new").mount(entry(&["bind"]));
    native().run(&bundle.edit(|config| config["process"]["user"] = json!({"uid": 7, "gid": 8}))).succeeds();
    let new = std::fs::metadata(scratch.join("new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (1000, 1001));
    // Beside a user namespace of the container: `idmap` alone takes the container's mapping.
    let ids = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
    let bundle = Bundle::shell(line).writable().edit(|config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        config["linux"]["uidMappings"] = ids.clone();
        config["linux"]["gidMappings"] = ids.clone();
    });
    chown_tree(&bundle.rootfs(), 100_000);
    std::fs::set_permissions(bundle.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let bundle = bundle
        .mount(json!({"destination": "/mnt", "type": "bind", "source": scratch.path(), "options": ["rbind", "idmap"]}));
    assert_eq!(native().run(&bundle).expect(0).stdout.trim(), "1000:1001");
}

#[test]
#[ignore = "needs root: mounts"]
fn an_id_mapping_reaches_the_mounts_below_only_as_ridmap() {
    let scratch = Scratch::new();
    let outer = HostMount::new(scratch.join("outer"), MountPropagationFlags::PRIVATE);
    let inner = HostMount::new(outer.path().join("inner"), MountPropagationFlags::PRIVATE);
    for place in [outer.path(), inner.path()] {
        std::os::unix::fs::chown(place, Some(1000), Some(1000)).unwrap();
    }
    let map = json!([{"containerID": 1000, "hostID": 7, "size": 1}]);
    for (option, below) in [("idmap", "1000"), ("ridmap", "7")] {
        let entry = json!({"destination": "/mnt", "type": "bind", "source": outer.path(),
                           "options": ["rbind", option], "uidMappings": map, "gidMappings": map});
        let outcome = run_shell(&native(), "stat -c %u /mnt /mnt/inner", entry).expect(0);
        assert_eq!(outcome.stdout.split_whitespace().collect::<Vec<_>>(), ["7", below], "{option}");
    }
}

fn chown_tree(path: &Path, id: u32) {
    std::os::unix::fs::lchown(path, Some(id), Some(id)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            chown_tree(&entry.unwrap().path(), id);
        }
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn tmpcopyup_copies_files_modes_owners_attributes_and_links_and_follows_none() {
    for lazaret in both_modes() {
        let bundle = Bundle::shell(
            "stat -c '%n %a %u:%g' /data /data/sub /data/sub/file /data/run; readlink /data/link; cat /data/sub/file; \
             cat /data/link; echo changed > /data/sub/file; cat /data/sub/file; echo done; sleep 100",
        );
        let data = bundle.rootfs().join("data");
        std::fs::create_dir_all(data.join("sub")).unwrap();
        std::fs::write(data.join("sub/file"), "text\n").unwrap();
        std::fs::write(data.join("run"), "").unwrap();
        std::fs::create_dir(bundle.rootfs().join("secret")).unwrap();
        std::os::unix::fs::symlink("/etc/shadow", data.join("link")).unwrap();
        for (name, mode, owner) in [("", 0o750, 3), ("sub", 0o1777, 1), ("sub/file", 0o666, 2), ("run", 0o4755, 4)] {
            std::os::unix::fs::chown(data.join(name), Some(owner), Some(owner + 10)).unwrap();
            std::fs::set_permissions(data.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let attributes = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(data.join("run"), "user.note", b"kept", attributes).unwrap();
        let bundle = bundle.mount(json!({"destination": "/data", "type": "tmpfs", "source": "x",
                                         "options": ["tmpcopyup", "size=1m", "nosuid"]}));
        let running = lazaret.launch(&bundle);
        running.says("done");
        let expected = "/data 750 0:0\n/data/sub 1777 1:11\n/data/sub/file 666 2:12\n/data/run 4755 4:14\n\
                        /etc/shadow\ntext\nchanged\ndone\n";
        assert_eq!(running.output(), expected);
        let errors = std::fs::read_to_string(bundle.path().join("errors")).unwrap();
        assert!(errors.contains("/data/link"), "the link led somewhere: {errors}");
        let inside = PathBuf::from(format!("/proc/{}/root/data/run", running.pid()));
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(&inside, "user.note", &mut value).unwrap();
        assert_eq!(&value[..length], b"kept");
        assert_eq!(inside.metadata().unwrap().mtime(), data.join("run").metadata().unwrap().mtime());
        running.delete();
        assert_eq!(std::fs::read_to_string(data.join("sub/file")).unwrap(), "text\n", "the image was changed");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn tmpcopyup_refuses_what_it_does_not_copy_and_what_does_not_fit() {
    for lazaret in both_modes() {
        let entry =
            json!({"destination": "/data", "type": "tmpfs", "source": "x", "options": ["tmpcopyup", "size=64k"]});
        let bundle = Bundle::shell("true").mount(entry.clone());
        let data = bundle.rootfs().join("data");
        std::fs::create_dir(&data).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, data.join("pipe"), fifo, mode, 0).unwrap();
        let outcome = lazaret.run(&bundle);
        assert_ne!(outcome.status, 0);
        outcome.explains(&["copy up (tmpcopyup) /data/pipe", "FIFO"]);
        std::fs::remove_file(data.join("pipe")).unwrap();
        std::fs::write(data.join("large"), vec![0; 100_000]).unwrap();
        let outcome = lazaret.run(&bundle);
        assert_ne!(outcome.status, 0);
        outcome.explains(&["/data/large", "No space left"]);
        // Nothing there to copy: an empty tmpfs.
        let outcome = lazaret.run(&Bundle::shell("ls -A /data").writable().mount(entry)).expect(0);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn a_tmpfs_has_the_mode_of_what_it_covers_unless_it_names_one() {
    for lazaret in both_modes() {
        for (options, mode) in [(vec![], "2750"), (vec!["mode=711"], "711")] {
            let bundle = Bundle::shell("stat -c %a /data")
                .mount(json!({"destination": "/data", "type": "tmpfs", "source": "x", "options": options}));
            let data = bundle.rootfs().join("data");
            std::fs::create_dir(&data).unwrap();
            std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o2750)).unwrap();
            assert_eq!(lazaret.run(&bundle).expect(0).stdout.trim(), mode, "{options:?}");
        }
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn parameters_of_file_systems_have_their_effect() {
    for lazaret in both_modes() {
        for (entry, option) in [
            (
                json!({"type": "tmpfs", "source": "name", "options": ["size=128k", "nr_inodes=20", "mode=1770"]}),
                "size=128k",
            ),
            (json!({"type": "tmpfs", "source": "name", "options": ["size=64k", "nr_inodes=9"]}), "nr_inodes=9"),
            (json!({"type": "tmpfs", "source": "name", "options": ["mode=1770", "uid=3", "gid=4"]}), "mode=1770"),
            (
                json!({"type": "devpts", "source": "d", "options": ["newinstance", "mode=0620", "ptmxmode=0600"]}),
                "mode=620",
            ),
            (json!({"type": "devpts", "source": "d", "options": ["newinstance", "ptmxmode=0606"]}), "ptmxmode=606"),
            (json!({"type": "devpts", "source": "d", "options": ["newinstance", "max=3"]}), "max=3"),
        ] {
            let mut entry = entry;
            entry["destination"] = json!("/mnt");
            let line = mount_on(&mountinfo(&lazaret, entry.clone()), "/mnt");
            assert!(line.superblock.split(',').any(|known| known == option), "{option}: {line:?}");
            assert_eq!(Some(line.fstype.as_str()), entry["type"].as_str());
        }
        let size = json!({"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["size=64k"]});
        let outcome = run_shell(&lazaret, "dd if=/dev/zero of=/mnt/x bs=1k count=100; stat -c %s /mnt/x", size);
        assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
        assert!(outcome.stdout.trim().parse::<u64>().unwrap() <= 65536, "{outcome:?}");
    }
    // tmpfs(5): not in a user namespace.
    let unswapped = json!({"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["noswap"]});
    assert!(mount_on(&mountinfo(&native(), unswapped.clone()), "/mnt").superblock.contains("noswap"));
    let outcome = Lazaret::new().run(&Bundle::shell("true").mount(unswapped));
    assert_ne!(outcome.status, 0);
    outcome.explains(&["mounts[8].options", "noswap"]);
    let bundle = Bundle::shell("ls /proc").edit(|config| config["mounts"][0]["options"] = json!(["subset=pid"]));
    let listed = native().run(&bundle.edit(|config| config["linux"]["readonlyPaths"] = json!([]))).expect(0).stdout;
    assert!(listed.lines().any(|name| name == "1") && !listed.contains("meminfo"), "{listed}");
}

#[test]
#[ignore = "needs root: mounts"]
fn files_and_sockets_are_bound_and_a_missing_source_is_named() {
    let scratch = Scratch::new();
    std::fs::write(scratch.join("file"), "content\n").unwrap();
    let entry = |source: &str, destination: &str, options: &[&str]| json!({"destination": destination, "type": "bind", "source": scratch.join(source), "options": options});
    for lazaret in both_modes() {
        // The place is made where it is missing, also below directories that are.
        let outcome = run_shell(&lazaret, "cat /new/deep/file", entry("file", "/new/deep/file", &["bind"])).expect(0);
        assert_eq!(outcome.stdout, "content\n");
        let outcome = run_shell(&lazaret, "echo x > /mnt/file", entry("file", "/mnt/file", &["bind", "ro"]));
        assert!(outcome.status != 0 && outcome.stderr.contains("Read-only"), "{outcome:?}");
        let outcome = lazaret.run(&Bundle::shell("true").mount(entry("none", "/mnt", &["bind"])));
        assert_ne!(outcome.status, 0);
        outcome.explains(&["mounts[8].source", "none", "No such file"]);
    }
    let listener = std::os::unix::net::UnixListener::bind(scratch.join("socket")).unwrap();
    let outcome = run_shell(&native(), "stat -c %F /mnt/socket", entry("socket", "/mnt/socket", &["bind"])).expect(0);
    assert_eq!(outcome.stdout.trim(), "socket");
    drop(listener);
}

/// mount_namespaces(7): flags are locked when a mount comes from a more privileged mount namespace.
#[test]
#[ignore = "needs root: mounts"]
fn a_bind_of_a_mount_with_flags_keeps_them_and_takes_more() {
    let scratch = Scratch::new();
    let host = HostMount::new(scratch.join("strict"), MountPropagationFlags::PRIVATE);
    let strict = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::NOATIME;
    rustix::mount::mount_remount(host.path(), strict, "").unwrap();
    let user = |config: &mut Value| {
        let ids = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        config["linux"]["uidMappings"] = ids.clone();
        config["linux"]["gidMappings"] = ids;
    };
    let entry = json!({"destination": "/mnt", "type": "bind", "source": host.path(), "options": ["bind", "ro"]});
    for (lazaret, in_userns) in [(native(), false), (native(), true), (Lazaret::new(), false)] {
        let mut bundle = Bundle::shell("cat /proc/self/mountinfo").writable().mount(entry.clone());
        if in_userns {
            chown_tree(&bundle.rootfs(), 100_000);
            std::fs::set_permissions(bundle.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
            bundle = bundle.edit(user);
        }
        let line = mount_on(&lazaret.run(&bundle).expect(0).stdout, "/mnt");
        for flag in ["ro", "nosuid", "nodev", "noexec", "noatime"] {
            assert!(line.has(flag), "{flag}, in a user namespace: {in_userns}: {line:?}");
        }
    }
}
