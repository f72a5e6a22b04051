//! What policy says of a create is on record: of a container that was made beside what its sentry refused, of one that was
//! refused in the state directory.

use std::io::Read as _;
use std::os::unix::net::UnixListener;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::containerd::{Containerd, RUNTIME};
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::{deadline, image, leftover, scratch};
use serde_json::{Value, json};

/// A bundle of a pod of Kubernetes'.
fn of_a_pod(bundle: Bundle) -> Bundle {
    bundle.edit(|config| {
        config["annotations"] = json!({
            "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-name": "web-1",
            "io.kubernetes.cri.sandbox-uid": "6f2c",
        });
    })
}

fn refused_bundle() -> Bundle {
    of_a_pod(Bundle::new()).bind("/etc".as_ref(), "/mnt")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Every level holds what those before it hold, and the file is the only thing that is left.
#[test]
#[ignore = "needs root: mounts"]
fn a_refused_create_is_on_record_at_each_level() {
    let what_each_adds = [
        ("None", vec![]),
        ("Metadata", vec!["code", "field"]),
        ("Request", vec!["asked", "why", "allow"]),
        ("RequestResponse", vec!["answer"]),
    ];
    let mut expected: Vec<&str> = Vec::new();
    for (level, more) in what_each_adds {
        expected.extend(more);
        let lazaret = Lazaret::with_options(&["--record-level", level]);
        let bundle = refused_bundle();
        let outcome = lazaret.create(&bundle).expect(125);
        assert!(lazaret.states().is_empty(), "nothing is left of it");
        let refusals = lazaret.refusals();
        if level == "None" {
            assert_eq!(refusals, Vec::<Value>::new());
            continue;
        }
        let [record] = refusals.as_slice() else { panic!("{refusals:?}") };
        assert_eq!(
            (&record["kind"], &record["verdict"], &record["level"]),
            (&json!("admission"), &json!("refused"), &json!(level))
        );
        assert_eq!((&record["container"], &record["user"]), (&json!(bundle.id()), &json!(0)));
        assert_eq!((&record["namespace"], &record["pod"]), (&json!("shop"), &json!("web-1")));
        for field in ["code", "field", "asked", "why", "allow", "answer"] {
            assert_eq!(!record[field].is_null(), expected.contains(&field), "{level}: {field}: {record}");
        }
        assert_eq!(record["field"], "mounts[8].source");
        assert!(outcome.stderr.contains(&format!("error[lazaret-{}]", record["code"])), "{outcome:?}");
        if let Some(answer) = record["answer"].as_str() {
            assert!(outcome.stderr.starts_with(answer), "what was said is what is on record: {answer}");
        }
        let has_value = record.to_string().contains("/etc");
        assert_eq!(has_value, level != "Metadata", "{record}");
    }
}

/// A mistake of the caller's is no verdict of policy.
#[test]
#[ignore = "needs root: mounts"]
fn what_is_no_verdict_of_policy_is_not_on_record() {
    let lazaret = Lazaret::new();
    let wrong = Bundle::new().edit(|config| config["process"]["cwd"] = "relative".into());
    assert_eq!(lazaret.create(&wrong).status, 125);
    let missing = Bundle::new().edit(|config| config["root"]["path"] = "none".into());
    assert_eq!(lazaret.create(&missing).status, 125);
    assert_eq!(lazaret.refusals(), Vec::<Value>::new());
    assert_eq!(lazaret.verb(&["events", "--refusals"]).expect(0).stdout, "");
}

#[test]
#[ignore = "needs root: mounts"]
fn refusals_are_shown_in_three_forms() {
    let lazaret = Lazaret::new();
    let bundle = refused_bundle();
    assert_eq!(lazaret.create(&bundle).status, 125);
    let text = lazaret.verb(&["events", "--refusals"]).expect(0).stdout;
    assert_eq!(text.lines().count(), 1);
    for word in ["refused", &format!("create {}", bundle.id()), "(uid 0)", "mounts[8].source", "[lazaret-1"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = lines(&lazaret.verb(&["events", "--refusals", "--json"]).expect(0).stdout);
    assert_eq!(json, lazaret.refusals());
    let outcome = lazaret.verb(&["events", "--refusals", "-o", "kubernetes"]).expect(0);
    let [event] = lines(&outcome.stdout).try_into().expect("one event");
    let record = &json[0];
    for (key, wanted) in [
        ("kind", json!("Event")),
        ("apiVersion", json!("audit.k8s.io/v1")),
        ("level", json!("Request")),
        ("stage", json!("ResponseComplete")),
        ("verb", json!("create")),
        ("requestURI", json!("/api/v1/namespaces/shop/pods/web-1")),
        ("user", json!({ "username": "uid:0" })),
        ("requestObject", json!({ "mounts[8].source": record["asked"] })),
        ("objectRef", json!({ "resource": "pods", "namespace": "shop", "name": "web-1", "apiVersion": "v1" })),
    ] {
        assert_eq!(event[key], wanted, "{key}: {event}");
    }
    assert_eq!((&event["responseStatus"]["code"], &event["responseStatus"]["message"]), (&json!(403), &record["why"]));
    assert_eq!(event["annotations"]["lazaret.dev/decision"], "refused");
    assert_eq!(event["annotations"]["lazaret.dev/code"], record["code"].to_string());
    assert!(event["responseObject"].is_null(), "that is of the fourth level");
    let again = lines(&lazaret.verb(&["events", "--refusals", "-o", "kubernetes"]).expect(0).stdout);
    assert_eq!(again[0]["auditID"], event["auditID"], "an event keeps its id");
    assert_eq!(lazaret.verb(&["events", "--refusals", "id"]).status, 2);
    assert_eq!(lazaret.verb(&["events", "-o", "kubernetes", "id"]).status, 2);
}

/// The stream of a container has both: what policy warned of when it was made, and what its sentry refused.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn warnings_stand_before_the_records_of_the_sentry() {
    let lazaret = Lazaret::with_options(&["--record-level", "RequestResponse"]);
    let bundle = of_a_pod(Bundle::shell("mount -t tmpfs none /mnt; hostname other; echo ready; exec sleep 1000")).edit(
        |config| {
            for set in ["bounding", "effective", "permitted"] {
                config["process"]["capabilities"][set].as_array_mut().unwrap().push("CAP_SYS_ADMIN".into());
            }
        },
    );
    let running = lazaret.launch(&bundle);
    running.says("ready");
    deadline::until("the records", || {
        let records = lazaret.audit(running.id());
        ["mount", "sethostname"].iter().all(|name| records.iter().any(|record| record["syscall"] == *name))
    });
    let records = lazaret.audit(running.id());
    let warning = records.iter().find(|record| record["kind"] == "admission").expect("a warning");
    assert_eq!((&warning["verdict"], &warning["code"]), (&json!("warned"), &Value::Null));
    assert_eq!(warning["field"], "process.capabilities");
    assert!(warning["why"].as_str().unwrap().contains("CAP_SYS_ADMIN"), "{warning}");
    let outcome = lazaret.verb(&["events", "--records", "-o", "kubernetes", running.id()]).expect(0);
    let events = lines(&outcome.stdout);
    assert!(
        events.iter().all(|event| event["kind"] == "Event" && event["objectRef"]["namespace"] == "shop"),
        "{events:?}"
    );
    let of =
        |verb: &str| events.iter().find(|event| event["verb"] == verb).unwrap_or_else(|| panic!("{verb}: {events:?}"));
    assert_eq!(
        (&of("create")["responseStatus"]["code"], &of("create")["objectRef"]["uid"]),
        (&json!(201), &json!("6f2c"))
    );
    let mount = of("mount");
    assert_eq!((&mount["responseStatus"]["code"], &mount["responseStatus"]["message"]), (&json!(403), &json!("EPERM")));
    assert_eq!(
        (&mount["requestURI"], &mount["objectRef"]["resource"]),
        (&json!("/syscall/mount/mnt"), &json!("mounts"))
    );
    assert_eq!(mount["requestObject"]["target"], "/mnt");
    let name = of("sethostname");
    assert_eq!((&name["responseStatus"]["code"], &name["responseObject"]), (&json!(200), &json!({ "value": 0 })));
    assert!(lazaret.refusals().is_empty(), "nothing was refused at create");
    running.delete();
}

/// A pod's standard that only warns, or only records, lets the container be made: both are on record, in every mode.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn findings_of_pod_security_are_on_record_and_what_it_enforces_is_a_refusal() {
    for mode in ["native", "sandbox"] {
        let lazaret = Lazaret::with_options(&[
            "--mode",
            mode,
            "--pod-security",
            "warn=restricted",
            "--pod-security",
            "audit=restricted",
        ]);
        let bundle = of_a_pod(Bundle::shell("echo ready; exec sleep 1000"));
        let running = lazaret.launch(&bundle);
        running.says("ready");
        let records = lazaret.audit(running.id());
        for verdict in ["warned", "audited"] {
            let found = records.iter().find(|record| record["kind"] == "admission" && record["verdict"] == verdict);
            let why = found.unwrap_or_else(|| panic!("{mode}: {verdict}: {records:?}"))["why"].as_str().unwrap();
            assert!(why.contains("restricted"), "{why}");
        }
        running.delete();
        let strict = Lazaret::with_options(&["--mode", mode, "--pod-security", "enforce=restricted"]);
        assert_eq!(strict.create(&bundle).status, 125);
        let refusals = strict.refusals();
        assert_eq!((refusals.len(), &refusals[0]["verdict"]), (1, &json!("refused")), "{mode}: {refusals:?}");
        assert!(refusals[0]["why"].as_str().unwrap().contains("restricted"), "{refusals:?}");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn a_refused_annotation_is_on_record() {
    let lazaret = Lazaret::with_options(&["--mode", "strict"]);
    let bundle = Bundle::new().edit(|config| config["annotations"] = json!({ "lazaret.dev/mode": "sandbox" }));
    assert_eq!(lazaret.create(&bundle).status, 125);
    let refusals = lazaret.refusals();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0]["field"].as_str().unwrap().contains("lazaret.dev/mode"), "{refusals:?}");
    assert_eq!(refusals[0]["asked"], "\"sandbox\"");
}

/// Under an engine too: its shim's state directory has the record.
#[test]
#[ignore = "needs root: containerd"]
fn what_is_refused_below_containerd_is_on_record() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    let mount = "type=bind,src=/etc,dst=/mnt,options=rbind:ro";
    let outcome = containerd.ctr(&["run", "--rm", "--runtime", RUNTIME, "--mount", mount, image::NAME, &id, "true"]);
    assert_ne!(outcome.status, 0, "{outcome:?}");
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
    let text = std::fs::read_to_string(containerd.state().join("refusals.jsonl")).unwrap();
    let all = lines(&text);
    let own: Vec<&Value> = all.iter().filter(|record| record["container"] == id.as_str()).collect();
    let [record] = own.as_slice() else { panic!("{own:?}") };
    assert_eq!((&record["verdict"], &record["asked"]), (&json!("refused"), &json!("\"/etc\"")));
    assert!(
        outcome.stderr.contains(record["why"].as_str().unwrap()),
        "what the user of ctr sees is on record: {outcome:?}"
    );
}

/// The node's collector gets what the files get.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_collector_gets_verdicts_too() {
    let directory = scratch::Scratch::new();
    let socket = directory.join("records");
    let listener = UnixListener::bind(&socket).unwrap();
    let lazaret = Lazaret::with_options(&["--record-socket", &socket.display().to_string()]);
    assert_eq!(lazaret.create(&refused_bundle()).status, 125);
    let mut received = String::new();
    listener.accept().unwrap().0.read_to_string(&mut received).unwrap();
    assert_eq!(lines(&received), lazaret.refusals());
    drop(listener);
    let outcome = lazaret.create(&refused_bundle()).expect(125);
    assert!(outcome.stderr.contains("/etc"), "the refusal itself is told, whoever listens: {outcome:?}");
    assert_eq!(lazaret.refusals().len(), 2);
}
