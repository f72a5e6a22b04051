//! Policies as code, by the binary: the shipped examples on what they let through and what they do not, each message word
//! for word, and what happens when an expression cannot be evaluated or takes too much.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::{Value, json};

/// A directory of its own, gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(label: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lazaret-cel-{label}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("scratch");
        Self(path)
    }

    fn check(&self, policies: &Path, config: &Value, form: &str) -> Output {
        let file = self.0.join("config.json");
        std::fs::write(&file, config.to_string()).expect("written");
        Command::new(env!("CARGO_BIN_EXE_lazaret"))
            .args(["policy", "check", "-o", form, "--cel"])
            .args([policies, &file])
            .output()
            .expect("lazaret")
    }

    /// The report on a policy of this `spec`.
    fn judge(&self, spec: &str, config: &Value) -> Output {
        let file = self.0.join("policy.yaml");
        let policy = format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec: {spec}\n"
        );
        std::fs::write(&file, policy).expect("written");
        self.check(&file, config, "json")
    }

    /// What the policy says of it; empty when it is allowed.
    fn said(&self, spec: &str, config: &Value) -> String {
        let output = self.judge(spec, config);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{spec}: {}", String::from_utf8_lossy(&output.stderr)));
        let allowed = report["allowed"] == true;
        assert_eq!(output.status.code(), Some(if allowed { 0 } else { 1 }), "{report}");
        let findings = report["policies"][0]["findings"].as_array().expect("findings");
        let findings = findings
            .iter()
            .map(|one| format!("{}: {}", one["action"].as_str().unwrap(), one["message"].as_str().unwrap()));
        let message = report["policies"][0]["message"].as_str().map(str::to_owned);
        message.into_iter().chain(findings).collect::<Vec<_>>().join("; ")
    }

    /// The one error.
    fn error(&self, spec: &str) -> String {
        let output = self.judge(spec, &config());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(125), 0), "{spec}");
        String::from_utf8(output.stderr).expect("text")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// What every example lets through.
fn config() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs", "readonly": true},
        "process": {"args": ["app"], "cwd": "/", "user": {"uid": 1000, "gid": 0}},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "noexec"]},
        ],
        "linux": {"resources": {"memory": {"limit": 1048576}, "cpu": {"quota": 10000}, "pids": {"limit": 100}}},
        "annotations": {
            "io.kubernetes.cri.container-name": "web", "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.image-name": "registry.example.com/shop/web:1.4", "team": "shop", "cost-center": "7",
        },
    })
}

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/policies").join(name)
}

type Change = fn(&mut Value);

const IMAGE: &str = "io.kubernetes.cri.image-name";

/// An example, a change of the configuration, and what it says then; empty when it is allowed.
const EXAMPLES: &[(&str, Change, &str)] = &[
    ("allowed-registries.yaml", |c| c["annotations"][IMAGE] = json!("docker.io/library/nginx:1"), ""),
    (
        "allowed-registries.yaml",
        |c| c["annotations"][IMAGE] = json!("evil.example.org/x:1"),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"allowed-registries\": the image \"evil.example.org/x:1\" is from no registry that is allowed (Forbidden)",
    ),
    (
        "allowed-registries.yaml",
        |c| c["annotations"][IMAGE] = json!("registry.example.com.evil.org/x"),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"allowed-registries\": the image \"registry.example.com.evil.org/x\" is from no registry that is allowed (Forbidden)",
    ),
    (
        "allowed-registries.yaml",
        |c| c["annotations"] = json!({}),
        "container \"container\" is denied by ValidatingAdmissionPolicy \"allowed-registries\": the image \"\" is from no registry that is allowed (Forbidden)",
    ),
    ("allowed-registries.yaml", |c| c["annotations"] = json!({"io.kubernetes.cri.container-type": "sandbox"}), ""),
    ("no-latest-tag.yaml", |c| c["annotations"][IMAGE] = json!("a/b@sha256:00"), ""),
    ("no-latest-tag.yaml", |c| c["annotations"] = Value::Null, ""),
    (
        "no-latest-tag.yaml",
        |c| c["annotations"][IMAGE] = json!("a/b:latest"),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"no-latest-tag\": the image \"a/b:latest\" has no tag, or the tag latest (Invalid)",
    ),
    (
        "no-latest-tag.yaml",
        |c| c["annotations"][IMAGE] = json!("host:5000/b"),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"no-latest-tag\": the image \"host:5000/b\" has no tag, or the tag latest (Invalid)",
    ),
    (
        "limits-required.yaml",
        |c| c["linux"]["resources"]["memory"]["limit"] = json!(-1),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"limits-required\": set a limit of memory (linux.resources.memory.limit)",
    ),
    (
        "limits-required.yaml",
        |c| c["linux"]["resources"]["cpu"] = json!({}),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"limits-required\": set a limit of CPU time (linux.resources.cpu.quota)",
    ),
    (
        "limits-required.yaml",
        |c| c["linux"]["resources"]["pids"] = json!({"limit": 0}),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"limits-required\": set a limit of processes (linux.resources.pids.limit)",
    ),
    (
        "limits-required.yaml",
        |c| {
            c.as_object_mut().unwrap().remove("linux");
        },
        "container \"web\" is denied by ValidatingAdmissionPolicy \"limits-required\": set a limit of memory (linux.resources.memory.limit)",
    ),
    (
        "read-only-root.yaml",
        |c| c["root"]["readonly"] = json!(false),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"read-only-root\": the root file system must be read-only (root.readonly) (Invalid)",
    ),
    (
        "read-only-root.yaml",
        |c| c["mounts"][1]["options"] = json!(["rbind", "rw"]),
        "container \"web\" is denied by ValidatingAdmissionPolicy \"read-only-root\": a bind mount must be read-only or noexec (Invalid)",
    ),
    (
        "labels-required.yaml",
        |c| c["annotations"]["team"] = json!(""),
        "warn: would be denied by ValidatingAdmissionPolicy \"labels-required\": missing annotations: team; audit: would be denied by ValidatingAdmissionPolicy \"labels-required\": missing annotations: team",
    ),
];

#[test]
fn the_shipped_examples_say_what_they_are_for() {
    let scratch = Scratch::new("examples");
    for (name, change, expected) in EXAMPLES {
        let mut changed = config();
        change(&mut changed);
        for (config, expected) in [(config(), ""), (changed, *expected)] {
            let output = scratch.check(&example(name), &config, "json");
            let report: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
            let judged = &report["policies"][0];
            let findings = judged["findings"].as_array().unwrap().iter();
            let findings = findings
                .map(|one| format!("{}: {}", one["action"].as_str().unwrap(), one["message"].as_str().unwrap()));
            let said: Vec<String> = judged["message"].as_str().map(str::to_owned).into_iter().chain(findings).collect();
            assert_eq!(said.join("; "), expected, "{name}: {config}");
        }
    }
    let shipped = std::fs::read_dir(example("")).expect("docs/policies");
    for file in shipped {
        let name = file.expect("entry").file_name();
        assert!(EXAMPLES.iter().any(|(example, ..)| name == *example), "{name:?} has no case");
    }
}

#[test]
fn conditions_variables_messages_and_failures_are_kubernetes_own() {
    let scratch = Scratch::new("semantics");
    let denied = "container \"web\" is denied by ValidatingAdmissionPolicy \"p\": ";
    let cases: &[(&str, String)] = &[
        ("{validations: [{expression: 'true'}]}", String::new()),
        ("{validations: [{expression: 'spec.process.user.uid == 1000 && spec.process.user.gid < 1'}]}", String::new()),
        (
            "{validations: [{expression: 'node.kernel != \"\" && node.architecture.size() > 0 && \"team\" in annotations'}]}",
            String::new(),
        ),
        ("{validations: [{expression: '1 > 2'}]}", format!("{denied}failed expression: 1 > 2")),
        (
            "{validations: [{expression: 'false', message: not so, messageExpression: '\"uid \" + string(spec.process.user.uid)'}]}",
            format!("{denied}uid 1000"),
        ),
        (
            "{validations: [{expression: 'false', message: plain, messageExpression: 'spec.nothing'}]}",
            format!("{denied}plain"),
        ),
        (
            "{validations: [{expression: 'false', message: plain, messageExpression: '\"a\\nb\"'}]}",
            format!("{denied}plain"),
        ),
        (
            "{validations: [{expression: 'false', message: plain, messageExpression: '3', reason: Unauthorized}]}",
            format!("{denied}plain (Unauthorized)"),
        ),
        (
            "{matchConditions: [{name: never, expression: 'false'}], validations: [{expression: 'false'}]}",
            String::new(),
        ),
        (
            "{matchConditions: [{name: broken, expression: 'spec.nothing == 1'}, {name: never, expression: 'false'}], validations: [{expression: 'false'}]}",
            String::new(),
        ),
        (
            "{variables: [{name: uid, expression: spec.process.user.uid}], validations: [{expression: 'variables.uid > 0'}]}",
            String::new(),
        ),
        ("{variables: [{name: broken, expression: spec.nothing}], validations: [{expression: 'true'}]}", String::new()),
        ("{matchConstraints: {resourceRules: []}, validations: [{expression: 'true'}]}", String::new()),
    ];
    for (spec, expected) in cases {
        assert_eq!(&scratch.said(spec, &config()), expected, "{spec}");
    }
}

#[test]
fn what_cannot_be_evaluated_refuses_unless_it_may_fail() {
    let scratch = Scratch::new("failures");
    let failed = "container \"web\" cannot be judged by ValidatingAdmissionPolicy \"p\": ";
    for (spec, word) in [
        ("{validations: [{expression: 'spec.nothing == 1'}]}", "spec.validations[0].expression: "),
        (
            "{validations: [{expression: '1'}]}",
            "spec.validations[0].expression: it is of the type int, and a bool is wanted",
        ),
        ("{validations: [{expression: 'object.spec.hostPID'}]}", "spec.validations[0].expression: "),
        (
            "{matchConditions: [{name: c, expression: 'spec.nothing == 1'}], validations: [{expression: 'true'}]}",
            "matchCondition \"c\": ",
        ),
        (
            "{variables: [{name: broken, expression: spec.nothing}], validations: [{expression: 'variables.broken'}]}",
            "spec.validations[0].expression: ",
        ),
    ] {
        let said = scratch.said(spec, &config());
        assert!(said.starts_with(&format!("{failed}{word}")), "{spec}: {said}");
        let ignored = scratch.said(&spec.replacen('{', "{failurePolicy: Ignore, ", 1), &config());
        let warned = format!("warn: was not judged by ValidatingAdmissionPolicy \"p\", which may fail: {word}");
        assert!(ignored.starts_with(&warned), "{spec}: {ignored}");
    }
}

/// A syntax error is the node's, whatever the failure policy says.
#[test]
fn a_policy_that_is_none_is_one_error() {
    let scratch = Scratch::new("errors");
    let file = scratch.0.join("policy.yaml").display().to_string();
    let cases = [
        (
            "{failurePolicy: Ignore, validations: [{expression: 'spec.('}]}",
            "error[lazaret-1841]: ValidatingAdmissionPolicy \"p\": spec.validations[0].expression: ".to_owned(),
        ),
        (
            "{validations: [{expression: 'true', messageExpression: '\"'}]}",
            "error[lazaret-1841]: ValidatingAdmissionPolicy \"p\": spec.validations[0].messageExpression: ".to_owned(),
        ),
        (
            "{validations: []}",
            format!(
                "error[lazaret-1840]: {file}: document 1 (ValidatingAdmissionPolicy \"p\"): spec.validations: at least one is needed\n"
            ),
        ),
        (
            "{}",
            format!(
                "error[lazaret-1840]: {file}: document 1 (ValidatingAdmissionPolicy \"p\"): spec: missing field `validations`"
            ),
        ),
        (
            "{paramKind: {}, validations: []}",
            format!(
                "error[lazaret-1840]: {file}: document 1 (ValidatingAdmissionPolicy \"p\"): spec.paramKind: unknown field `paramKind`"
            ),
        ),
        (
            "{validations: [{expression: 'true', reason: Because}]}",
            format!(
                "error[lazaret-1840]: {file}: document 1 (ValidatingAdmissionPolicy \"p\"): spec.validations[0].reason: unknown variant `Because`"
            ),
        ),
        (
            "{failurePolicy: Open, validations: [{expression: 'true'}]}",
            format!(
                "error[lazaret-1840]: {file}: document 1 (ValidatingAdmissionPolicy \"p\"): spec.failurePolicy: unknown variant `Open`"
            ),
        ),
        (
            "{validations: [{expression: 'true'}]}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {}}",
            format!("error[lazaret-1840]: {file}: document 2: apiVersion \"v1\" is not admissionregistration.k8s.io\n"),
        ),
    ];
    for (spec, expected) in cases {
        let said = scratch.error(spec);
        assert!(said.starts_with(&expected), "{spec}: {said}");
    }
    let output = scratch.check(&example("limits-required.yaml"), &json!({"kind": "Pod"}), "table");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("error[lazaret-1844]: policies judge a config.json, and this is none: "), "{said}");
}

/// What takes all time, all memory or all stack ends, refuses, and takes nobody with it.
#[test]
fn evaluation_is_bounded_and_fails_closed() {
    let scratch = Scratch::new("bounds");
    let mut large = config();
    large["process"]["env"] = json!((0..20_000).map(|number| format!("V{number}=x")).collect::<Vec<_>>());
    let failed = "container \"web\" cannot be judged by ValidatingAdmissionPolicy \"p\": ";
    let loops = "{validations: [{expression: 'spec.process.env.all(a, spec.process.env.all(b, spec.process.env.all(c, a + b != c)))'}]}";
    let memory = "{validations: [{expression: 'spec.process.env.map(a, spec.process.env.map(b, a + b)).size() > 0'}]}";
    for (spec, expected) in [
        (loops.to_owned(), vec!["it takes more than 1 s of processor time"]),
        (memory.to_owned(), vec!["it takes more memory than 256 MiB", "it takes more than 1 s of processor time"]),
        (
            format!("{{validations: [{{expression: '{}true{}'}}]}}", "(".repeat(6000), ")".repeat(6000)),
            vec!["it takes more"],
        ),
        (format!("{{validations: [{{expression: '{}true'}}]}}", "!".repeat(15_000)), vec!["it takes more", "it "]),
    ] {
        let started = Instant::now();
        let output = scratch.judge(&spec, &large);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        // A parser that refuses by itself is as good.
        if stderr.starts_with("error[lazaret-1841]") {
            continue;
        }
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{stderr}"));
        let message = report["policies"][0]["message"].as_str().unwrap_or_default();
        let ends = expected.iter().any(|expected| message.starts_with(&format!("{failed}{expected}")));
        // A parser that gets through them all has the right answer.
        let is_true = report["allowed"] == true && spec.contains("true");
        assert!(ends || is_true, "{}: {report}", spec.get(..100).unwrap_or(&spec));
        assert!(started.elapsed().as_secs() < 60);
    }
}

/// One that takes too much speaks for nobody else in its file.
#[test]
fn a_neighbour_of_a_policy_that_takes_too_much_is_judged_by_itself() {
    let scratch = Scratch::new("neighbours");
    let file = scratch.0.join("two.yaml");
    let policy = |name: &str, failure: &str, expression: &str| {
        format!(
            "{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {{name: {name}}}, spec: {{failurePolicy: {failure}, validations: [{{expression: '{expression}'}}]}}}}\n---\n"
        )
    };
    let loops = "spec.process.env.all(a, spec.process.env.all(b, spec.process.env.all(c, a + b != c)))";
    std::fs::write(&file, policy("greedy", "Ignore", loops) + &policy("honest", "Fail", "1 > 2")).expect("written");
    let mut large = config();
    large["process"]["env"] = json!((0..20_000).map(|number| format!("V{number}=x")).collect::<Vec<_>>());
    let output = scratch.check(&file, &large, "table");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "POLICY      VERDICT
greedy      allowed
honest      denied

container \"web\" was not judged by ValidatingAdmissionPolicy \"greedy\", which may fail: it takes more than 1 s of processor time

container \"web\" is denied by ValidatingAdmissionPolicy \"honest\": failed expression: 1 > 2
"
    );
}
