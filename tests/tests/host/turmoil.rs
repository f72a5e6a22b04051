//! Signals, crowds of children, stops and deaths, on both interceptors: what is refused is refused in any turmoil, and
//! what is honest does not notice.

use std::time::{Duration, Instant};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::{deadline, verdict};
use rustix::process::{Pid, Signal, kill_process};

use crate::sentry::sentry_of;

/// The act succeeds with either interceptor.
#[track_caller]
fn works_on_both(arguments: &[&str]) {
    for interceptor in INTERCEPTORS {
        let verdict = verdict::of(&Lazaret::by(interceptor).run(&Bundle::attacker(arguments)));
        assert!(verdict.ok, "{interceptor}: {verdict:?}");
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_storm_of_signals_repeats_no_call_and_loses_no_refusal() {
    works_on_both(&["storm"]);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn interrupted_calls_are_restarted_when_the_program_asks_for_it() {
    works_on_both(&["restart"]);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn ignored_signals_cut_no_sleep_short() {
    works_on_both(&["ignored-signals"]);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn sixty_four_children_are_spawned_at_a_time() {
    works_on_both(&["spawn-many"]);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_chain_of_execs_stays_under_watch() {
    works_on_both(&["exec-chain", "40"]);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_thread_that_executes_takes_no_answer_of_another() {
    works_on_both(&["exec-by-thread"]);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn job_control_works_as_without_a_sentry() {
    works_on_both(&["job-control"]);
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Whether every thread of a process is stopped.
fn is_stopped(pid: i32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}

/// A container with a call that waits for its sentry, which is stopped.
fn with_a_call_in_flight(interceptor: &str, play: impl Fn(&Lazaret, &Running<'_>, i32)) {
    let lazaret = Lazaret::by(interceptor);
    let bundle = Bundle::attacker(&["call-in-flight"]);
    let running = lazaret.launch(&bundle);
    running.says("ready");
    let sentry = sentry_of(&lazaret, &running);
    signal(sentry, Signal::STOP);
    deadline::until("the sentry to stop", || is_stopped(sentry));
    std::fs::write(bundle.rootfs().join("go"), "").unwrap();
    running.says("calling");
    std::thread::sleep(Duration::from_millis(100));
    assert!(!running.output().contains("answered"), "{interceptor}: answered by nobody");
    play(&lazaret, &running, sentry);
    running.delete();
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_sentry_that_was_stopped_answers_what_has_waited() {
    for interceptor in INTERCEPTORS {
        with_a_call_in_flight(interceptor, |_, running, sentry| {
            signal(sentry, Signal::CONT);
            running.says(&format!("answered {}", libc::EPERM));
        });
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_sentry_that_is_killed_takes_the_container_along_and_lets_nothing_through() {
    for interceptor in INTERCEPTORS {
        with_a_call_in_flight(interceptor, |lazaret, running, sentry| {
            signal(sentry, Signal::KILL);
            running.wait();
            let output = running.output();
            assert!(!output.contains("answered 0"), "{interceptor}: a call got through: {output}");
            deadline::until("the state to say why", || {
                lazaret.state(running.id())["annotations"]["dev.lazaret.ended"]
                    .as_str()
                    .is_some_and(|reason| reason.contains("the sentry died"))
            });
        });
    }
}

/// Pausing waits for a call that waits for the sentry, or not; in no case for ever, and the call is answered after.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_container_is_paused_and_resumed_with_a_call_in_flight() {
    for interceptor in INTERCEPTORS {
        with_a_call_in_flight(interceptor, |lazaret, running, sentry| {
            let begin = Instant::now();
            let paused = lazaret.verb(&["pause", running.id()]);
            assert!(begin.elapsed() < deadline::PATIENCE, "{interceptor}: {paused:?}");
            signal(sentry, Signal::CONT);
            if paused.status == 0 {
                assert_eq!(lazaret.state(running.id())["status"], "paused");
                lazaret.verb(&["resume", running.id()]).succeeds();
            }
            running.says(&format!("answered {}", libc::EPERM));
        });
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn a_container_whose_sentry_is_stopped_can_be_deleted() {
    for interceptor in INTERCEPTORS {
        with_a_call_in_flight(interceptor, |lazaret, running, _sentry| {
            let begin = Instant::now();
            lazaret.verb(&["delete", "--force", running.id()]).succeeds();
            assert!(begin.elapsed() < Duration::from_secs(9), "{interceptor}: took {:?}", begin.elapsed());
        });
    }
}
