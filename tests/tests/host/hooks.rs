//! Hooks: when each runs, where, with what on its standard input, and what its failure does.

use std::path::Path;
use std::time::{Duration, Instant};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use serde_json::{Value, json};

/// A hook that runs a shell line, with the environment that the line may look at.
fn shell(line: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", line], "env": ["GREETING=good day"]})
}

/// A hook that appends its point, mount and pid namespace, and the state that it gets, to a file of the bundle.
fn recorder(bundle: &Bundle, point: &str) -> Value {
    let log = bundle.path().join("log").display().to_string();
    shell(&format!("echo \"{point} $(readlink /proc/self/ns/mnt) $(cat)\" >> {log}"))
}

struct Record {
    point: String,
    mounts: String,
    state: Value,
}

fn records(log: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let record = |line: &str| {
        let (point, rest) = line.split_once(' ').unwrap();
        let (mounts, state) = rest.split_once(' ').unwrap();
        Record { point: point.to_owned(), mounts: mounts.to_owned(), state: serde_json::from_str(state).unwrap() }
    };
    text.lines().map(record).collect()
}

fn native() -> Lazaret {
    Lazaret::with_options(&["--mode", "native"])
}

/// A bundle that records every hook; `startContainer` writes to the bind mount of the same directory.
fn recording(line: &str) -> Bundle {
    let bundle = Bundle::shell(line);
    let path = bundle.path().to_owned();
    let bundle = bundle.bind(&path, "/mnt").edit(|config| config["annotations"] = json!({"a": "b"}));
    let mut hooks = serde_json::Map::new();
    for point in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        hooks.insert(point.to_owned(), json!([recorder(&bundle, point)]));
    }
    let inside = "echo \"startContainer $(readlink /proc/self/ns/mnt) $(cat)\" >> /mnt/log";
    hooks.insert("startContainer".to_owned(), json!([shell(inside)]));
    bundle.edit(|config| config["hooks"] = Value::Object(hooks))
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn every_hook_runs_at_its_time_in_its_namespace_with_the_state_of_that_time() {
    let lazaret = native();
    let bundle = recording("exec sleep 1000");
    let log = bundle.path().join("log");
    let own = std::fs::read_link("/proc/self/ns/mnt").unwrap().display().to_string();
    let points = |log: &Path| records(log).into_iter().map(|record| record.point).collect::<Vec<_>>();
    lazaret.create(&bundle).succeeds();
    assert_eq!(points(&log), ["prestart", "createRuntime", "createContainer"]);
    let pid = lazaret.state(bundle.id())["pid"].clone();
    lazaret.verb(&["start", bundle.id()]).succeeds();
    assert_eq!(points(&log)[3..], ["startContainer", "poststart"]);
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
    let records = records(&log);
    assert_eq!(records.len(), 6);
    for (record, (status, inside)) in records.iter().zip([
        ("creating", false),
        ("creating", false),
        ("creating", true),
        ("created", true),
        ("running", false),
        ("stopped", false),
    ]) {
        let state = &record.state;
        assert_eq!(state["status"], status, "{}", record.point);
        assert_eq!(record.mounts != own, inside, "{}: {}", record.point, record.mounts);
        assert_eq!((&state["id"], &state["bundle"]), (&json!(bundle.id()), &json!(bundle.path())));
        assert_eq!((&state["ociVersion"], &state["annotations"]["a"]), (&json!("1.0.2"), &json!("b")));
        let expected = match (inside, status) {
            (true, _) => json!(1),
            (false, "stopped") => json!(0),
            _ => pid.clone(),
        };
        assert_eq!(state["pid"], expected, "{}", record.point);
    }
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn run_runs_every_hook_too() {
    let bundle = recording("true");
    native().run(&bundle).succeeds();
    let points: Vec<_> = records(&bundle.path().join("log")).into_iter().map(|record| record.point).collect();
    let all = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    assert_eq!(points, all);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn arguments_and_environment_are_exactly_those_of_the_bundle() {
    let bundle = Bundle::new();
    let file = bundle.path().join("seen");
    let line =
        format!("tr '\\0' '\\n' < /proc/self/environ > {0}; tr '\\0' ' ' < /proc/$$/cmdline >> {0}", file.display());
    let mut named = shell(&line);
    named["args"][0] = json!("hook");
    let bundle = bundle.edit(|config| config["hooks"] = json!({"createRuntime": [named]}));
    native().run(&bundle).succeeds();
    let seen = std::fs::read_to_string(&file).unwrap();
    assert!(seen.starts_with("GREETING=good day\n"), "{seen}");
    assert!(seen.contains("\nhook -c tr "), "{seen}");
    assert!(!seen.contains("PATH=") && !seen.contains("LAZARET"), "{seen}");
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn hooks_before_the_change_of_root_find_the_mounts_where_the_bundle_has_its_root() {
    let bundle = Bundle::new();
    let (rootfs, seen) = (bundle.rootfs().display().to_string(), bundle.path().join("seen"));
    let line = format!("test -e {rootfs}/proc/self/status && echo yes > {}", seen.display());
    let bundle = bundle.edit(|config| config["hooks"] = json!({"createContainer": [shell(&line)]}));
    native().run(&bundle).succeeds();
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "yes\n");
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_hook_that_fails_ends_the_creation_and_nothing_is_left_but_poststop_has_run() {
    for point in ["prestart", "createRuntime", "createContainer"] {
        let lazaret = native();
        let bundle = Bundle::new();
        let (second, after) = (bundle.path().join("second"), bundle.path().join("after"));
        let bundle = bundle.edit(|config| {
            config["hooks"] = json!({
                point: [shell("echo no such luck >&2; exit 3"), shell(&format!("touch {}", second.display()))],
                "poststop": [shell(&format!("cat > {}", after.display()))]
            });
        });
        let outcome = lazaret.create(&bundle);
        assert_ne!(outcome.status, 0, "{point}");
        outcome.explains(&[
            "error[lazaret-1492]",
            &format!("error running {point} hook #0"),
            "exit status 3",
            "no such luck",
        ]);
        assert!(!second.exists(), "{point}: hooks after the one that failed do not run");
        let state: Value = serde_json::from_str(&std::fs::read_to_string(&after).unwrap()).unwrap();
        assert_eq!(state["status"], "stopped");
        lazaret.nothing_left(bundle.id());
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_start_hook_that_fails_fails_the_start_and_ends_the_container() {
    let lazaret = native();
    let bundle =
        Bundle::shell("exec sleep 1000").edit(|config| config["hooks"] = json!({"startContainer": [shell("exit 7")]}));
    lazaret.create(&bundle).succeeds();
    let outcome = lazaret.verb(&["start", bundle.id()]);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["error running startContainer hook #0", "exit status 7"]);
    lazaret_tests::deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
    lazaret.verb(&["delete", bundle.id()]).succeeds();
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_poststart_hook_that_fails_stops_the_container_and_one_of_poststop_changes_nothing() {
    let lazaret = native();
    let bundle = Bundle::shell("exec sleep 1000");
    let log = bundle.path().join("log");
    let bundle = bundle.edit(|config| {
        let after = |word: &str| json!([shell("exit 5"), shell(&format!("echo {word} >> {}", log.display()))]);
        config["hooks"] = json!({"poststart": after("start"), "poststop": after("stop")});
    });
    lazaret.create(&bundle).succeeds();
    lazaret.verb(&["start", bundle.id()]).expect(125).explains(&["poststart hook #0", "exit status 5"]);
    assert_eq!(lazaret.state(bundle.id())["status"], "stopped");
    // The bundle's own configuration is not needed any more.
    std::fs::remove_file(bundle.path().join("config.json")).unwrap();
    lazaret.verb(&["delete", bundle.id()]).succeeds().explains(&["poststop hook #0"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "stop\n", "of poststop all are run, of poststart none after it");
    lazaret.nothing_left(bundle.id());
    // The same in the foreground.
    lazaret.run(&bundle).expect(125).explains(&["poststart hook #0"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "stop\nstop\n");
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_hook_that_is_late_is_killed_with_its_children() {
    let lazaret = native();
    let bundle = Bundle::new();
    let file = bundle.path().join("pids");
    let mut hook = shell(&format!("sleep 1003 & echo $! $$ > {}; wait", file.display()));
    hook["timeout"] = json!(1);
    let bundle = bundle.edit(|config| config["hooks"] = json!({"createRuntime": [hook]}));
    let began = Instant::now();
    let outcome = lazaret.create(&bundle);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["error[lazaret-1493]", "not done within 1 seconds"]);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for pid in std::fs::read_to_string(&file).unwrap().split_whitespace() {
        let proc = format!("/proc/{pid}/stat");
        let gone = || std::fs::read_to_string(&proc).map_or(true, |stat| stat.contains(") Z "));
        lazaret_tests::deadline::until("the hook's processes to be gone", gone);
    }
    lazaret.nothing_left(bundle.id());
}

/// The attack: a bundle that has the host run a program of its choice.
#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_sandbox_runs_no_hook_on_the_host_and_its_own_inside() {
    for point in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        let lazaret = Lazaret::new();
        let bundle = Bundle::new();
        let file = bundle.path().join("owned");
        let line = format!("id -u > {}", file.display());
        let bundle = bundle.edit(|config| config["hooks"] = json!({ point: [shell(&line)] }));
        let outcome = lazaret.create(&bundle);
        assert_ne!(outcome.status, 0, "{point}");
        outcome.explains(&["error[lazaret-1321]", &format!("hooks.{point}[0].path"), "/etc/lazaret/allowed-hooks"]);
        assert!(!file.exists(), "{point}");
        lazaret.nothing_left(bundle.id());
    }
    // The honest neighbour; and it has no more rights than the container's process.
    let line =
        "echo hook $(id -u) $(readlink /proc/self/ns/user) $(cat) > /tmp/hook; echo 1 > /proc/sys/kernel/hostname";
    let bundle = Bundle::shell("echo $(readlink /proc/self/ns/user); cat /tmp/hook; hostname")
        .edit(|config| config["hooks"] = json!({"startContainer": [shell(&format!("{line}; true"))]}));
    let outcome = Lazaret::new().run(&bundle).expect(0);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(lines[1].starts_with(&format!("hook 0 {} {{", lines[0])), "{lines:?}");
    assert!(lines[1].contains("\"status\":\"created\",\"pid\":1,"), "{lines:?}");
    assert_eq!(lines[2], "sandbox");
}
