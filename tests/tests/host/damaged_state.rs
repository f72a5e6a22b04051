//! A state that cannot be read, or is gone: every verb says so, and `delete --force` still finds and ends everything of
//! the container, and nothing of its neighbours.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::leftover;
use lazaret_tests::user::User;
use serde_json::json;

/// A container with children, some of which have left its first process.
const FAMILY: &str = "sleep 1001 & (setsid sleep 1002 &); echo ready; exec sleep 1000";

/// Ways in which a state file is damaged.
const DAMAGES: [fn(&Path); 4] = [
    |file| File::options().write(true).open(file).unwrap().set_len(100).unwrap(),
    |file| std::fs::write(file, "").unwrap(),
    |file| std::fs::write(file, "[1, 2]").unwrap(),
    |file| {
        std::fs::remove_file(file).unwrap();
        std::fs::create_dir(file).unwrap();
    },
];

fn ended_by_force(lazaret: &Lazaret, id: &str) {
    lazaret.verb(&["delete", "--force", id]).succeeds();
    lazaret.nothing_left(id);
    assert!(leftover::leases(&lazaret.root().join(id)).is_empty(), "a range of ids stays leased");
}

fn damaged_and_deleted(mode: &str) {
    let lazaret = Lazaret::with_options(&["--mode", mode]);
    for damage in DAMAGES {
        let bundle = Bundle::shell(FAMILY);
        let running = lazaret.launch(&bundle);
        running.says("ready");
        damage(&lazaret.root().join(bundle.id()).join("state.json"));
        for verb in [&["state"][..], &["kill"], &["pause"], &["delete"], &["start"], &["exec"]] {
            let words = [verb, &[bundle.id()], if verb == ["exec"] { &["true"] } else { &[] }].concat();
            let refused = lazaret.verb(&words);
            assert_ne!(refused.status, 0, "{verb:?}: {refused:?}");
            refused.explains(&["error[lazaret-100", "state.json", "hint:"]);
        }
        ended_by_force(&lazaret, bundle.id());
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn delete_by_force_ends_what_has_a_damaged_state_sandbox() {
    damaged_and_deleted("sandbox");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn delete_by_force_ends_what_has_a_damaged_state_native() {
    damaged_and_deleted("native");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_paused_container_with_a_damaged_state_ends_too() {
    for mode in ["sandbox", "native"] {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let bundle = Bundle::shell(FAMILY);
        lazaret.create(&bundle).succeeds();
        lazaret.verb(&["start", bundle.id()]).succeeds();
        lazaret.verb(&["pause", bundle.id()]).succeeds();
        std::fs::write(lazaret.root().join(bundle.id()).join("state.json"), "{").unwrap();
        ended_by_force(&lazaret, bundle.id());
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_state_that_was_removed_while_the_container_runs_does_not_hide_it() {
    for mode in ["sandbox", "native"] {
        for whole_directory in [false, true] {
            let lazaret = Lazaret::with_options(&["--mode", mode]);
            let bundle = Bundle::shell(FAMILY);
            let running = lazaret.launch(&bundle);
            running.says("ready");
            let directory = lazaret.root().join(bundle.id());
            if whole_directory {
                std::fs::remove_dir_all(&directory).unwrap();
            } else {
                std::fs::remove_file(directory.join("state.json")).unwrap();
            }
            for verb in ["state", "kill", "delete"] {
                let refused = lazaret.verb(&[verb, bundle.id()]);
                assert_ne!(refused.status, 0, "{verb}: {refused:?}");
                let code = if whole_directory { "error[lazaret-1001]" } else { "error[lazaret-1006]" };
                refused.explains(&[code, "hint:"]);
            }
            ended_by_force(&lazaret, bundle.id());
        }
    }
}

/// Same id, same bundle, another state directory; and a reader of the audit record on the host.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn neighbours_of_a_damaged_container_live_on() {
    let (lazaret, other) = (Lazaret::new(), Lazaret::new());
    let bundle = Bundle::shell("exec sleep 1000");
    let beside = Bundle::shell("exec sleep 1000").edit(|c| c["linux"]["cgroupsPath"] = json!("/second-of-its-name"));
    lazaret.create(&bundle).succeeds();
    other.create_as(&beside, bundle.id()).succeeds();
    let directory = lazaret.root().join(bundle.id());
    let record = File::open(directory.join("audit.jsonl")).unwrap();
    let mut reader = Command::new("sleep").arg("1000").stdin(record).stdout(Stdio::null()).spawn().unwrap();
    std::fs::write(directory.join("state.json"), "").unwrap();
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
    assert!(!directory.exists());
    assert!(leftover::cgroups(bundle.id()).is_empty());
    assert_eq!(other.state(bundle.id())["status"], "created", "the container of the same name");
    assert!(reader.try_wait().unwrap().is_none(), "the reader of the record was killed");
    reader.kill().unwrap();
    reader.wait().unwrap();
    other.verb(&["delete", "--force", bundle.id()]).succeeds();
    assert!(!Path::new("/sys/fs/cgroup/unified/second-of-its-name").exists());
}

/// A cgroup that nothing proves to be the container's is not emptied, and the state directory waits until it is.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn processes_without_proof_are_named_and_not_killed() {
    let lazaret = Lazaret::with_options(&["--mode", "native"]);
    let bundle = Bundle::shell("exec sleep 1000");
    lazaret.create(&bundle).succeeds();
    let pid = i32::try_from(lazaret.state(bundle.id())["pid"].as_i64().unwrap()).unwrap();
    for cgroup in leftover::cgroups(bundle.id()) {
        rustix::fs::removexattr(&cgroup, "trusted.lazaret.container").unwrap();
    }
    std::fs::write(lazaret.root().join(bundle.id()).join("state.json"), "").unwrap();
    let refused = lazaret.verb(&["delete", "--force", bundle.id()]);
    assert_ne!(refused.status, 0, "{refused:?}");
    refused.explains(&["error[lazaret-1429]", "cgroup.procs", "hint:"]);
    let process = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    ended_by_force(&lazaret, bundle.id());
}

/// Without a cgroup: by the sentry, or not at all.
#[test]
#[ignore = "needs root: to become an ordinary user"]
fn without_root_a_damaged_state_is_cleaned_up_or_named() {
    let user = User::new();
    for (mode, is_found) in [("sandbox", true), ("native", false)] {
        let bundle = Bundle::shell("exec sleep 1000");
        user.own(&bundle);
        let path = bundle.path().display().to_string();
        user.verb(&["--mode", mode, "create", "--bundle", &path, bundle.id()]).succeeds();
        let file = user.root().join(bundle.id()).join("state.json");
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, "").unwrap();
        let outcome = user.verb(&["--mode", mode, "delete", "--force", bundle.id()]);
        if is_found {
            outcome.succeeds();
        } else {
            assert_ne!(outcome.status, 0, "{outcome:?}");
            outcome.explains(&["error[lazaret-1029]", "hint:"]);
            std::fs::write(&file, whole).unwrap();
            user.verb(&["--mode", mode, "delete", "--force", bundle.id()]).succeeds();
        }
        user.nothing_left();
    }
}
