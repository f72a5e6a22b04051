//! Doors to the host from inside a running container: files by handle, devices, links of /proc, sockets, keys, knobs.

use std::os::fd::AsFd as _;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::{Bystander, CanaryFile, Disk, Server, token};
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome::{self, Outcome};
use lazaret_tests::scratch::Scratch;
use lazaret_tests::verdict::{self, Verdict};
use lazaret_tests::{programs, runc};

/// The attack in sandbox mode, with the default configuration and with every capability that is admitted.
#[track_caller]
fn fails_in_the_sandbox(attack: &[&str]) -> Vec<Verdict> {
    let lazaret = Lazaret::new();
    let bundles = [Bundle::attacker(attack), Bundle::attacker(attack).lax_but_admissible()];
    bundles
        .iter()
        .map(|bundle| {
            let verdict = verdict::of(&lazaret.run(bundle));
            assert!(!verdict.ok, "the attack succeeded: {verdict:?}");
            verdict
        })
        .collect()
}

#[track_caller]
fn succeeds_under_runc(bundle: &Bundle) {
    let control = verdict::of(&runc::run(bundle));
    assert!(control.ok, "the positive control failed: {control:?}");
}

/// The attacker run on the host itself.
fn on_the_host(arguments: &[&str]) -> Outcome {
    outcome::run(std::process::Command::new(programs::attacker()).args(arguments))
}

/// Row R30, "shocker": a handle is valid on any mount of the file system.
#[test]
#[ignore = "needs root: namespaces, file handles, runc"]
fn a_host_file_by_its_handle_is_out_of_reach() {
    let canary = CanaryFile::new();
    let handle = verdict::of(&on_the_host(&["name-to-handle", &canary.name()]));
    assert!(handle.ok, "{handle:?}");
    let attack = ["open-by-handle", &handle.evidence, &canary.token];
    succeeds_under_runc(&Bundle::attacker(&attack).lax());
    for verdict in fails_in_the_sandbox(&attack) {
        assert_eq!(verdict.errno, libc::EPERM, "{verdict:?}");
    }
    for verdict in fails_in_the_sandbox(&["name-to-handle", "/etc/hostname"]) {
        assert_eq!(verdict.errno, libc::EPERM, "{verdict:?}");
    }
}

/// Rows R31, C08: a node of the host's disk.
#[test]
#[ignore = "needs root: namespaces, loop devices, runc"]
fn a_disk_of_the_host_cannot_be_made_and_not_be_opened() {
    let disk = Disk::new();
    let (major, minor) = (disk.device.0.to_string(), disk.device.1.to_string());
    for act in ["device", "device-mknodat"] {
        let attack = [act, "b", &major, &minor, &disk.token];
        succeeds_under_runc(&Bundle::attacker(&attack).lax());
        fails_in_the_sandbox(&attack);
    }
    assert!(verdict::of(&Lazaret::new().run(&Bundle::attacker(&["honest-fifo-node"]))).ok);
    assert!(verdict::of(&Lazaret::new().run(&Bundle::attacker(&["honest-devices"]))).ok);
}

/// A node that is in the image already: no mknod is needed, and the open must fail all the same (nodev everywhere).
#[test]
#[ignore = "needs root: namespaces, loop devices, runc"]
fn a_disk_node_in_the_image_opens_nothing() {
    let disk = Disk::new();
    let attack = ["read-token", "/disk", &disk.token];
    let with_node = |bundle: Bundle| {
        let number = rustix::fs::makedev(disk.device.0, disk.device.1);
        let path = bundle.rootfs().join("disk");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path,
            rustix::fs::FileType::BlockDevice,
            rustix::fs::Mode::from_raw_mode(0o666),
            number,
        )
        .unwrap();
        bundle
    };
    // A token is text at the start of a disk full of zeros: still UTF-8.
    succeeds_under_runc(&with_node(Bundle::attacker(&attack).lax()));
    let lazaret = Lazaret::new();
    for bundle in [Bundle::attacker(&attack), Bundle::attacker(&attack).lax_but_admissible()] {
        let verdict = verdict::of(&lazaret.run(&with_node(bundle)));
        assert!(!verdict.ok && [libc::EACCES, libc::EPERM].contains(&verdict.errno), "{verdict:?}");
    }
}

/// Rows R16, R28: root, cwd and descriptors of processes outside.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn no_door_of_proc_leads_outside() {
    let canary = CanaryFile::new();
    let attack = ["proc-doors", &canary.name(), &canary.token];
    succeeds_under_runc(&Bundle::attacker(&attack).lax().without_namespace("pid"));
    fails_in_the_sandbox(&attack);
}

/// Row V01, CVE-2019-5736: a program outside is overwritten through /proc/PID/exe.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn no_program_outside_can_be_overwritten() {
    let (directory, mark) = (Scratch::new(), token());
    let mut victim = Bystander::new(&directory);
    let attack = ["proc-exe", &mark];
    succeeds_under_runc(&Bundle::attacker(&attack).lax().without_namespace("pid"));
    assert_eq!(std::fs::read_to_string(directory.join("victim")).unwrap(), mark, "the control's effect");
    assert!(!victim.lives());
    let before = std::fs::read(programs::lazaret()).unwrap();
    fails_in_the_sandbox(&attack);
    assert!(std::fs::read(programs::lazaret()).unwrap() == before, "the runtime's program was changed");
}

/// A process outside cannot be signalled by its pid.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn no_process_outside_can_be_signalled() {
    let directory = Scratch::new();
    let mut victim = Bystander::new(&directory);
    let pid = victim.pid().to_string();
    fails_in_the_sandbox(&["kill-outside", &pid]);
    assert!(victim.lives());
    succeeds_under_runc(&Bundle::attacker(&["kill-outside", &pid]).lax().without_namespace("pid"));
}

/// Row R40, CVE-2020-15257.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn an_abstract_socket_of_the_host_is_out_of_reach() {
    let name = lazaret_tests::scratch::tag();
    let server = Server::on_abstract_name(&name);
    let attack = ["connect-abstract", &name, &server.token];
    succeeds_under_runc(&Bundle::attacker(&attack).lax().without_namespace("network"));
    fails_in_the_sandbox(&attack);
    assert!(verdict::of(&Lazaret::new().run(&Bundle::attacker(&["honest-unix-socket"]))).ok);
}

/// Row R24: a key that was added on the host. Keyrings belong to a user and not to a container.
#[test]
#[ignore = "needs root: namespaces, keyrings, runc"]
fn a_key_of_the_host_is_out_of_reach() {
    struct Key(String);
    impl Drop for Key {
        fn drop(&mut self) {
            drop(on_the_host(&["drop-key", &self.0]));
        }
    }
    let (name, token) = (lazaret_tests::scratch::tag(), token());
    assert!(verdict::of(&on_the_host(&["add-key", &name, &token])).ok);
    let key = Key(name);
    succeeds_under_runc(&Bundle::attacker(&["read-key", &key.0, &token]).lax());
    succeeds_under_runc(&Bundle::attacker(&["request-key", &key.0]).lax());
    fails_in_the_sandbox(&["read-key", &key.0, &token]);
    fails_in_the_sandbox(&["request-key", &key.0]);
}

/// The oldest escape, by chroot: the control is a container that is nothing but a chroot.
#[test]
#[ignore = "needs root: namespaces"]
fn climbing_out_of_a_chroot_leads_nowhere() {
    let canary = CanaryFile::new();
    let attack = ["chroot-escape", &canary.name(), &canary.token];
    let bundle = Bundle::attacker(&attack);
    let mut weak = std::process::Command::new(programs::installed("chroot"));
    let control = verdict::of(&outcome::run(weak.arg(bundle.rootfs()).arg("/attacker").args(attack)));
    assert!(control.ok, "the positive control failed: {control:?}");
    fails_in_the_sandbox(&attack);
    assert!(verdict::of(&Lazaret::new().run(&Bundle::attacker(&["honest-chroot"]).lax_but_admissible())).ok);
}

/// Row R18: opened and never written.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn core_pattern_does_not_open_for_writing() {
    let attack = ["open-write", "/proc/sys/kernel/core_pattern"];
    succeeds_under_runc(&Bundle::attacker(&attack).lax());
    fails_in_the_sandbox(&attack);
}

/// Opened and never written. Kernels without the magic key have no such file: then there is nothing to control.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn the_magic_key_does_not_open_for_writing() {
    let attack = ["open-write", "/proc/sysrq-trigger"];
    if std::path::Path::new("/proc/sysrq-trigger").exists() {
        succeeds_under_runc(&Bundle::attacker(&attack).lax());
    }
    fails_in_the_sandbox(&attack);
}

/// Every knob below /proc/sys and /sys, not only the famous ones.
#[test]
#[ignore = "needs root: namespaces, runc"]
fn no_knob_of_the_host_opens_for_writing() {
    let attack = ["writable-sysctl"];
    succeeds_under_runc(&Bundle::attacker(&attack).lax());
    let verdict = verdict::of(&Lazaret::new().run(&Bundle::attacker(&attack)));
    assert!(!verdict.ok, "{verdict:?}");
    let verdict = verdict::of(&Lazaret::new().run(&Bundle::attacker(&attack).lax_but_admissible()));
    // With a writable /proc/sys, the knobs of the container's own namespaces open; the host's must not.
    let own = ["domainname", "hostname", "msg", "sem", "shm", "ns_last_pid", "cap_last_cap", "auto_msgmni", "pid_max"];
    let foreign: Vec<&str> = verdict
        .evidence
        .split_whitespace()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            path.starts_with("/sys") || !(path.contains("/mqueue/") || own.iter().any(|own| name.starts_with(own)))
        })
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// CVE-2024-21626: descriptors that leak into the container, of the runtime and of its caller.
#[test]
#[ignore = "needs root: namespaces"]
fn no_descriptor_leaks_in() {
    let canary = CanaryFile::new();
    let lazaret = Lazaret::new();
    for attack in [vec!["inherited-token", &canary.token], vec!["descriptors"]] {
        let control = leaky(std::process::Command::new(programs::attacker()).args(&attack), &canary);
        assert!(verdict::of(&control).ok, "the positive control failed: {control:?}");
        let bundle = Bundle::attacker(&attack);
        bundle.write();
        let path = bundle.path().display().to_string();
        let outcome = leaky(&lazaret.command(&["run", "--bundle", &path, bundle.id()]), &canary);
        let verdict = verdict::of(&outcome);
        assert!(!verdict.ok, "{verdict:?}");
    }
}

/// Runs a command with the canary open as descriptor 7 and the host's root as descriptor 8.
fn leaky(command: &std::process::Command, canary: &CanaryFile) -> Outcome {
    let mut shell = std::process::Command::new(programs::installed("sh"));
    let script = format!("exec 7<{} 8</; exec \"$0\" \"$@\"", canary.name());
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(key, value);
        }
    }
    outcome::run(&mut shell)
}

/// CVE-2024-21626's other half: a working directory behind a leaked descriptor.
#[test]
#[ignore = "needs root: namespaces"]
fn a_working_directory_behind_a_descriptor_stays_inside() {
    let canary = CanaryFile::new();
    let lazaret = Lazaret::new();
    for fd in 3..12 {
        let line = format!("cat ../../../../..{} 2>/dev/null; cat .{} 2>/dev/null; true", canary.name(), canary.name());
        let bundle =
            Bundle::shell(&line).edit(|config| config["process"]["cwd"] = format!("/proc/self/fd/{fd}").into());
        bundle.write();
        let path = bundle.path().display().to_string();
        let outcome = leaky(&lazaret.command(&["run", "--bundle", &path, bundle.id()]), &canary);
        assert!(!outcome.stdout.contains(&canary.token), "descriptor {fd}: {outcome:?}");
        lazaret.nothing_left(bundle.id());
    }
}

/// Row L04: neither the environment of the caller nor that of the runtime is seen from inside.
#[test]
#[ignore = "needs root: namespaces"]
fn the_callers_environment_stays_outside() {
    let token = token();
    let lazaret = Lazaret::new();
    for attack in [["proc-environ", token.as_str()], ["proc-mem", token.as_str()]] {
        let bundle = Bundle::attacker(&attack).lax_but_admissible();
        bundle.write();
        let path = bundle.path().display().to_string();
        let mut command = lazaret.command(&["run", "--bundle", &path, bundle.id()]);
        let verdict = verdict::of(&outcome::run(command.env("SECRET_OF_THE_CALLER", &token)));
        assert!(!verdict.ok, "{verdict:?}");
    }
    let mut control = std::process::Command::new(programs::attacker());
    let control =
        verdict::of(&outcome::run(control.args(["proc-environ", &token]).env("SECRET_OF_THE_CALLER", &token)));
    assert!(control.ok, "the positive control failed: {control:?}");
}

/// A directory descriptor of the host that is handed over as standard input still shows what is below it: the caller
/// decides that. But it must not lead further up than the caller's own descriptor does under runc.
#[test]
#[ignore = "needs root: namespaces"]
fn standard_streams_are_passed_as_they_are() {
    let canary = CanaryFile::new();
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("cat");
    bundle.write();
    let path = bundle.path().display().to_string();
    let file = std::fs::File::open(&canary.path).unwrap();
    let mut command = lazaret.command(&["run", "--bundle", &path, bundle.id()]);
    let outcome = outcome::run_with_input(command.stdin(file.as_fd().try_clone_to_owned().unwrap())).expect(0);
    assert_eq!(outcome.stdout, canary.token);
}
