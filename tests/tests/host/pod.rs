//! Containers of one pod: they share namespaces by path, and are walls to each other in everything else.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use lazaret_tests::verdict;
use serde_json::json;

/// A bundle that joins these namespaces of the process `pid`.
fn joining(bundle: Bundle, pid: i32, kinds: &[(&str, &str)]) -> Bundle {
    bundle.edit(|config| {
        config.as_object_mut().unwrap().remove("hostname");
        let list = config["linux"]["namespaces"].as_array_mut().unwrap();
        for (kind, file) in kinds {
            list.retain(|entry| entry["type"] != *kind);
            list.push(json!({"type": kind, "path": format!("/proc/{pid}/ns/{file}")}));
        }
    })
}

const SHARED: [(&str, &str); 3] = [("network", "net"), ("ipc", "ipc"), ("uts", "uts")];

#[test]
#[ignore = "needs root: namespaces"]
fn the_second_container_shares_what_it_joins() {
    let lazaret = Lazaret::new();
    let first = Bundle::shell("hostname; echo ready; exec sleep 1000");
    let running = lazaret.launch(&first);
    running.says("ready");
    let line = "for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done; hostname";
    let outcome = lazaret.run(&joining(Bundle::shell(line), running.pid(), &SHARED)).expect(0);
    let seen: Vec<&str> = outcome.stdout.lines().collect();
    for (index, file) in ["net", "ipc", "uts", "pid", "mnt"].iter().enumerate() {
        let link = std::fs::read_link(format!("/proc/{}/ns/{file}", running.pid())).unwrap().display().to_string();
        assert_eq!(seen[index] == link, index < 3, "{file}: {outcome:?}");
    }
    assert_eq!(seen[5], "sandbox");
    running.delete();
}

/// The second is in the sandbox as the first is: attacks fail, honest work does not.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn the_second_container_is_in_the_sandbox_too() {
    let lazaret = Lazaret::new();
    let first = Bundle::shell("echo ready; exec sleep 1000");
    let running = lazaret.launch(&first);
    running.says("ready");
    let run = |attack: &[&str]| {
        let bundle = joining(Bundle::attacker(attack).lax_but_admissible(), running.pid(), &SHARED);
        verdict::of(&lazaret.run(&bundle))
    };
    for attack in [vec!["mount-tmpfs"], vec!["unshare", "user"], vec!["setns-pidfd"], vec!["socket", "packet"]] {
        let verdict = run(&attack);
        assert!(!verdict.ok, "{verdict:?}");
    }
    for act in ["honest-tcp", "honest-files", "honest-shared-memory", "honest-threads"] {
        let verdict = run(&[act]);
        assert!(verdict.ok, "{verdict:?}");
    }
    running.delete();
}

/// Row V01 in a shared pid namespace: while the second container is made, the runtime's own program is in view of the
/// first for a moment. It is a copy here, so that a success spoils nothing. That such a program can be overwritten is
/// shown by the control of `no_program_outside_can_be_overwritten`.
#[test]
#[ignore = "needs root: namespaces"]
fn the_runtime_on_its_way_into_a_pod_cannot_be_overwritten() {
    let scratch = Scratch::new();
    let copy = scratch.join("lazaret");
    let lazaret = Lazaret::of_a_copy(&copy);
    let before = std::fs::read(&copy).unwrap();
    let first = Bundle::attacker(&["overwrite-exe", "spoilt"]).lax_but_admissible();
    let running = lazaret.launch(&first);
    running.says("watching");
    for _ in 0..30 {
        let second = joining(Bundle::shell("true"), running.pid(), &[("pid", "pid")]);
        lazaret.run(&second).succeeds();
    }
    assert!(std::fs::read(&copy).unwrap() == before, "the runtime's program was changed: {}", running.output());
    assert!(!running.output().contains("overwrote"), "{}", running.output());
    running.delete();
}

/// Row L04 in a shared pid namespace: the runtime on its way in carries its caller's environment.
#[test]
#[ignore = "needs root: namespaces"]
fn the_runtime_on_its_way_into_a_pod_shows_no_environment() {
    let lazaret = Lazaret::new();
    let token = lazaret_tests::canary::token();
    let first = Bundle::attacker(&["watch-environ", &token]).lax_but_admissible();
    let running = lazaret.launch(&first);
    running.says("watching");
    for _ in 0..30 {
        let second = joining(Bundle::shell("true"), running.pid(), &[("pid", "pid")]);
        second.write();
        let path = second.path().display().to_string();
        let mut command = lazaret.command(&["run", "--bundle", &path, second.id()]);
        lazaret_tests::outcome::run(command.env("SECRET_OF_THE_CALLER", &token)).succeeds();
    }
    assert!(!running.output().contains("found"), "{}", running.output());
    running.delete();
}
