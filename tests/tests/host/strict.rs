//! Strict mode: what it takes away, beside the sandbox that allows it; what ordinary programs keep; and path rules.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::verdict;
use serde_json::json;

fn strict() -> Lazaret {
    Lazaret::with_options(&["--mode", "strict"])
}

/// What sandbox mode allows and strict mode refuses: the act, the errno, and the call that a record names, if any.
const SURFACE: &[(&str, i32, Option<&str>)] = &[
    ("surface-sysv-queue", libc::ENOSYS, Some("msgget")),
    ("surface-posix-queue", libc::ENOSYS, Some("mq_open")),
    ("surface-aio", libc::ENOSYS, Some("io_setup")),
    ("surface-splice", libc::EINVAL, None),
    ("surface-chroot", libc::EPERM, Some("chroot")),
    ("surface-affinity", libc::EPERM, None),
    ("surface-inheriting-futex", libc::ENOSYS, None),
    ("surface-cpu-timer", libc::EINVAL, None),
    ("surface-urgent-data", libc::EOPNOTSUPP, Some("sendto")),
    ("surface-socket-filter", libc::EPERM, Some("setsockopt")),
    ("surface-odd-ioctl", libc::ENOTTY, None),
    ("surface-clock", libc::EPERM, Some("adjtimex")),
    ("honest-shared-memory", libc::ENOSYS, Some("shmget")),
    ("honest-ping", libc::EPROTONOSUPPORT, Some("socket")),
];

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn smaller_table_refuses_what_the_sandbox_allows_and_records_it() {
    for (act, errno, recorded) in SURFACE {
        let bundle = Bundle::attacker(&[act]).lax_but_admissible();
        let allowed = verdict::of(&Lazaret::new().run(&bundle));
        assert!(allowed.ok, "{act} does not work in the sandbox, so its refusal proves nothing: {allowed:?}");
        let lazaret = strict();
        let running = lazaret.launch(&bundle);
        running.wait();
        let refused = verdict::parse(&running.output()).expect("the workload speaks");
        assert!(!refused.ok && refused.errno == *errno, "{act} in strict mode: {refused:?}");
        let is_recorded = recorded.is_none_or(|name| running.witnessed(name));
        assert!(is_recorded, "{act}: no record names {recorded:?}: {:?}", lazaret.audit(bundle.id()));
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn ordinary_programs_work() {
    for act in [
        "honest-files",
        "honest-rename",
        "honest-links",
        "honest-lock",
        "honest-threads",
        "honest-exec",
        "honest-signals",
        "honest-memory",
        "honest-epoll",
        "honest-unix-socket",
        "honest-tcp",
        "honest-udp",
        "honest-route",
        "honest-socket-options",
        "honest-prctl",
        "honest-status",
        "honest-filter",
        "honest-terminal",
        "honest-devices",
        "honest-fifo-node",
    ] {
        let verdict = verdict::of(&strict().run(&Bundle::attacker(&[act])));
        assert!(verdict.ok, "{act}: {verdict:?}");
    }
}

/// A descriptor of the host's that came in by mistake, opened for reading, is opened again for writing: permissions
/// allow it, no rule does.
#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn file_of_the_host_behind_a_descriptor_cannot_be_opened_again() {
    let scratch = Scratch::new();
    let canary = scratch.join("canary");
    let write_through = |lazaret: &Lazaret| {
        std::fs::write(&canary, "whole\n").unwrap();
        std::fs::set_permissions(&canary, std::fs::Permissions::from_mode(0o666)).unwrap();
        let bundle = Bundle::shell("cat <&3; echo spoilt >> /proc/self/fd/3");
        bundle.write();
        let path = bundle.path().display().to_string();
        let run = lazaret.command(&["run", "--preserve-fds", "1", "--bundle", &path, bundle.id()]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec 3<\"$0\"; exec \"$@\""]).arg(&canary).arg(run.get_program()).args(run.get_args());
        shell.env("LAZARET_TEST_ROOT", lazaret.tag());
        let outcome = outcome::run(&mut shell);
        assert!(outcome.stdout.contains("whole"), "the descriptor itself must stay of use: {outcome:?}");
        std::fs::read_to_string(&canary).unwrap()
    };
    assert_eq!(write_through(&Lazaret::new()), "whole\nspoilt\n", "without rules the attack must work");
    assert_eq!(write_through(&strict()), "whole\n");
}

/// Runs a shell line in both modes; the status of its last command.
fn both(bundle: impl Fn() -> Bundle) -> (i32, i32) {
    (Lazaret::new().run(&bundle()).status, strict().run(&bundle()).status)
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn procfs_is_not_written_to() {
    let line = "echo 500 > /proc/self/oom_score_adj";
    assert_eq!(both(|| Bundle::shell(line)), (0, 1));
    assert_eq!(both(|| Bundle::shell("cat /proc/self/oom_score_adj; ls /proc/self /sys")), (0, 0));
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn mounts_have_the_rights_of_their_flags_and_the_root_gets_no_new_names() {
    let work = "mkdir /tmp/d && echo '#!/bin/sh' > /tmp/d/script && chmod +x /tmp/d/script && mv /tmp/d/script /tmp/s && /tmp/s";
    assert_eq!(both(|| Bundle::shell(work)), (0, 0));
    // The device folder has no noexec of its own.
    let device = "echo '#!/bin/sh' > /dev/s && chmod +x /dev/s && /dev/s";
    assert_eq!(both(|| Bundle::shell(device)), (0, 126));
    let root = "echo x > /tmp/x && echo y > /etc/y && mkdir /etc/d && rm /etc/y && echo z > /z";
    let (sandbox, strict) = both(|| Bundle::shell(root).writable());
    assert_eq!((sandbox, strict), (0, 1));
    let known = "echo x > /tmp/x && echo y > /etc/y && mkdir /etc/d && rm /etc/y && mv /tmp/x /etc/x";
    assert_eq!(both(|| Bundle::shell(known).writable()), (0, 0));
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn volume_deep_in_the_tree_is_written_to_by_a_user_who_cannot_see_the_way_as_root() {
    let scratch = Scratch::new();
    let volume = scratch.join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::set_permissions(&volume, std::fs::Permissions::from_mode(0o777)).unwrap();
    let line = "id -u; echo kept > /srv/data/deep/file && cat /srv/data/deep/file";
    let bundle = Bundle::shell(line).bind(&volume, "/srv/data/deep").edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    });
    let outcome = strict().run(&bundle);
    assert_eq!(outcome.succeeds().stdout, "1000\nkept\n");
}

/// A link in the image's root that leads to procfs gives no rule to what it leads to.
#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn link_at_the_top_of_an_image_widens_nothing() {
    let bundle = Bundle::shell("echo 500 > /sneak/self/oom_score_adj");
    std::os::unix::fs::symlink("/proc", bundle.rootfs().join("sneak")).unwrap();
    assert_eq!(strict().run(&bundle).status, 1);
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn command_over_the_hosts_root_works_and_its_streams_may_be_files() {
    let scratch = Scratch::new();
    let output = std::fs::File::create(scratch.join("output")).unwrap();
    output.set_permissions(std::fs::Permissions::from_mode(0o666)).unwrap();
    let lazaret = strict();
    let mut command = lazaret.command(&["do", "--", "sh", "-c", "id -u; echo again > /dev/stdout"]);
    command.stdout(output.try_clone().unwrap());
    let status = command.stdin(std::process::Stdio::null()).status().unwrap();
    (&output).flush().unwrap();
    let text = std::fs::read_to_string(scratch.join("output")).unwrap();
    assert!(status.success() && text.contains("again"), "{status:?}: {text}");
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn state_and_features_say_the_mode() {
    let lazaret = strict();
    let bundle = Bundle::shell("exec sleep 1000");
    let running = lazaret.launch(&bundle);
    let state = lazaret.state(bundle.id());
    assert_eq!(state["annotations"]["dev.lazaret.mode"], "strict", "{state}");
    running.delete();
    let features = lazaret.verb(&["features"]).stdout;
    assert!(features.contains("native,sandbox,strict"), "{features}");
}

/// A further process gets the same walls, table and rules, from the state and not from the caller's options.
#[test]
#[ignore = "needs root: namespaces, seccomp, Landlock"]
fn further_process_is_as_strict_as_the_first() {
    let lazaret = strict();
    let bundle = Bundle::attacker(&["surface-aio"]).args(&["/bin/sh", "-c", "echo ready; exec sleep 1000"]);
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let exec = |words: &[&str]| lazaret.verb(&[&["exec", bundle.id()], words].concat());
    assert_eq!(exec(&["/bin/sh", "-c", "echo 500 > /proc/self/oom_score_adj"]).status, 1);
    exec(&["/bin/sh", "-c", "echo kept > /tmp/kept && cat /tmp/kept"]).succeeds();
    let refused = verdict::of(&exec(&["/attacker", "surface-aio"]));
    assert!(!refused.ok && refused.errno == libc::ENOSYS, "{refused:?}");
    running.delete();
}

#[test]
#[ignore = "needs root: containerd"]
fn a_node_may_be_strict() {
    crate::containerd::is_as_configured("strict", "2", true);
}
