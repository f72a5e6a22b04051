//! Native mode does what the bundle says, as runc would: each of these bundles runs under other runtimes, and comes from
//! what their conformance suites and real engines ask for.

use std::os::linux::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::token;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{deadline, leftover};
use serde_json::{Value, json};

fn native() -> Lazaret {
    Lazaret::with_options(&["--mode", "native"])
}

/// A process in namespaces of its own, for others to join; ended when it goes out of scope.
struct Holder(Child);

impl Holder {
    /// `unshare OPTION sleep`, once it is there.
    fn new(option: &str, name: &str) -> Self {
        let child = Command::new("unshare").args([option, "sleep", "1000"]).stdin(Stdio::null()).spawn().unwrap();
        let holder = Self(child);
        let own = inode("/proc/self/ns", name);
        deadline::until("the namespace is made", || inode(&holder.directory(), name) != own);
        holder
    }

    fn directory(&self) -> String {
        format!("/proc/{}/ns", self.0.id())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn inode(directory: &str, name: &str) -> u64 {
    std::fs::metadata(Path::new(directory).join(name)).unwrap().st_ino()
}

/// Sets the path of one namespace, added if the bundle does not list it.
fn join(config: &mut Value, kind: &str, path: &str) {
    let list = config["linux"]["namespaces"].as_array_mut().unwrap();
    list.retain(|entry| entry["type"] != kind);
    list.push(json!({"type": kind, "path": path}));
}

/// A profile need not allow what lazaret does until the workload is executed.
#[test]
#[ignore = "needs root: seccomp"]
fn a_profile_without_the_calls_of_the_set_up_holds_for_the_workload_alone() {
    let refused = ["faccessat2", "statx", "newfstatat", "accept4", "recvmsg", "setresuid", "setgroups", "close_range"];
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    });
    for no_new_privileges in [false, true] {
        let bundle = Bundle::shell("grep -E '^(Seccomp|CapPrm|CapEff|NoNewPrivs):' /proc/self/status; stat /bin").edit(
            |config| {
                config["linux"]["seccomp"] = profile.clone();
                config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            },
        );
        let lazaret = native();
        let outcome = lazaret.run(&bundle).expect(1);
        let field = |name: &str| outcome.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        assert_eq!(field("Seccomp:"), "2");
        assert_eq!(field("NoNewPrivs:"), if no_new_privileges { "1" } else { "0" });
        // CAP_SYS_ADMIN, which the filter needed, is gone.
        assert_eq!(u64::from_str_radix(field("CapPrm:"), 16).unwrap() & (1 << 21), 0);
        assert_eq!(field("CapPrm:"), field("CapEff:"));
        assert!(outcome.stderr.contains("can't stat"), "the profile does not hold: {}", outcome.stderr);
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn mount_and_cgroup_namespaces_are_joined_by_path() {
    for (option, kind, name) in [("--mount", "mount", "mnt"), ("--cgroup", "cgroup", "cgroup")] {
        let holder = Holder::new(option, name);
        let path = format!("{}/{name}", holder.directory());
        let bundle = Bundle::shell("sleep 1000").edit(|config| join(config, kind, &path));
        let lazaret = native();
        let running = lazaret.launch(&bundle);
        assert_eq!(inode(&format!("/proc/{}/ns", running.pid()), name), inode(&holder.directory(), name), "{kind}");
        running.delete();
    }
}

/// setns(2) joins whatever namespace a descriptor is, so an entry that lies about its kind must not get there: the host's
/// network listed as an ipc namespace, in any mode.
#[test]
#[ignore = "needs root: namespaces"]
fn a_namespace_of_another_kind_than_listed_is_refused() {
    let holder = Holder::new("--ipc", "ipc");
    for options in [&["--mode", "native"][..], &[]] {
        let refused = |path: &str| {
            let bundle = Bundle::new().edit(|config| join(config, "ipc", path));
            let lazaret = Lazaret::with_options(options);
            lazaret.run(&bundle).expect(125).explains(&["error[lazaret-1462]", path, "ipc namespace"]);
        };
        for other in ["net", "mnt", "user", "pid"] {
            refused(&format!("/proc/self/ns/{other}"));
        }
    }
    // The honest neighbour.
    let path = format!("{}/ipc", holder.directory());
    let bundle = Bundle::new().edit(|config| join(config, "ipc", &path));
    let lazaret = native();
    lazaret.run(&bundle).expect(0).succeeds();
}

/// A bundle that lists no mount namespace gets the runtime's: the root is mounted in its place on the host, and only that
/// mount is taken away again.
#[test]
#[ignore = "needs root: mounts"]
fn without_a_mount_namespace_the_root_is_mounted_on_the_host_and_taken_away_again() {
    let secret = token();
    let bundle = Bundle::shell("cat /below; ls /tmp/..; sleep 1000").without_namespace("mount").edit(|config| {
        config["linux"]["maskedPaths"] = json!([]);
        config["linux"]["readonlyPaths"] = json!([]);
    });
    std::fs::write(bundle.rootfs().join("below"), &secret).unwrap();
    rustix::mount::mount_bind(bundle.rootfs(), bundle.rootfs()).unwrap();
    let before = leftover::mounts(bundle.id());
    assert_eq!(before.len(), 1);
    let lazaret = native();
    let running = lazaret.launch(&bundle);
    assert_eq!(inode(&format!("/proc/{}/ns", running.pid()), "mnt"), inode("/proc/self/ns", "mnt"));
    running.says(&secret);
    running.says("below");
    assert!(leftover::mounts(bundle.id()).len() > before.len());
    drop(running);
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
    assert_eq!(leftover::mounts(bundle.id()), before);
    // A launch that fails takes it away, too.
    let bundle = bundle.args(&["/none"]);
    lazaret.create(&bundle).expect(127).explains(&["/none"]);
    assert_eq!(leftover::mounts(bundle.id()), before);
    rustix::mount::unmount(bundle.rootfs(), rustix::mount::UnmountFlags::DETACH).unwrap();
    lazaret.nothing_left(bundle.id());
}

/// Callers delete a container that they have created and never started; containerd's runc shim does so without force.
#[test]
#[ignore = "needs root: namespaces"]
fn a_container_that_was_never_started_is_deleted_without_force() {
    for options in [&["--mode", "native"][..], &[]] {
        let lazaret = Lazaret::with_options(options);
        let bundle = Bundle::shell("sleep 1000");
        bundle.write();
        let path = bundle.path().display().to_string();
        let mut create = lazaret.command(&["create", "--bundle", &path, bundle.id()]);
        let created = create.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(created.success());
        assert_eq!(lazaret.state(bundle.id())["status"], "created");
        lazaret.verb(&["delete", bundle.id()]).succeeds();
        lazaret.nothing_left(bundle.id());
    }
}

/// An image that has a link where procfs belongs (CVE-2023-27561): other paths below `/proc` would be masked than used.
#[test]
#[ignore = "needs root: mounts"]
fn procfs_and_sysfs_are_not_mounted_through_a_link_of_the_image() {
    for options in [&["--mode", "native"][..], &[]] {
        for name in ["proc", "sys"] {
            let bundle = Bundle::new();
            let place = bundle.rootfs().join(name);
            if place.exists() {
                std::fs::remove_dir(&place).unwrap();
            }
            std::fs::create_dir(bundle.rootfs().join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("/elsewhere", &place).unwrap();
            let lazaret = Lazaret::with_options(options);
            lazaret.run(&bundle).expect(125).explains(&["must be mounted on ordinary directory", &format!("/{name}")]);
        }
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_hook_inside_the_container_has_the_workloads_environment_unless_it_names_its_own() {
    let hook = |line: &str, env: Option<&str>| {
        let mut hook = json!({"path": "/bin/sh", "args": ["sh", "-c", line]});
        if let Some(env) = env {
            hook["env"] = json!([env]);
        }
        json!({"startContainer": [hook]})
    };
    for (line, env, works) in [
        ("test \"$ONE\" = 1", None, true),
        ("test -z \"$ONE\" -a \"$TWO\" = 2", Some("TWO=2"), true),
        ("test \"$ONE\" = 1", Some("TWO=2"), false),
    ] {
        let bundle = Bundle::shell("exit 7").edit(|config| {
            config["process"]["env"].as_array_mut().unwrap().push(json!("ONE=1"));
            config["hooks"] = hook(line, env);
        });
        let status = native().run(&bundle).status;
        assert_eq!(status == 7, works, "{line} with {env:?}: {status}");
    }
}

/// The clocks of a container hold for those that join it, too.
#[test]
#[ignore = "needs root: namespaces"]
fn a_process_that_joins_has_the_containers_clocks() {
    let bundle = Bundle::shell("sleep 1000").edit(|config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "time"}));
        config["linux"]["timeOffsets"] = json!({"boottime": {"secs": 1337}, "monotonic": {"secs": 7881}});
    });
    for options in [&["--mode", "native"][..], &[]] {
        let lazaret = Lazaret::with_options(options);
        let running = lazaret.launch(&bundle);
        let joined = lazaret.verb(&["exec", bundle.id(), "cat", "/proc/self/timens_offsets"]).expect(0);
        for offset in ["1337", "7881"] {
            assert!(joined.stdout.contains(offset), "{}", joined.stdout);
        }
        running.delete();
    }
}
