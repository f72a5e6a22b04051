//! The OCI verbs on a good day: create, start, state, kill, delete, run.

use std::process::Stdio;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome;
use serde_json::json;

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_container_goes_through_its_states() {
    let lazaret = Lazaret::new();
    let bundle =
        Bundle::shell("echo started; exec sleep 1000").edit(|config| config["annotations"] = json!({"a.b": "c"}));
    lazaret.create(&bundle).succeeds();
    let created = lazaret.state(bundle.id());
    assert_eq!(created["status"], "created");
    assert_eq!(created["id"], bundle.id());
    assert_eq!(created["ociVersion"].as_str().map(|version| version.starts_with("1.")), Some(true), "{created}");
    assert_eq!(created["bundle"], json!(bundle.path()));
    assert_eq!(created["annotations"]["a.b"], "c");
    let pid = created["pid"].as_i64().unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "the init of a created container is there");
    lazaret.verb(&["start", bundle.id()]).succeeds();
    let running = lazaret.state(bundle.id());
    assert_eq!((running["status"].as_str(), running["pid"].as_i64()), (Some("running"), Some(pid)));
    let refused = lazaret.verb(&["delete", bundle.id()]);
    assert_ne!(refused.status, 0, "a running container must not be deleted without force");
    lazaret.verb(&["kill", bundle.id(), "KILL"]).succeeds();
    lazaret_tests::deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
    lazaret.verb(&["delete", bundle.id()]).succeeds();
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn run_prints_passes_input_and_returns_the_status() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("read word; echo \"$word from $(hostname)\"; echo err >&2; exit 42");
    bundle.write();
    let path = bundle.path().display().to_string();
    let mut command = lazaret.command(&["run", "--bundle", &path, bundle.id()]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"hello\n").unwrap();
    drop(writer);
    let outcome = outcome::run_with_input(command.stdin(reader)).expect(42);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("hello from sandbox\n", "err\n"));
    lazaret.nothing_left(bundle.id());
    assert!(lazaret.states().is_empty(), "run leaves the state directory empty");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_process_gets_its_environment_directory_user_and_limits() {
    let bundle =
        Bundle::shell("echo $GREETING; pwd; id -u; id -g; id -G; umask; ulimit -n; ulimit -Hn").edit(|config| {
            config["process"]["env"].as_array_mut().unwrap().push(json!("GREETING=good day"));
            config["process"]["cwd"] = json!("/home");
            config["process"]["user"] = json!({"uid": 1000, "gid": 1001, "additionalGids": [5, 1002], "umask": 0o27});
            config["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]);
        });
    let outcome = Lazaret::new().run(&bundle).expect(0);
    assert_eq!(outcome.stdout, "good day\n/home\n1000\n1001\n1001 5 1002\n0027\n100\n200\n");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_pid_file_names_the_init() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    bundle.write();
    let (path, file) = (bundle.path().display().to_string(), bundle.path().join("pid"));
    let file_name = file.display().to_string();
    lazaret.verb(&["create", "--bundle", &path, "--pid-file", &file_name, bundle.id()]).succeeds();
    let pid: i64 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    assert_eq!(lazaret.state(bundle.id())["pid"], pid);
}

/// The workload as pid 1 sees a signal only when it has a handler.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn kill_delivers_signals_by_name_and_by_number() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell(
        "trap 'echo usr1' USR1; trap 'echo term; exit 5' TERM; echo ready; while true; do sleep 0.05; done",
    );
    let running = lazaret.launch(&bundle);
    running.says("ready");
    lazaret.verb(&["kill", running.id(), "SIGUSR1"]).succeeds();
    running.says("usr1");
    lazaret.verb(&["kill", running.id(), "15"]).succeeds();
    running.says("term");
    running.wait();
    let refused = lazaret.verb(&["kill", running.id(), "15"]);
    assert_ne!(refused.status, 0);
    refused.explains(&["error[lazaret-", "not running"]);
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn kill_without_a_signal_means_term() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("trap 'echo term; exit 0' TERM; echo ready; while true; do sleep 0.05; done");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    lazaret.verb(&["kill", running.id()]).succeeds();
    running.wait();
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn delete_by_force_ends_a_running_container_and_its_children() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("sleep 1001 & sleep 1002 & echo ready; wait");
    let running = lazaret.launch(&bundle);
    running.says("ready");
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn delete_by_force_of_what_is_not_there_is_no_error() {
    Lazaret::new().verb(&["delete", "--force", "never-was"]).succeeds();
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_configuration_is_frozen_at_create() {
    let lazaret = Lazaret::new();
    let mut bundle = Bundle::shell("exec sleep 1000");
    let output = bundle.path().join("output");
    bundle.write();
    let path = bundle.path().display().to_string();
    let mut command = lazaret.command(&["create", "--bundle", &path, bundle.id()]);
    let file = std::fs::File::create(&output).unwrap();
    assert!(command.stdin(Stdio::null()).stdout(file).status().unwrap().success());
    bundle.config["process"]["args"] = json!(["/bin/echo", "changed"]);
    bundle.write();
    lazaret.verb(&["start", bundle.id()]).succeeds();
    assert_eq!(lazaret.state(bundle.id())["status"], "running", "the container obeys the old configuration");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_created_container_can_be_killed_before_it_starts() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("true");
    lazaret.create(&bundle).succeeds();
    lazaret.verb(&["kill", bundle.id(), "KILL"]).succeeds();
    lazaret_tests::deadline::until("stopped", || lazaret.state(bundle.id())["status"] == "stopped");
    lazaret.verb(&["delete", bundle.id()]).succeeds();
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn the_bundle_is_the_working_directory_by_default() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo here");
    bundle.write();
    let mut command = lazaret.command(&["run", bundle.id()]);
    let outcome = outcome::run(command.current_dir(bundle.path())).expect(0);
    assert_eq!(outcome.stdout, "here\n");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn native_mode_runs_the_bundle_as_written() {
    let lazaret = Lazaret::with_options(&["--mode", "native"]);
    let bundle = Bundle::shell("id -u; readlink /proc/self/ns/user");
    let outcome = lazaret.run(&bundle).expect(0);
    let host = std::fs::read_link("/proc/self/ns/user").unwrap().display().to_string();
    assert_eq!(outcome.stdout, format!("0\n{host}\n"), "no user namespace was asked for");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn mounts_of_the_bundle_are_there_with_their_options() {
    let data = lazaret_tests::canary::CanaryFile::new();
    let bundle = Bundle::shell("cat /mnt/canary; echo x > /mnt/new || echo read-only; stat -c %u:%g:%a /mnt/canary")
        .mount(
            json!({"type": "bind", "source": data.path.parent(), "destination": "/mnt", "options": ["rbind", "ro"]}),
        );
    let outcome = Lazaret::new().run(&bundle).expect(0);
    assert_eq!(outcome.stdout, format!("{}read-only\n0:0:644\n", data.token), "{outcome:?}");
}
