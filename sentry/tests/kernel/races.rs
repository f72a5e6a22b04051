//! Races: for every call whose memory the sentry looks at or writes to, a second thread of the workload changes that
//! memory meanwhile, 50,000 times and more. Nobody wins; against a supervisor that looks and then lets the kernel look
//! again ([`crate::unsound`]) the same attacker does.
//!
//! What a mount that is carried out points to is raced in the host lane, where the worker is that carries it out.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lazaret_sentry::handoff::{FromSentry, Handoff, HandoffError, Interceptor, receive_from_sentry};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::wait::WaitStatus;
use rustix::net::SendFlags;

use crate::racer::{HARMLESS_NAME, PLACES, RACE, TALLY, Tally};
use crate::stage::{Child, Sentry, Workload, on_both, pair, plain, receive_byte, user_namespace};
use crate::sys::{self, POINTEE};
use crate::unsound::{Judge, supervise};

/// Attempts against the sentry.
const ATTEMPTS: u64 = 50_000;

/// Attempts against the supervisor that loses, at most; most often hundreds are enough, on a busy machine it takes more.
const CONTROL: u64 = 500_000;

const EPERM: i32 = 1;

/// The attacker as a workload with namespaces of its own, in which the kernel would let it do what it tries.
fn attacker(by: Interceptor, userns: &std::os::fd::OwnedFd, call: &str, bounds: (u64, u64)) -> Workload {
    let race = format!("{call} {} {}", bounds.0, bounds.1);
    let before = || {
        nix::sched::unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWNS).unwrap();
        let mount =
            |place: &str| nix::mount::mount(Some("x"), place, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        mount("/tmp");
        for place in PLACES {
            std::fs::create_dir(place).unwrap();
            if call == "umount2" {
                mount(place);
            }
        }
    };
    Workload::enter(userns, by, before, || {
        let arguments = ["racer", "racer::racer", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
        sys::execute_self(&arguments, (RACE, &race));
        127
    })
}

fn tally(workload: &mut Workload) -> Tally {
    loop {
        let line = workload.line_within(Duration::from_secs(300));
        let numbers: Vec<u64> = line.split(' ').skip(1).map_while(|word| word.parse().ok()).collect();
        if let ([attempts, succeeded, won], true) = (numbers.as_slice(), line.starts_with(TALLY)) {
            return Tally { attempts: *attempts, succeeded: *succeeded, won: *won };
        }
    }
}

/// Against the sentry; names are set by a monitor that knows one harmless name.
fn against_the_sentry(by: Interceptor, call: &str, handoff: Handoff) -> Tally {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, by);
    let mut workload = attacker(by, &userns, call, (ATTEMPTS, ATTEMPTS));
    let names = std::fs::File::open(format!("/proc/{}/ns/uts", workload.child.0)).unwrap();
    sentry.watch(&mut workload, handoff, &[]);
    let is_over = AtomicBool::new(false);
    let tally = std::thread::scope(|scope| {
        scope.spawn(|| {
            nix::sched::setns(&names, CloneFlags::CLONE_NEWUTS).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                match receive_from_sentry(sentry.control.as_fd(), Some(Duration::from_millis(100))) {
                    Ok(FromSentry::SetHostname { ticket, name, domain, .. }) => {
                        sentry.answer(ticket, if name == HARMLESS_NAME { set(&name, domain) } else { EPERM });
                    }
                    Ok(FromSentry::Done) => return,
                    Ok(other) => panic!("{other:?}"),
                    Err(HandoffError::TimedOut(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        workload.go();
        let tally = tally(&mut workload);
        is_over.store(true, Ordering::Relaxed);
        tally
    });
    workload.finish();
    sentry.finish();
    println!("{call} by {by:?}: {tally:?}");
    assert_eq!((tally.attempts, tally.won), (ATTEMPTS, 0), "{call} by {by:?}");
    tally
}

fn set(name: &[u8], domain: bool) -> i32 {
    let done = if domain { rustix::system::setdomainname(name) } else { rustix::system::sethostname(name) };
    done.map_or_else(|errno| errno.raw_os_error(), |()| 0)
}

/// Against the supervisor that loses.
fn against_the_unsound(by: Interceptor, call: &str, judge: &Judge) {
    let userns = user_namespace();
    let mut workload = attacker(by, &userns, call, (CONTROL, 1));
    let (pid, trap) = (workload.child.0, workload.take_trap());
    let (ours, theirs) = pair();
    let supervisor = Child(sys::fork(|| {
        supervise(by, pid.as_raw(), &trap, judge, || {
            rustix::net::send(&theirs, b"x", SendFlags::empty()).unwrap();
        })
    }));
    drop(trap);
    receive_byte(&ours);
    workload.go();
    let tally = tally(&mut workload);
    workload.finish();
    let id = supervisor.0;
    assert_eq!(supervisor.wait(), WaitStatus::Exited(id, 0));
    println!("{call} by an unsound {by:?}: {tally:?}");
    assert!(tally.won > 0, "the attacker of {call} cannot win: {tally:?}");
}

fn judge(call: &str, harmless: [u8; POINTEE]) -> Judge {
    let argument = usize::from(call == "mount");
    Judge { number: sys::number(call), harmless, argument, answers: call == "sysinfo" }
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn names_that_change_while_they_are_judged_win_nothing() {
    for call in ["sethostname", "setdomainname"] {
        on_both(|by| {
            against_the_unsound(by, call, &judge(call, *HARMLESS_NAME));
            let tally = against_the_sentry(by, call, Handoff { may_set_hostname: true, ..plain() });
            // Both were seen, or there was no race.
            assert!(tally.succeeded > 0 && tally.succeeded < tally.attempts, "{tally:?}");
        });
    }
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn paths_that_change_while_they_are_judged_win_nothing() {
    let mut harmless = [0; POINTEE];
    harmless[..PLACES[0].len()].copy_from_slice(PLACES[0].as_bytes());
    for call in ["mount", "umount2"] {
        on_both(|by| {
            against_the_unsound(by, call, &judge(call, harmless));
            assert_eq!(against_the_sentry(by, call, plain()).succeeded, 0);
        });
    }
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn memory_that_changes_while_an_answer_is_written_is_never_written_to_where_it_must_not_be() {
    on_both(|by| {
        against_the_unsound(by, "sysinfo", &judge("sysinfo", [0; POINTEE]));
        let tally = against_the_sentry(by, "sysinfo", plain());
        assert!(tally.succeeded > 0 && tally.succeeded < tally.attempts, "{tally:?}");
    });
}
