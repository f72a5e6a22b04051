//! Under containerd from the distribution: `ctr run` with output, input, status, and what `ctr task` does.

use std::process::Stdio;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::containerd::{Containerd, RUNTIME};
use lazaret_tests::{deadline, image, leftover, outcome, scratch, verdict};

#[test]
#[ignore = "needs root: containerd"]
fn a_command_runs_with_output_and_status() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    let outcome = containerd.run(&id, &["sh", "-c", "id -u; echo err >&2; exit 7"]);
    assert_eq!(outcome.status, 7, "{outcome:?}\n{}", containerd.log());
    assert_eq!(outcome.stdout, "0\n", "{outcome:?}");
    assert!(outcome.stderr.contains("err"), "{outcome:?}");
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

#[test]
#[ignore = "needs root: containerd"]
fn standard_input_reaches_the_container_and_its_end_too() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    let arguments = ["run", "--rm", "--runtime", RUNTIME, image::NAME, &id, "sh", "-c", "cat; echo end"];
    let mut command = containerd.command(&arguments);
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"line one\nline two\n").unwrap();
    drop(writer);
    let outcome = outcome::run_with_input(command.stdin(reader));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "line one\nline two\nend\n"), "{outcome:?}");
}

/// What runs under containerd is in the sandbox: attacks fail, and honest work does not.
#[test]
#[ignore = "needs root: containerd"]
fn what_runs_is_in_the_sandbox() {
    let containerd = Containerd::start();
    for attack in [vec!["mount-tmpfs"], vec!["unshare", "user"], vec!["io-uring"], vec!["bpf"], vec!["ptrace-child"]] {
        let outcome = containerd.run(&scratch::tag(), &[&["/attacker"], attack.as_slice()].concat());
        assert!(!verdict::of(&outcome).ok, "{outcome:?}");
    }
    for act in ["honest-files", "honest-threads", "honest-exec", "honest-tcp", "honest-devices", "honest-chown"] {
        let outcome = containerd.run(&scratch::tag(), &["/attacker", act]);
        assert!(verdict::of(&outcome).ok, "{outcome:?}");
    }
    let status = containerd.run(&scratch::tag(), &["grep", "Seccomp:", "/proc/self/status"]);
    assert!(status.stdout.contains('2'), "{status:?}");
    let map = containerd.run(&scratch::tag(), &["cat", "/proc/self/uid_map"]);
    let first: Vec<u64> = map.stdout.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(first.get(1).is_some_and(|host| *host >= 65536), "{map:?}");
}

#[test]
#[ignore = "needs root: containerd"]
fn tasks_are_listed_killed_and_removed() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sh", "-c", "sleep 1000 & sleep 1000"]);
    let list = containerd.ctr(&["task", "ls"]).expect(0);
    assert!(list.stdout.lines().any(|line| line.contains(&id) && line.contains("RUNNING")), "{list:?}");
    let pids = containerd.ctr(&["task", "ps", &id]).expect(0);
    assert!(pids.stdout.lines().count() >= 3, "header, shell and child: {pids:?}");
    containerd.ctr(&["task", "kill", "--signal", "KILL", &id]).succeeds();
    deadline::until("the task to stop", || containerd.ctr(&["task", "ls"]).stdout.contains("STOPPED"));
    let removed = containerd.ctr(&["task", "rm", &id]);
    assert!(removed.status == 0 || removed.status == 137, "{removed:?}");
    containerd.ctr(&["container", "rm", &id]).succeeds();
    assert!(!containerd.ctr(&["task", "ls"]).stdout.contains(&id));
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

#[test]
#[ignore = "needs root: containerd"]
fn two_containers_at_once_do_not_see_each_other() {
    let containerd = Containerd::start();
    let (first, second) = (scratch::tag(), scratch::tag());
    containerd.detach(&first, &["sleep", "1000"]);
    containerd.detach(&second, &["sleep", "1000"]);
    let list = containerd.ctr(&["task", "ls"]).expect(0);
    assert_eq!(list.stdout.matches("RUNNING").count(), 2, "{list:?}");
    containerd.ctr(&["task", "kill", "--signal", "KILL", &first]).succeeds();
    deadline::until("the first to stop", || containerd.ctr(&["task", "ls"]).stdout.contains("STOPPED"));
    assert_eq!(containerd.ctr(&["task", "ls"]).stdout.matches("RUNNING").count(), 1, "the second lives on");
    containerd.ctr(&["task", "kill", "--signal", "KILL", &second]).succeeds();
    deadline::until("the second to stop", || containerd.ctr(&["task", "ls"]).stdout.matches("STOPPED").count() == 2);
    for id in [&first, &second] {
        drop(containerd.ctr(&["task", "rm", id]));
        leftover::none(id);
    }
}

/// Events come in the order that the contract demands.
#[test]
#[ignore = "needs root: containerd"]
fn events_come_in_order() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let id = scratch::tag();
    drop(containerd.run(&id, &["true"]));
    let order = listener.until("/tasks/delete", &id);
    assert_eq!(order, ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"], "{}", listener.text());
}

/// So do those of an added process; and the first process, with which it ends, is told last.
#[test]
#[ignore = "needs root: containerd"]
fn events_of_added_processes_come_in_order() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    containerd.ctr(&exec_of(&id, "short", &["true"])).succeeds();
    let exec = ["/tasks/exec-added", "/tasks/exec-started", "/tasks/exit"];
    assert_eq!(listener.until("/tasks/exit", &id), [&["/tasks/create", "/tasks/start"], &exec[..]].concat());
    let mut long = containerd.command(&exec_of(&id, "long", &["sleep", "1001"]));
    let mut long = long.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = || listener.topics(&id).iter().filter(|topic| *topic == "/tasks/exec-started").count();
    deadline::until("the long one", || started() == 2);
    containerd.ctr(&["tasks", "delete", "--force", &id]).succeeds();
    long.wait().unwrap();
    let order = listener.until("/tasks/delete", &id);
    assert_eq!(
        order.get(7..),
        Some(&["/tasks/exit", "/tasks/exit", "/tasks/delete"].map(str::to_owned)[..]),
        "{order:?}"
    );
    let text = listener.text();
    let exits: Vec<&str> = text.lines().filter(|line| line.contains("/tasks/exit")).collect();
    assert!(exits[1].contains("\"long\"") && !exits[2].contains("\"long\""), "{text}");
}

/// A shim that dies leaves a task that containerd can still clean up, from disk alone.
#[test]
#[ignore = "needs root: containerd"]
fn after_the_death_of_a_shim_delete_cleans_up() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    let shims = containerd.shims();
    assert!(!shims.is_empty(), "a shim runs");
    for pid in shims {
        if std::path::Path::new(&format!("/proc/{pid}")).exists() {
            containerd.kill(pid);
        }
    }
    deadline::until("containerd to clean up", || !containerd.bundle(&id).exists());
    leftover::none(&id);
    drop(containerd.ctr(&["container", "rm", &id]));
}

/// A command that is missing: an error for the caller and no shim left.
#[test]
#[ignore = "needs root: containerd"]
fn a_missing_command_is_an_error_and_leaves_nothing() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    let outcome = containerd.run(&id, &["/no/such/program"]);
    assert_ne!(outcome.status, 0, "{outcome:?}");
    outcome.explains(&["/no/such/program", "no such file or directory"]);
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

#[test]
#[ignore = "needs root: containerd"]
fn the_shim_answers_version_and_information() {
    let mut command = std::process::Command::new(lazaret_tests::programs::shim());
    let version = outcome::run(command.arg("-v")).expect(0);
    assert!(version.stdout.contains("lazaret"), "{version:?}");
    let mut command = std::process::Command::new(lazaret_tests::programs::shim());
    let information = outcome::run(command.arg("-info")).expect(0);
    assert!(information.stdout.contains("io.containerd.lazaret.v1"), "{information:?}");
}

/// Containers of one pod, which the group annotation names, have one shim: the second gets the address of the first.
#[test]
#[ignore = "needs root: containerd"]
fn a_pod_is_one_shim() {
    let containerd = Containerd::start();
    let pod = scratch::tag();
    let bundles = [Bundle::shell("sleep 1000"), Bundle::shell("sleep 1000")];
    for bundle in bundles.iter() {
        let mut config = bundle.config.clone();
        config["annotations"] = serde_json::json!({"io.containerd.runc.v2.group": pod});
        config["root"]["path"] = serde_json::json!(bundle.rootfs());
        let file = bundle.path().join("spec.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let file = file.display().to_string();
        let arguments = ["run", "--detach", "--runtime", RUNTIME, "--config", &file, bundle.id()];
        containerd.ctr(&arguments).succeeds();
    }
    let address = |bundle: &Bundle| std::fs::read_to_string(containerd.bundle(bundle.id()).join("address")).unwrap();
    assert_eq!(address(&bundles[0]), address(&bundles[1]), "one shim serves both");
    for bundle in &bundles {
        containerd.ctr(&["task", "kill", "--signal", "KILL", bundle.id()]).succeeds();
    }
    deadline::until("both to stop", || containerd.ctr(&["task", "ls"]).stdout.matches("STOPPED").count() == 2);
    for bundle in &bundles {
        drop(containerd.ctr(&["task", "rm", bundle.id()]));
    }
    deadline::until("the shim to go", || containerd.shims().is_empty());
    for bundle in &bundles {
        leftover::none(bundle.id());
    }
}

/// Runs `command` with a terminal of its own, as a user has one.
fn at_a_terminal(command: &std::process::Command) -> outcome::Outcome {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let line = format!("stty columns 77 rows 33; {}", words.join(" "));
    let mut script = std::process::Command::new(lazaret_tests::programs::installed("script"));
    outcome::run(script.args(["--quiet", "--return", "--command", &line, "/dev/null"]))
}

#[test]
#[ignore = "needs root: containerd, terminals"]
fn a_terminal_has_the_size_of_the_users_and_its_status_comes_back() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    // The size comes a moment after the start, as with any shim: ctr sends it then.
    let script = "'tty; until [ \"$(stty size)\" = \"33 77\" ]; do sleep 0.1; done; stty size; exit 3'";
    let arguments = ["run", "--rm", "--tty", "--runtime", RUNTIME, image::NAME, &id, "sh", "-c", script];
    let outcome = at_a_terminal(&containerd.command(&arguments));
    assert_eq!(outcome.status, 3, "{outcome:?}\n{}", containerd.log());
    assert!(outcome.stdout.contains("/dev/pts/0") && outcome.stdout.contains("33 77"), "{outcome:?}");
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

/// The words of `ctr tasks exec`.
fn exec_of<'a>(id: &'a str, name: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    [&["tasks", "exec", "--exec-id", name, id], command].concat()
}

#[test]
#[ignore = "needs root: containerd"]
fn a_process_is_executed_with_output_input_and_status() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    let outcome = containerd.ctr(&exec_of(&id, "one", &["sh", "-c", "hostname >&2; cat /proc/1/comm; exit 5"]));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (5, "sleep\n"), "{outcome:?}\n{}", containerd.log());
    // Its id is free again, and what it reads ends.
    let mut command = containerd.command(&exec_of(&id, "one", &["sh", "-c", "cat; echo end"]));
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"line\n").unwrap();
    drop(writer);
    let outcome = outcome::run_with_input(command.stdin(reader));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "line\nend\n"), "{outcome:?}");
    let missing = containerd.ctr(&exec_of(&id, "two", &["/no/such/program"]));
    assert_ne!(missing.status, 0);
    assert!(missing.stderr.contains("/no/such/program"), "{missing:?}");
    // Behind the same walls: an attack fails, honest work does not.
    for (name, attack) in [("three", "mount-tmpfs"), ("four", "io-uring")] {
        let outcome = containerd.ctr(&exec_of(&id, name, &["/attacker", attack]));
        assert!(!verdict::of(&outcome).ok, "{outcome:?}");
    }
    assert!(verdict::of(&containerd.ctr(&exec_of(&id, "five", &["/attacker", "honest-files"]))).ok);
    containerd.ctr(&["tasks", "kill", "--signal", "KILL", &id]).succeeds();
    deadline::until("the task to stop", || containerd.ctr(&["tasks", "ls"]).stdout.contains("STOPPED"));
    containerd.ctr(&["tasks", "delete", &id]).succeeds();
    containerd.ctr(&["containers", "delete", &id]).succeeds();
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

#[test]
#[ignore = "needs root: containerd, terminals"]
fn an_executed_process_has_a_terminal_and_can_be_killed() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    let words = ["tasks", "exec", "--tty", "--exec-id", "tty", &id, "sh", "-c", "'tty; exit 4'"];
    let outcome = at_a_terminal(&containerd.command(&words));
    assert!(outcome.status == 4 && outcome.stdout.contains("/dev/pts/0"), "{outcome:?}\n{}", containerd.log());
    let mut killed = containerd.command(&["tasks", "exec", "--exec-id", "long", &id, "sleep", "1001"]);
    let child = killed.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    deadline::until("it to run", || containerd.ctr(&["tasks", "ps", &id]).stdout.contains("long"));
    containerd.ctr(&["tasks", "kill", "--exec-id", "long", "--signal", "KILL", &id]).succeeds();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(137));
    // The task itself goes on.
    assert!(containerd.ctr(&["tasks", "ls"]).stdout.contains("RUNNING"));
    containerd.ctr(&["tasks", "delete", "--force", &id]).succeeds();
}

#[test]
#[ignore = "needs root: containerd"]
fn a_paused_task_says_so_stands_still_and_goes_on() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    containerd.ctr(&["tasks", "pause", &id]).succeeds();
    assert!(containerd.ctr(&["tasks", "ls"]).stdout.contains("PAUSED"));
    let refused = containerd.ctr(&["tasks", "exec", "--exec-id", "x", &id, "true"]);
    assert_ne!(refused.status, 0);
    assert!(refused.stderr.contains("paused"), "{refused:?}");
    assert_ne!(containerd.ctr(&["tasks", "pause", &id]).status, 0, "a second time");
    containerd.ctr(&["tasks", "resume", &id]).succeeds();
    assert!(containerd.ctr(&["tasks", "ls"]).stdout.contains("RUNNING"));
    containerd.ctr(&["tasks", "exec", "--exec-id", "y", &id, "true"]).succeeds();
    containerd.ctr(&["tasks", "delete", "--force", &id]).succeeds();
}

#[test]
#[ignore = "needs root: containerd"]
fn output_goes_to_a_log_file_whole() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    let directory = scratch::Scratch::new();
    let log = directory.join("new/log");
    let uri = format!("file://{}", log.display());
    let script = "dd if=/dev/zero bs=1M count=64 2>/dev/null; echo end >&2";
    let arguments = ["run", "--detach", "--log-uri", &uri, "--runtime", RUNTIME, image::NAME, &id, "sh", "-c", script];
    containerd.ctr(&arguments).succeeds();
    deadline::until("the task to stop", || containerd.ctr(&["tasks", "ls"]).stdout.contains("STOPPED"));
    containerd.ctr(&["tasks", "delete", &id]).succeeds();
    assert_eq!(std::fs::metadata(&log).unwrap().len(), (64 << 20) + 4);
}

/// Options by `ConfigPath`, as a node's configuration gives them: obeyed, or refused by name.
#[test]
#[ignore = "needs root: containerd"]
fn options_come_from_a_file() {
    let containerd = Containerd::start();
    let directory = scratch::Scratch::new();
    let file = directory.join("options.toml");
    let run = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let (id, path) = (scratch::tag(), file.display().to_string());
        let words = ["run", "--rm", "--runtime", RUNTIME, "--runtime-config-path", &path, image::NAME, &id, "true"];
        let outcome = containerd.ctr(&words);
        deadline::until("the shim to go", || containerd.shims().is_empty());
        leftover::none(&id);
        outcome
    };
    run("SystemdCgroup = false\nBinaryName = \"/usr/bin/runc\"\n").succeeds();
    for (text, words) in [
        ("Root = \"/elsewhere\"\n", "options.toml:1:1: unknown key \"Root\""),
        (
            "mode = \"sandbox\"\npriviledged = \"refuse\"\n",
            "2:1: unknown key \"priviledged\"; did you mean \"privileged\"?",
        ),
        ("=\n", "options.toml:1:1: this is no TOML"),
    ] {
        let refused = run(text);
        assert!(refused.status != 0 && refused.stderr.contains(words), "{text}: {refused:?}");
    }
}

/// The mode of a container is that of the configuration, as the kernel shows it: filters and a user namespace. Strict mode,
/// which older kernels lack, is `strict`'s.
#[test]
#[ignore = "needs root: containerd"]
fn the_mode_comes_from_the_configuration() {
    is_as_configured("native", "0", false);
    is_as_configured("sandbox", "2", true);
}

/// A container of a node with this mode has that many filters (`Seccomp:` of proc_pid_status(5)), and ids of its own or not.
#[track_caller]
pub(crate) fn is_as_configured(mode: &str, filters: &str, confined: bool) {
    let containerd = Containerd::start();
    let directory = scratch::Scratch::new();
    let file = directory.join("modes.toml");
    std::fs::write(&file, format!("mode = \"{mode}\"\n")).unwrap();
    let (id, path) = (scratch::tag(), file.display().to_string());
    let seen = "sed -n 's/^Seccomp:.//p' /proc/self/status; cat /proc/self/uid_map";
    let words =
        ["run", "--rm", "--runtime", RUNTIME, "--runtime-config-path", &path, image::NAME, &id, "sh", "-c", seen];
    let outcome = containerd.ctr(&words);
    outcome.succeeds();
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&filters), "{mode}: {lines:?}");
    let own_ids = lines.get(1).is_some_and(|map| !map.contains("4294967295"));
    assert_eq!(own_ids, confined, "{mode}: {lines:?}");
}

/// What the configuration forbids reaches whoever asked, in words, and nothing is left of it.
#[test]
#[ignore = "needs root: containerd"]
fn a_refusal_by_configuration_is_told_to_the_user() {
    let containerd = Containerd::start();
    let directory = scratch::Scratch::new();
    let file = directory.join("node.toml");
    let run = |id: &str, text: &str| {
        std::fs::write(&file, text).unwrap();
        let path = file.display().to_string();
        let words = [
            "run",
            "--rm",
            "--privileged",
            "--runtime",
            RUNTIME,
            "--runtime-config-path",
            &path,
            image::NAME,
            id,
            "true",
        ];
        let outcome = containerd.ctr(&words);
        deadline::until("the shim to go", || containerd.shims().is_empty());
        leftover::none(id);
        outcome
    };
    run(&scratch::tag(), "privileged = \"contain\"\n").succeeds();
    let refused = run(&scratch::tag(), "privileged = \"refuse\"\n");
    assert_ne!(refused.status, 0);
    for words in ["process.capabilities", "a privileged container is refused on this node", "privileged = \"contain\""]
    {
        assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
    }
}
