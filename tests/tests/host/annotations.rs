//! Annotations of a pod, by what the container gets: they tighten, and what would loosen or is unknown makes nothing.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use serde_json::json;

fn annotated(line: &str, name: &str, value: &str) -> Bundle {
    Bundle::shell(line).edit(|config| config["annotations"] = json!({ name: value }))
}

#[test]
#[ignore = "needs root: namespaces, Landlock"]
fn a_mode_that_is_stricter_holds() {
    // In strict mode nothing new can be made directly in the root: no Landlock rule names it.
    let attempt = "echo x > /made && echo made";
    let plain = Lazaret::new().run(&Bundle::shell(attempt).writable());
    assert!(plain.stdout.contains("made"), "{plain:?}");
    let strict = Lazaret::new().run(&annotated(attempt, "lazaret.dev/mode", "strict").writable());
    assert!(!strict.stdout.contains("made") && strict.stderr.contains("/made"), "{strict:?}");
    let native = Lazaret::with_options(&["--mode", "native"]);
    let outcome = native.run(&annotated("cat /proc/self/uid_map", "lazaret.dev/mode", "sandbox"));
    assert!(!outcome.stdout.contains("4294967295"), "{outcome:?}");
}

#[test]
#[ignore = "needs root: namespaces"]
fn what_loosens_or_is_unknown_makes_nothing() {
    for (name, value, code, words) in [
        ("lazaret.dev/mode", "native", "1762", "looser than mode = \"sandbox\""),
        ("lazaret.dev/record-level", "None", "1762", "looser than records = \"Request\""),
        ("lazaret.dev/mode", "paranoid", "1761", "native or sandbox or strict is wanted"),
        ("lazaret.dev/modes", "strict", "1760", "did you mean \"mode\"?"),
    ] {
        let lazaret = Lazaret::new();
        let bundle = annotated("true", name, value);
        let refused = lazaret.create(&bundle);
        assert_eq!(refused.status, 125, "{name}={value}");
        let said = format!("annotations[\"{name}\"] = \"{value}\": ");
        refused.explains(&[&format!("error[lazaret-{code}]"), &said, words, "hint: "]);
        lazaret.nothing_left(bundle.id());
    }
    Lazaret::new().run(&annotated("true", "example.org/mode", "native")).succeeds();
}

#[test]
#[ignore = "needs root: namespaces"]
fn what_the_node_lists_may_loosen() {
    let scratch = Scratch::new();
    let file = scratch.join("config.toml");
    std::fs::write(&file, "annotations.allow = [\"mode\"]\n").unwrap();
    let lazaret = Lazaret::with_options(&["--config", &file.display().to_string()]);
    let outcome = lazaret.run(&annotated("cat /proc/self/uid_map", "lazaret.dev/mode", "native"));
    assert!(outcome.stdout.contains("4294967295"), "{outcome:?}");
    let refused = lazaret.create(&annotated("true", "lazaret.dev/record-level", "None"));
    refused.explains(&["error[lazaret-1762]"]);
}

#[test]
#[ignore = "needs root: the harness"]
fn features_list_them() {
    let features: serde_json::Value = serde_json::from_str(&Lazaret::new().verb(&["features"]).stdout).unwrap();
    let listed = features["potentiallyUnsafeConfigAnnotations"].as_array().unwrap();
    assert!(listed.contains(&json!("lazaret.dev/mode")) && listed.contains(&json!("lazaret.dev/record-level")));
}
