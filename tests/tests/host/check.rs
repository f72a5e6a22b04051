//! `check` and `verify` judge what is so and not what is written: each gap here is real.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::outcome::{self, Outcome};
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, programs};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::doctor::{ENOSYS, below};

/// Every check of a report.
fn items(outcome: &Outcome) -> Vec<Value> {
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let groups = list(&report, "Controls").into_iter().flat_map(|control| list(&control, "tests"));
    let items: Vec<Value> = groups.flat_map(|group| list(&group, "results")).collect();
    for (status, total) in
        [("PASS", "total_pass"), ("FAIL", "total_fail"), ("WARN", "total_warn"), ("INFO", "total_info")]
    {
        let count = items.iter().filter(|item| item["status"] == status).count();
        assert_eq!(report["Totals"][total], count, "{total}");
    }
    let is_well = report["Totals"]["total_fail"] == 0;
    assert_eq!(outcome.status, i32::from(!is_well), "the status tells whether a check fails");
    items
}

/// Status and value of the one check whose text has `words`.
#[track_caller]
fn found(items: &[Value], words: &str) -> (String, String) {
    let fits = |item: &&Value| item["test_desc"].as_str().unwrap().contains(words);
    let all: Vec<&Value> = items.iter().filter(fits).collect();
    assert_eq!(all.len(), 1, "{words}: {all:?}");
    let text = |key: &str| all[0][key].as_str().unwrap().to_owned();
    if text("status") == "FAIL" {
        assert!(!text("remediation").is_empty() && !text("reason").is_empty(), "{}", all[0]);
    }
    (text("status"), text("actual_value"))
}

/// A node's root with some files: path, text and mode.
fn node(files: &[(&str, &str, u32)]) -> Scratch {
    let node = Scratch::new();
    for (path, text, mode) in files {
        let path = node.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
    }
    node
}

fn check(lazaret: &Lazaret, node: &Path) -> Outcome {
    lazaret.verb(&["check", "--json", "--host", &node.display().to_string()])
}

#[test]
#[ignore = "needs root: owners of files"]
fn a_file_that_others_may_change_fails_until_the_remediation_is_done() {
    let lazaret = Lazaret::new();
    let shim = "usr/local/bin/containerd-shim-lazaret-v1";
    let node = node(&[("usr/local/bin/lazaret", "", 0o775), (shim, "", 0o755), ("etc/lazaret/config.toml", "", 0o646)]);
    std::os::unix::fs::chown(node.join(shim), Some(1000), None).unwrap();
    let items = self::items(&check(&lazaret, node.path()));
    let wanted = |path: &str| format!("only its owner can change the {path}");
    assert_eq!(found(&items, &wanted("program /usr/local/bin/lazaret")), ("FAIL".into(), "owner 0, mode 775".into()));
    assert_eq!(found(&items, &wanted(&format!("program /{shim}"))), ("FAIL".into(), "owner 1000, mode 755".into()));
    assert_eq!(found(&items, &wanted("file /etc/lazaret/config.toml")).0, "FAIL");
    assert_eq!(found(&items, &wanted("file /etc/lazaret/conf.d")).0, "INFO", "what is not there is no failure");
    let is_about_a_file =
        |item: &&Value| item["status"] == "FAIL" && item["test_number"].as_str().unwrap().starts_with("2.");
    for item in items.iter().filter(is_about_a_file) {
        let command = item["remediation"].as_str().unwrap().replace(" /", &format!(" {}/", node.path().display()));
        outcome::run(std::process::Command::new("sh").args(["-c", &command])).succeeds();
    }
    let items = self::items(&check(&lazaret, node.path()).expect(0));
    assert_eq!(found(&items, &wanted("program /usr/local/bin/lazaret")), ("PASS".into(), "owner 0, mode 755".into()));
    assert_eq!(found(&items, &wanted(&format!("program /{shim}"))).0, "PASS");
}

#[test]
#[ignore = "needs root: owners of files"]
fn engines_are_judged_by_what_they_are_told() {
    let lazaret = Lazaret::new();
    let containerd = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.sandboxed]\n\
                      runtime_type = \"io.containerd.lazaret.v1\"\npod_annotations = [\"*\"]\n";
    let docker = r#"{"runtimes": {"lazaret": {"path": "/opt/lazaret"}}}"#;
    let crio =
        "[crio.runtime.runtimes.l]\nruntime_path = \"/usr/bin/lazaret\"\nprivileged_without_host_devices = true\n";
    let node = node(&[
        ("etc/containerd/config.toml", containerd, 0o644),
        ("etc/docker/daemon.json", docker, 0o644),
        ("etc/containers/containers.conf", "[engine\n", 0o644),
        ("etc/crio/crio.conf.d/99-lazaret.conf", crio, 0o644),
        ("usr/bin/lazaret", "", 0o755),
    ]);
    let items = self::items(&check(&lazaret, node.path()).expect(1));
    assert_eq!(found(&items, "containerd: ensure that a handler"), ("PASS".into(), "sandboxed".into()));
    assert_eq!(found(&items, "sandboxed passes on no annotations"), ("FAIL".into(), "*".into()));
    assert_eq!(found(&items, "sandboxed gives privileged pods no devices").0, "FAIL");
    assert_eq!(found(&items, "lazaret names a program"), ("FAIL".into(), "/opt/lazaret is not there".into()));
    let (status, why) = found(&items, "podman: ensure that its configuration can be read");
    assert!(status == "FAIL" && why.contains("/etc/containers/containers.conf: ") && why.contains("line 1"), "{why}");
    assert_eq!(found(&items, "CRI-O: ensure that l gives privileged pods no devices").0, "PASS");
    assert_eq!(found(&items, "CRI-O: ensure that l names a program").0, "PASS");
}

/// The same command sees another node where a file is covered.
#[test]
#[ignore = "needs root: mount namespaces"]
fn what_is_not_there_is_neither_passed_nor_failed() {
    let hidden = "mount -t tmpfs none /etc && exec \"$@\"";
    let lazaret = Lazaret::new().run_by(&["unshare", "-m", "sh", "-c", hidden, "sh"]);
    let items = self::items(&lazaret.verb(&["check", "--json"]));
    assert_eq!(
        found(&items, "containerd: ensure that its configuration can be read"),
        ("INFO".into(), "there is none".into())
    );
    assert_eq!(found(&items, "podman: ensure that its configuration can be read").0, "PASS", "the vendor's is in /usr");
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_gap_of_the_kernel_fails_as_doctor_says() {
    let lazaret = below(ENOSYS, &[libc::SYS_mount_setattr, libc::SYS_landlock_create_ruleset]);
    let items = self::items(&lazaret.verb(&["check", "--json"]).expect(1));
    assert_eq!(found(&items, "attributes of mounts"), ("FAIL".into(), "mount_setattr: ENOSYS".into()));
    assert_eq!(found(&items, "Landlock domain").0, "WARN", "strict mode alone needs it");
    assert_eq!(found(&items, "paths below a root").0, "PASS");
    let text = lazaret.verb(&["check"]).expect(1).stdout;
    let line = text.lines().find(|line| line.contains("attributes of mounts")).unwrap();
    assert!(line.starts_with("[FAIL] 1.4.2 "), "{line}");
    let number = "\n1.4.2 Without it: ";
    let remediations = text.split_once("== Remediations ==").unwrap().1;
    assert!(remediations.contains(number) && text.contains(" checks FAIL\n"), "{text}");
}

fn launch<'a>(lazaret: &'a Lazaret, bundle: &'a Bundle) -> Running<'a> {
    let running = lazaret.launch(bundle);
    running.says("ready");
    running
}

fn stored(lazaret: &Lazaret, id: &str) -> Value {
    serde_json::from_slice(&std::fs::read(lazaret.root().join(id).join("state.json")).unwrap()).unwrap()
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn what_holds_of_a_sandbox_is_verified_from_outside() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = Bundle::shell("sleep 1000 & echo ready; wait");
        let running = launch(&lazaret, &bundle);
        let items = self::items(&lazaret.verb(&["verify", "--json", running.id()]).expect(0));
        for words in ["namespace is the host's", "root is not the host's", "gain privileges", "more capabilities"] {
            assert_eq!(found(&items, words).0, "PASS", "{interceptor}: {words}");
        }
        assert_eq!(found(&items, "behind a filter"), ("PASS".into(), "2 tasks".into()), "{interceptor}");
        for words in ["is a user of the host's", "the sentry lives", "is jailed", "somebody watches"] {
            assert_eq!(found(&items, words).0, "PASS", "{interceptor}: {words}");
        }
        let traced = if interceptor == "ptrace" { "PASS" } else { "INFO" };
        assert_eq!(found(&items, "is traced").0, traced);
        assert!(!items.iter().any(|item| item["status"] == "WARN"), "{items:?}");
        let all = self::items(&lazaret.verb(&["check", "--json"]).expect(0));
        assert_eq!(found(&all, "the sentry lives").0, "PASS", "check looks at every container");
        running.delete();
        lazaret.verb(&["verify", "none"]).expect(125).explains(&["error[lazaret-1001]"]);
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_created_container_is_behind_its_walls_before_it_starts() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    bundle.write();
    let output = std::fs::File::create(bundle.path().join("output")).unwrap();
    let mut create = lazaret.command(&["create", "--bundle", &bundle.path().display().to_string(), bundle.id()]);
    create.stdout(output.try_clone().unwrap()).stderr(output).stdin(std::process::Stdio::null());
    assert!(create.status().unwrap().success());
    let items = self::items(&lazaret.verb(&["verify", "--json", bundle.id()]).expect(0));
    assert_eq!(found(&items, "the container runs"), ("PASS".into(), "created".into()));
    assert_eq!(found(&items, "behind a filter").0, "PASS");
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
}

/// The monitor is kept from ending the container at once, as it else does.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_sentry_that_was_killed_is_missed_and_so_is_its_monitor() {
    let lazaret = Lazaret::by("notify");
    let bundle = Bundle::shell("echo ready; sleep 1000 & wait");
    let running = launch(&lazaret, &bundle);
    let state = stored(&lazaret, running.id());
    let pid = |key: &str| i32::try_from(state[key]["pid"].as_i64().unwrap()).unwrap();
    let (monitor, sentry) = (pid("monitor"), pid("sentry"));
    let signal = |to: i32, signal| kill_process(Pid::from_raw(to).unwrap(), signal).unwrap();
    signal(monitor, Signal::STOP);
    signal(sentry, Signal::KILL);
    deadline::until("the sentry is gone", || {
        let items = self::items(&lazaret.verb(&["verify", "--json", running.id()]));
        found(&items, "the sentry lives").0 == "FAIL"
    });
    let outcome = lazaret.verb(&["verify", running.id()]).expect(1);
    let gone = format!("Ensure that the sentry lives: process {sentry} is gone: trapped calls fail");
    assert!(
        outcome.stdout.lines().any(|line| line.starts_with("[FAIL] 4.1.9 ") && line.ends_with(&gone)),
        "{outcome:?}"
    );
    let items = self::items(&lazaret.verb(&["verify", "--json", running.id()]).expect(1));
    assert_eq!(found(&items, "somebody watches").0, "PASS", "a stopped monitor lives");
    assert_eq!(found(&items, "is jailed").0, "WARN", "a sentry that is gone cannot be looked at");
    assert_eq!(found(&items, "behind a filter").0, "PASS", "the kernel's walls stand");
    signal(monitor, Signal::KILL);
    deadline::until("the monitor is gone", || {
        let items = self::items(&lazaret.verb(&["verify", "--json", running.id()]).expect(1));
        found(&items, "somebody watches").0 == "FAIL"
    });
    running.delete();
}

/// What a state claims counts for nothing.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_native_container_whose_state_says_sandbox_is_found_out() {
    let lazaret = Lazaret::with_options(&["--mode", "native"]);
    let bundle = Bundle::shell("echo ready; exec sleep 1000").lax().edit(|config| {
        config["process"]["noNewPrivileges"] = false.into();
        config["linux"]["seccomp"].take();
    });
    let running = launch(&lazaret, &bundle);
    assert_eq!(lazaret.verb(&["verify", running.id()]).status, 0, "it is what it says it is");
    let file = lazaret.root().join(running.id()).join("state.json");
    let mut state = stored(&lazaret, running.id());
    state["mode"] = "sandbox".into();
    std::fs::write(&file, state.to_string()).unwrap();
    let items = self::items(&lazaret.verb(&["verify", "--json", running.id()]).expect(1));
    let (status, why) = found(&items, "namespace is the host's");
    assert!(status == "FAIL" && why.contains("user"), "{why}");
    for words in
        ["gain privileges", "more capabilities", "behind a filter", "is a user of the host's", "the sentry lives"]
    {
        assert_eq!(found(&items, words).0, "FAIL", "{words}");
    }
    state["mode"] = "native".into();
    std::fs::write(&file, state.to_string()).unwrap();
    running.delete();
}

/// Without the right to look into another user namespace, what cannot be seen is not said to hold.
#[test]
#[ignore = "needs root: namespaces, capabilities"]
fn what_may_not_be_looked_at_is_a_warning() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo ready; exec sleep 1000");
    let running = launch(&lazaret, &bundle);
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]).arg(programs::lazaret());
    command.arg("--root").arg(lazaret.root()).args(["verify", "--json", running.id()]);
    let items = self::items(&outcome::run(&mut command).expect(0));
    for words in ["namespace is the host's", "root is not the host's", "is jailed"] {
        let (status, why) = found(&items, words);
        assert!(status == "WARN" && why.starts_with("could not be looked at: "), "{words}: {status}: {why}");
    }
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn what_has_ended_is_told_with_the_reason() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("echo ready");
    let running = launch(&lazaret, &bundle);
    running.wait();
    let items = self::items(&lazaret.verb(&["verify", "--json", running.id()]).expect(1));
    assert_eq!(found(&items, "the container runs"), ("FAIL".into(), "stopped".into()));
    assert_eq!(items.len(), 1);
    running.delete();
}

#[test]
#[ignore = "needs root: owners of files"]
fn the_configuration_is_judged_by_what_it_means() {
    let lazaret = Lazaret::new();
    let none = self::items(&check(&lazaret, node(&[]).path()));
    assert_eq!(found(&none, "the configuration can be read").0, "INFO");
    assert_eq!(found(&none, "containers are confined"), ("PASS".into(), "sandbox".into()));
    let hooks = "/opt/hook # looked at\n";
    let loose = node(&[
        ("etc/lazaret/config.toml", "mode = \"native\"\n", 0o644),
        ("etc/lazaret/conf.d/1.toml", "records = \"None\"\n", 0o644),
        ("etc/lazaret/allowed-hooks", hooks, 0o644),
    ]);
    let items = self::items(&check(&lazaret, loose.path()).expect(1));
    assert_eq!(found(&items, "containers are confined"), ("FAIL".into(), "native".into()));
    assert_eq!(found(&items, "refused calls are on record"), ("FAIL".into(), "None".into()));
    assert_eq!(found(&items, "run as hooks"), ("WARN".into(), "/opt/hook".into()));
    let wrong = node(&[("etc/lazaret/config.toml", "mode = \"sandbox\"\nmoed = 1\n", 0o644)]);
    let items = self::items(&check(&lazaret, wrong.path()).expect(1));
    let (status, why) = found(&items, "the configuration can be read");
    assert!(status == "FAIL" && why.contains("config.toml:2:1") && why.contains("moed"), "{why}");
    let named = loose.join("etc/lazaret/config.toml").display().to_string();
    let items = self::items(&lazaret.verb(&["--config", &named, "check", "--json"]).expect(1));
    assert_eq!(found(&items, "containers are confined").0, "FAIL", "the configuration that is named is the one judged");
}
