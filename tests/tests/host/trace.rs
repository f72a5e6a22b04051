//! `lazaret trace`: the stream says what the kernel returned, of the command and of all that it starts.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::deadline;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::scratch::Scratch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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
    let pids: BTreeSet<&str> = stream.lines().filter_map(|line| line.split(' ').next()).collect();
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

/// A container in the foreground whose threads call without a pause until its standard input is closed; then it ends with
/// status 7.
fn busy(lazaret: &Lazaret) -> (Bundle, Child) {
    let bundle = Bundle::attacker(&[]).args(&["/bin/sh", "-c", "/attacker busy && exit 7"]);
    bundle.write();
    let output = bundle.path().join("output");
    let path = bundle.path().display().to_string();
    let mut run = lazaret.command(&["run", "--bundle", &path, bundle.id()]);
    let run = run.stdin(Stdio::piped()).stdout(File::create(&output).unwrap()).spawn().unwrap();
    deadline::until("its first word", || std::fs::read_to_string(&output).unwrap().contains("busy"));
    (bundle, run)
}

/// Closes its input and sees it end as it would have without a tracer.
#[track_caller]
fn ends_by_itself(bundle: &Bundle, mut run: Child) {
    drop(run.stdin.take());
    assert_eq!(run.wait().unwrap().code(), Some(7));
    let output = std::fs::read_to_string(bundle.path().join("output")).unwrap();
    assert!(output.contains(r#""ok":true"#), "{output}");
}

/// Starts `trace ID` with its stream in `file`.
fn attach(lazaret: &Lazaret, options: &[&str], bundle: &Bundle, file: &std::path::Path) -> Child {
    let file = file.display().to_string();
    let words = [&["trace", "-o", &file], options, &[bundle.id()]].concat();
    lazaret.command(&words).spawn().unwrap()
}

/// Ends a tracer by `signal`, which is no failure.
#[track_caller]
fn end(mut tracer: Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(tracer.id()).unwrap()), signal).unwrap();
    assert_eq!(tracer.wait().unwrap().code(), Some(0), "{signal}");
}

/// The tracers of all threads of a container.
fn tracers(lazaret: &Lazaret, bundle: &Bundle) -> BTreeSet<String> {
    let listed = lazaret.verb(&["ps", "-f", "json", bundle.id()]).expect(0).stdout;
    let pids: Vec<i32> = serde_json::from_str(&listed).unwrap();
    let tasks =
        pids.iter().flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten());
    let status = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let tracer = |text: String| Some(text.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim().to_owned());
    status.filter_map(tracer).collect()
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn running_container_is_traced_with_all_its_threads_and_goes_on_untouched() {
    let lazaret = Lazaret::by("notify");
    let (bundle, run) = busy(&lazaret);
    let scratch = Scratch::new();
    let file = scratch.join("stream");
    let tracer = attach(&lazaret, &[], &bundle, &file);
    let stream = || std::fs::read_to_string(&file).unwrap_or_default();
    let callers = |call: &str| -> usize {
        let text = stream();
        let lines = text.lines().filter(|line| line.contains(&format!(" {call}(")));
        lines.filter_map(|line| line.split(' ').next()).collect::<BTreeSet<_>>().len()
    };
    deadline::until("calls of both threads that were there", || callers("getppid") == 2);
    deadline::until("calls of threads that came later", || callers("gettid") > 3);
    deadline::until("a call that the sentry refused", || {
        stream()
            .lines()
            .any(|line| line.contains("= -1 EPERM <") && (line.contains("> emulated") || line.contains("> refused (")))
    });
    assert_eq!(tracers(&lazaret, &bundle), BTreeSet::from([tracer.id().to_string()]));

    let second = lazaret.verb(&["trace", bundle.id()]).expect(125);
    second.explains(&["error[lazaret-1673]"]);
    end(tracer, Signal::SIGINT);
    assert_eq!(tracers(&lazaret, &bundle), BTreeSet::from(["0".to_owned()]));
    assert!(stream().ends_with('\n'), "the last line is whole");

    let table = scratch.join("table");
    let tracer = attach(&lazaret, &["-c"], &bundle, &table);
    deadline::until("the second tracer", || tracers(&lazaret, &bundle).contains(&tracer.id().to_string()));
    end(tracer, Signal::SIGTERM);
    let table = std::fs::read_to_string(table).unwrap();
    assert!(table.contains("us/call") && table.lines().last().unwrap().contains("total"), "{table}");

    let tracer = attach(&lazaret, &[], &bundle, &file);
    deadline::until("the third tracer", || tracers(&lazaret, &bundle).contains(&tracer.id().to_string()));
    ends_by_itself(&bundle, run);
    assert_eq!(tracer.wait_with_output().unwrap().status.code(), Some(0), "it ends with the container");
    assert!(stream().contains(" exit_group(7) = ? <"), "{}", stream());
}

/// Neither a stream that cannot be written nor a tracer that is killed takes the container along.
#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn running_container_outlives_a_tracer_that_fails() {
    let lazaret = Lazaret::by("notify");
    let (bundle, run) = busy(&lazaret);
    let failed = lazaret.verb(&["trace", "-o", "/dev/full", bundle.id()]).expect(125);
    failed.explains(&["error[lazaret-1676]", "the container goes on"]);
    let scratch = Scratch::new();
    let mut tracer = attach(&lazaret, &[], &bundle, &scratch.join("stream"));
    deadline::until("the tracer", || tracers(&lazaret, &bundle).contains(&tracer.id().to_string()));
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    assert_eq!(tracers(&lazaret, &bundle), BTreeSet::from(["0".to_owned()]));
    ends_by_itself(&bundle, run);
}

#[test]
#[ignore = "needs root: namespaces, mounts, seccomp"]
fn container_that_cannot_be_traced_is_refused_by_name() {
    let bundle = Bundle::shell("exec sleep 1000");
    let lazaret = Lazaret::by("ptrace");
    let running = lazaret.launch(&bundle);
    lazaret.verb(&["trace", running.id()]).expect(125).explains(&["error[lazaret-1672]", "one tracer only"]);
    running.delete();

    let lazaret = Lazaret::by("notify");
    let bundle = Bundle::shell("exec sleep 1000");
    let running = lazaret.launch(&bundle);
    let by_another = lazaret.command(&["trace", running.id()]).uid(65534).gid(65534).output().unwrap();
    assert_eq!(by_another.status.code(), Some(125), "{by_another:?}");
    lazaret.verb(&["pause", running.id()]).succeeds();
    lazaret.verb(&["trace", running.id()]).expect(125).explains(&["error[lazaret-1010]", "paused"]);
    running.delete();
    lazaret.verb(&["trace", "nobody"]).expect(125).explains(&["error[lazaret-1001]"]);
}
