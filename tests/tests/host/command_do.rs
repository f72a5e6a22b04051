//! `lazaret do`: the first command of the README, and what it promises.

use std::io::Write as _;
use std::process::Stdio;

use lazaret_tests::canary::{CanaryFile, Server};
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, leftover, outcome, programs};

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_first_command_of_the_readme_does_what_it_says() {
    let lazaret = Lazaret::new();
    let outcome = lazaret.run_command(&["sh", "-c", "id; hostname; mount -t tmpfs none /mnt"]);
    assert_ne!(outcome.status, 0, "the mount was not refused: {outcome:?}");
    assert!(outcome.status < 125, "this is the status of mount(8): {outcome:?}");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(lines.first().is_some_and(|line| line.starts_with("uid=0(root) gid=0(root)")), "{outcome:?}");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(lines.get(1).is_some_and(|name| !name.is_empty() && *name != host.trim()), "{outcome:?}");
    outcome.explains(&["mount"]);
    assert!(lazaret.states().is_empty(), "the state directory is not empty: {:?}", lazaret.states());
}

/// The lines about refusals that name `what`.
fn refusals<'a>(stderr: &'a str, what: &str) -> Vec<&'a str> {
    stderr.lines().filter(|line| line.contains("refused") && line.contains(what)).collect()
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn each_distinct_refusal_gets_one_line_with_its_count() {
    let line =
        "for i in 1 2 3; do /bin/busybox mount -t tmpfs none /mnt; done; /bin/busybox mount -t proc none /mnt; true";
    let lazaret = Lazaret::new();
    let outcome = lazaret.run_command(&["sh", "-c", line]);
    outcome.succeeds();
    let tmpfs = refusals(&outcome.stderr, "tmpfs");
    assert_eq!(tmpfs.len(), 1, "one line for the three mounts of a tmpfs: {}", outcome.stderr);
    assert!(tmpfs[0].contains("(3x)"), "it says how often: {}", tmpfs[0]);
    let (why, allow) = tmpfs[0].rsplit_once("; ").expect("why, and what would allow it");
    assert!(why.contains("(3x): ") && allow.contains("config.json"), "{}", tmpfs[0]);
    assert_eq!(refusals(&outcome.stderr, "proc").len(), 1, "one line for the mount of proc: {}", outcome.stderr);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_command_without_refusals_prints_nothing_of_ours() {
    let outcome = Lazaret::new().run_command(&["echo", "hello"]).expect(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("hello\n", ""));
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_status_is_the_commands() {
    let lazaret = Lazaret::new();
    for status in [0, 1, 7, 124] {
        let outcome = lazaret.run_command(&["sh", "-c", &format!("exit {status}")]);
        assert_eq!(outcome.status, status, "{outcome:?}");
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_command_that_is_not_there_is_status_127() {
    let outcome = Lazaret::new().run_command(&["/no/such/program"]).expect(127);
    outcome.explains(&["error[lazaret-", "/no/such/program", "no such file or directory"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_name_that_is_not_on_the_path_is_status_127() {
    let outcome = Lazaret::new().run_command(&["no-such-program-of-lazaret"]).expect(127);
    outcome.explains(&["error[lazaret-", "executable file not found"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_command_that_is_not_executable_is_status_126() {
    let outcome = Lazaret::new().run_command(&["/etc/passwd"]).expect(126);
    outcome.explains(&["error[lazaret-", "/etc/passwd", "permission denied"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn our_own_failure_is_status_125() {
    let mut command = std::process::Command::new(programs::lazaret());
    let outcome = outcome::run(command.args(["--root", "/proc/no/such/place", "do", "--", "true"])).expect(125);
    outcome.explains(&["error[lazaret-", "/proc/no/such/place"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn death_by_a_signal_is_128_and_its_number() {
    let lazaret = Lazaret::new();
    let tag = lazaret_tests::scratch::tag();
    let mut child = lazaret
        .command(&["do", "--", "sh", "-c", "echo up; exec tail -f /dev/null", &tag])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0_u8; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    let workload = || {
        leftover::processes(lazaret.tag()).into_iter().chain(leftover::processes(&tag)).find(|(pid, command)| {
            command.starts_with("tail")
                && std::fs::read_link(format!("/proc/{pid}/ns/user")).ok()
                    != std::fs::read_link("/proc/self/ns/user").ok()
        })
    };
    // `exec` has replaced the command line and the environment may be the caller's: look for the only tail of this pid tree.
    // It is still the shell when it has said its word.
    let mut found = None;
    deadline::until("the workload to run", || {
        found = workload().map(|(pid, _)| pid).or_else(|| descendant(i32::try_from(child.id()).unwrap(), "tail"));
        found.is_some()
    });
    let pid = found.and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert!(deadline::ended(i32::try_from(child.id()).unwrap(), deadline::PATIENCE));
    assert_eq!(child.wait().unwrap().code(), Some(128 + 9));
}

/// The descendant of `ancestor` that runs `name`.
fn descendant(ancestor: i32, name: &str) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{ancestor}/task/{ancestor}/children")).ok()?;
    for pid in children.split_whitespace().filter_map(|word| word.parse().ok()) {
        let is_it = std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name);
        if let Some(found) = if is_it { Some(pid) } else { descendant(pid, name) } {
            return Some(found);
        }
    }
    None
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn standard_input_reaches_the_command() {
    let lazaret = Lazaret::new();
    let mut command = lazaret.command(&["do", "--", "cat"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"from outside\n").unwrap();
    drop(writer);
    let outcome = outcome::run_with_input(command.stdin(reader)).expect(0);
    assert_eq!(outcome.stdout, "from outside\n");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn what_it_writes_is_seen_inside_and_thrown_away() {
    let canary = CanaryFile::new();
    let (path, new) = (canary.name(), canary.path.with_file_name("new").display().to_string());
    let line = format!(
        "echo changed > {path}; cat {path}; echo x > {new}; cat {new}; rm {path}; test -e {path} || echo removed"
    );
    let outcome = Lazaret::new().run_command(&["sh", "-c", &line]).expect(0);
    assert_eq!(outcome.stdout, "changed\nx\nremoved\n", "{outcome:?}");
    canary.is_untouched();
    assert!(!std::path::Path::new(&new).exists(), "a file written inside is on the host");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn it_has_every_namespace_to_itself() {
    let line = "for n in user pid mnt net uts ipc cgroup; do readlink /proc/self/ns/$n; done";
    let outcome = Lazaret::new().run_command(&["sh", "-c", line]).expect(0);
    assert_eq!(outcome.stdout.lines().count(), 7, "{outcome:?}");
    for (inside, kind) in outcome.stdout.lines().zip(["user", "pid", "mnt", "net", "uts", "ipc", "cgroup"]) {
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(inside, host.display().to_string(), "the {kind} namespace is the host's");
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_filter_is_on_and_nothing_can_be_gained_by_exec() {
    let outcome = Lazaret::new().run_command(&["cat", "/proc/self/status"]).expect(0);
    assert!(outcome.stdout.contains("Seccomp:\t2\n"), "{outcome:?}");
    assert!(outcome.stdout.contains("NoNewPrivs:\t1\n"), "{outcome:?}");
}

/// Row L04: process 1 of `do` is lazaret's own; neither its environment, its memory, its descriptors nor its program
/// may be a way out.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_first_process_of_do_gives_nothing_away() {
    let attacker = programs::attacker().display().to_string();
    let lazaret = Lazaret::new();
    let token = lazaret_tests::canary::token();
    for act in ["proc-environ", "proc-mem"] {
        let mut command = lazaret.command(&["do", "--", &attacker, act, &token]);
        let outcome = outcome::run(command.env("SECRET_OF_THE_CALLER", &token));
        let verdict = lazaret_tests::verdict::of(&outcome);
        assert!(!verdict.ok, "{verdict:?}");
    }
    for attack in [vec!["descriptors"], vec!["proc-exe", "spoilt"], vec!["ptrace-child"], vec!["setns-pidfd"]] {
        let outcome = lazaret.run_command(&[&[attacker.as_str()], attack.as_slice()].concat());
        let verdict = lazaret_tests::verdict::of(&outcome);
        assert!(!verdict.ok, "{verdict:?}");
    }
    let canary = CanaryFile::new();
    let open = ["open-write", "/proc/1/exe"];
    let outcome = lazaret.run_command(&[&[attacker.as_str()], open.as_slice()].concat());
    assert!(!lazaret_tests::verdict::of(&outcome).ok, "{outcome:?}");
    canary.is_untouched();
}

/// The host's root is in view, the servers behind its sockets are not.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_daemon_socket_of_the_host_is_out_of_reach() {
    let scratch = Scratch::new();
    let path = scratch.join("docker.sock");
    let server = Server::on_path(&path);
    let attacker = programs::attacker().display().to_string();
    let path = path.display().to_string();
    let words = [attacker.as_str(), "connect-path", &path, &server.token];
    let control = outcome::run(std::process::Command::new(&attacker).args(&words[1..]));
    assert!(lazaret_tests::verdict::of(&control).ok, "the positive control failed: {control:?}");
    let outcome = Lazaret::new().run_command(&words).expect(0);
    assert!(!lazaret_tests::verdict::of(&outcome).ok, "{outcome:?}");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn honest_work_goes_on_over_the_hosts_root() {
    let attacker = programs::attacker().display().to_string();
    let lazaret = Lazaret::new();
    for act in [
        "honest-files",
        "honest-rename",
        "honest-threads",
        "honest-exec",
        "honest-tcp",
        "honest-unix-socket",
        "honest-setuid",
        "honest-devices",
        "honest-terminal",
        "honest-shared-memory",
    ] {
        let outcome = lazaret.run_command(&[&attacker, act]).expect(0);
        assert!(lazaret_tests::verdict::of(&outcome).ok, "{act}: {outcome:?}");
    }
}
