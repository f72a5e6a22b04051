//! Pod Security at create: what violates what is enforced is refused in Kubernetes' words and leaves nothing, what is only
//! warned of or recorded runs. In every mode: the runtime is the last that sees the configuration.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::containerd::{Containerd, RUNTIME};
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::{self, Scratch};
use lazaret_tests::{deadline, image, leftover, programs};
use serde_json::json;

const MODES: [&str; 3] = ["sandbox", "strict", "native"];

fn demanding(mode: &str, demands: &[&str]) -> Lazaret {
    let demands = demands.iter().flat_map(|demand| ["--pod-security", demand]);
    Lazaret::with_options(&["--mode", mode].into_iter().chain(demands).collect::<Vec<_>>())
}

/// What an engine makes of a pod of the level restricted.
fn restricted(line: &str) -> Bundle {
    Bundle::shell(line).edit(|config| {
        config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
        config["process"]["noNewPrivileges"] = json!(true);
        config["process"]["capabilities"] = json!({});
        config["linux"]["maskedPaths"] = json!(["/proc/kcore"]);
        config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
        config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
        config["annotations"] = json!({"io.kubernetes.cri.container-name": "web",
            "io.kubernetes.cri.container-type": "container"});
    })
}

#[test]
#[ignore = "needs root: mounts"]
fn what_violates_is_refused_in_kubernetes_words_and_leaves_nothing() {
    let root = restricted("true").edit(|config| config["process"]["user"]["uid"] = json!(0));
    for mode in MODES {
        let lazaret = demanding(mode, &["enforce=restricted:v1.30"]);
        let said = "error[lazaret-1829]: container \"web\" violates PodSecurity \"restricted:v1.30\": runAsNonRoot != true \
                    (pod or container \"web\" must set securityContext.runAsNonRoot=true: process.user.uid is 0), \
                    runAsUser=0 (container \"web\" must not set runAsUser=0: process.user.uid is 0)\n  hint: change these \
                    fields of the pod; the node's configuration says which level its namespace has\n";
        let outcome = lazaret.create(&root);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (125, said), "{mode}");
        lazaret.nothing_left(root.id());
        assert!(lazaret.states().is_empty(), "{mode}");
        // Its honest neighbour, and the same bundle where nobody asks.
        demanding(mode, &["enforce=restricted:v1.30"]).run(&restricted("test $(id -u) = 1000")).succeeds();
        demanding(mode, &["enforce=baseline"]).run(&root).succeeds();
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn a_host_namespace_is_seen_by_what_it_is_in_native_mode_too() {
    let lazaret = demanding("native", &["enforce=baseline"]);
    let hosts = |path: &str| {
        let path = path.to_owned();
        restricted("true").edit(|config| {
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.retain(|namespace| namespace["type"] != "ipc");
            namespaces.push(json!({"type": "ipc", "path": path}));
        })
    };
    let own = format!("/proc/{}/ns/ipc", std::process::id());
    let refused = hosts(&own);
    let outcome = lazaret.create(&refused);
    outcome.explains(&[&format!("host namespaces (hostIPC=true: {own} in linux.namespaces is the host's)")]);
    lazaret.nothing_left(refused.id());
    // A control: without the demand it runs, with the host's namespace.
    Lazaret::with_options(&["--mode", "native"]).run(&hosts(&own)).succeeds();
}

#[test]
#[ignore = "needs root: mounts"]
fn a_warning_is_told_and_both_stand_in_the_state() {
    let lazaret = demanding("sandbox", &["enforce=privileged", "warn=restricted:v1.7", "audit=hardened:v1.0"]);
    let bundle = restricted("sleep 1000").edit(|config| {
        config["process"]["user"]["uid"] = json!(0);
        config["root"]["readonly"] = json!(false);
    });
    bundle.write();
    let log = Scratch::new();
    let log = log.join("log").display().to_string();
    let (directory, id) = (bundle.path().display().to_string(), bundle.id());
    lazaret.verb(&["--log", &log, "create", "--bundle", &directory, id]).succeeds();
    let warning = "would violate PodSecurity \"restricted:v1.7\": runAsNonRoot != true (pod or container \"web\" must set \
                   securityContext.runAsNonRoot=true: process.user.uid is 0)";
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("level=warning") || logged.contains("level=warn"), "{logged}");
    assert!(logged.contains("would violate PodSecurity \\\"restricted:v1.7\\\""), "{logged}");
    let state = lazaret.state(id);
    assert_eq!(state["annotations"]["dev.lazaret.policy.warn"], warning);
    let audit = state["annotations"]["dev.lazaret.policy.audit"].as_str().unwrap().to_owned();
    assert!(
        audit.starts_with("would violate PodSecurity \"hardened:v1.0\": no limits (container \"web\" must set"),
        "{audit}"
    );
    assert!(!logged.contains("hardened"), "{logged}");
    lazaret.verb(&["delete", "--force", id]).succeeds();
    lazaret.nothing_left(id);
}

/// Policies as code, at create: a denial leaves nothing, a warning stands in the state, and what cannot be evaluated refuses.
#[test]
#[ignore = "needs root: mounts"]
fn a_policy_denies_in_its_own_words_and_leaves_nothing() {
    let directory = Scratch::new();
    let file = directory.join("policy.yaml");
    let write = |validation: &str, actions: &str| {
        let api = "apiVersion: admissionregistration.k8s.io/v1";
        let policy = format!("{{{validation}}}");
        let text = format!(
            "{api}\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: users}}\nspec: {{validations: [{policy}]}}\n---\n{api}\n\
             kind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec: {{policyName: users, validationActions: [{actions}]}}\n"
        );
        std::fs::write(&file, text).unwrap();
    };
    let path = file.display().to_string();
    let users = "expression: 'spec.process.user.uid == 1001 && node.mode != \"\"', messageExpression: '\"uid is \" + string(spec.process.user.uid)'";
    for mode in MODES {
        let lazaret = Lazaret::with_options(&["--mode", mode, "--policy", &path]);
        let bundle = restricted("true");
        write(users, "Deny");
        let outcome = lazaret.create(&bundle);
        let said = format!(
            "error[lazaret-1842]: container \"{}\" is denied by ValidatingAdmissionPolicy \"users\": uid is 1000\n  hint: change \
             the container, or ask who looks after the node's policies\n",
            bundle.id()
        );
        assert_eq!((outcome.status, outcome.stderr.as_str()), (125, said.as_str()), "{mode}");
        lazaret.nothing_left(bundle.id());
        write("expression: 'spec.nothing == 1'", "Warn");
        lazaret
            .create(&bundle)
            .explains(&["error[lazaret-1843]: ", "cannot be judged by ValidatingAdmissionPolicy \"users\""]);
        lazaret.nothing_left(bundle.id());
        write("expression: 'spec.('", "Warn");
        lazaret.create(&bundle).explains(&["error[lazaret-1841]: ", "spec.validations[0].expression: "]);
        lazaret.nothing_left(bundle.id());
        // Honest neighbours: one that satisfies it, and one that it only warns of.
        write(users, "Deny");
        lazaret.run(&restricted("true").edit(|config| config["process"]["user"]["uid"] = json!(1001))).succeeds();
        write(users, "Warn, Audit");
        let warned = restricted("sleep 1000");
        let running = lazaret.launch(&warned);
        let state = lazaret.state(running.id());
        let said = "would be denied by ValidatingAdmissionPolicy \"users\": uid is 1000";
        assert_eq!(state["annotations"]["dev.lazaret.policy.warn"], said, "{mode}");
        assert_eq!(state["annotations"]["dev.lazaret.policy.audit"], said, "{mode}");
        lazaret.verb(&["delete", "--force", running.id()]).succeeds();
    }
    std::fs::remove_file(&file).unwrap();
    let bundle = restricted("true");
    let outcome = Lazaret::with_options(&["--policy", &path]).create(&bundle);
    outcome.explains(&["error[lazaret-1822]: cannot read ", &path]);
}

#[test]
#[ignore = "needs root: mounts"]
fn a_demand_that_is_none_is_a_usage_error() {
    let outcome = demanding("sandbox", &["enforce=strict"]).verb(&["list"]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("\"strict\" is no Pod Security level"), "{outcome:?}");
}

/// containerd with its own shim for OCI runtimes, and the command line behind it.
#[test]
#[ignore = "needs root: containerd"]
fn under_containerd_the_refusal_reaches_the_user_and_leaves_nothing() {
    let containerd = Containerd::start();
    let directory = Scratch::new();
    let state = directory.join("state");
    let run = |demand: &str, id: &str| {
        let wrapper = directory.join("lazaret");
        let (program, state) = (programs::lazaret(), state.display().to_string());
        let script = format!("#!/bin/sh\nexec {} --pod-security {demand} \"$@\"\n", program.display());
        std::fs::write(&wrapper, script).unwrap();
        std::fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let wrapper = wrapper.display().to_string();
        containerd.ctr(&[
            "run",
            "--rm",
            "--runtime",
            "io.containerd.runc.v2",
            "--runc-binary",
            &wrapper,
            "--runc-root",
            &state,
            image::NAME,
            id,
            "true",
        ])
    };
    let id = scratch::tag();
    let refused = run("enforce=restricted", &id);
    assert_ne!(refused.status, 0);
    let said = format!("container \"{id}\" violates PodSecurity \"restricted:latest\": unrestricted capabilities (");
    refused.explains(&[&said, "runAsNonRoot != true (", "seccompProfile ("]);
    // The record of the refusal stays, in the shim's directory of its namespace.
    let below = state.join(containerd.namespace());
    let left = || std::fs::read_dir(&below).into_iter().flatten().flatten().any(|entry| entry.path().is_dir());
    deadline::until("the state to go", || !left());
    leftover::none(&id);
    assert!(!containerd.ctr(&["task", "ls"]).stdout.contains(&id));
    let id = scratch::tag();
    run("enforce=privileged", &id).succeeds();
    leftover::none(&id);
}

/// lazaret's own shim, with a node's configuration: the level is that of the pod's namespace.
#[test]
#[ignore = "needs root: containerd"]
fn under_the_shim_the_namespaces_level_refuses_with_a_reason_and_leaves_nothing() {
    let containerd = Containerd::start();
    let directory = Scratch::new();
    let file = directory.join("config.toml");
    std::fs::write(&file, "[pod_security.namespaces.shop]\nenforce = \"restricted\"\nenforce_version = \"v1.30\"\n")
        .unwrap();
    let path = file.display().to_string();
    let run = |namespace: &str, id: &str| {
        let annotation = format!("io.kubernetes.cri.sandbox-namespace={namespace}");
        containerd.ctr(&[
            "run",
            "--rm",
            "--runtime",
            RUNTIME,
            "--runtime-config-path",
            &path,
            "--annotation",
            &annotation,
            image::NAME,
            id,
            "true",
        ])
    };
    let id = scratch::tag();
    let refused = run("shop", &id);
    assert_ne!(refused.status, 0);
    let said = format!("container \"{id}\" violates PodSecurity \"restricted:v1.30\": unrestricted capabilities (");
    refused.explains(&[&said, "runAsNonRoot != true ("]);
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
    assert!(!containerd.ctr(&["task", "ls"]).stdout.contains(&id));
    let id = scratch::tag();
    run("elsewhere", &id).succeeds();
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}
