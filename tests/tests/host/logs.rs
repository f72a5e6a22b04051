//! Logs as callers want them: a file, in text or JSON, with the error that was also shown.

use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;

#[test]
#[ignore = "needs root: state directory"]
fn an_error_is_logged_once_as_json() {
    let scratch = Scratch::new();
    let log = scratch.join("log.json");
    let name = log.display().to_string();
    let lazaret = Lazaret::with_options(&["--log", &name, "--log-format", "json"]);
    let outcome = lazaret.verb(&["state", "nobody"]);
    assert_ne!(outcome.status, 0);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "error").collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(errors[0]["msg"].as_str().is_some_and(|message| message.contains("does not exist")), "{text}");
    assert!(errors[0]["time"].is_string(), "{text}");
}

/// The verbs that start a process close what the caller has open, and not their own log: callers such as containerd's
/// shim for OCI runtimes show what stands in it. Of the log's own descriptor the container sees nothing.
#[test]
#[ignore = "needs root: mounts"]
fn an_error_of_create_and_run_is_logged_too() {
    let scratch = Scratch::new();
    let log = scratch.join("log.json");
    let name = log.display().to_string();
    for mode in ["sandbox", "native"] {
        for verb in ["create", "run"] {
            let lazaret = Lazaret::with_options(&["--mode", mode, "--log", &name, "--log-format", "json"]);
            std::fs::write(&log, "").unwrap();
            let outcome = lazaret.verb(&[verb, "--bundle", "/no/such/bundle", "nobody"]);
            assert_ne!(outcome.status, 0);
            let text = std::fs::read_to_string(&log).unwrap();
            assert!(text.contains("bundle directory /no/such/bundle does not exist"), "{mode} {verb}: {text:?}");
        }
        let lazaret = Lazaret::with_options(&["--mode", mode, "--log", &name]);
        let bundle = lazaret_tests::bundle::Bundle::shell("ls -l /proc/self/fd");
        let listed = lazaret.run(&bundle).expect(0);
        assert!(!listed.stdout.contains("log.json"), "{listed:?}");
    }
}

#[test]
#[ignore = "needs root: state directory"]
fn debug_says_more() {
    let scratch = Scratch::new();
    let log = scratch.join("log");
    let name = log.display().to_string();
    let lazaret = Lazaret::with_options(&["--log", &name, "--debug"]);
    let bundle = lazaret_tests::bundle::Bundle::shell("true");
    lazaret.run(&bundle).succeeds();
    assert!(log.exists(), "the log file is made");
}

#[test]
#[ignore = "needs root: state directory"]
fn an_unknown_log_format_names_the_known_ones() {
    let lazaret = Lazaret::with_options(&["--log-format", "xml"]);
    let outcome = lazaret.verb(&["state", "x"]);
    assert_eq!(outcome.status, 2, "{outcome:?}");
    outcome.explains(&["xml", "json", "text"]);
}

#[test]
#[ignore = "needs root: state directory"]
fn a_log_file_that_cannot_be_made_is_named() {
    let lazaret = Lazaret::with_options(&["--log", "/no/such/directory/log"]);
    let outcome = lazaret.verb(&["state", "x"]);
    assert_ne!(outcome.status, 0);
    outcome.explains(&["error[lazaret-", "log"]);
}
