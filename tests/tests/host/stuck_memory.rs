//! Memory that never comes: a call whose words lie on a page that nobody serves delays nobody else's, gets its own answer in the
//! end, and does not outlive its container.

use std::time::{Duration, Instant};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::{INTERCEPTORS, Lazaret};
use lazaret_tests::silent_file::{NAME, SilentDirectory};
use lazaret_tests::verdict;

/// Within which a call is answered that need not wait: far below the deadline of those that do, far above a busy machine's noise.
const SHORT: u64 = 1500;

fn attacker(silent: &SilentDirectory, act: &str) -> Bundle {
    Bundle::attacker(&[act, &format!("/silent/{NAME}")]).bind(silent.path(), "/silent")
}

#[test]
#[ignore = "needs root: namespaces, seccomp, FUSE"]
fn a_stuck_call_delays_no_other_and_is_answered_at_the_deadline() {
    for interceptor in INTERCEPTORS {
        let silent = SilentDirectory::new();
        let verdict = verdict::of(&Lazaret::by(interceptor).run(&attacker(&silent, "stuck-calls")));
        assert!(verdict.ok, "{interceptor}: {verdict:?}");
        let mut lines = verdict.evidence.lines();
        let others: u64 = lines.next().unwrap().strip_prefix("others ").unwrap().parse().unwrap();
        assert!(others < SHORT, "{interceptor}: {}", verdict.evidence);
        let mut answered = 0;
        for line in lines {
            let [name, errno, millis] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let expected = if name == "mount" { libc::EPERM } else { libc::EFAULT };
            assert_eq!(errno, expected.to_string(), "{interceptor}: {line}");
            let millis: u64 = millis.parse().unwrap();
            assert!((1500..20_000).contains(&millis), "{interceptor}: {line}");
            answered += 1;
        }
        assert_eq!(answered, 4);
    }
}

#[test]
#[ignore = "needs root: namespaces, seccomp, FUSE"]
fn more_stuck_calls_than_threads_leave_refusals_quick_and_the_container_mortal() {
    for interceptor in INTERCEPTORS {
        let silent = SilentDirectory::new();
        let lazaret = Lazaret::by(interceptor);
        let bundle = attacker(&silent, "stuck-crowd");
        let running = lazaret.launch(&bundle);
        running.says("crowded");
        let longest = running.output();
        let longest: u64 = longest.lines().find_map(|line| line.strip_prefix("crowded ")).unwrap().parse().unwrap();
        assert!(longest < SHORT, "{interceptor}: {longest} ms");
        let begin = Instant::now();
        lazaret.verb(&["delete", "--force", running.id()]).succeeds();
        assert!(begin.elapsed() < Duration::from_secs(9), "{interceptor}: took {:?}", begin.elapsed());
        lazaret.nothing_left(running.id());
    }
}

/// Those calls are answered at their deadline, and their callers make no further ones.
#[test]
#[ignore = "needs root: namespaces, seccomp, FUSE"]
fn a_container_of_stuck_calls_is_paused_and_resumed() {
    for interceptor in INTERCEPTORS {
        let silent = SilentDirectory::new();
        let lazaret = Lazaret::by(interceptor);
        let bundle = attacker(&silent, "stuck-crowd");
        let running = lazaret.launch(&bundle);
        running.says("crowded");
        for _ in 0..2 {
            lazaret.verb(&["pause", running.id()]).succeeds();
            assert_eq!(lazaret.state(running.id())["status"], "paused");
            lazaret.verb(&["resume", running.id()]).succeeds();
        }
        running.delete();
    }
}
