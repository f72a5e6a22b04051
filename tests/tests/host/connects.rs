//! connect(2) in a sandbox that was given a directory of the host: a socket of an engine that appears there later cannot
//! be used, whatever name leads to it; every other connect does what it always does.

use std::os::unix::fs::symlink;
use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::Server;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, runc, verdict};

/// A shell in a sandbox that has `directory` at `/host`; it waits until `/host/go` is there and then does `line`.
fn waiting(directory: &Path, line: &str) -> Bundle {
    let line = format!("echo ready; while [ ! -e /host/go ]; do sleep 0.05; done; {line}");
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(directory, everybody).unwrap();
    Bundle::attacker(&[]).args(&["/bin/sh", "-c", &line]).bind(directory, "/host").writable()
}

fn go(directory: &Path, running: &Running<'_>) -> String {
    std::fs::write(directory.join("go"), "").unwrap();
    running.wait();
    running.output()
}

fn verdicts(output: &str) -> Vec<verdict::Verdict> {
    output.lines().filter_map(verdict::parse).collect()
}

/// Every way that a name inside may lead to the engine's socket.
fn ways(token: &str) -> String {
    let paths = [
        "/host/docker.sock",
        "/host/linked",
        "/host/renamed",
        "/host/innocent",
        "/proc/1/root/host/docker.sock",
        "/host/../host/./docker.sock",
        "/deep/docker.sock",
    ];
    let attempts = paths.iter().map(|path| format!("/attacker connect-path {path} {token}; "));
    let relative = format!("cd /host; /attacker connect-path docker.sock {token}; ");
    let descriptor = format!("exec 7</host; /attacker connect-path /proc/self/fd/7/docker.sock {token}; ");
    attempts.chain([relative, descriptor]).collect()
}

/// Names for the socket beside its own.
fn give_names(directory: &Path) {
    std::fs::hard_link(directory.join("docker.sock"), directory.join("linked")).unwrap();
    symlink("docker.sock", directory.join("innocent")).unwrap();
}

#[test]
#[ignore = "needs root: namespaces, runc"]
fn an_engines_socket_that_appears_later_cannot_be_used_by_any_name() {
    for interceptor in INTERCEPTORS {
        let directory = Scratch::new();
        let lazaret = Lazaret::by(interceptor);
        let token_file = directory.join("token");
        let line = "t=$(cat /host/token); ln -s /host /deep; ";
        let bundle = waiting(directory.path(), &format!("{line}{}", ways("$t")));
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let engine = Server::on_path(&directory.join("docker.sock"));
        give_names(directory.path());
        let second = Server::on_path(&directory.join("containerd.sock"));
        std::fs::rename(directory.join("containerd.sock"), directory.join("renamed")).unwrap();
        std::fs::write(&token_file, &engine.token).unwrap();
        let output = go(directory.path(), &running);
        let found = verdicts(&output);
        assert_eq!(found.len(), 9, "{interceptor}: {output}");
        assert!(found.iter().all(|verdict| !verdict.ok), "{interceptor}: {output}");
        let records = lazaret.audit(running.id());
        let refused = records.iter().filter(|record| record["technique"] == "escape.engine-socket").count();
        assert!(refused >= 6, "{interceptor}: {refused} of {records:#?}");
        running.delete();
        // Under runc the same names lead there.
        for path in ["/host/docker.sock", "/host/linked", "/host/innocent"] {
            let control =
                Bundle::attacker(&["connect-path", path, &engine.token]).lax().bind(directory.path(), "/host");
            assert!(verdict::of(&runc::run(&control)).ok, "the positive control failed: {path}");
        }
        let control = Bundle::attacker(&["connect-path", "/host/renamed", &second.token]);
        let control = verdict::of(&runc::run(&control.lax().bind(directory.path(), "/host")));
        assert!(control.ok, "the positive control failed: {control:?}");
    }
}

#[test]
#[ignore = "needs root: namespaces"]
fn an_honest_socket_beside_it_and_every_other_connect_work() {
    for mode in ["sandbox", "strict"] {
        for interceptor in INTERCEPTORS {
            let directory = Scratch::new();
            let lazaret = Lazaret::with_options(&["--mode", mode, "--interceptor", interceptor]);
            let line = "/attacker connect-path /host/honest.sock $(cat /host/token); \
                        /attacker connects-as-usual /host/own.sock; /attacker connects-as-usual /tmp/own.sock";
            let running_bundle = waiting(directory.path(), line);
            let running = lazaret.launch(&running_bundle);
            running.says("ready");
            let honest = Server::on_path(&directory.join("honest.sock"));
            let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(directory.join("honest.sock"), everybody).unwrap();
            std::fs::write(directory.join("token"), &honest.token).unwrap();
            let output = go(directory.path(), &running);
            let found = verdicts(&output);
            assert_eq!(found.len(), 3, "{mode} {interceptor}: {output}");
            assert!(found.iter().all(|verdict| verdict.ok), "{mode} {interceptor}: {output}");
            running.delete();
        }
    }
}

/// The listener sees the caller's user and group, not the monitor's.
#[test]
#[ignore = "needs root: namespaces"]
fn a_connect_has_the_callers_rights_and_no_others() {
    let directory = Scratch::new();
    let lazaret = Lazaret::new();
    let line = "/attacker connect-path /host/closed.sock $(cat /host/token)";
    let bundle = waiting(directory.path(), line).edit(|config| {
        config["process"]["user"] = serde_json::json!({"uid": 1000, "gid": 1000});
        config["process"]["capabilities"] = serde_json::json!({});
    });
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let closed = Server::on_path(&directory.join("closed.sock"));
    let nobody_else = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(directory.join("closed.sock"), nobody_else).unwrap();
    std::fs::write(directory.join("token"), &closed.token).unwrap();
    let output = go(directory.path(), &running);
    let found = verdicts(&output);
    assert!(matches!(found.as_slice(), [verdict] if !verdict.ok), "{output}");
    // The kernel's own refusal: no technique, and no record of one.
    let records = lazaret.audit(running.id());
    assert!(records.iter().all(|record| record["technique"] != "escape.engine-socket"), "{records:?}");
    running.delete();
}

/// Without a directory of the host nobody looks at connects.
#[test]
#[ignore = "needs root: namespaces"]
fn who_was_given_no_directory_pays_nothing() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::attacker(&["connects-as-usual", "/tmp/own.sock"]).writable();
    let running = lazaret.launch(&bundle);
    running.wait();
    assert!(verdicts(&running.output()).iter().all(|verdict| verdict.ok), "{}", running.output());
    deadline::until("the records", || std::fs::metadata(lazaret.root().join(running.id()).join("audit.jsonl")).is_ok());
    assert!(lazaret.audit(running.id()).iter().all(|record| record["syscall"] != "connect"));
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces"]
fn an_address_that_changes_meanwhile_wins_nothing() {
    // A connect that is looked at takes a process: fifty thousand are minutes, to be had with the variable.
    let attempts = std::env::var("LAZARET_RACE_ATTEMPTS").map_or(4000_u64, |text| text.parse().unwrap());
    for interceptor in INTERCEPTORS {
        let directory = Scratch::new();
        let lazaret = Lazaret::by(interceptor);
        let line = format!("/attacker connect-race /host/honest.sock /host/docker.sock $(cat /host/token) {attempts}");
        let bundle = waiting(directory.path(), &line);
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let (engine, honest) =
            (Server::on_path(&directory.join("docker.sock")), Server::on_path(&directory.join("honest.sock")));
        for name in ["docker.sock", "honest.sock"] {
            let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(directory.join(name), everybody).unwrap();
        }
        std::fs::write(directory.join("token"), &engine.token).unwrap();
        std::fs::write(directory.join("go"), "").unwrap();
        let has_ended = deadline::within(std::time::Duration::from_secs(60 + attempts / 50), || {
            lazaret.state(running.id())["status"] == "stopped"
        });
        let output = running.output();
        assert!(has_ended, "{interceptor}: {output}");
        let found = verdicts(&output);
        assert!(matches!(found.as_slice(), [verdict] if !verdict.ok), "{interceptor}: {output}");
        assert!(!output.contains(" 0 reached"), "the race was none: {output}");
        drop(honest);
        running.delete();
    }
}
