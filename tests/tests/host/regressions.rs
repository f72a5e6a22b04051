//! Doors that were found open once: each test failed before its fix.

use std::fs::File;

use lazaret_tests::bundle::{Bundle, make_rootfs};
use lazaret_tests::canary::token;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{leftover, outcome, programs, verdict};
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use serde_json::json;

/// A bind mount that is taken away again, also after a panic.
struct Bound(std::path::PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, UnmountFlags::DETACH).unwrap();
    }
}

/// On a systemd host every path lies on a shared mount. A clone of one stays in its peer group, so the container's own
/// mounts appeared on the host, and pivot_root(2) refused its root.
#[test]
#[ignore = "needs root: mounts"]
fn a_root_on_a_shared_mount_starts_and_shows_nothing_to_the_host() {
    let scratch = Scratch::new();
    let shared = scratch.join("shared");
    std::fs::create_dir_all(shared.join("rootfs")).unwrap();
    rustix::mount::mount_bind(&shared, &shared).unwrap();
    let bound = Bound(shared.clone());
    rustix::mount::mount_change(&shared, MountPropagationFlags::SHARED).unwrap();
    make_rootfs(&shared.join("rootfs"));
    let before = leftover::mounts(scratch.tag()).len();
    let bundle = Bundle::shell("grep -c . /proc/self/mountinfo; sleep 1000")
        .edit(|config| config["root"]["path"] = json!(shared.join("rootfs")));
    let lazaret = Lazaret::new();
    let running = lazaret.launch(&bundle);
    assert_eq!(leftover::mounts(scratch.tag()).len(), before, "mounts of the container appeared on the host");
    running.delete();
    assert_eq!(leftover::mounts(scratch.tag()).len(), before);
    drop(bound);
}

/// The class of CVE-2024-21626: a program is looked up while descriptors of the host are still open.
#[test]
#[ignore = "needs root: namespaces"]
fn a_program_behind_a_descriptor_is_not_one_of_the_hosts() {
    let scratch = Scratch::new();
    let secret = token();
    let program = scratch.join("echo");
    std::fs::copy("/usr/bin/busybox", &program).unwrap();
    let path = |fd: u32| format!("/proc/self/fd/{fd}/../../../../../../../..{}", program.display());
    // The control: with a descriptor of the host's tree open, that path is the host's program.
    let open = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("exec 9</; exec {} {secret}", path(9))])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&open.stdout).contains(&secret), "the control failed: {open:?}");
    let lazaret = Lazaret::new();
    for fd in 3..32 {
        let outcome = lazaret.run(&Bundle::new().args(&[&path(fd), &secret]));
        assert!(!outcome.stdout.contains(&secret), "descriptor {fd} led to the host: {outcome:?}");
    }
}

/// A directory as standard input is a way to every path of the host.
#[test]
#[ignore = "needs root: namespaces"]
fn a_directory_is_no_standard_stream() {
    let lazaret = Lazaret::new();
    let mut command = lazaret.command(&["do", "--", "cat", "/proc/self/fd/0/etc/hostname"]);
    let output = command.stdin(File::open("/").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("lazaret-1008"), "{output:?}");
}

/// Per-user pools of the kernel are charged to the owner of a user namespace; made by root, every container used up root's.
#[test]
#[ignore = "needs root: user namespaces"]
fn inotify_instances_of_a_container_are_not_the_hosts() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::attacker(&["inotify-pool"]).edit(|config| {
        config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 4096, "hard": 4096}]);
    });
    let running = lazaret.launch(&bundle);
    running.says("exhausted after");
    let host = outcome::run(std::process::Command::new(programs::attacker()).arg("honest-inotify"));
    assert!(verdict::of(&host).ok, "the host's root has no inotify instance left: {host:?}");
    let neighbour = verdict::of(&lazaret.run(&Bundle::attacker(&["honest-inotify"])));
    assert!(neighbour.ok, "a neighbour has no inotify instance left: {neighbour:?}");
    running.delete();
}
