//! The audit record: one JSON line for each decision, with what an investigator needs, and nothing that a workload can
//! use to forge a line.

use std::fs::File;

use lazaret_tests::bundle::Bundle;
use lazaret_tests::deadline;
use lazaret_tests::lazaret::Lazaret;
use serde_json::Value;

/// The records of a shell line, after it has ended.
fn records_of(bundle: &Bundle) -> Vec<Value> {
    let lazaret = Lazaret::new();
    let running = lazaret.launch(bundle);
    running.wait();
    lazaret_tests::deadline::within(std::time::Duration::from_secs(3), || !lazaret.audit(running.id()).is_empty());
    let records = lazaret.audit(running.id());
    running.delete();
    records
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_refused_mount_is_recorded_with_all_that_matters() {
    let bundle = Bundle::shell("mount -t tmpfs evil /mnt; true");
    let records = records_of(&bundle);
    let record = records.iter().find(|record| record["syscall"] == "mount").expect("a record of mount");
    assert_eq!(record["container"], bundle.id(), "{record}");
    assert!(record["pid"].as_i64().is_some_and(|pid| pid > 0), "{record}");
    assert!(record["exe"].as_str().is_some_and(|exe| exe.contains("busybox")), "{record}");
    assert!(record["errno"].to_string().contains("EPERM") || record["errno"] == 1, "{record}");
    for field in ["time", "verdict", "rule", "technique"] {
        assert!(!record[field].is_null(), "{field} is missing: {record}");
    }
    let text = record.to_string();
    for word in ["tmpfs", "evil", "/mnt"] {
        assert!(text.contains(word), "the argument {word} is missing: {record}");
    }
}

/// Guest text is escaped and cut: a line feed in an argument does not begin a second record.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_workload_cannot_forge_a_record() {
    let forged = "x\n{\"syscall\":\"forged\",\"container\":\"other\"}\n\u{1b}[31m";
    let long = "y".repeat(3000);
    let bundle = Bundle::new().args(&[
        "/bin/sh",
        "-c",
        "mount -t tmpfs \"$0\" /mnt; mount -t tmpfs \"$1\" /mnt; true",
        forged,
        &long,
    ]);
    let lazaret = Lazaret::new();
    let running = lazaret.launch(&bundle);
    running.wait();
    assert!(running.witnessed("mount"));
    let text = std::fs::read_to_string(lazaret.root().join(running.id()).join("audit.jsonl")).unwrap();
    running.delete();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("not a record: {error}: {line}"));
        assert_ne!(record["syscall"], "forged", "{record}");
        assert!(record["kind"] == "summary" || record["container"] == bundle.id(), "{record}");
        assert!(line.len() < 16384, "a record of {} bytes", line.len());
        assert!(!line.contains('\u{1b}'), "a control character is in the record");
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn honest_work_leaves_no_record() {
    let records = records_of(&Bundle::attacker(&["honest-threads"]));
    assert!(records.iter().all(|record| record["syscall"].is_null()), "{records:?}");
}

/// Every number that the table refuses with a witness is recorded under its real name.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn calls_are_recorded_by_their_real_names() {
    for (attack, name) in [("pivot-root", "pivot_root"), ("device-mknodat", "mknodat"), ("clone", "clone")] {
        let arguments: &[&str] = match attack {
            "device-mknodat" => &["device-mknodat", "b", "8", "0", "token"],
            "clone" => &["clone", "user"],
            _ => &["pivot-root"],
        };
        let records = records_of(&Bundle::attacker(arguments).lax_but_admissible());
        assert!(records.iter().any(|record| record["syscall"] == name), "{name}: {records:?}");
    }
}

/// A flood of refusals is bounded: records are dropped, and the drops are counted.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_flood_of_refusals_does_not_fill_the_disk() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::attacker(&["flood"]);
    let running = lazaret.launch(&bundle);
    running.says("flooded");
    let length = std::fs::metadata(lazaret.root().join(running.id()).join("audit.jsonl")).unwrap().len();
    running.delete();
    assert!(length < 64 << 20, "the record has {length} bytes after one flood");
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn records_are_followed_until_the_container_is_gone() {
    let bundle = Bundle::shell("mount -t tmpfs evil /mnt; sleep 1; mount -t tmpfs worse /mnt; exec sleep 1000");
    let lazaret = Lazaret::new();
    let running = lazaret.launch(&bundle);
    let told = bundle.path().join("told");
    let mut follower = lazaret.command(&["events", "--records", "-f", bundle.id()]);
    let mut follower = follower.stdout(File::create(&told).unwrap()).spawn().unwrap();
    let lines = || std::fs::read_to_string(&told).unwrap();
    deadline::until("the first record", || lines().contains("EPERM mount -t tmpfs evil on /mnt"));
    deadline::until("one that came later", || lines().contains("EPERM mount -t tmpfs worse on /mnt"));
    assert!(lines().lines().all(|line| line.contains(" refused ")), "{}", lines());
    assert!(follower.try_wait().unwrap().is_none(), "the container lives");

    let json = lazaret.verb(&["events", "--records", "--json", bundle.id()]).expect(0).stdout;
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first, lazaret.audit(bundle.id())[0]);

    running.delete();
    assert!(follower.wait().unwrap().success());
    assert!(lines().lines().last().unwrap().contains(" summary "), "{}", lines());
}

#[test]
#[ignore = "needs root: namespaces"]
fn native_container_has_no_records_and_says_so() {
    let bundle = Bundle::shell("exec sleep 1000");
    let lazaret = Lazaret::with_options(&["--mode", "native"]);
    let running = lazaret.launch(&bundle);
    let refused = lazaret.verb(&["events", "--records", bundle.id()]).expect(125);
    assert!(refused.stderr.contains("lazaret-1037"), "{}", refused.stderr);
    running.delete();
}
