//! lazaret as an ordinary user: with the own id alone, and with ids of /etc/subuid.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::canary::CanaryFile;
use lazaret_tests::user::{SUBORDINATE, User};
use lazaret_tests::{deadline, outcome, verdict};
use serde_json::{Value, json};

/// Creates, starts and returns the state of a bundle's container.
fn launch(user: &User, mode: &str, bundle: &Bundle) -> Value {
    user.own(bundle);
    user.verb(&["--mode", mode, "create", "--bundle", &bundle.path().display().to_string(), bundle.id()]).succeeds();
    user.verb(&["--mode", mode, "start", bundle.id()]).succeeds();
    state(user, bundle)
}

fn state(user: &User, bundle: &Bundle) -> Value {
    let outcome = user.verb(&["state", bundle.id()]).expect(0);
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn status_of(pid: &Value, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn do_shows_the_host_and_throws_writes_away() {
    for user in [User::new(), User::with_subordinate_ids()] {
        std::fs::write(user.home().join("mine"), "before").unwrap();
        std::os::unix::fs::chown(user.home().join("mine"), Some(user.id()), Some(user.id())).unwrap();
        let line = "id -u; cat mine; echo after > mine && cat mine; echo x > new; hostname; ls /usr/bin/env";
        let outcome = user.verb(&["do", "--", "sh", "-c", line]).expect(0);
        assert_eq!(outcome.stdout, "0\nbeforeafter\nlazaret\n/usr/bin/env\n", "{outcome:?}");
        assert_eq!(std::fs::read_to_string(user.home().join("mine")).unwrap(), "before");
        assert!(!user.home().join("new").exists());
        user.nothing_left();
    }
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn do_reaches_nothing_that_the_user_may_not() {
    let canary = CanaryFile::new();
    let line = format!(
        "cat {} /etc/shadow; echo x > /etc/lazaret-test; echo x > /usr/bin/lazaret-test; ls -A /run; kill -9 {}; true",
        canary.name(),
        std::process::id()
    );
    for user in [User::new(), User::with_subordinate_ids()] {
        let outcome = user.verb(&["do", "--", "sh", "-c", &line]).expect(0);
        assert!(!outcome.stdout.contains(&canary.token), "root's file was read");
        assert!(!outcome.stdout.contains("root:"), "the password hashes were read");
        for path in ["/etc/lazaret-test", "/usr/bin/lazaret-test"] {
            assert!(!std::path::Path::new(path).exists(), "{path} was written on the host");
        }
        assert_eq!(outcome.stdout.trim(), "", "{outcome:?}");
        user.nothing_left();
    }
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn a_container_lives_through_all_its_verbs() {
    for (user, mode) in [(User::new(), "sandbox"), (User::new(), "native"), (User::with_subordinate_ids(), "sandbox")] {
        let bundle = Bundle::shell("exec sleep 1000");
        let created = launch(&user, mode, &bundle);
        assert_eq!(created["status"], "running");
        let pid = &created["pid"];
        assert_eq!(status_of(pid, "Uid"), vec![user.id().to_string(); 4].join("\t"), "the user's own id");
        for kind in ["user", "pid", "mnt", "net", "uts", "ipc", "cgroup"] {
            let inside = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
            assert_ne!(inside, std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap(), "{mode}: {kind}");
        }
        if mode == "sandbox" {
            assert_eq!((status_of(pid, "NoNewPrivs").as_str(), status_of(pid, "Seccomp").as_str()), ("1", "2"));
        }
        let inside = user.verb(&["--mode", mode, "exec", bundle.id(), "sh", "-c", "id -u; cat /proc/1/comm"]).expect(0);
        assert_eq!(inside.stdout, "0\nsleep\n", "{mode}: {inside:?}");
        assert!(user.verb(&["ps", bundle.id()]).expect(0).stdout.contains("sleep"));
        assert_ne!(user.verb(&["delete", bundle.id()]).status, 0, "a running container needs force");
        user.verb(&["kill", bundle.id(), "KILL"]).succeeds();
        deadline::until("the container to stop", || state(&user, &bundle)["status"] == "stopped");
        user.verb(&["delete", bundle.id()]).succeeds();
        user.nothing_left();
    }
}

/// Without a cgroup of its own a container can be neither paused, limited nor measured; everything else about it works.
#[test]
#[ignore = "needs root: to become an ordinary user"]
fn verbs_that_need_a_cgroup_are_refused_by_name_without_one() {
    for (user, mode) in [(User::new(), "sandbox"), (User::new(), "native"), (User::with_subordinate_ids(), "sandbox")] {
        let bundle = Bundle::shell("exec sleep 1000");
        launch(&user, mode, &bundle);
        let verb = |words: &[&str]| user.verb(&[&["--mode", mode][..], words, &[bundle.id()]].concat());
        for words in [&["pause"][..], &["update", "--pids-limit", "10"], &["events", "--stats"], &["events"]] {
            let refused = verb(words);
            assert_ne!(refused.status, 0, "{words:?}: {refused:?}");
            refused.explains(&["error[lazaret-1428]", "no cgroup of its own", "hint: create it as root"]);
        }
        verb(&["resume"]).expect(125).explains(&["error[lazaret-1010]", "it is running, not paused"]);
        assert_eq!(state(&user, &bundle)["status"], "running", "{mode}");
        verb(&["kill", "--all"]).succeeds();
        verb(&["delete", "--force"]).succeeds();
        user.nothing_left();
    }
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn the_state_says_what_does_not_hold() {
    for (user, words) in [
        (User::new(), &["ids:", "groups:", "cgroup:", "sentry:"][..]),
        (User::with_subordinate_ids(), &["cgroup:", "sentry:"]),
    ] {
        let bundle = Bundle::shell("exec sleep 1000");
        let state = launch(&user, "sandbox", &bundle);
        let missing = state["annotations"]["dev.lazaret.missing"].as_str().unwrap();
        let found: Vec<&str> =
            ["ids:", "groups:", "cgroup:", "sentry:"].into_iter().filter(|word| missing.contains(word)).collect();
        assert_eq!(found, words, "{missing}");
        let sentry = json!(state["annotations"]["dev.lazaret.sentry.pid"].as_str().unwrap().parse::<i32>().unwrap());
        let is_callers = status_of(&sentry, "Uid").starts_with(&user.id().to_string());
        assert_eq!(is_callers, words.contains(&"ids:"), "the sentry's user is the caller");
        user.verb(&["delete", "--force", bundle.id()]).succeeds();
        user.nothing_left();
    }
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn subordinate_ids_are_users_of_the_container() {
    let user = User::with_subordinate_ids();
    let bundle = Bundle::shell("id -u; id -g; id -G; exec sleep 1000")
        .edit(|config| config["process"]["user"] = json!({"uid": 1000, "gid": 1001, "additionalGids": [1001, 7]}));
    let state = launch(&user, "sandbox", &bundle);
    let pid = &state["pid"];
    assert!(status_of(pid, "Uid").starts_with(&(SUBORDINATE.0 + 999).to_string()), "{}", status_of(pid, "Uid"));
    assert_eq!(status_of(pid, "Groups"), format!("{} {}", SUBORDINATE.0 + 6, SUBORDINATE.0 + 1000));
    user.verb(&["kill", bundle.id(), "KILL"]).succeeds();
    user.verb(&["delete", "--force", bundle.id()]).succeeds();
    user.nothing_left();
}

/// A change of the configuration, and the number and the field of the refusal.
type Refused = (fn(&mut Value), &'static str, &'static str);

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn what_cannot_be_had_is_refused_by_name() {
    let user = User::new();
    let cases: [Refused; 5] = [
        (|c| c["linux"]["resources"]["memory"] = json!({"limit": 1 << 26}), "1427", "linux.resources.memory.limit"),
        (|c| c["linux"]["resources"]["pids"] = json!({"limit": 10}), "1427", "linux.resources.pids.limit"),
        (|c| c["process"]["user"]["additionalGids"] = json!([5]), "1485", "process.user.additionalGids"),
        (|c| c["process"]["user"]["uid"] = json!(1000), "1019", "process.user.uid"),
        (
            |c| {
                c["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
                c["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 5_000_000, "size": 1}]);
                c["linux"]["gidMappings"] = json!([{"containerID": 0, "hostID": 5_000_000, "size": 1}]);
            },
            "1484",
            "linux.uidMappings",
        ),
    ];
    for (change, code, name) in cases {
        let outcome = user.run(&Bundle::shell("true").edit(change));
        assert_eq!(outcome.status, 125, "{name}: {outcome:?}");
        outcome.explains(&[&format!("error[lazaret-{code}]"), name, "hint:"]);
    }
    user.verb(&["--rootless", "false", "do", "--", "true"]).expect(125).explains(&["--rootless false needs root"]);
}

/// A mapping as `runc spec --rootless` writes it names the caller's id on the host.
#[test]
#[ignore = "needs root: to become an ordinary user"]
fn a_bundle_may_map_the_callers_own_id() {
    let user = User::new();
    let own = json!([{"containerID": 7, "hostID": user.id(), "size": 1}]);
    let bundle = Bundle::shell("id -u; cat /proc/self/uid_map").edit(|config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
        config["linux"]["uidMappings"] = own.clone();
        config["linux"]["gidMappings"] = own;
        config["process"]["user"] = json!({"uid": 7, "gid": 7});
    });
    user.own(&bundle);
    let path = bundle.path().display().to_string();
    let outcome = user.verb(&["--mode", "native", "run", "--bundle", &path, bundle.id()]);
    // Without an id 0 there is no root inside that could set it up.
    assert_eq!(outcome.status, 125, "{outcome:?}");
    user.nothing_left();
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn without_a_runtime_directory_the_state_is_the_users_alone() {
    let user = User::new();
    let run = || outcome::run(user.command(&["do", "--", "true"]).env_remove("XDG_RUNTIME_DIR"));
    let fallback = std::path::PathBuf::from(format!("/tmp/lazaret-{}", user.id()));
    run().succeeds();
    assert_eq!(std::fs::metadata(&fallback).unwrap().permissions().mode() & 0o7777, 0o700);
    // Made by somebody else before: not used.
    std::os::unix::fs::chown(&fallback, Some(0), Some(0)).unwrap();
    run().expect(125).explains(&["error[lazaret-1483]", "belongs to this user alone", "hint:"]);
    std::fs::remove_dir_all(&fallback).unwrap();
}

/// Each attack works for the same user outside, and not in the sandbox.
#[test]
#[ignore = "needs root: to become an ordinary user"]
fn attacks_are_refused_as_in_a_sandbox_of_root() {
    for attack in [&["unshare", "user"][..], &["clone", "user"], &["userns-capabilities"], &["io-uring"]] {
        let user = User::new();
        let bundle = Bundle::attacker(attack).lax_but_admissible();
        user.own(&bundle);
        let outside = bundle.rootfs().join("attacker").display().to_string();
        let control = outcome::run(&mut user.program(&outside, attack));
        assert!(verdict::of(&control).ok, "{attack:?}: the positive control failed: {control:?}");
        let inside = verdict::of(&user.run(&bundle));
        assert!(!inside.ok, "{attack:?} succeeded: {inside:?}");
    }
}

/// What the sandbox may not do to processes of its own user on the host.
#[test]
#[ignore = "needs root: to become an ordinary user"]
fn processes_of_the_same_user_are_out_of_reach() {
    for user in [User::new(), User::with_subordinate_ids()] {
        let mut victim = user.program("/bin/sleep", &["30"]);
        // What is not the sandbox's carries no mark of it.
        victim.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut victim = victim.spawn().unwrap();
        let pid = victim.id().to_string();
        let attack = ["kill-outside", &pid];
        let inside = verdict::of(&user.run(&Bundle::attacker(&attack).lax_but_admissible()));
        assert!(!inside.ok, "{inside:?}");
        assert!(victim.try_wait().unwrap().is_none(), "the user's process was killed");
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
}

#[test]
#[ignore = "needs root: to become an ordinary user"]
fn honest_programs_work() {
    for user in [User::new(), User::with_subordinate_ids()] {
        for act in
            ["honest-files", "honest-threads", "honest-exec", "honest-tcp", "honest-memory", "honest-shared-memory"]
        {
            let honest = verdict::of(&user.run(&Bundle::attacker(&[act])));
            assert!(honest.ok, "{act}: {honest:?}");
        }
    }
}

/// The owner of a container may trace it, and nobody else but root.
#[test]
#[ignore = "needs root: to become an ordinary user"]
fn own_container_can_be_traced_with_its_children() {
    for user in [User::new(), User::with_subordinate_ids()] {
        let bundle = Bundle::shell("while :; do sleep 0.01; done & while :; do echo mine >/dev/null; sleep 0.01; done");
        launch(&user, "sandbox", &bundle);
        let file = user.home().join("stream");
        let mut tracer = user.command(&["trace", "-o", &file.display().to_string(), bundle.id()]).spawn().unwrap();
        let parents = || {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let lines = text.lines().filter(|line| line.contains(" wait4("));
            lines.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<BTreeSet<_>>()
        };
        deadline::until("the shell and its child", || parents().len() == 2);
        let by_another = User::new();
        let root = user.root().display().to_string();
        assert_ne!(by_another.verb(&["--root", &root, "trace", bundle.id()]).status, 0);
        user.verb(&["kill", bundle.id(), "KILL"]).succeeds();
        assert!(tracer.wait().unwrap().success(), "it ends with the container");
        user.verb(&["delete", "--force", bundle.id()]).succeeds();
        user.nothing_left();
    }
}
