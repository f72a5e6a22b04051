//! `lazaret trace`: the stream says what the kernel returned, of the command and of all that it starts.

use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;

/// What the kernel runs, what the sentry refuses, what the kernel itself refuses; each but the last in a child.
const COMMAND: &str = "cat /proc/self/comm; /bin/busybox mount -t tmpfs none /mnt; cat /no/such/file; exit 3";

fn trace(options: &[&str], command: &str) -> (lazaret_tests::outcome::Outcome, String) {
    let scratch = Scratch::new();
    let file = scratch.join("stream").display().to_string();
    let lazaret = Lazaret::by("notify");
    let words = [&["trace", "-o", &file], options, &["--", "sh", "-c", command]].concat();
    let outcome = lazaret.verb(&words);
    assert!(lazaret.states().is_empty(), "a state is left: {:?}", lazaret.states());
    (outcome, std::fs::read_to_string(file).unwrap())
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn stream_shows_calls_with_answers_and_verdicts_of_children_too() {
    let (outcome, stream) = trace(&[], COMMAND);
    let outcome = outcome.expect(3);
    assert_eq!(outcome.stdout, "cat\n");
    outcome.explains(&["refused", "mount"]);
    let first = stream.lines().next().unwrap();
    assert!(first.contains(" execve(\"") && first.contains("= 0 <"), "the workload's program comes first: {first}");
    let has = |parts: &[&str]| stream.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(has(&[" openat(-100, \"/proc/self/comm\"", "= 3 <", "> native"]), "a native call:\n{stream}");
    assert!(has(&[" openat(-100, \"/no/such/file\"", "= -1 ENOENT <"]), "the kernel's own refusal:\n{stream}");
    assert!(has(&[" mount(", "target=\"/mnt\"", "type=\"tmpfs\"", "= -1 EPERM <"]), "the sentry's:\n{stream}");
    assert!(has(&[" exit_group(3) = ? <"]), "a call that does not return:\n{stream}");
    let pids: std::collections::BTreeSet<&str> = stream.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(pids.len() >= 4, "the shell and its three children: {pids:?}");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn refusal_by_the_filter_alone_is_shown_with_its_answer() {
    // posix_spawn(3) tries clone3 first, which the filter refuses without the sentry.
    let (outcome, stream) = trace(&[], "printf 'all:\\n\\t@/bin/echo made\\n' | make -f -");
    assert_eq!(outcome.expect(0).stdout, "made\n");
    let refused =
        |line: &&str| line.contains(" clone3(") && line.contains(") = -1 ENOSYS <") && line.ends_with("> refused");
    assert!(stream.lines().any(|line| refused(&line)), "{stream}");
    assert!(stream.contains(" execve(\"/bin/echo\""), "its child is followed: {stream}");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn summary_counts_instead_of_streaming() {
    let (outcome, table) = trace(&["-c"], COMMAND);
    assert_eq!(outcome.expect(3).stdout, "cat\n");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["seconds", "us/call", "calls", "errors", "call", "verdict"]);
    let mount = lines.iter().find(|line| line.get(4) == Some(&"mount")).expect("a line of mount");
    assert_eq!(mount[2..4], ["1", "1"], "one call, one error: {table}");
    assert_eq!(lines.last().unwrap()[4], "total");
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn a_second_tracer_is_refused_by_name() {
    let lazaret = Lazaret::by("ptrace");
    let outcome = lazaret.verb(&["trace", "--", "true"]).expect(125);
    outcome.explains(&["error[lazaret-1672]", "--interceptor notify"]);
    assert!(lazaret.states().is_empty());
}

/// A stream that cannot be written is no reason to run on unseen.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn command_dies_with_its_tracer_and_nothing_is_left() {
    let lazaret = Lazaret::by("notify");
    let outcome = lazaret.verb(&["trace", "-o", "/dev/full", "--", "sleep", "1000"]).expect(125);
    outcome.explains(&["error[lazaret-1674]", "killed what it traced"]);
    assert!(lazaret.states().is_empty());
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn strict_mode_has_verdicts_of_its_own() {
    let lazaret = Lazaret::with_options(&["--mode", "strict", "--interceptor", "notify"]);
    let outcome = lazaret.verb(&["trace", "--", "/bin/busybox", "echo", "seen"]).expect(0);
    assert_eq!(outcome.stdout, "seen\n");
    assert!(
        outcome.stderr.lines().any(|line| line.contains(" write(1, ") && line.ends_with("> native")),
        "{outcome:?}"
    );
}
