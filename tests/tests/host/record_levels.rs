//! How much is recorded: the levels and rules of Kubernetes' audit policy, chosen by whoever creates a container and by
//! nobody inside it.

use std::path::PathBuf;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret};
use lazaret_tests::scratch::Scratch;
use serde_json::{Value, json};

/// A word that only an argument carries.
const SECRET: &str = "guest-secret";

/// Two decisions: one refused, one answered.
fn decisions() -> Bundle {
    Bundle::shell(&format!("mount -t tmpfs {SECRET} /mnt; hostname {SECRET}; true"))
}

/// What the sentry wrote about a bundle, whole.
fn written(lazaret: &Lazaret, bundle: &Bundle) -> String {
    let running = lazaret.launch(bundle);
    running.wait();
    let path = lazaret.root().join(running.id()).join("audit.jsonl");
    let text = || std::fs::read_to_string(&path).unwrap();
    lazaret_tests::deadline::until("the summary", || text().contains(r#""kind":"summary""#));
    let text = text();
    running.delete();
    text
}

fn decisions_in(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["kind"] == "decision").collect()
}

fn of<'a>(records: &'a [Value], syscall: &str) -> &'a Value {
    records.iter().find(|record| record["syscall"] == syscall).unwrap_or_else(|| panic!("{syscall}: {records:?}"))
}

/// A file of rules, in a scratch directory that goes with the first value.
fn policy(rules: Value) -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let path = scratch.join("policy.json");
    let file = json!({"apiVersion": "audit.lazaret.dev/v1", "kind": "Policy", "rules": rules});
    std::fs::write(&path, file.to_string()).unwrap();
    (scratch, path)
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn each_level_has_what_it_says_and_no_more() {
    for interceptor in INTERCEPTORS {
        let at = |level: &str| {
            let lazaret = Lazaret::with_options(&["--interceptor", interceptor, "--record-level", level]);
            written(&lazaret, &decisions())
        };
        let text = at("RequestResponse");
        let records = decisions_in(&text);
        assert_eq!(of(&records, "mount")["args"]["source"], SECRET, "{text}");
        assert!(of(&records, "mount")["value"].is_null(), "{text}");
        assert_eq!(of(&records, "sethostname")["value"], 0, "{text}");

        let text = at("Request");
        let records = decisions_in(&text);
        assert_eq!(of(&records, "sethostname")["args"]["name"], SECRET, "{text}");
        assert!(of(&records, "sethostname")["value"].is_null(), "{text}");

        let text = at("metadata");
        let records = decisions_in(&text);
        let mount = of(&records, "mount");
        assert_eq!(
            (&mount["level"], &mount["what"], &mount["errno"]),
            (&json!("Metadata"), &json!("mount"), &json!("EPERM"))
        );
        assert_eq!(mount["args"], json!({}));
        assert!(!text.contains(SECRET), "an argument stands in records or counts: {text}");

        let text = at("None");
        assert!(decisions_in(&text).is_empty() && !text.contains(SECRET), "{text}");
        let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(summary["dropped"], 0, "{summary}");
        let counted = summary["entries"].as_array().unwrap().iter().find(|entry| entry["what"] == "mount").unwrap();
        assert_eq!((&counted["count"], &counted["verdict"]), (&json!(1), &json!("refused")), "{summary}");
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn the_first_rule_that_fits_decides() {
    let (_scratch, path) = policy(json!([
        {"level": "None", "verdicts": ["answered"]},
        {"level": "Metadata", "techniques": ["escape.mount*"], "syscalls": ["umount2"]},
        {"level": "Request", "techniques": ["escape.mount*"]},
    ]));
    let lazaret = Lazaret::with_options(&["--record-policy", path.to_str().unwrap()]);
    let bundle = Bundle::shell(&format!(
        "mount -t tmpfs {SECRET} /mnt; umount /mnt/{SECRET}; hostname x; unshare -n true; true"
    ));
    let text = written(&lazaret, &bundle);
    let records = decisions_in(&text);
    assert_eq!(of(&records, "mount")["level"], "Request");
    assert_eq!(of(&records, "umount2")["level"], "Metadata");
    let names: Vec<&Value> = records.iter().map(|record| &record["syscall"]).collect();
    assert!(!names.iter().any(|name| **name == "sethostname"), "the first rule: {names:?}");
    assert!(!names.iter().any(|name| **name == "unshare"), "no rule fits: {names:?}");
}

/// Neither an annotation of the bundle nor the caller of `exec` changes what was chosen at `create`.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn who_is_recorded_has_no_say() {
    let bundle = Bundle::shell("exec sleep 1000").edit(|config| {
        config["annotations"] = json!({"dev.lazaret.record-level": "None", "dev.lazaret.record-policy": "/none"});
    });
    let lazaret = Lazaret::new();
    let running = lazaret.launch(&bundle);
    assert_eq!(lazaret.state(running.id())["annotations"]["dev.lazaret.record-level"], "Request");
    let mount = format!("mount -t tmpfs {SECRET} /mnt; true");
    lazaret.verb(&["--record-level", "None", "exec", running.id(), "/bin/sh", "-c", &mount]).succeeds();
    lazaret_tests::deadline::until("a record of the process that joined", || {
        lazaret.audit(running.id()).iter().any(|record| record["args"]["source"] == SECRET)
    });
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn wrong_rules_are_one_error_and_nothing_is_left() {
    let (_scratch, path) = policy(json!([{"level": "None", "syscalls": ["moutn"]}]));
    for (options, words) in [
        (vec!["--record-policy", path.to_str().unwrap()], ["lazaret-1682", "moutn"]),
        (vec!["--record-policy", "/no/such/rules"], ["lazaret-1680", "/no/such/rules"]),
    ] {
        let lazaret = Lazaret::with_options(&options);
        let bundle = decisions();
        lazaret.create(&bundle).expect(125).explains(&words);
        assert!(lazaret.states().is_empty(), "a state is left");
        // What makes nothing does not ask for them.
        lazaret.verb(&["list"]).succeeds();
    }
}
