//! What the sandbox is, seen from inside and from the host: namespaces, ids, rights, filter, Landlock, file owners.

use std::os::unix::fs::MetadataExt as _;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{runc, verdict};
use serde_json::json;

const KINDS: [&str; 7] = ["user", "pid", "mnt", "net", "uts", "ipc", "cgroup"];

/// A field of a process's status, as the host sees it.
fn status_of(pid: i32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn all_seven_namespaces_are_its_own() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo ready; exec sleep 1000");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    for kind in KINDS {
        let inside = std::fs::read_link(format!("/proc/{}/ns/{kind}", running.pid())).unwrap();
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(inside, host, "the {kind} namespace is the host's");
    }
    running.delete();
}

/// The host is the witness: whatever the container says it is, no process of it has a host id or a host capability.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn root_inside_is_nobody_outside() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("id -u; echo ready; exec sleep 1000").lax_but_admissible();
    let running = lazaret.launch(&bundle);
    running.says("0\nready");
    let pid = running.pid();
    let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    for (line, file) in map.lines().map(|line| (line, "uid_map")) {
        let ids: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(ids[1] >= 65536, "{file} reaches host ids of the system: {line}");
    }
    for (field, name) in [("Uid", "user"), ("Gid", "group")] {
        let ids = status_of(pid, field);
        assert!(
            ids.split_whitespace().all(|id| id.parse::<u64>().unwrap() >= 65536),
            "host {name} of the workload: {ids}"
        );
    }
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn two_sandboxes_share_no_host_id() {
    let lazaret = Lazaret::new();
    let (first, second) = (Bundle::shell("exec sleep 1000"), Bundle::shell("exec sleep 1000"));
    let (one, two) = (lazaret.launch(&first), lazaret.launch(&second));
    let range = |pid: i32| -> (u64, u64) {
        let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
        let ids: Vec<u64> = map.split_whitespace().map(|word| word.parse().unwrap()).collect();
        (ids[1], ids[1] + ids[2])
    };
    let ((a, a_end), (b, b_end)) = (range(one.pid()), range(two.pid()));
    assert!(a_end <= b || b_end <= a, "the id ranges overlap: {a}..{a_end} and {b}..{b_end}");
    one.delete();
    two.delete();
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn rights_are_those_of_the_configuration_and_no_more() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo ready; exec sleep 1000");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let pid = running.pid();
    // CAP_AUDIT_WRITE, CAP_KILL, CAP_NET_BIND_SERVICE, as the default configuration has them.
    let expected = format!("{:016x}", (1_u64 << 29) | (1 << 5) | (1 << 10));
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(status_of(pid, set), expected, "{set}");
    }
    assert_eq!(status_of(pid, "NoNewPrivs"), "1");
    assert_eq!(status_of(pid, "Seccomp"), "2");
    running.delete();
}

/// Row C16: a bundle without a profile, and one whose profile allows everything, get lazaret's filter all the same.
#[test]
#[ignore = "needs root: namespaces, seccomp, runc"]
fn the_filter_is_not_optional() {
    let lazaret = Lazaret::new();
    let unconfined = || Bundle::attacker(&["io-uring"]).lax_but_admissible();
    assert!(verdict::of(&runc::run(&unconfined())).ok, "the positive control failed");
    let allow_all = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]});
    for bundle in [unconfined(), unconfined().edit(|config| config["linux"]["seccomp"] = allow_all)] {
        let verdict = verdict::of(&lazaret.run(&bundle));
        assert!(!verdict.ok, "{verdict:?}");
    }
}

/// The pod's own profile is intersected with lazaret's: what it refuses is refused too.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn the_profile_of_the_bundle_holds_as_well() {
    let rule = json!({"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95});
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [rule]});
    let bundle = Bundle::shell("chmod 600 /tmp || echo refused").edit(|config| config["linux"]["seccomp"] = profile);
    let outcome = Lazaret::new().run(&bundle).expect(0);
    assert_eq!(outcome.stdout, "refused\n", "{outcome:?}");
    assert!(outcome.stderr.contains("not supported"), "EOPNOTSUPP is what the profile says: {outcome:?}");
}

/// The filter lets mknod of an overlay whiteout pass and no capability is needed for it: only Landlock refuses it.
#[test]
#[ignore = "needs root: namespaces, Landlock, runc"]
fn landlock_is_on() {
    let attack = ["device", "c", "0", "0", "token"];
    let control = verdict::of(&runc::run(&Bundle::attacker(&attack).lax()));
    assert_eq!(control.step, "open device", "the positive control failed, no node was made: {control:?}");
    let verdict = verdict::of(&Lazaret::new().run(&Bundle::attacker(&attack)));
    assert_eq!((verdict.step.as_str(), verdict.errno), ("mknod", libc::EACCES), "{verdict:?}");
}

#[test]
#[ignore = "needs root: namespaces, id-mapped mounts"]
fn no_file_on_the_host_changes_its_owner() {
    let bundle = Bundle::shell(
        "id -u; stat -c %u:%g /etc/passwd; echo x > /new; chown 1000:1001 /new; echo y > /root/mine; mkdir /made",
    )
    .edit(|config| {
        let all = json!(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]);
        config["process"]["capabilities"] = json!({"bounding": all, "effective": all, "permitted": all});
    })
    .writable();
    let outcome = Lazaret::new().run(&bundle).expect(0);
    assert_eq!(outcome.stdout, "0\n0:0\n", "files of root are root's inside: {outcome:?}");
    let owner = |path: &str| {
        let seen = std::fs::symlink_metadata(bundle.rootfs().join(path)).unwrap();
        (seen.uid(), seen.gid())
    };
    assert_eq!(owner("new"), (1000, 1001), "what is chowned to 1000 inside is 1000's on disk");
    for path in ["root/mine", "made", "etc/passwd", "bin/busybox", "bin/sh", ""] {
        assert_eq!(owner(path), (0, 0), "the owner of {path:?}");
    }
}

#[test]
#[ignore = "needs root: namespaces, id-mapped mounts"]
fn a_bound_directory_keeps_its_owners() {
    let data = lazaret_tests::scratch::Scratch::new();
    std::fs::write(data.join("users"), "x").unwrap();
    std::os::unix::fs::chown(data.join("users"), Some(1000), Some(1000)).unwrap();
    let bundle = Bundle::shell("stat -c %u:%g /mnt/users; echo z > /mnt/by-root").bind(data.path(), "/mnt");
    let outcome = Lazaret::new().run(&bundle).expect(0);
    assert_eq!(outcome.stdout, "1000:1000\n");
    let seen = |name: &str| std::fs::metadata(data.join(name)).unwrap().uid();
    assert_eq!((seen("users"), seen("by-root")), (1000, 0));
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_read_only_root_refuses_writes_and_a_writable_one_takes_them() {
    let lazaret = Lazaret::new();
    let line = "echo x > /etc/new && echo written";
    let outcome = lazaret.run(&Bundle::shell(line));
    assert_ne!(outcome.status, 0);
    assert!(outcome.stderr.contains("Read-only file system"), "{outcome:?}");
    assert_eq!(lazaret.run(&Bundle::shell(line).writable()).expect(0).stdout, "written\n");
}

/// Its loopback is up, and nothing else is in its network.
#[test]
#[ignore = "needs root: namespaces"]
fn its_network_is_an_island_with_a_loopback() {
    let outcome = Lazaret::new()
        .run(&Bundle::shell("cat /proc/net/dev | tail -n +3 | tr -d ' ' | cut -d: -f1; ip addr show lo | grep inet"));
    assert!(outcome.stdout.starts_with("lo\n") || outcome.stdout.contains("127.0.0.1"), "{outcome:?}");
}

/// Every kind of honest work that the refusals stand beside, in one place.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn every_honest_act_works() {
    let lazaret = Lazaret::new();
    let list = lazaret_tests::outcome::run(std::process::Command::new(lazaret_tests::programs::attacker()).arg("list"));
    let acts: Vec<&str> = list.stdout.lines().filter(|name| name.starts_with("honest-")).collect();
    assert!(acts.len() >= 25, "{acts:?}");
    let failed: Vec<String> = acts
        .iter()
        .filter_map(|act| {
            let outcome = lazaret.run(&Bundle::attacker(&[act]).lax_but_admissible());
            let verdict = verdict::parse(&outcome.stdout);
            (!verdict.as_ref().is_some_and(|verdict| verdict.ok)).then(|| format!("{act}: {verdict:?} {outcome:?}"))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
