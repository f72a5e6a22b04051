//! A program that something happens to after the system call of one's choice, such as its own end: it runs under
//! ptrace(2), and it happens in the stop at the call's end. Called by the tests of interrupted verbs; the program needs
//! no code for it.
//!
//! Only the program's own first process is followed, not those that it makes.

use std::fs::File;
use std::process::{Command, Stdio};

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::deadline;
use crate::outcome::Outcome;
use crate::scratch::Scratch;

/// The numbers of the system calls that a program makes from its `execve(2)` on, in order.
///
/// # Panics
/// When it cannot be traced.
#[must_use]
pub fn calls_of(command: &Command) -> Vec<u64> {
    let mut calls = Vec::new();
    let mut traced = Traced::start(command);
    while let Some(call) = traced.next_call() {
        calls.push(call);
    }
    calls
}

/// Runs the program until its system call number `index` (from 0) has returned, and kills it there. Whether it came so
/// far.
///
/// # Panics
/// When it cannot be traced.
#[must_use]
pub fn kill_after(command: &Command, index: usize) -> bool {
    let mut traced = Traced::start(command);
    for _ in 0..=index {
        if traced.next_call().is_none() {
            return false;
        }
    }
    traced.kill();
    true
}

/// Runs the program until its system call number `index` (from 0) has returned, has `act`, which is told its process id,
/// do something there, and lets it run to its end; `None` when it does not come so far.
///
/// # Panics
/// When it cannot be traced or does not end in time.
#[must_use]
pub fn act_after(command: &Command, index: usize, act: impl FnOnce(i32)) -> Option<Outcome> {
    let scratch = Scratch::new();
    let files = ["stdout", "stderr"].map(|name| scratch.join(name));
    let mut traced = Traced::start_into(command, files.each_ref().map(|path| File::create(path).unwrap().into()));
    for _ in 0..=index {
        traced.next_call()?;
    }
    act(traced.pid.as_raw());
    let status = traced.let_go();
    let [stdout, stderr] = files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
    Some(Outcome { status, stdout, stderr })
}

/// Indices into `calls` at which a kill is worth a run: of every system call the first, the last, and a few between.
#[must_use]
pub fn samples(calls: &[u64], each: usize) -> Vec<usize> {
    let mut kinds: Vec<u64> = calls.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let mut chosen = Vec::new();
    for kind in kinds {
        let all: Vec<usize> = (0..calls.len()).filter(|index| calls.get(*index) == Some(&kind)).collect();
        let last = all.len() - 1;
        chosen.extend((0..each).map(|step| all[last * step / (each - 1).max(1)]));
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// A program under ptrace, stopped between two calls of [`Traced::next_call`].
struct Traced {
    pid: Pid,
    /// What lets it go on.
    held_by: Option<Held>,
    in_call: bool,
    has_started: bool,
}

/// What the program stands still for.
enum Held {
    Stop,
    Signal(Signal),
}

impl Traced {
    fn start(command: &Command) -> Self {
        Self::start_into(command, [Stdio::null(), Stdio::null()])
    }

    #[expect(clippy::zombie_processes, reason = "next_call, let_go and kill wait for it, by waitpid(2)")]
    /// A shell stops itself, is seized, and becomes the program, with these as standard output and error.
    fn start_into(command: &Command, [output, error]: [Stdio; 2]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let child = shell.stdin(Stdio::null()).stdout(output).stderr(error).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)), Ok(WaitStatus::Stopped(..))));
        ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC).unwrap();
        signal::kill(pid, Signal::SIGCONT).unwrap();
        Self { pid, held_by: None, in_call: false, has_started: false }
    }

    /// Runs to the end of the next system call; its number, or `None` when the program has ended.
    fn next_call(&mut self) -> Option<u64> {
        loop {
            match self.held_by.take() {
                Some(Held::Stop) => ptrace::syscall(self.pid, None).unwrap(),
                Some(Held::Signal(signal)) => ptrace::syscall(self.pid, signal).unwrap(),
                None => {}
            }
            match waitpid(self.pid, None).unwrap() {
                WaitStatus::PtraceSyscall(_) => {
                    self.held_by = Some(Held::Stop);
                    self.in_call = !self.in_call;
                    let number = ptrace::getregs(self.pid).unwrap().orig_rax;
                    // How often it yields depends on the machine's load.
                    let counts = i64::try_from(number) != Ok(libc::SYS_sched_yield);
                    if self.has_started && !self.in_call && counts {
                        return Some(number);
                    }
                }
                WaitStatus::PtraceEvent(_, _, event) => {
                    self.held_by = Some(Held::Stop);
                    self.has_started |= event == libc::PTRACE_EVENT_EXEC;
                }
                WaitStatus::Stopped(_, signal) => self.held_by = Some(Held::Signal(signal)),
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return None,
                WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
            }
        }
    }

    /// No longer traces it, and waits for its end: its exit status, or 1000 + N when signal N killed it.
    fn let_go(self) -> i32 {
        ptrace::detach(self.pid, None).unwrap();
        let pid = self.pid;
        assert!(deadline::ended(pid.as_raw(), deadline::PATIENCE), "it does not end");
        loop {
            match waitpid(pid, None).unwrap() {
                WaitStatus::Exited(_, status) => return status,
                WaitStatus::Signaled(_, signal, _) => return 1000 + signal as i32,
                WaitStatus::Stopped(..)
                | WaitStatus::PtraceEvent(..)
                | WaitStatus::PtraceSyscall(_)
                | WaitStatus::Continued(_)
                | WaitStatus::StillAlive => {}
            }
        }
    }

    fn kill(self) {
        signal::kill(self.pid, Signal::SIGKILL).unwrap();
        while !matches!(waitpid(self.pid, None), Ok(WaitStatus::Signaled(..))) {}
    }
}
