//! exec into a container while a sentry ends or stands still, on both interceptors: it works, or it fails with one clear
//! error; at no moment does anything run that is not watched, and nothing is left.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret, Running};
use lazaret_tests::outcome::Outcome;
use lazaret_tests::{deadline, leftover, stepper, verdict};
use rustix::process::{Pid, Signal, kill_process};

use crate::sentry::sentry_of;

/// At how many places of an exec something happens to a sentry.
const PLACES: usize = 24;

fn sleeper() -> Bundle {
    Bundle::attacker(&[]).args(&["/bin/sleep", "1000"]).lax_but_admissible()
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The first child of a process, which of an exec is the sentry for what joins; `None` as long as there is none.
fn first_child(pid: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_ascii_whitespace().next().map(|child| child.parse().unwrap())
}

/// At which of an exec's system calls its sentry is born: the first process that it makes.
fn birth_of_sentry(calls: &[u64]) -> usize {
    calls.iter().position(|call| i64::try_from(*call) == Ok(libc::SYS_clone3)).unwrap()
}

/// An attack by a process that joins.
fn attack(lazaret: &Lazaret, running: &Running<'_>) -> std::process::Command {
    lazaret.command(&["exec", running.id(), "/attacker", "mount-tmpfs"])
}

/// It was refused, or it never began and one error says why, or it was ended together with the container.
#[track_caller]
fn has_an_end_that_may_be(place: &str, outcome: &Outcome, has_lost_its_container: bool) {
    let errors = outcome.stderr.matches("error[lazaret-").count();
    let is_clear = ["error[lazaret-1011]: container not running", "error[lazaret-1656]: the sentry died"]
        .iter()
        .any(|error| outcome.stderr.contains(error));
    let is_good = match verdict::parse(&outcome.stdout) {
        Some(verdict) => !verdict.ok && errors == 0,
        None if errors == 1 => is_clear && outcome.status == 255,
        None => has_lost_its_container && outcome.status == 137,
    };
    assert!(is_good, "{place}: {has_lost_its_container} {outcome:?}");
}

/// What is left is the container alone, or one that has ended, and whose state says why.
#[track_caller]
fn is_whole_or_says_why_not(lazaret: &Lazaret, running: &Running<'_>, before: usize) {
    let ended_for = || lazaret.state(running.id())["annotations"]["dev.lazaret.ended"].as_str().map(str::to_owned);
    deadline::until("all to be as before, or the state to say why not", || {
        let is_running = lazaret.state(running.id())["status"] == "running";
        if is_running {
            leftover::processes(lazaret.tag()).len() == before
        } else {
            ended_for().is_some_and(|reason| reason.contains("the sentry died"))
        }
    });
}

/// Kills the sentry that `choose` finds, given the container's own and the process id of an exec, at places all over that
/// exec; in a container of its own each time.
fn kill_at_many_places(interceptor: &str, first: impl Fn(&[u64]) -> usize, choose: impl Fn(i32, i32) -> i32) {
    let lazaret = Lazaret::by(interceptor);
    let bundle = sleeper();
    let running = lazaret.launch(&bundle);
    let calls = stepper::calls_of(&attack(&lazaret, &running));
    running.delete();
    let (first, count) = (first(&calls), calls.len());
    assert!(count > first + PLACES, "an exec makes {count} system calls: it failed");
    let mut killed = 0;
    for place in (0..PLACES).map(|place| first + (count - first) * place / PLACES) {
        let bundle = sleeper();
        let running = lazaret.launch(&bundle);
        let before = leftover::processes(lazaret.tag()).len();
        let own = sentry_of(&lazaret, &running);
        let kill = |exec| signal(choose(own, exec), Signal::KILL);
        let Some(outcome) = stepper::act_after(&attack(&lazaret, &running), place, kill) else { continue };
        killed += 1;
        is_whole_or_says_why_not(&lazaret, &running, before);
        let has_lost_its_container = lazaret.state(running.id())["status"] == "stopped";
        has_an_end_that_may_be(&format!("{interceptor} {place} of {count}"), &outcome, has_lost_its_container);
        running.delete();
    }
    assert!(killed * 10 > PLACES * 8, "{interceptor}: killed {killed} times of {PLACES}");
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn an_exec_survives_no_death_of_the_containers_sentry_unwatched() {
    for interceptor in INTERCEPTORS {
        kill_at_many_places(interceptor, |_calls| 0, |own, _exec| own);
    }
}

/// Once there is one.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn an_exec_survives_no_death_of_its_own_sentry_unwatched() {
    for interceptor in INTERCEPTORS {
        kill_at_many_places(interceptor, birth_of_sentry, |_own, exec| first_child(exec).unwrap());
    }
}

/// Each process that joins has a sentry of its own.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn an_exec_beside_a_stopped_sentry_works() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = sleeper();
        let running = lazaret.launch(&bundle);
        let sentry = sentry_of(&lazaret, &running);
        signal(sentry, Signal::STOP);
        let verdict = verdict::of(&lazaret.verb(&["exec", running.id(), "/attacker", "trapped"]));
        assert!(verdict.ok, "{interceptor}: {verdict:?}");
        signal(sentry, Signal::CONT);
        running.delete();
    }
}

/// Until its sentry has said that it watches nothing is executed, and that is waited for with a limit.
#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
fn an_exec_whose_sentry_stands_still_fails_with_one_error() {
    for interceptor in INTERCEPTORS {
        let lazaret = Lazaret::by(interceptor);
        let bundle = sleeper();
        let running = lazaret.launch(&bundle);
        let before = leftover::processes(lazaret.tag()).len();
        let has_sentry = birth_of_sentry(&stepper::calls_of(&attack(&lazaret, &running)));
        let stop = |exec| signal(first_child(exec).unwrap(), Signal::STOP);
        let outcome = stepper::act_after(&attack(&lazaret, &running), has_sentry, stop).unwrap();
        assert_eq!((outcome.status, verdict::parse(&outcome.stdout).is_none()), (255, true), "{outcome:?}");
        outcome.explains(&["error[lazaret-1652]"]);
        deadline::until("all to be as before", || leftover::processes(lazaret.tag()).len() == before);
        assert_eq!(lazaret.state(running.id())["status"], "running");
        running.delete();
    }
}
