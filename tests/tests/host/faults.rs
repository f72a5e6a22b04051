//! What the host may do to a container's state behind lazaret's back: the answer is a clear error, and what runs can
//! still be deleted.

use std::process::{Child, Command, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{deadline, leftover};
use serde_json::{Value, json};

/// The first of the host's ids that the container's user namespace has.
fn first_id(lazaret: &Lazaret, bundle: &Bundle) -> u32 {
    let pid = &lazaret.state(bundle.id())["pid"];
    let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    map.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_range_of_ids_is_not_given_twice_when_the_state_directory_moves() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    lazaret.create(&bundle).succeeds();
    let first = first_id(&lazaret, &bundle);
    let moved = lazaret.root().with_file_name("moved");
    std::fs::rename(lazaret.root(), &moved).unwrap();
    // The same id below the same path, so that the search for a range begins where it began before.
    let namesake = bundle.edit(|config| config["linux"]["cgroupsPath"] = json!(format!("/second-{}", lazaret.tag())));
    lazaret.create(&namesake).succeeds();
    assert_ne!(first_id(&lazaret, &namesake), first, "two containers have the same ids");
    lazaret.verb(&["delete", "--force", namesake.id()]).succeeds();
    // Where it is now, the first can still be deleted.
    std::fs::remove_dir(lazaret.root()).unwrap();
    std::fs::rename(&moved, lazaret.root()).unwrap();
    lazaret.verb(&["delete", "--force", namesake.id()]).succeeds();
    lazaret.nothing_left(namesake.id());
}

/// Moves the container's processes to where their cgroups stand, and removes the cgroups.
fn take_cgroups_away(bundle: &Bundle) {
    for cgroup in leftover::cgroups(bundle.id()) {
        for pid in std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap().lines() {
            std::fs::write(cgroup.parent().unwrap().join("cgroup.procs"), pid).unwrap();
        }
        // What has just been moved, or has just ended, keeps the directory busy for a moment.
        deadline::until("an empty cgroup", || std::fs::remove_dir(&cgroup).is_ok());
    }
    assert!(leftover::cgroups(bundle.id()).is_empty());
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn without_its_cgroup_a_container_can_be_killed_and_deleted() {
    for mode in ["sandbox", "native"] {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        for by_force in [false, true] {
            let bundle = Bundle::shell("sleep 1001 & exec sleep 1000");
            lazaret.create(&bundle).succeeds();
            lazaret.verb(&["start", bundle.id()]).succeeds();
            take_cgroups_away(&bundle);
            assert_eq!(lazaret.state(bundle.id())["status"], "running");
            for words in [&["pause", bundle.id()][..], &["events", "--stats", bundle.id()]] {
                let refused = lazaret.verb(words);
                assert_ne!(refused.status, 0, "{words:?}: {refused:?}");
                refused.explains(&["error[lazaret-1410]", bundle.id(), "hint:"]);
            }
            if !by_force {
                lazaret.verb(&["kill", bundle.id(), "KILL"]).succeeds();
                deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
                lazaret.verb(&["delete", bundle.id()]).succeeds();
            } else {
                lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
            }
            lazaret.nothing_left(bundle.id());
        }
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn without_its_bundle_a_container_can_be_killed_and_deleted() {
    for mode in ["sandbox", "native"] {
        let lazaret = Lazaret::with_options(&["--mode", mode]);
        let (running, created) = (Bundle::shell("exec sleep 1000"), Bundle::shell("exec sleep 1000"));
        lazaret.create(&running).succeeds();
        lazaret.verb(&["start", running.id()]).succeeds();
        lazaret.create(&created).succeeds();
        for bundle in [&running, &created] {
            std::fs::remove_dir_all(bundle.path()).unwrap();
        }
        assert_eq!(lazaret.state(running.id())["status"], "running");
        let refused = lazaret.verb(&["exec", running.id(), "/bin/true"]);
        assert_ne!(refused.status, 0, "{refused:?}");
        refused.explains(&["error[lazaret-", "No such file", "hint:"]);
        let refused = lazaret.verb(&["start", created.id()]);
        assert_ne!(refused.status, 0, "{refused:?}");
        refused.explains(&["error[lazaret-", "No such file", "hint:"]);
        lazaret.verb(&["kill", running.id(), "KILL"]).succeeds();
        for bundle in [&running, &created] {
            deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
            lazaret.verb(&["delete", bundle.id()]).succeeds();
            lazaret.nothing_left(bundle.id());
            // For the bundle's own clean-up.
            std::fs::create_dir(bundle.path()).unwrap();
        }
    }
}

/// A process whose start differs from all of these: the kernel counts it in hundredths of a second, and no number comes round in
/// one of them.
fn one_that_started_after(starts: &[u64]) -> Child {
    loop {
        let mut process =
            Command::new("sleep").arg("1000").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
        let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
        if !starts.contains(&start) {
            return process;
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

/// The numbers of the container's processes belong to a process of somebody else's by now.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_process_that_has_got_the_number_of_an_ended_one_is_left_alone() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("true");
    lazaret.create(&bundle).succeeds();
    lazaret.verb(&["start", bundle.id()]).succeeds();
    deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
    let file = lazaret.root().join(bundle.id()).join("state.json");
    // The monitor may still be writing why the container ended.
    deadline::until("the monitor to end", || leftover::processes(lazaret.tag()).is_empty());
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let starts = ["init", "sentry", "monitor"].map(|process| stored[process]["start"].as_u64().unwrap());
    let mut victim = one_that_started_after(&starts);
    for process in ["init", "sentry", "monitor"] {
        stored[process]["pid"] = json!(victim.id());
    }
    std::fs::write(&file, stored.to_string()).unwrap();
    let state = lazaret.state(bundle.id());
    assert_eq!((&state["status"], &state["pid"]), (&json!("stopped"), &json!(0)));
    for words in [&["kill", bundle.id(), "KILL"][..], &["pause", bundle.id()], &["exec", bundle.id(), "true"]] {
        let refused = lazaret.verb(words);
        assert_ne!(refused.status, 0, "{words:?}: {refused:?}");
        refused.explains(&["error[lazaret-1011]", "container not running"]);
    }
    lazaret.verb(&["kill", "--all", bundle.id(), "KILL"]).succeeds();
    lazaret.verb(&["delete", bundle.id()]).succeeds();
    lazaret.nothing_left(bundle.id());
    assert!(victim.try_wait().unwrap().is_none(), "a process of somebody else's was killed");
    victim.kill().unwrap();
    victim.wait().unwrap();
}
