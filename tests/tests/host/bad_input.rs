//! Bad input: one error with a stable code, the cause, the path and key, and a hint; nothing is left behind.

use std::os::unix::fs::PermissionsExt as _;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::outcome::Outcome;
use serde_json::json;

/// One error, with a code, and all of `words`.
#[track_caller]
fn one_error(outcome: &Outcome, words: &[&str]) -> u32 {
    let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("error[lazaret-")).collect();
    assert_eq!(errors.len(), 1, "exactly one error: {outcome:?}");
    outcome.explains(words);
    let digits = errors[0].strip_prefix("error[lazaret-").unwrap().split(']').next().unwrap();
    assert_eq!(digits.len(), 4, "the code has four digits: {}", errors[0]);
    digits.parse().unwrap()
}

/// `run` and `create` both refuse the bundle in the same words, with the statuses of each, and leave nothing.
#[track_caller]
fn refused_at_create(bundle: &Bundle, write: bool, words: &[&str]) {
    let lazaret = Lazaret::new();
    if write {
        bundle.write();
    }
    let path = bundle.path().display().to_string();
    let run = lazaret.verb(&["run", "--bundle", &path, bundle.id()]);
    assert_eq!(run.status, 125, "run: our own failure: {run:?}");
    let code = one_error(&run, words);
    lazaret.nothing_left(bundle.id());
    let create = lazaret.verb(&["create", "--bundle", &path, bundle.id()]);
    assert_ne!(create.status, 0);
    assert_eq!(one_error(&create, words), code, "the code is the same");
    lazaret.nothing_left(bundle.id());
    assert!(lazaret.states().is_empty());
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_missing_configuration_is_named() {
    refused_at_create(&Bundle::new(), false, &["config.json", "no such file", "hint:"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_missing_bundle_is_named() {
    let lazaret = Lazaret::new();
    let id = lazaret_tests::scratch::tag();
    let outcome = lazaret.verb(&["run", "--bundle", "/no/such/bundle", &id]).expect(125);
    one_error(&outcome, &["/no/such/bundle"]);
    lazaret.nothing_left(&id);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_malformed_configuration_is_shown_with_its_place() {
    let bundle = Bundle::new();
    std::fs::write(bundle.path().join("config.json"), "{\n  \"ociVersion\": \"1.0.2\",\n  bad\n}\n").unwrap();
    refused_at_create(&bundle, false, &["config.json", "3", "hint:"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_configuration_that_is_a_directory_is_named() {
    let bundle = Bundle::new();
    std::fs::create_dir(bundle.path().join("config.json")).unwrap();
    refused_at_create(&bundle, false, &["config.json"]);
}

/// Root reads everything, so unreadable means: a link into nowhere, and a file that never ends.
#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_configuration_that_cannot_be_read_is_named() {
    let bundle = Bundle::new();
    std::os::unix::fs::symlink("/dev/zero", bundle.path().join("config.json")).unwrap();
    refused_at_create(&bundle, false, &["config.json"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_configuration_that_is_a_fifo_does_not_hang() {
    let bundle = Bundle::new();
    let fifo = bundle.path().join("config.json");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    refused_at_create(&bundle, false, &["config.json"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_namespace_type_is_named() {
    let bundle = Bundle::new()
        .edit(|config| config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "galaxy"})));
    refused_at_create(&bundle, true, &["config.json", "galaxy"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_capability_is_named() {
    let bundle = Bundle::new().edit(|config| config["process"]["capabilities"]["bounding"] = json!(["CAP_FLY"]));
    refused_at_create(&bundle, true, &["capabilities", "CAP_FLY"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_mount_option_is_named() {
    let bundle =
        Bundle::new().mount(json!({"type": "tmpfs", "source": "x", "destination": "/mnt", "options": ["hover"]}));
    refused_at_create(&bundle, true, &["mounts[8]", "hover"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_file_system_is_named() {
    let bundle = Bundle::new().mount(json!({"type": "floppyfs", "source": "x", "destination": "/mnt"}));
    refused_at_create(&bundle, true, &["mounts[8]", "floppyfs"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_limit_is_named() {
    let bundle = Bundle::new()
        .edit(|config| config["process"]["rlimits"] = json!([{"type": "RLIMIT_SKY", "hard": 1, "soft": 1}]));
    refused_at_create(&bundle, true, &["rlimits", "RLIMIT_SKY"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_seccomp_action_is_named() {
    let bundle = Bundle::new().edit(|config| config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_SHRUG"}));
    refused_at_create(&bundle, true, &["seccomp", "SCMP_ACT_SHRUG"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_empty_command_is_named() {
    let bundle = Bundle::new().edit(|config| config["process"]["args"] = json!([]));
    refused_at_create(&bundle, true, &["process.args"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_relative_working_directory_is_named() {
    let bundle = Bundle::new().edit(|config| config["process"]["cwd"] = json!("here"));
    refused_at_create(&bundle, true, &["process.cwd", "here"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_missing_root_file_system_is_named() {
    let bundle = Bundle::new().edit(|config| config["root"]["path"] = json!("no-root"));
    refused_at_create(&bundle, true, &["root.path", "no-root", "no such file"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_root_file_system_that_is_a_file_is_named() {
    let bundle = Bundle::new().edit(|config| config["root"]["path"] = json!("config.json"));
    refused_at_create(&bundle, true, &["root.path", "config.json"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_missing_bind_source_is_named() {
    let bundle = Bundle::new()
        .mount(json!({"type": "bind", "source": "/no/such/source", "destination": "/mnt", "options": ["bind"]}));
    refused_at_create(&bundle, true, &["mounts[8]", "/no/such/source"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn ids_that_would_leave_the_state_directory_are_refused() {
    let bundle = Bundle::new();
    bundle.write();
    let lazaret = Lazaret::new();
    let path = bundle.path().display().to_string();
    let too_long = "x".repeat(5000);
    for id in ["", "..", ".", "a/b", "../escape", "a b", "a\nb", "ünïcode", too_long.as_str()] {
        let outcome = lazaret.verb(&["create", "--bundle", &path, "--", id]);
        assert_ne!(outcome.status, 0, "id {id:?} was taken");
        one_error(&outcome, &["id"]);
        assert!(lazaret.states().is_empty(), "id {id:?} left something: {:?}", lazaret.states());
    }
    lazaret.nothing_left(bundle.id());
}

/// The other verbs take no path for an id either; least of all delete by force.
#[test]
#[ignore = "needs root: namespaces, mounts"]
fn no_verb_takes_a_path_for_an_id() {
    let lazaret = Lazaret::new();
    let precious = lazaret_tests::scratch::Scratch::new();
    std::fs::write(precious.join("state.json"), "{}").unwrap();
    std::fs::create_dir_all(lazaret.root()).unwrap();
    let climb = format!("../../{}", precious.tag());
    for id in [climb.as_str(), &precious.path().display().to_string(), "..", ".", ""] {
        for words in [
            vec!["state", "--", id],
            vec!["start", "--", id],
            vec!["kill", "--", id, "KILL"],
            vec!["delete", "--force", "--", id],
        ] {
            let outcome = lazaret.verb(&words);
            assert_ne!(outcome.status, 0, "{words:?} was obeyed");
            one_error(&outcome, &["id"]);
        }
    }
    assert!(precious.join("state.json").exists() && lazaret.root().exists(), "a directory was removed");
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_second_container_of_the_same_id_is_refused_and_the_first_lives() {
    let lazaret = Lazaret::new();
    let (first, second) = (Bundle::shell("echo ready; exec sleep 1000"), Bundle::new());
    let running = lazaret.launch(&first);
    running.says("ready");
    let outcome = lazaret.create_as(&second, first.id());
    assert_ne!(outcome.status, 0);
    one_error(&outcome, &[first.id(), "exists"]);
    assert_eq!(lazaret.state(first.id())["status"], "running");
    lazaret_tests::leftover::none(second.id());
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn start_twice_is_refused() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    let running = lazaret.launch(&bundle);
    let outcome = lazaret.verb(&["start", running.id()]);
    assert_ne!(outcome.status, 0);
    one_error(&outcome, &[running.id(), "running"]);
    assert_eq!(lazaret.state(running.id())["status"], "running");
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_signal_that_does_not_exist_is_refused() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("exec sleep 1000");
    let running = lazaret.launch(&bundle);
    for signal in ["SIGNOTHING", "65", "-1", "999999999999", ""] {
        let outcome = lazaret.verb(&["kill", running.id(), "--", signal]);
        assert_ne!(outcome.status, 0, "signal {signal:?} was sent");
        one_error(&outcome, &["signal"]);
    }
    assert_eq!(lazaret.state(running.id())["status"], "running");
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_container_that_does_not_exist_is_named() {
    let lazaret = Lazaret::new();
    for verb in ["state", "start", "kill", "delete"] {
        let outcome = lazaret.verb(&[verb, "nobody"]);
        assert_ne!(outcome.status, 0);
        one_error(&outcome, &["\"nobody\"", "does not exist", "hint:"]);
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_missing_program_is_status_127() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::new().args(&["/bin/not-there"]);
    let outcome = lazaret.run(&bundle).expect(127);
    one_error(&outcome, &["/bin/not-there", "no such file or directory"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_program_that_is_not_on_the_path_is_status_127() {
    let outcome = Lazaret::new().run(&Bundle::new().args(&["not-there"])).expect(127);
    one_error(&outcome, &["not-there", "executable file not found"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_program_that_is_not_executable_is_status_126() {
    let bundle = Bundle::new().args(&["/etc/passwd"]);
    let outcome = Lazaret::new().run(&bundle).expect(126);
    one_error(&outcome, &["/etc/passwd", "permission denied"]);
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn a_program_of_no_known_format_is_status_126() {
    let bundle = Bundle::new().args(&["/bin/garbage"]);
    std::fs::write(bundle.rootfs().join("bin/garbage"), [0_u8; 64]).unwrap();
    std::fs::set_permissions(bundle.rootfs().join("bin/garbage"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = Lazaret::new().run(&bundle).expect(126);
    one_error(&outcome, &["/bin/garbage"]);
}

/// With create and start apart, the error comes from start, and the container is stopped.
#[test]
#[ignore = "needs root: namespaces, mounts"]
fn start_tells_that_the_program_is_missing() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::new().args(&["/bin/not-there"]);
    let create = lazaret.create(&bundle);
    let told = if create.status == 0 { lazaret.verb(&["start", bundle.id()]) } else { create };
    assert_ne!(told.status, 0);
    one_error(&told, &["/bin/not-there", "no such file or directory"]);
    lazaret.verb(&["delete", "--force", bundle.id()]).succeeds();
    lazaret.nothing_left(bundle.id());
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn unknown_flags_and_verbs_are_one_line_and_a_pointer_to_help() {
    let lazaret = Lazaret::new();
    for words in [["run", "--bundel"], ["rnu", "x"]] {
        let outcome = lazaret.verb(&words);
        assert_eq!(outcome.status, 2, "{outcome:?}");
        outcome.explains(&["--help"]);
        assert!(outcome.stderr.lines().count() <= 8, "short: {}", outcome.stderr);
    }
}

#[test]
#[ignore = "needs root: namespaces, mounts"]
fn an_unknown_mode_names_the_known_ones() {
    let lazaret = Lazaret::with_options(&["--mode", "lenient"]);
    let outcome = lazaret.verb(&["state", "x"]);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["lenient", "native", "sandbox"]);
}

/// What is not supported is refused by name; what is not known is not silently dropped.
#[test]
#[ignore = "needs root: namespaces, mounts"]
fn features_that_are_not_there_are_refused_by_name() {
    let cases = [
        ("vm", json!({"kernel": {"path": "/x"}}), "vm"),
        ("solaris", json!({"milestone": "x"}), "solaris"),
        ("windows", json!({"layerFolders": ["x"]}), "windows"),
    ];
    for (key, value, word) in cases {
        let bundle = Bundle::new().edit(|config| config[key] = value);
        refused_at_create(&bundle, true, &[word]);
    }
    let intel = Bundle::new().edit(|config| config["linux"]["intelRdt"] = json!({"closID": "x"}));
    refused_at_create(&intel, true, &["linux.intelRdt"]);
    let personality = Bundle::new().edit(|config| config["linux"]["mountLabel"] = json!("system_u:object_r:x:s0"));
    refused_at_create(&personality, true, &["linux.mountLabel"]);
}
