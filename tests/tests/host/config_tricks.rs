//! What a bundle can ask for besides binds: file systems, roots, id mappings, propagation, cgroup paths. A field that is
//! honoured as runc honours it would be a door to the host.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::CanaryFile;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome::Outcome;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{leftover, runc, verdict};
use serde_json::{Value, json};

/// `run` refuses the bundle with one error that has all of `words`; nothing is left.
#[track_caller]
fn refused(bundle: &Bundle, words: &[&str]) -> Outcome {
    let lazaret = Lazaret::new();
    let outcome = lazaret.run(bundle).expect(125);
    outcome.explains(&["error[lazaret-"]).explains(words);
    outcome
}

/// A file system of the host's disks, or an overlay of the host's directories, is a bind by another name.
#[test]
#[ignore = "needs root: mounts, runc"]
fn an_overlay_of_the_hosts_directories_is_refused() {
    let canary = CanaryFile::new();
    let lower = canary.path.parent().unwrap().display().to_string();
    let bundle = || {
        let empty = Scratch::new();
        let option = format!("lowerdir={lower}:{}", empty.path().display());
        let mount = json!({"type": "overlay", "source": "overlay", "destination": "/mnt", "options": [option]});
        (Bundle::attacker(&["read-token", "/mnt/canary", &canary.token]).mount(mount), empty)
    };
    let (control, _empty) = bundle();
    assert!(verdict::of(&runc::run(&control.lax())).ok, "the positive control failed");
    let (bundle, _empty) = bundle();
    refused(&bundle, &["mounts[8]", "overlay"]);
}

#[test]
#[ignore = "needs root: mounts"]
fn file_systems_that_are_not_a_containers_are_refused() {
    for (fstype, source) in [
        ("ext4", "/dev/vda"),
        ("debugfs", "debugfs"),
        ("tracefs", "tracefs"),
        ("securityfs", "securityfs"),
        ("bpf", "bpf"),
        ("devtmpfs", "devtmpfs"),
        ("fuse", "/dev/fuse"),
        ("binfmt_misc", "binfmt_misc"),
        ("configfs", "configfs"),
        ("nfs", "127.0.0.1:/"),
    ] {
        let mount = json!({"type": fstype, "source": source, "destination": "/mnt", "options": ["nosuid"]});
        refused(&Bundle::new().mount(mount), &["mounts[8]", fstype]);
    }
}

/// The root of the container is a place of the host as well.
#[test]
#[ignore = "needs root: mounts"]
fn a_root_that_is_the_hosts_is_refused() {
    let scratch = Scratch::new();
    let link = scratch.join("link");
    std::os::unix::fs::symlink("/", &link).unwrap();
    for path in ["/", "/etc", "/proc", "/dev", "/sys", "/root", "/run", "/var", "/usr", &link.display().to_string()] {
        let bundle = Bundle::new().edit(|config| config["root"]["path"] = json!(path));
        refused(&bundle, &["root.path", path]);
    }
}

/// Row C19: a mapping of the bundle's own that makes container ids host ids of the system.
#[test]
#[ignore = "needs root: user namespaces, runc"]
fn a_mapping_to_the_hosts_ids_is_refused() {
    let with = |mapping: Value| {
        Bundle::shell("cat /proc/self/uid_map; touch /made").writable().edit(|config| {
            config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
            config["linux"]["uidMappings"] = mapping.clone();
            config["linux"]["gidMappings"] = mapping;
        })
    };
    for mapping in [
        json!([{"containerID": 0, "hostID": 0, "size": 65536}]),
        json!([{"containerID": 0, "hostID": 200_000, "size": 1000}, {"containerID": 1000, "hostID": 0, "size": 1}]),
        json!([{"containerID": 0, "hostID": 1, "size": 65536}]),
    ] {
        refused(&with(mapping), &["uidMappings"]);
    }
    let own = with(json!([{"containerID": 0, "hostID": 300_000_000, "size": 65536}]));
    let outcome = Lazaret::new().run(&own).expect(0);
    assert!(outcome.stdout.contains("300000000"), "a mapping to ids that nobody has is kept: {outcome:?}");
}

/// An engine that was given the mapping has changed the owners of the root file system itself, and of some volumes.
#[test]
#[ignore = "needs root: user namespaces"]
fn what_belongs_to_the_containers_ids_already_is_not_mapped_again() {
    const FIRST: u32 = 300_000_000;
    let mapping = json!([{"containerID": 0, "hostID": FIRST, "size": 65536}]);
    // Fewer groups than users: the sentry too must be somebody in both.
    let groups = json!([{"containerID": 0, "hostID": FIRST, "size": 2000}]);
    let (own, foreign) = (Scratch::new(), Scratch::new());
    let bundle = Bundle::shell("stat -c %u / /own /foreign; touch /made /own/made /foreign/made").writable();
    let bundle = bundle.bind(own.path(), "/own").bind(foreign.path(), "/foreign").edit(|config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        config["linux"]["uidMappings"] = mapping;
        config["linux"]["gidMappings"] = groups;
    });
    for place in ["own", "foreign"] {
        std::fs::create_dir(bundle.rootfs().join(place)).unwrap();
    }
    let changed = std::process::Command::new("chown")
        .args(["-Rh", &format!("{FIRST}:{FIRST}")])
        .args([bundle.rootfs().as_path(), own.path()])
        .status();
    assert!(changed.unwrap().success());
    let outcome = Lazaret::new().run(&bundle).expect(0);
    assert_eq!(outcome.stdout.split_whitespace().collect::<Vec<_>>(), ["0", "0", "0"]);
    let owner = |path: &std::path::Path| std::os::unix::fs::MetadataExt::uid(&path.join("made").metadata().unwrap());
    assert_eq!((owner(&bundle.rootfs()), owner(own.path()), owner(foreign.path())), (FIRST, FIRST, 0));
}

#[test]
#[ignore = "needs root: user namespaces"]
fn a_user_without_a_mapping_is_named() {
    let bundle = Bundle::new().edit(|config| config["process"]["user"] = json!({"uid": 5_000_000, "gid": 0}));
    refused(&bundle, &["process.user", "5000000"]);
}

/// Mounts that the runtime makes below a shared bind would appear on the host.
#[test]
#[ignore = "needs root: mounts"]
fn nothing_propagates_to_the_host() {
    struct Shared(std::path::PathBuf);
    impl Drop for Shared {
        fn drop(&mut self) {
            rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
        }
    }
    let scratch = Scratch::new();
    let source = scratch.join("source");
    std::fs::create_dir_all(source.join("below")).unwrap();
    rustix::mount::mount_bind(&source, &source).unwrap();
    let shared = Shared(source.clone());
    rustix::mount::mount_change(&source, rustix::mount::MountPropagationFlags::SHARED).unwrap();
    let before = leftover::mounts(scratch.tag()).len();
    let lazaret = Lazaret::new();
    for option in ["rshared", "shared", "rslave"] {
        let bundle = Bundle::shell("echo ready; exec sleep 1000")
            .mount(json!({"type": "bind", "source": source, "destination": "/mnt", "options": ["rbind", option]}))
            .mount(json!({"type": "tmpfs", "source": "t", "destination": "/mnt/below", "options": ["nosuid"]}))
            .edit(|config| config["linux"]["rootfsPropagation"] = json!("private"));
        let created = lazaret.create(&bundle);
        assert_eq!(
            leftover::mounts(scratch.tag()).len(),
            before,
            "{option}: a mount appeared on the host: {created:?}"
        );
        lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
        assert_eq!(leftover::mounts(scratch.tag()).len(), before, "{option}: delete changed the host's mounts");
    }
    drop(shared);
}

/// tmpcopyup reads what is at the destination: a link of the image must not make that the host's.
#[test]
#[ignore = "needs root: mounts"]
fn copying_up_through_a_link_stays_inside() {
    let canary = CanaryFile::new();
    let bundle = Bundle::shell("cat /link/canary /tmp/canary 2>/dev/null; true")
        .writable()
        .mount(json!({"type": "tmpfs", "source": "t", "destination": "/link", "options": ["tmpcopyup", "nosuid"]}));
    std::os::unix::fs::symlink(canary.path.parent().unwrap(), bundle.rootfs().join("link")).unwrap();
    let outcome = Lazaret::new().run(&bundle);
    assert!(!outcome.stdout.contains(&canary.token), "{outcome:?}");
}

/// A cgroup path is a path below the hierarchy, whatever dots are in it.
#[test]
#[ignore = "needs root: cgroups"]
fn a_cgroup_path_does_not_leave_the_hierarchy() {
    let scratch = Scratch::new();
    let lazaret = Lazaret::new();
    let climb = format!("../../../../../../..{}/made", scratch.path().display());
    for path in [climb.as_str(), &format!("/x/{climb}"), "/", "", "..", "/.."] {
        let bundle = Bundle::shell("cat /proc/self/cgroup").edit(|config| config["linux"]["cgroupsPath"] = json!(path));
        let outcome = lazaret.run(&bundle);
        assert!(!scratch.join("made").exists(), "{path:?} made a directory outside: {outcome:?}");
        if outcome.status == 0 {
            // The cgroup namespace shows every cgroup as the root; the host is the witness elsewhere.
            assert!(outcome.stdout.lines().all(|line| !line.contains("..")), "{path:?}: {outcome:?}");
        }
    }
}

/// With its cgroups mounted writable, a container must not lift its own limits.
#[test]
#[ignore = "needs root: cgroups, runc"]
fn a_container_cannot_lift_its_own_limits() {
    let make = |path: &str| {
        Bundle::attacker(&["open-write", path]).lax_but_admissible().edit(|config| {
            for mount in config["mounts"].as_array_mut().unwrap() {
                if mount["destination"] == "/sys/fs/cgroup" {
                    mount["options"] = json!(["nosuid", "noexec", "nodev", "rw"]);
                }
            }
            config["linux"]["resources"]["pids"] = json!({"limit": 100});
        })
    };
    // On v2 the cgroup is the container's to divide (`cgroup.procs` opens); the files of its own limits are not.
    let v1 = [
        "/sys/fs/cgroup/pids/pids.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/devices/devices.allow",
        "/sys/fs/cgroup/pids/release_agent",
        "/sys/fs/cgroup/pids/cgroup.procs",
    ];
    let v2 = ["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cgroup.max.descendants"];
    let is_v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    for path in if is_v2 { v2.as_slice() } else { v1.as_slice() } {
        if !path.ends_with("release_agent") {
            assert!(verdict::of(&runc::run(&make(path))).ok, "the positive control failed: {path}");
        }
        let verdict = verdict::of(&Lazaret::new().run(&make(path)));
        assert!(!verdict.ok, "{verdict:?}");
    }
}

/// A sysfs that the bundle mounts writable shows no knob that opens.
#[test]
#[ignore = "needs root: namespaces"]
fn a_writable_sysfs_has_no_writable_knob() {
    let bundle = Bundle::attacker(&["writable-sysctl"]).lax_but_admissible().edit(|config| {
        for mount in config["mounts"].as_array_mut().unwrap() {
            if mount["destination"] == "/sys" {
                mount["options"] = json!(["nosuid", "noexec", "nodev", "rw"]);
            }
        }
    });
    let verdict = verdict::of(&Lazaret::new().run(&bundle));
    let open: Vec<&str> = verdict.evidence.split_whitespace().filter(|path| path.starts_with("/sys")).collect();
    assert!(open.is_empty(), "{open:?}");
}

/// A profile with a listener of its own would hand the container's calls to whoever has the socket.
#[test]
#[ignore = "needs root: seccomp"]
fn a_listener_of_the_bundle_is_refused() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/x.sock",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]
    });
    refused(&Bundle::new().edit(|config| config["linux"]["seccomp"] = profile), &["seccomp"]);
}

/// The state of a container is root's alone: the directory, the record, the socket.
#[test]
#[ignore = "needs root: namespaces"]
fn the_state_is_roots_alone() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    let running = lazaret.launch(&bundle);
    let directory = lazaret.root().join(running.id());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode();
    assert_eq!(mode(&directory) & 0o077, 0, "others can look into {}", directory.display());
    for entry in std::fs::read_dir(&directory).unwrap().flatten() {
        assert_eq!(mode(&entry.path()) & 0o022, 0, "others can write {}", entry.path().display());
        assert_eq!(std::fs::metadata(entry.path()).unwrap().uid(), 0);
    }
    running.delete();
}
