//! The jailed sentry taken over, and its list of calls with each one missing. Compiled with the feature `jail-hook`.

use std::os::fd::{AsFd, OwnedFd};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use lazaret_sentry::Seat;
use lazaret_sentry::handoff::{FromSentry, Handoff, Interceptor};
use lazaret_sentry::jail_hook::{self, Change, TakeOver};
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;

use crate::attempts::{ALL, Attempt};
use crate::canary::Canary;
use crate::stage::{Audit, Sentry, Workload, empty_root, memory_file, on_both, plain, serve_in, user_namespace};

/// Stands in the audit file before an attempt.
const KEPT: &str = "kept\n";

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Worked,
    /// The kernel returned an error.
    Refused,
    /// The filter killed the process.
    Killed,
}

/// Writes to the audit file, makes the attempt, and ends the process with whether it worked.
fn attack(attempt: Attempt, canary: &Canary, seat: &Seat) -> i32 {
    let written = rustix::io::write(&seat.audit, KEPT.as_bytes());
    assert_eq!(written, Ok(KEPT.len()));
    i32::from(!attempt(canary, seat))
}

fn end(sentry: Sentry) -> (End, Audit) {
    let (status, audit) = sentry.end();
    let ends = [
        (WaitStatus::Exited(status.pid().unwrap(), 0), End::Worked),
        (WaitStatus::Exited(status.pid().unwrap(), 1), End::Refused),
        (WaitStatus::Signaled(status.pid().unwrap(), Signal::SIGSYS, false), End::Killed),
        (WaitStatus::Signaled(status.pid().unwrap(), Signal::SIGSYS, true), End::Killed),
    ];
    let end = ends.iter().find(|(known, _)| *known == status).map(|(_, end)| *end);
    let end = end.unwrap_or_else(|| panic!("{status:?}"));
    (end, audit)
}

/// The attempt without a jail, as root of the host, in a mount namespace of its own.
fn in_the_open(attempt: Attempt) -> End {
    let canary = Canary::new();
    let sentry = Sentry::fork_as(empty_root(), false, |seat| {
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).unwrap();
        std::env::set_current_dir(&canary.directory).unwrap();
        attack(attempt, &canary, &seat)
    });
    end(sentry).0
}

/// The attempt in the place of the jailed sentry.
fn in_the_jail(name: &str, attempt: Attempt, userns: &OwnedFd, may_trace: bool) -> End {
    let canary = Arc::new(Canary::new());
    let aim = Arc::clone(&canary);
    let sentry = Sentry::fork_as(empty_root(), may_trace, move |seat| {
        let take_over = move |seat: &Seat| crate::sys::exit(attack(attempt, &aim, seat));
        jail_hook::order(Change::TakenOver(TakeOver(Box::new(take_over))));
        serve_in(userns, seat)
    });
    let (end, audit) = end(sentry);
    canary.assert_untouched(name);
    assert_eq!(audit.text, KEPT, "{name}: the audit file");
    end
}

#[test]
#[ignore = "needs root: seccomp filter, ptrace"]
fn sentry_that_is_taken_over_reaches_nothing_of_the_host() {
    assert!(ALL.len() >= 20);
    let mut wrong = Vec::new();
    for (name, attempt) in ALL {
        let open = in_the_open(*attempt);
        if open != End::Worked {
            wrong.push(format!("{name}: {open:?} without a jail"));
        }
        let userns = user_namespace();
        for may_trace in [false, true] {
            let jailed = in_the_jail(name, *attempt, &userns, may_trace);
            println!("{jailed:?}: {name}");
            if jailed == End::Worked {
                wrong.push(format!("{name}: worked in the jail"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Calls whose loss the run below need not notice, and why they are needed all the same: `rt_sigaction` is std's before the
/// first thread of a process, and the test has made that already; `clock_gettime` is answered by the vDSO where there is
/// a clock for it; which of `brk` and `mremap` the allocator takes depends on the build and on what was freed before.
const SILENT: &[&str] = &["brk", "clock_gettime", "mremap", "rt_sigaction"];

/// Long enough for a thread to come to rest, also on a busy machine.
const SETTLED: std::time::Duration = std::time::Duration::from_millis(60);

/// A run that uses what a sentry does; it panics, or its sentry ends otherwise than it should, where something fails.
fn run(by: Interceptor, lost: Option<&'static str>) -> WaitStatus {
    let userns = user_namespace();
    let sentry = Sentry::fork_as(empty_root(), by == Interceptor::Ptrace, |seat| {
        if let Some(lost) = lost {
            jail_hook::order(Change::Lost(lost));
        }
        serve_in(&userns, seat)
    });
    assert_eq!(sentry.hear(), FromSentry::Jailed);
    let script = r#"$name = "box"; $info = "x" x 120; $target = "/mnt";
        c "sethostname", $name, 3;
        c "sysinfo", $info;
        syscall($number{umount2}, "/mnt/$_", 0) for 1 .. 2000;
        c "umount2", $target, 0;"#;
    let mut first = Workload::start(&userns, by, script);
    let mut second = Workload::start(&userns, by, r#"c "umount2", 8, 0;"#);
    let (limit, usage) = (memory_file("104857600\n"), memory_file("4194304\n"));
    let handoff = Handoff { may_set_hostname: true, has_memory_limit: true, has_memory_usage: true, ..plain() };
    sentry.watch(&mut first, handoff, &[limit.as_fd(), usage.as_fd()]);
    sentry.watch(&mut second, plain(), &[]);
    second.go();
    assert_eq!(second.result(), (-1, 1));
    second.finish();
    first.go();
    let FromSentry::SetHostname { ticket, .. } = sentry.hear() else { panic!("no question") };
    // Time to begin the wait for the answer, which a stop then interrupts.
    std::thread::sleep(SETTLED);
    sentry.child.signal(rustix::process::Signal::STOP);
    std::thread::sleep(SETTLED);
    sentry.child.signal(rustix::process::Signal::CONT);
    std::thread::sleep(SETTLED);
    sentry.answer(ticket, 0);
    assert_eq!(first.result(), (0, 0));
    assert_eq!(first.result(), (0, 0));
    assert_eq!(first.result(), (-1, 1));
    first.finish();
    sentry.end().0
}

/// Whether the run is as it should be.
fn is_well(by: Interceptor, lost: Option<&'static str>) -> bool {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(by, lost)));
    matches!(outcome, Ok(WaitStatus::Exited(_, 0)))
}

#[test]
#[ignore = "needs root: seccomp listener, ptrace"]
fn no_call_of_the_list_can_be_spared() {
    on_both(|by| assert!(is_well(by, None), "with the whole list"));
    let noticed =
        |name: &'static str| ![Interceptor::Notify, Interceptor::Ptrace].into_iter().all(|by| is_well(by, Some(name)));
    let unexplained: Vec<&str> =
        jail_hook::calls(true).into_iter().filter(|name| !SILENT.contains(name) && !noticed(name)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
}
