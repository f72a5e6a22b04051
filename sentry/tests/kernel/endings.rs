//! How a sentry ends, and what its death leaves.

use std::os::fd::AsFd;
use std::time::Duration;

use lazaret_sentry::handoff::{FromSentry, Handoff, Interceptor};
use nix::sys::wait::WaitStatus;
use rustix::process::Signal;

use crate::stage::{Sentry, Workload, is_readable, on_both, plain, user_namespace};

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
    let sentry = Sentry::start(&userns, Interceptor::Notify);
    let script = r#"c "umount2", 8, 0;
        do { $! = 0; syscall($number{umount2}, 8, 0) } while ($! == 1);
        c "umount2", 8, 0;
        c "getpid";"#;
    let mut workload = Workload::start(&userns, Interceptor::Notify, script);
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
    let sentry = Sentry::start(&userns, Interceptor::Notify);
    let mut workload = Workload::start(&userns, Interceptor::Notify, r#"$name = "x"; c "sethostname", $name, 1;"#);
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
    on_both(|by| {
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        for signal in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP, Signal::TSTP, Signal::USR1, Signal::PIPE] {
            sentry.child.signal(signal);
        }
        let mut workload = Workload::start(&userns, by, r#"c "umount2", 8, 0;"#);
        sentry.watch(&mut workload, plain(), &[]);
        workload.go();
        assert_eq!(workload.result(), (-1, EPERM));
        workload.finish();
        assert_eq!(code(sentry), 0);
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn stopped_and_continued_sentry_answers_what_waited() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, Interceptor::Notify);
    let mut workload = Workload::start(&userns, Interceptor::Notify, r#"print qq(on\n); c "umount2", 8, 0;"#);
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
    on_both(|by| {
        let userns = user_namespace();
        let mut sentry = Sentry::start(&userns, by);
        let mut workload =
            Workload::start(&userns, by, r#"$name = "x"; c "umount2", 8, 0; c "sethostname", $name, 1;"#);
        sentry.watch(&mut workload, Handoff { may_set_hostname: true, ..plain() }, &[]);
        sentry.leave();
        workload.go();
        assert_eq!(workload.result(), (-1, EPERM));
        assert_eq!(workload.result(), (-1, EPERM));
        workload.finish();
        let audit = sentry.finish();
        assert_eq!(audit.only("umount2").technique.as_deref(), Some("escape.mount"));
        assert!(audit.only("sethostname").error.unwrap().contains("monitor"));
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn monitor_that_goes_before_a_handoff_ends_it() {
    let userns = user_namespace();
    let mut sentry = Sentry::start(&userns, Interceptor::Notify);
    sentry.leave();
    assert_eq!(code(sentry), 1);
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn it_serves_two_containers_and_ends_with_the_last() {
    on_both(|by| {
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        let mut first = Workload::start(&userns, by, r#"c "umount2", 8, 0;"#);
        let mut second = Workload::start(&userns, by, r#"c "umount2", 8, 1;"#);
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
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn exec_and_fork_stay_under_watch() {
    on_both(|by| {
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        let script = r#"c "umount2", 8, 0;
        if (!fork) { c "umount2", 8, 0; exec "/usr/bin/perl", "-e", "syscall(\$ARGV[0], 8, 0); print qq(-1 ), \$!+0, qq(\n)", $number{umount2} }
        wait;"#;
        let mut workload = Workload::start(&userns, by, script);
        sentry.watch(&mut workload, plain(), &[]);
        workload.go();
        for _ in 0..3 {
            assert_eq!(workload.result(), (-1, EPERM));
        }
        workload.finish();
        assert_eq!(sentry.finish().records().len(), 3);
    });
}

#[test]
#[ignore = "needs root: ptrace"]
fn killed_tracer_takes_everything_traced_along() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, Interceptor::Ptrace);
    let script = r#"if (!fork) { c "umount2", 8, 0; sleep 1000 }
        sleep 1000;"#;
    let mut workload = Workload::start(&userns, Interceptor::Ptrace, script);
    sentry.watch(&mut workload, plain(), &[]);
    workload.go();
    assert_eq!(workload.result(), (-1, EPERM));
    sentry.child.signal(Signal::KILL);
    assert!(matches!(sentry.child.wait(), WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGKILL, _)));
    let ended = workload.child.wait();
    assert!(matches!(ended, WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGKILL, _)), "{ended:?}");
}

#[test]
#[ignore = "needs root: ptrace"]
fn call_in_flight_never_returns_when_the_tracer_is_killed() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, Interceptor::Ptrace);
    let mut workload = Workload::start(&userns, Interceptor::Ptrace, r#"$name = "x"; c "sethostname", $name, 1;"#);
    sentry.watch(&mut workload, Handoff { may_set_hostname: true, ..plain() }, &[]);
    workload.go();
    assert!(matches!(sentry.hear(), FromSentry::SetHostname { .. }));
    sentry.child.signal(Signal::KILL);
    let ended = workload.child.wait();
    assert!(matches!(ended, WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGKILL, _)), "{ended:?}");
}

#[test]
#[ignore = "needs root: ptrace"]
fn stopped_and_continued_tracer_answers_what_waited() {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, Interceptor::Ptrace);
    let mut workload = Workload::start(&userns, Interceptor::Ptrace, r#"c "umount2", 8, 0;"#);
    sentry.watch(&mut workload, plain(), &[]);
    sentry.child.signal(Signal::STOP);
    workload.go();
    assert!(!workload.says_something(Duration::from_millis(200)), "answered by nobody");
    sentry.child.signal(Signal::CONT);
    assert_eq!(workload.result(), (-1, EPERM));
    workload.finish();
    assert_eq!(code(sentry), 0);
}

#[test]
#[ignore = "needs root: ptrace"]
fn process_that_another_traces_is_refused_and_the_sentry_goes_on() {
    let userns = user_namespace();
    let (first, second) = (Sentry::start(&userns, Interceptor::Ptrace), Sentry::start(&userns, Interceptor::Ptrace));
    let mut workload = Workload::start(&userns, Interceptor::Ptrace, r#"c "umount2", 8, 0;"#);
    first.watch(&mut workload, plain(), &[]);
    workload.trap_again();
    let FromSentry::NotWatching { why } = second.hand_over(&mut workload, plain(), &[]) else { panic!("traced twice") };
    assert!(why.contains("cannot trace process"), "{why}");
    let mut other = Workload::start(&userns, Interceptor::Ptrace, r#"c "umount2", 8, 1;"#);
    second.watch(&mut other, plain(), &[]);
    for workload in [&mut workload, &mut other] {
        workload.go();
        assert_eq!(workload.result(), (-1, EPERM));
    }
    workload.finish();
    other.finish();
    assert_eq!((code(first), code(second)), (0, 0));
}

#[test]
#[ignore = "needs root: ptrace"]
fn sentry_that_may_not_trace_says_so() {
    let userns = user_namespace();
    let mut sentry = Sentry::start(&userns, Interceptor::Notify);
    let mut workload = Workload::start(&userns, Interceptor::Ptrace, "");
    assert!(matches!(sentry.hand_over(&mut workload, plain(), &[]), FromSentry::NotWatching { .. }));
    sentry.leave();
    assert_eq!(code(sentry), 1);
}
