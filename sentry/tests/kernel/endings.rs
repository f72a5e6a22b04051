//! How a sentry ends, and what its death leaves.

use std::os::fd::AsFd;
use std::time::Duration;

use lazaret_sentry::handoff::{FromSentry, Handoff};
use nix::sys::wait::WaitStatus;
use rustix::process::Signal;

use crate::stage::{Sentry, Workload, is_readable, plain, user_namespace};

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// The exit code of a sentry that ends by itself.
pub(crate) fn code(sentry: Sentry) -> i32 {
    let status = sentry.child.wait();
    let WaitStatus::Exited(_, code) = status else { panic!("{status:?}") };
    code
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn killed_sentry_turns_trapped_calls_into_enosys() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns);
    let script = r#"c "umount2", 8, 0;
        do { $! = 0; syscall($number{umount2}, 8, 0) } while ($! == 1);
        c "umount2", 8, 0;
        c "getpid";"#;
    let mut workload = Workload::start(&userns, script);
    sentry.watch(&mut workload, plain(), &[]);
    workload.go();
    assert_eq!(workload.result(), (-1, EPERM));
    sentry.child.signal(Signal::KILL);
    assert!(matches!(sentry.child.wait(), WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGKILL, _)));
    assert_eq!(workload.result(), (-1, ENOSYS));
    assert_eq!(workload.result().1, 0, "a native call goes on");
    workload.finish();
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn call_in_flight_gets_enosys_when_the_sentry_is_killed() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns);
    let mut workload = Workload::start(&userns, r#"$name = "x"; c "sethostname", $name, 1;"#);
    sentry.watch(&mut workload, Handoff { may_set_hostname: true, ..plain() }, &[]);
    workload.go();
    assert!(matches!(sentry.hear(), FromSentry::SetHostname { .. }));
    sentry.child.signal(Signal::KILL);
    assert_eq!(workload.result(), (-1, ENOSYS));
    workload.finish();
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn signals_that_a_terminal_sends_do_not_reach_it() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns);
    for signal in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP, Signal::TSTP, Signal::USR1, Signal::PIPE] {
        sentry.child.signal(signal);
    }
    let mut workload = Workload::start(&userns, r#"c "umount2", 8, 0;"#);
    sentry.watch(&mut workload, plain(), &[]);
    workload.go();
    assert_eq!(workload.result(), (-1, EPERM));
    workload.finish();
    assert_eq!(code(sentry), 0);
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn stopped_and_continued_sentry_answers_what_waited() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns);
    let mut workload = Workload::start(&userns, r#"print qq(on\n); c "umount2", 8, 0;"#);
    sentry.watch(&mut workload, plain(), &[]);
    sentry.child.signal(Signal::STOP);
    workload.go();
    assert_eq!(workload.line(), "on");
    assert!(!workload.says_something(Duration::from_millis(200)), "answered by nobody");
    sentry.child.signal(Signal::CONT);
    assert_eq!(workload.result(), (-1, EPERM));
    workload.finish();
    assert_eq!(code(sentry), 0);
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn monitor_that_goes_leaves_the_sentry_serving() {
    let userns = user_namespace();
    let mut sentry = Sentry::start(&userns);
    let mut workload = Workload::start(&userns, r#"$name = "x"; c "umount2", 8, 0; c "sethostname", $name, 1;"#);
    sentry.watch(&mut workload, Handoff { may_set_hostname: true, ..plain() }, &[]);
    sentry.leave();
    workload.go();
    assert_eq!(workload.result(), (-1, EPERM));
    assert_eq!(workload.result(), (-1, EPERM));
    workload.finish();
    let audit = sentry.finish();
    assert_eq!(audit.only("umount2").technique.as_deref(), Some("escape.mount"));
    assert!(audit.only("sethostname").error.unwrap().contains("monitor"));
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn monitor_that_goes_before_a_handoff_ends_it() {
    let userns = user_namespace();
    let mut sentry = Sentry::start(&userns);
    sentry.leave();
    assert_eq!(code(sentry), 1);
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn it_serves_two_containers_and_ends_with_the_last() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns);
    let mut first = Workload::start(&userns, r#"c "umount2", 8, 0;"#);
    let mut second = Workload::start(&userns, r#"c "umount2", 8, 1;"#);
    sentry.watch(&mut first, Handoff { container: "first".to_owned(), ..plain() }, &[]);
    sentry.watch(&mut second, Handoff { container: "second".to_owned(), ..plain() }, &[]);
    first.go();
    assert_eq!(first.result(), (-1, EPERM));
    first.finish();
    assert!(!is_readable(sentry.control.as_fd(), Duration::from_millis(200)), "it ended with the first");
    second.go();
    assert_eq!(second.result(), (-1, EPERM));
    second.finish();
    let containers: Vec<String> =
        sentry.finish().records().iter().map(|record| record.container.clone().into_owned()).collect();
    assert_eq!(containers, ["first", "second"]);
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn exec_and_fork_stay_under_watch() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns);
    let script = r#"c "umount2", 8, 0;
        if (!fork) { c "umount2", 8, 0; exec "/usr/bin/perl", "-e", "syscall(\$ARGV[0], 8, 0); print qq(-1 ), \$!+0, qq(\n)", $number{umount2} }
        wait;"#;
    let mut workload = Workload::start(&userns, script);
    sentry.watch(&mut workload, plain(), &[]);
    workload.go();
    for _ in 0..3 {
        assert_eq!(workload.result(), (-1, EPERM));
    }
    workload.finish();
    assert_eq!(sentry.finish().records().len(), 3);
}
