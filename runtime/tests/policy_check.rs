//! `lazaret policy check` by the binary: what it prints, word for word, and its exit status.

#![cfg(test)]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FILE: &str = "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: a, securityContext: {privileged: true}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: count-}
spec: {template: {spec: {containers: [{name: a}]}}}
";

fn check(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lazaret"))
        .args(["policy", "check"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lazaret");
    // It may have refused its arguments before it reads.
    child.stdin.take().expect("piped").write_all(input.as_bytes()).unwrap_or_default();
    child.wait_with_output().expect("waited")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn a_table_says_what_is_allowed_and_kubernetes_words_say_what_is_not() {
    let output = check(&["-", "--level", "baseline"], FILE);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "KIND        NAMESPACE   NAME        VERDICT
Pod         shop        web         violates
Service     -           web         not checked: makes no pods that are known
Job         -           count-      allowed

Pod web: would violate PodSecurity \"baseline:latest\": privileged (container \"a\" must not set \
         securityContext.privileged=true)
"
    );
    assert_eq!(text(&output.stderr), "");
    assert_eq!(check(&["-", "--level", "privileged"], FILE).status.code(), Some(0));
}

#[test]
fn a_configuration_says_what_it_does_not_show() {
    let output = check(
        &["-", "--level", "baseline", "--version", "v1.20"],
        r#"{"ociVersion":"1.2.0","hostname":"box",
        "linux":{"namespaces":[{"type":"network"},{"type":"ipc"}],"maskedPaths":["/a"],"readonlyPaths":["/b"]}}"#,
    );
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let message = "config.json box: would violate PodSecurity \"baseline:v1.20\": host namespaces (hostPID=true: \
                   linux.namespaces has no pid)\n";
    assert!(said.contains(message), "{said}");
    assert!(said.contains("  hostPorts (invisible): the network plugin gets them, the runtime does not\n"), "{said}");
    assert!(said.contains("  privileged (partial): "), "{said}");
    assert!(!said.contains("hostProbes"), "{said}");
}

#[test]
fn json_has_every_field() {
    let output = check(&["-", "--level", "restricted", "--version", "v1.18", "-o", "json"], FILE);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&report["level"], &report["version"], &report["allowed"]),
        (&"restricted".into(), &"v1.18".into(), &false.into())
    );
    let verdicts: Vec<&Value> =
        report["objects"].as_array().expect("objects").iter().map(|one| &one["allowed"]).collect();
    assert_eq!(verdicts, [&Value::Bool(false), &Value::Null, &Value::Bool(false)]);
    assert_eq!(
        report["objects"][2]["violations"][1],
        serde_json::json!({"check": "runAsNonRoot", "reason": "runAsNonRoot != true",
            "detail": "pod or container \"a\" must set securityContext.runAsNonRoot=true"})
    );
    assert_eq!(report["objects"][0]["namespace"], "shop");
}

#[test]
fn what_cannot_be_judged_is_one_error_and_no_verdict() {
    let cases: &[(&[&str], &str, i32, &str)] = &[
        (&["-", "--level", "baseline"], "a: [", 125, "error[lazaret-1825]: malformed YAML or JSON: "),
        (
            &["-", "--level", "baseline"],
            "",
            125,
            "error[lazaret-1827]: there is nothing to check: the file is empty\n  hint: give it a Pod, ",
        ),
        (
            &["-", "--level", "baseline"],
            "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, securityContext: {privileged: 3}}]}",
            125,
            "error[lazaret-1826]: document 1 (Pod \"\"): wrong value at spec.containers[0].securityContext.privileged: \
             invalid type: integer `3`, expected a boolean\n",
        ),
        (
            &["/nowhere", "--level", "baseline"],
            "",
            125,
            "error[lazaret-1822]: cannot read /nowhere: No such file or directory (os error 2)\n",
        ),
        (&["-"], "", 2, "error: the following required arguments were not provided:"),
        (
            &["-", "--level", "none"],
            "",
            2,
            "error: invalid value 'none' for '--level <LEVEL>': \"none\" is no Pod Security level",
        ),
        (
            &["-", "--level", "baseline", "--version", "30"],
            "",
            2,
            "error: invalid value '30' for '--version <VERSION>'",
        ),
    ];
    for (arguments, input, status, expected) in cases {
        let output = check(arguments, input);
        assert_eq!(output.status.code(), Some(*status), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
}

/// Names are whoever's who wrote the file: they start no line of their own and move no cursor.
#[test]
fn a_name_cannot_forge_a_verdict() {
    let forged = "{apiVersion: v1, kind: Pod, metadata: {name: \"x\\nPod  -  y  allowed\\e[2K\"}, spec: {containers: [{name: a}]}}";
    let output = check(&["-", "--level", "restricted"], forged);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(!said.contains('\u{1b}') && !said.contains("\nPod  -  y"), "{said}");
}
