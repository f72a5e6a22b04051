//! `exec`: where the process lands, behind which walls, what its caller is told, and that nothing is left of it. The
//! attacks of `attacks/` are made by a process that joined as well.

use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::descriptor;
use lazaret_tests::lazaret::{Lazaret, Running};
use lazaret_tests::outcome::Outcome;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, leftover, verdict};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

const MODES: [&str; 2] = ["native", "sandbox"];

fn sleeper() -> Bundle {
    Bundle::attacker(&[]).args(&["/bin/sleep", "1000"])
}

fn exec(lazaret: &Lazaret, running: &Running<'_>, words: &[&str]) -> Outcome {
    lazaret.verb(&[&["exec", running.id()], words].concat())
}

/// Runs `sleep` in the container, detached; its pid on the host.
fn detached(lazaret: &Lazaret, bundle: &Bundle, options: &[&str]) -> i32 {
    let file = bundle.path().join("exec.pid");
    let path = file.display().to_string();
    let words = [&["exec", "--detach", "--pid-file", &path], options, &[bundle.id(), "/bin/sleep", "1000"]].concat();
    let status =
        lazaret.command(&words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status:?}");
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

/// Lines of `/proc/PID/status` that a wall shows in, sandbox or not.
fn walls(pid: i32) -> Vec<String> {
    const KEYS: [&str; 10] =
        ["Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:"];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().filter(|line| KEYS.iter().any(|key| line.starts_with(key))).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_process_lands_where_the_first_one_is_and_behind_the_same_walls() {
    for mode in MODES {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let bundle = sleeper();
        let running = lazaret.launch(&bundle);
        let (init, joined) = (running.pid(), detached(&lazaret, &bundle, &[]));
        for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
            let link = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
            assert_eq!(link(joined), link(init), "{kind} namespace, {mode}");
        }
        let cgroups = |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert_eq!(cgroups(joined), cgroups(init), "{mode}");
        assert_eq!(walls(joined), walls(init), "{mode}");
        let root = |pid: i32| std::fs::read_link(format!("/proc/{pid}/root")).unwrap();
        assert_eq!(root(joined), root(init));
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn the_command_and_its_options_are_obeyed() {
    for mode in MODES {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let bundle = sleeper().edit(|config| config["process"]["env"] = json!(["PATH=/bin", "A=1"]));
        let running = lazaret.launch(&bundle);
        let line = "echo \"$A $B $(pwd) $(id -u):$(id -g) $(id -G)\"; exit 7";
        let options = ["--cwd", "/tmp", "--env", "B=2", "--user", "5:6", "-g", "9"];
        let outcome = lazaret.verb(&[&["exec"], &options[..], &[running.id(), "/bin/sh", "-c", line]].concat());
        assert_eq!((outcome.status, outcome.stdout.trim()), (7, "1 2 /tmp 5:6 6 9"), "{mode}: {outcome:?}");
        let killed = exec(&lazaret, &running, &["/bin/sh", "-c", "kill -9 $$"]);
        assert_eq!(killed.status, 128 + 9, "{mode}");
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_process_file_as_engines_write_it_is_obeyed() {
    let lazaret = Lazaret::new();
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    let file = bundle.path().join("process.json");
    let process = json!({
        "user": {"uid": 3, "gid": 4, "additionalGids": [8]}, "cwd": "/", "env": ["X=y"],
        "args": ["/bin/sh", "-c", "echo $X $(/bin/id -u) $(/bin/id -G); /bin/grep -E '^(Cap(Eff|Bnd)|NoNewPrivs)' /proc/self/status"],
        "capabilities": {"bounding": ["CAP_SYS_ADMIN", "CAP_CHOWN"], "effective": ["CAP_SYS_ADMIN"], "permitted": ["CAP_SYS_ADMIN"]}
    });
    std::fs::write(&file, process.to_string()).unwrap();
    let outcome = lazaret.verb(&["exec", "--process", &file.display().to_string(), running.id()]).expect(0);
    let lines: Vec<&str> = outcome.stdout.lines().map(str::trim).collect();
    let none = "0000000000000000";
    let expected = ["y 3 4 8", &format!("CapEff:\t{none}"), "CapBnd:\t0000000000000001", "NoNewPrivs:\t1"];
    assert_eq!(lines, expected, "what the sandbox does not grant is not granted to a later process");
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces"]
fn wrong_input_is_named_and_leaves_nothing() {
    let lazaret = Lazaret::new();
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    let file = bundle.path().join("process.json");
    std::fs::write(&file, r#"{"user":{"uid":0,"gid":0},"args":["/bin/true"],"cwd":"tmp"}"#).unwrap();
    let file = file.display().to_string();
    let id = running.id();
    let cases: [(&[&str], &[&str]); 7] = [
        (&["exec", "no-such", "true"], &["does not exist"]),
        (&["exec", id, "no-such-program"], &["executable file not found in $PATH"]),
        (&["exec", id, "/etc"], &["permission denied"]),
        (&["exec", "--cwd", "/none", id, "/bin/true"], &["process.cwd", "/none"]),
        (&["exec", "--user", "99999999", id, "/bin/true"], &["process.user.uid", "99999999"]),
        (&["exec", "--process", &file, id], &["process.cwd", "tmp"]),
        (&["exec", "--process", "/none.json", id], &["/none.json"]),
    ];
    for (words, text) in cases {
        let outcome = lazaret.verb(words).expect(255);
        outcome.explains(&[&["error[lazaret-"], text].concat());
    }
    let usage: [&[&str]; 3] =
        [&["exec", id], &["exec", "--process", &file, id, "true"], &["exec", "--user", "root", id, "true"]];
    for words in usage {
        assert_eq!(lazaret.verb(words).status, 2, "{words:?}");
    }
    let alone = deadline::within(deadline::PATIENCE, || leftover::processes(lazaret.tag()).len() == 2);
    assert!(alone, "sentry and monitor of the container alone: {:?}", leftover::processes(lazaret.tag()));
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_container_that_is_not_running_takes_no_process() {
    let lazaret = Lazaret::new();
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    lazaret.verb(&["pause", running.id()]).succeeds();
    exec(&lazaret, &running, &["/bin/true"]).expect(255).explains(&["it is paused", "--ignore-paused"]);
    lazaret.verb(&["resume", running.id()]).succeeds();
    exec(&lazaret, &running, &["/bin/true"]).succeeds();
    lazaret.verb(&["kill", running.id(), "9"]).succeeds();
    running.wait();
    exec(&lazaret, &running, &["/bin/true"]).expect(255).explains(&["container not running"]);
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces"]
fn a_process_that_waits_for_the_thaw_goes_on_with_it() {
    let lazaret = Lazaret::new();
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    lazaret.verb(&["pause", running.id()]).succeeds();
    let mut waiting = lazaret.command(&["exec", "--ignore-paused", running.id(), "/bin/true"]).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(waiting.try_wait().unwrap().is_none(), "nothing may run in a paused container");
    lazaret.verb(&["resume", running.id()]).succeeds();
    assert!(waiting.wait().unwrap().success());
    running.delete();
}

/// The terminal of a process that joins, and its pidfd, go to whoever listens for them.
#[test]
#[ignore = "needs root: namespaces, terminals"]
fn the_terminal_and_the_pidfd_are_handed_over() {
    let lazaret = Lazaret::new();
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    let listen = |name: &str| {
        let path = bundle.path().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        (path.display().to_string(), std::thread::spawn(move || descriptor::receive(&listener)))
    };
    let ((console, master), (pidfds, pidfd)) = (listen("console.sock"), listen("pidfd.sock"));
    let line = "tty; stty size; read word; echo \"got $word\"";
    let options = ["--tty", "--detach", "--console-socket", &console, "--pidfd-socket", &pidfds];
    lazaret.verb(&[&["exec"], &options[..], &[running.id(), "/bin/sh", "-c", line]].concat()).succeeds();
    let text = descriptor::converse(master.join().unwrap(), b"hello\n");
    assert!(text.contains("/dev/pts/") && text.contains("got hello"), "{text:?}");
    let pidfd: OwnedFd = pidfd.join().unwrap();
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(&pidfd)));
    assert!(info.unwrap().contains("Pid:"), "it is a pidfd");
    running.delete();
}

/// The image, or whoever runs in the container, may put anything in the place of /dev/pts.
#[test]
#[ignore = "needs root: namespaces, terminals"]
fn what_is_no_devpts_gives_no_terminal() {
    let lazaret = Lazaret::new();
    let bundle = sleeper().edit(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev/pts");
    });
    std::fs::create_dir_all(bundle.rootfs().join("dev/pts")).unwrap();
    let running = lazaret.launch(&bundle);
    let socket = bundle.path().join("console.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let made = exec(&lazaret, &running, &["/bin/sh", "-c", "mkdir -p /dev/pts; echo x > /dev/pts/ptmx"]);
    assert_eq!(made.status, 0, "{made:?}");
    let socket = socket.display().to_string();
    let words = ["exec", "--tty", "--detach", "--console-socket", &socket, running.id(), "/bin/true"];
    lazaret.verb(&words).expect(255).explains(&["terminal", "devpts"]);
    drop(listener);
    running.delete();
}

/// What a process has started may outlive it; the sentry does too, and its death is noticed.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn what_outlives_its_exec_is_still_watched() {
    let lazaret = Lazaret::new();
    let bundle = sleeper().lax_but_admissible();
    let running = lazaret.launch(&bundle);
    let before = leftover::processes(lazaret.tag()).len();
    let late = "(sleep 1; /attacker mount-tmpfs > /tmp/late) > /dev/null 2>&1 & exit 3";
    assert_eq!(exec(&lazaret, &running, &["/bin/sh", "-c", late]).status, 3);
    deadline::until("the attack", || {
        verdict::parse(&exec(&lazaret, &running, &["/bin/cat", "/tmp/late"]).stdout).is_some()
    });
    let said = verdict::parse(&exec(&lazaret, &running, &["/bin/cat", "/tmp/late"]).stdout).unwrap();
    assert!(!said.ok && said.errno == libc::EPERM, "refused by the sentry, not for want of one: {said:?}");
    assert!(running.witnessed("mount"));
    deadline::until("sentry and monitor to end", || leftover::processes(lazaret.tag()).len() <= before);

    exec(&lazaret, &running, &["/bin/sh", "-c", "sleep 1000 > /dev/null 2>&1 &"]).succeeds();
    let user = std::fs::read_link(format!("/proc/{}/ns/user", running.pid())).unwrap();
    let guards: Vec<i32> = leftover::processes(lazaret.tag())
        .into_iter()
        .filter(|(pid, command)| {
            command.contains(" exec ")
                && std::fs::read_link(format!("/proc/{pid}/ns/user")).is_ok_and(|link| link == user)
        })
        .map(|(pid, _)| pid)
        .collect();
    assert_eq!(guards.len(), 1, "{guards:?}");
    kill_process(Pid::from_raw(guards[0]).unwrap(), Signal::KILL).unwrap();
    running.wait();
    let ended = lazaret.state(running.id())["annotations"]["dev.lazaret.ended"].to_string();
    assert!(ended.contains("sentry"), "{ended}");
    running.delete();
}

/// Rows V01 and L04: on its way in, and as the interpreter of a script (`#!/proc/self/exe`, CVE-2019-5736), the runtime's
/// own program is in view of the container, and in native mode the container's root is the host's. It is a copy here.
/// That such a program can be overwritten is shown by the control of `no_program_outside_can_be_overwritten`.
#[test]
#[ignore = "needs root: namespaces"]
fn the_runtime_on_its_way_in_cannot_be_overwritten() {
    for mode in MODES {
        let scratch = Scratch::new();
        let copy = scratch.join("lazaret");
        let lazaret = Lazaret::of_a_copy(&copy);
        let before = std::fs::read(&copy).unwrap();
        let bundle = Bundle::attacker(&["overwrite-exe", "spoilt"]).lax_but_admissible();
        std::fs::write(bundle.rootfs().join("bait"), "#!/proc/self/exe\n").unwrap();
        std::fs::set_permissions(bundle.rootfs().join("bait"), std::fs::Permissions::from_mode(0o755)).unwrap();
        bundle.write();
        let said = std::fs::File::create(bundle.path().join("output")).unwrap();
        let path = bundle.path().display().to_string();
        let mut create = lazaret.command(&["--mode", mode, "create", "--bundle", &path, bundle.id()]);
        assert!(create.stdin(Stdio::null()).stdout(said).stderr(Stdio::null()).status().unwrap().success());
        lazaret.verb(&["start", bundle.id()]).succeeds();
        let output = || std::fs::read_to_string(bundle.path().join("output")).unwrap();
        deadline::until("the attacker to watch", || output().contains("watching"));
        let mut joined = 0;
        for program in ["/bin/true", "/bait"].repeat(15) {
            let mut exec = lazaret.command(&["exec", bundle.id(), program]);
            match exec.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
                Ok(status) => joined += i32::from(status.success()),
                // An attempt to open the program for writing fails at the read-only mount, but counts as a writer until
                // then, and a program that has one cannot be executed.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ExecutableFileBusy, "{error}"),
            }
        }
        assert!(joined > 0, "no process has joined, so the test proves nothing, {mode}");
        assert!(std::fs::read(&copy).unwrap() == before, "the program was changed, {mode}: {}", output());
        assert!(!output().contains("overwrote"), "{mode}: {}", output());
        deadline::until("the deletion", || {
            let mut delete = lazaret.command(&["delete", "--force", bundle.id()]);
            delete.status().is_ok_and(|status| status.success())
        });
    }
}

/// runc's `--cgroup`: a cgroup below the container's own that is there.
#[test]
#[ignore = "needs root: namespaces, cgroups"]
fn a_process_is_born_in_the_cgroup_that_is_named() {
    let lazaret = Lazaret::new();
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    let mut own = leftover::cgroups(running.id());
    own.retain(|cgroup| !leftover::is_of_sentries(cgroup));
    assert!(!own.is_empty());
    for cgroup in &own {
        std::fs::create_dir(cgroup.join("below")).unwrap();
    }
    let pid = detached(&lazaret, &bundle, &["--cgroup", "below"]);
    for cgroup in &own {
        let inside = std::fs::read_to_string(cgroup.join("below/cgroup.procs")).unwrap();
        assert!(inside.lines().any(|line| line == pid.to_string()), "{cgroup:?}: {inside}");
    }
    for (place, text) in [("none", "none"), ("nosuch:/below", "below"), ("..", "straight down")] {
        let outcome = lazaret.verb(&["exec", "--cgroup", place, running.id(), "/bin/true"]);
        assert_ne!(outcome.status, 0, "{place}");
        outcome.explains(&[text]);
    }
    lazaret.verb(&["exec", "--cgroup", "/", running.id(), "/bin/true"]).succeeds();
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces"]
fn no_file_is_left_behind() {
    for mode in MODES {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let bundle = sleeper();
        let running = lazaret.launch(&bundle);
        exec(&lazaret, &running, &["/bin/true"]).succeeds();
        let listing = || {
            let entries = std::fs::read_dir(lazaret.root().join(running.id())).unwrap().flatten();
            let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            names.sort();
            names
        };
        let (before, processes) = (listing(), leftover::processes(lazaret.tag()).len());
        for _ in 0..10 {
            exec(&lazaret, &running, &["/bin/true"]).succeeds();
        }
        assert_eq!(listing(), before, "{mode}");
        deadline::until("guards to end", || leftover::processes(lazaret.tag()).len() <= processes);
        running.delete();
    }
}
