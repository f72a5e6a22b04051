//! How calls reach the sentry where the kernel does not grant what is best: below a supervisor with a listener of its own,
//! and where not even tracing is possible.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::verdict;
use libc::EPERM;

/// Runs a command below a filter that has a listener; with `1` the filter also refuses ptrace(2).
const SUPERVISOR: &str = r#"
    my $refuses = shift;
    my $allow = pack("SCCL", 6, 0, 0, 0x7fff0000);
    my $refuse = pack("SCCL" x 3, 0x20, 0, 0, 0, 0x15, 0, 1, 101, 6, 0, 0, 0x50001);
    my $filter = $refuses ? $refuse . $allow : $allow;
    my $program = pack("S x6 P", length($filter) / 8, $filter);
    syscall(317, 1, 8, $program) >= 0 or die "no listener: $!";
    my $status = system(@ARGV);
    exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
"#;

pub(crate) fn supervised(options: &[&str], refuses_ptrace: bool) -> Lazaret {
    Lazaret::with_options(options).run_by(&["perl", "-e", SUPERVISOR, if refuses_ptrace { "1" } else { "0" }])
}

/// The refusals hold; returns the annotations of the state.
fn attack_below(lazaret: &Lazaret, witnessed: bool) -> serde_json::Value {
    let bundle = Bundle::attacker(&["mount-tmpfs"]).lax_but_admissible();
    let running = lazaret.launch(&bundle);
    running.wait();
    let verdict = verdict::parse(&running.output()).expect("a verdict");
    assert!(!verdict.ok && verdict.errno == EPERM, "{verdict:?}");
    let records = lazaret.audit(running.id());
    assert_eq!(records.iter().any(|record| record["syscall"] == "mount"), witnessed, "{records:?}");
    let annotations = lazaret.state(running.id())["annotations"].clone();
    running.delete();
    annotations
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn below_a_supervisor_the_container_is_traced_and_the_state_says_so() {
    let annotations = attack_below(&supervised(&[], false), true);
    assert_eq!(annotations["dev.lazaret.interceptor"], "ptrace");
    assert!(annotations["dev.lazaret.missing"].is_null(), "{annotations}");
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_listener_that_was_asked_for_and_is_refused_is_an_error() {
    let lazaret = supervised(&["--interceptor", "notify"], false);
    let outcome = lazaret.run_command(&["true"]);
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("error[lazaret-1611]") && outcome.stderr.contains("hint:"), "{outcome:?}");
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn where_not_even_a_tracer_is_possible_refusals_hold_and_the_state_says_what_is_missing() {
    let annotations = attack_below(&supervised(&[], true), false);
    assert_eq!(annotations["dev.lazaret.interceptor"], "none");
    let missing = annotations["dev.lazaret.missing"].as_str().unwrap_or_default();
    assert!(missing.contains("refusals hold and leave no record"), "{annotations}");
}

#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_tracer_that_was_asked_for_and_is_refused_is_an_error() {
    let lazaret = supervised(&["--interceptor", "ptrace"], true);
    let outcome = lazaret.run_command(&["true"]);
    assert_eq!(outcome.status, 125, "{outcome:?}");
    assert!(outcome.stderr.contains("error[lazaret-1655]"), "{outcome:?}");
}

/// What a tracer could spoil: exit statuses, deaths by signal, children that outlive their parent.
#[test]
#[ignore = "needs root: namespaces, seccomp"]
fn a_traced_honest_program_ends_with_its_own_status() {
    let lazaret = Lazaret::by("ptrace");
    assert_eq!(lazaret.run_command(&["sh", "-c", "exit 7"]).status, 7);
    assert_eq!(lazaret.run_command(&["sh", "-c", "kill -9 $$"]).status, 137);
    assert_eq!(lazaret.run_command(&["sh", "-c", "kill -15 $$"]).status, 143);
    let outcome = lazaret.run_command(&["sh", "-c", "(sleep 0.3; echo late) & echo first; wait"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "first\nlate\n"));
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn what_joins_a_traced_container_is_traced_too() {
    let lazaret = Lazaret::by("ptrace");
    let bundle = Bundle::attacker(&["call-in-flight"]);
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let verdict = verdict::of(&lazaret.verb(&["exec", running.id(), "/attacker", "trapped"]));
    assert!(verdict.ok, "{verdict:?}");
    assert!(running.witnessed("mount"), "no record: {:?}", lazaret.audit(running.id()));
    running.delete();
}
