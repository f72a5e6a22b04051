//! Honest work in turmoil: trapped calls under storms of signals, many children at a time, chains of exec, job control.
//! Nothing of it may show that a sentry stands between.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::raw::{self, call};
use crate::report::{Act, Outcome, Step as _, argument, without_effect};
use crate::supervised::trapped;

/// The acts of this file.
pub(crate) const ACTS: &[(&str, Act)] = &[
    ("trapped", trapped_once),
    ("storm", storm),
    ("restart", restart),
    ("ignored-signals", ignored_signals),
    ("spawn-many", spawn_many),
    ("exec-chain", exec_chain),
    ("exec-by-thread", exec_by_thread),
    ("exec-by-thread-once", exec_by_thread_once),
    ("job-control", job_control),
    ("call-in-flight", call_in_flight),
    ("busy", busy),
];

fn assure(holds: bool, what: &str) -> Outcome {
    if holds { Ok(what.to_owned()) } else { without_effect(what) }
}

/// One trapped call, refused as it has to be.
fn refused() -> bool {
    trapped() == Err(libc::EPERM)
}

fn trapped_once(_: &[String]) -> Outcome {
    assure(refused(), "the call is refused")
}

fn own_thread() -> Result<u64, crate::report::Failure> {
    call(libc::SYS_gettid, &[]).step("gettid")
}

/// Sends `signal` to thread `target` every 20 us while `work` runs.
fn under_fire<T>(signal: i32, target: u64, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                call(libc::SYS_tgkill, &[u64::from(std::process::id()), target, signal as u64]).ok();
                std::thread::sleep(Duration::from_micros(20));
            }
        });
        let result = work();
        over.store(true, Ordering::SeqCst);
        result
    })
}

/// Go interrupts its threads by SIGURG (with `SA_RESTART`) whenever it likes. A call that is restarted must not have
/// happened before: an exclusive creation that is carried out twice fails the second time.
fn storm(_: &[String]) -> Outcome {
    raw::count_signals(libc::SIGURG, libc::SA_RESTART).step("sigaction")?;
    let work = || -> Outcome {
        let end = Instant::now() + Duration::from_secs(2);
        let mut round = 0_u32;
        while Instant::now() < end {
            let errno = trapped().err().unwrap_or(0);
            if errno != libc::EPERM {
                return Err(crate::report::Failure { step: format!("refusal {round}"), errno });
            }
            emulated().step("sysinfo")?;
            std::fs::File::create_new("/tmp/once").step("create_new")?;
            std::fs::remove_file("/tmp/once").step("remove")?;
            round += 1;
        }
        Ok(format!("{round} rounds"))
    };
    let done = under_fire(libc::SIGURG, own_thread()?, work)?;
    let signals = raw::SIGNALS.load(Ordering::SeqCst);
    assure(signals > 100, &format!("{done} under {signals} signals"))
}

/// sysinfo(2), which the sentry answers.
fn emulated() -> Result<u64, i32> {
    let mut info = [0_u64; 16];
    call(libc::SYS_sysinfo, &[raw::address_mut(&mut info)])
}

/// A blocking read under a signal: interrupted without `SA_RESTART`, and with it never.
fn restart(_: &[String]) -> Outcome {
    for (flags, interrupted) in [(0, true), (libc::SA_RESTART, false)] {
        raw::count_signals(libc::SIGUSR1, flags).step("sigaction")?;
        let (mut reader, mut writer) = std::io::pipe().step("pipe")?;
        let target = own_thread()?;
        let outcome = std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                call(libc::SYS_tgkill, &[u64::from(std::process::id()), target, libc::SIGUSR1 as u64]).ok();
                std::thread::sleep(Duration::from_millis(100));
                writer.write_all(b"x").ok();
            });
            let mut byte = [0];
            reader.read(&mut byte).map_err(|error| error.kind())
        });
        let expected = if interrupted { Err(std::io::ErrorKind::Interrupted) } else { Ok(1) };
        if outcome != expected {
            return without_effect(&format!("read with flags {flags:#x}: {outcome:?}"));
        }
    }
    let signals = raw::SIGNALS.load(Ordering::SeqCst);
    assure(signals == 2, "each signal is handled once")
}

/// Children that end (SIGCHLD is ignored by default) cut no sleep short.
fn ignored_signals(_: &[String]) -> Outcome {
    let begin = Instant::now();
    let pid = raw::fork(|| 0).step("fork")?;
    let time = libc::timespec { tv_sec: 0, tv_nsec: 300_000_000 };
    call(libc::SYS_nanosleep, &[raw::address(&time), 0]).step("nanosleep")?;
    raw::wait(pid);
    assure(begin.elapsed() >= Duration::from_millis(300), "a sleep lasts")
}

fn own_command(words: &[&str]) -> Command {
    let mut command = Command::new("/attacker");
    command.args(words);
    command
}

fn answers_well(words: &[&str]) -> bool {
    own_command(words).output().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("\"ok\":true"))
}

/// posix_spawn (vfork within) by 64 threads at a time; each child makes a trapped call.
fn spawn_many(_: &[String]) -> Outcome {
    let good = std::thread::scope(|scope| {
        let children: Vec<_> = (0..64).map(|_| scope.spawn(|| answers_well(&["trapped"]))).collect();
        children.into_iter().filter_map(|child| child.join().ok()).filter(|good| *good).count()
    });
    assure(good == 64, &format!("{good} children of 64 did well"))
}

/// A chain of children, each executed by the one before, with a trapped call in each.
fn exec_chain(arguments: &[String]) -> Outcome {
    let left: u32 = argument(arguments, 0)?.parse().unwrap_or(0);
    let next = left.saturating_sub(1).to_string();
    let further = left == 0 || answers_well(&["exec-chain", &next]);
    assure(refused() && further, "every link is refused and goes on")
}

/// Threads that execute while the first thread of their process has a trapped call in flight: the kernel then ends that
/// thread and gives its id to the other one. Each new program does well.
fn exec_by_thread(_: &[String]) -> Outcome {
    let good = (0..40).filter(|_| answers_well(&["exec-by-thread-once"])).count();
    assure(good == 40, &format!("{good} of 40 did well"))
}

fn exec_by_thread_once(_: &[String]) -> Outcome {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(3));
        let error = own_command(&["trapped"]).exec();
        println!("cannot execute: {error}");
        raw::exit_now(1);
    });
    loop {
        if !refused() {
            raw::exit_now(2);
        }
    }
}

/// A child that is stopped, continued and ended, as its parent is told of it.
fn job_control(_: &[String]) -> Outcome {
    let child = raw::fork(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    })
    .step("fork")?;
    let told = |options: i32| -> Result<i32, crate::report::Failure> {
        let mut status = 0_i32;
        call(libc::SYS_wait4, &[child as u64, raw::address_mut(&mut status), options as u64, 0]).step("wait4")?;
        Ok(status)
    };
    let signal = |signal: i32| call(libc::SYS_kill, &[child as u64, signal as u64]).step("kill");
    // Not SIGTSTP: a process group without a parent in its session, as this one is, is not stopped by it.
    for stopping in [libc::SIGSTOP; 2] {
        signal(stopping)?;
        let status = told(libc::WUNTRACED)?;
        if !libc::WIFSTOPPED(status) || libc::WSTOPSIG(status) != stopping {
            return without_effect(&format!("stop by {stopping}: {status:#x}"));
        }
        // A stopped process stays where it is.
        std::thread::sleep(Duration::from_millis(50));
        let nothing = told(libc::WUNTRACED | libc::WCONTINUED | libc::WNOHANG)?;
        signal(libc::SIGCONT)?;
        let status = told(libc::WCONTINUED)?;
        if nothing != 0 || !libc::WIFCONTINUED(status) {
            return without_effect(&format!("continue after {stopping}: {nothing:#x} {status:#x}"));
        }
    }
    signal(libc::SIGTERM)?;
    let status = told(0)?;
    assure(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM, "job control works")
}

/// Waits for a file, makes one trapped call, tells its errno, and waits to be killed.
fn call_in_flight(_: &[String]) -> Outcome {
    println!("ready");
    while !std::path::Path::new("/go").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("calling");
    let errno = trapped().err().unwrap_or(0);
    println!("answered {errno}");
    loop {
        std::thread::park();
    }
}

/// Threads that call without a pause, and others that come and go, until standard input ends.
fn busy(_: &[String]) -> Outcome {
    let over = AtomicBool::new(false);
    println!("busy");
    std::thread::scope(|scope| {
        let calls = || {
            let mut all_refused = true;
            while !over.load(Ordering::SeqCst) {
                all_refused &= refused() && call(libc::SYS_getppid, &[]).is_ok();
                std::thread::sleep(Duration::from_millis(1));
            }
            all_refused
        };
        let workers = [scope.spawn(calls), scope.spawn(calls)];
        let newcomers = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                std::thread::scope(|inner| drop(inner.spawn(own_thread)));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let read = std::io::stdin().read_to_end(&mut Vec::new()).step("read");
        over.store(true, Ordering::SeqCst);
        let is_well = workers.into_iter().all(|worker| worker.join().unwrap_or(false)) && newcomers.join().is_ok();
        read?;
        assure(is_well, "every call was answered as it has to be")
    })
}
