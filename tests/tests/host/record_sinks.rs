//! Records beside the audit file: a collector on a unix socket, and the log of the shim. It gets what the file gets, and nothing
//! waits for it.

use std::io::Read as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::containerd::Containerd;
use lazaret_tests::deadline;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::scratch::Scratch;
use serde_json::Value;

fn lazaret(interceptor: &str, socket: &Path) -> Lazaret {
    Lazaret::with_options(&["--interceptor", interceptor, "--record-socket", socket.to_str().unwrap()])
}

/// Three decisions: two refused, one answered.
fn decisions() -> Bundle {
    Bundle::shell("mount -t tmpfs none /mnt; hostname renamed; mount -t proc none /proc; true")
}

/// The audit file of a container that has ended, whole.
fn file(lazaret: &Lazaret, running: &Running<'_>) -> String {
    let path = lazaret.root().join(running.id()).join("audit.jsonl");
    let text = || std::fs::read_to_string(&path).unwrap();
    deadline::until("the summary", || text().contains(r#""kind":"summary""#));
    text()
}

fn decisions_in(text: &str) -> usize {
    text.lines().filter(|line| line.contains(r#""kind":"decision""#)).count()
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_collector_gets_the_very_lines_of_the_file() {
    for interceptor in INTERCEPTORS {
        let scratch = Scratch::new();
        let socket = scratch.join("records");
        let listener = UnixListener::bind(&socket).unwrap();
        let lazaret = lazaret(interceptor, &socket);
        let bundle = decisions();
        let running = lazaret.launch(&bundle);
        let (mut stream, _) = listener.accept().unwrap();
        running.wait();
        let file = file(&lazaret, &running);
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        assert_eq!(received, file, "{interceptor}");
        assert_eq!(decisions_in(&received), 3, "{interceptor}: {received}");
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_collector_of_packets_gets_a_record_in_each() {
    let scratch = Scratch::new();
    let path = scratch.join("records");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(deadline::PATIENCE)).unwrap();
    let lazaret = lazaret("auto", &path);
    let bundle = decisions();
    let running = lazaret.launch(&bundle);
    running.wait();
    let file = file(&lazaret, &running);
    let mut packet = vec![0; 1 << 16];
    for line in file.lines() {
        let length = socket.recv(&mut packet).unwrap();
        assert_eq!(std::str::from_utf8(&packet[..length]).unwrap(), format!("{line}\n"));
    }
    running.delete();
}

/// More records than a socket holds.
fn flood() -> Bundle {
    Bundle::shell("i=0; while [ $i -lt 1500 ]; do mount -t tmpfs none /mnt 2>/dev/null; i=$((i+1)); done; echo done")
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_collector_that_does_not_read_holds_nothing_up_and_its_losses_are_counted() {
    for interceptor in INTERCEPTORS {
        let scratch = Scratch::new();
        let socket = scratch.join("records");
        let listener = UnixListener::bind(&socket).unwrap();
        let lazaret = lazaret(interceptor, &socket);
        let bundle = flood();
        let running = lazaret.launch(&bundle);
        let (mut stream, _) = listener.accept().unwrap();
        running.says("done");
        running.wait();
        let file = file(&lazaret, &running);
        let summary: Value = serde_json::from_str(file.lines().last().unwrap()).unwrap();
        let unsent = usize::try_from(summary["unsent"].as_u64().unwrap()).unwrap();
        assert!(unsent > 0, "{interceptor}: {summary}");
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        let whole = received.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
        assert!(whole + 1 >= received.lines().count(), "{interceptor}: a line in the middle is torn");
        assert!(decisions_in(&received) < decisions_in(&file), "{interceptor}");
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_collector_that_goes_away_takes_nobody_along() {
    for interceptor in INTERCEPTORS {
        let scratch = Scratch::new();
        let socket = scratch.join("records");
        let listener = UnixListener::bind(&socket).unwrap();
        let lazaret = lazaret(interceptor, &socket);
        let bundle = Bundle::shell(
            "echo ready; while ! [ -e /go ]; do sleep 0.1; done; mount -t tmpfs none /mnt; mount -t proc none /proc; echo on; exec sleep 1000",
        );
        let running = lazaret.launch(&bundle);
        running.says("ready");
        drop(listener.accept().unwrap());
        drop(listener);
        std::fs::write(bundle.rootfs().join("go"), "").unwrap();
        running.says("on");
        // A process that joins finds nobody, which is said and keeps it from nothing.
        let joined = lazaret.verb(&["exec", running.id(), "/bin/sh", "-c", "echo joined"]);
        assert_eq!((joined.status, joined.stdout.as_str()), (0, "joined\n"), "{joined:?}");
        joined.explains(&["could not connect to the record socket", "the audit file alone"]);
        lazaret.verb(&["kill", running.id(), "KILL"]).succeeds();
        running.wait();
        let file = file(&lazaret, &running);
        assert_eq!(decisions_in(&file), 2, "{interceptor}");
        running.delete();
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn without_a_collector_nothing_is_created() {
    let scratch = Scratch::new();
    let lazaret = lazaret("auto", &scratch.join("nobody"));
    let bundle = decisions();
    let refused = lazaret.create(&bundle);
    assert_ne!(refused.status, 0);
    refused.explains(&["error[lazaret-1684]", "nobody", "hint:", "has to listen"]);
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: containerd"]
fn the_shim_logs_each_distinct_refusal_once() {
    let containerd = Containerd::start();
    let many = "i=0; while [ $i -lt 20 ]; do mount -t tmpfs none /mnt; i=$((i+1)); done; true";
    let outcome = containerd.run("noted", &["/bin/sh", "-c", many]);
    assert_eq!(outcome.status, 0, "{outcome:?}\n{}", containerd.log());
    deadline::until("the end in the log", || containerd.log().contains("refused in all"));
    let log = containerd.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("the sandbox refused a system call")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("mount -t tmpfs none on /mnt") && lines[0].contains("noted"), "{}", lines[0]);
}
