//! `run` and `do`: a container in the foreground, from its launch to its removal.
//!
//! The caller's process is the watcher: it forwards signals, waits, and deletes. The exit status is the workload's.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lazaret_sentry::record::{self, Distinct};
use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::error::Error;
use crate::lifecycle::host_root::HostRoot;
use crate::lifecycle::launch::{self, Launched, Opening};
use crate::lifecycle::terminal::Terminal;
use crate::lifecycle::tracing_process::{Stream, TraceRequest, TracingProcess};
use crate::lifecycle::{CreateRequest, LifecycleError, create, delete, nested, newborn};
use crate::options::Options;
use crate::state::{self, Status};
use crate::watch::{End, Subject, Watched};

/// How a foreground container ended.
#[derive(Debug)]
pub struct Outcome {
    /// The workload's exit status, or 128 plus the number of the signal that ended it.
    pub exit_status: u8,
    /// What the sandbox refused, one entry a distinct thing.
    pub refusals: Vec<Distinct>,
    /// Why lazaret ended it, if it did.
    pub ended_by_lazaret: Option<String>,
}

/// Runs the container of `request` and deletes it when it ends.
///
/// # Errors
/// See [`Error`]; nothing is left behind then.
pub fn run(options: &Options, request: CreateRequest) -> Result<Outcome, Error> {
    let signals = take_signals()?;
    let (id, pid_file) = (request.id.clone(), request.pid_file.clone());
    let launched = create::prepare(options, request, Opening::Now)?;
    if let Err(error) = newborn::write_pid_file(pid_file.as_deref(), launched.pid) {
        launched.watched.kill();
        delete(options, &id, true)?;
        return Err(error);
    }
    see_through(options, &id, launched, &signals)
}

/// Runs `command` over the host's root file system, whose writes are thrown away.
///
/// # Errors
/// See [`Error`]; nothing is left behind then.
pub fn run_on_host_root(options: &Options, command: Vec<OsString>, extra_env: &[OsString]) -> Result<Outcome, Error> {
    on_host_root(options, command, extra_env, None)
}

/// The same, with each system call of the command and of what it starts written down.
///
/// # Errors
/// See [`Error`]; nothing is left behind then.
pub fn trace_on_host_root(
    options: &Options,
    command: Vec<OsString>,
    extra_env: &[OsString],
    request: TraceRequest,
) -> Result<Outcome, Error> {
    on_host_root(options, command, extra_env, Some(Stream::open(request)?))
}

fn on_host_root(
    options: &Options,
    command: Vec<OsString>,
    extra_env: &[OsString],
    stream: Option<Stream>,
) -> Result<Outcome, Error> {
    nested::refuse_on_host_root(options)?;
    let signals = take_signals()?;
    let mut launch = HostRoot::new(command, extra_env)?.into_launch();
    launch.stream = stream;
    let id = launch.request.id.clone();
    remove_stale(options, &id)?;
    let launched = launch::launch(options, launch)?;
    see_through(options, &id, launched, &signals)
}

/// Removes what a `do` that was killed has left under our id, which comes from a process number.
fn remove_stale(options: &Options, id: &str) -> Result<(), Error> {
    match state::peek(&options.root, id) {
        Ok(state) if state.status() == Status::Stopped => delete(options, id, true),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn see_through(options: &Options, id: &str, launched: Launched, signals: &SignalFd) -> Result<Outcome, Error> {
    let mut watched = launched.watched;
    let waited = attend(&mut watched, launched.terminal.as_ref(), signals);
    if waited.is_err() {
        watched.kill();
    }
    let traced = launched.tracer.map_or(Ok(()), TracingProcess::finish);
    let audit = options.root.join(id).join(state::AUDIT_FILE);
    if waited.is_ok() {
        watched.let_sentry_finish().map_err(LifecycleError::Wait)?;
    }
    let refusals = refusals(&audit);
    delete(options, id, true)?;
    traced?;
    let (exit_status, ended_by_lazaret) = waited.map_err(LifecycleError::Wait)?;
    Ok(Outcome { exit_status, refusals, ended_by_lazaret })
}

/// Waits for the end, with a relay between the terminals if there are two.
pub(super) fn attend(
    watched: &mut Watched,
    connection: Option<&OwnedFd>,
    signals: &SignalFd,
) -> io::Result<(u8, Option<String>)> {
    let terminal = connection.map(Terminal::start).transpose()?;
    let waited = wait(watched, terminal.as_ref(), signals);
    if let Some(terminal) = terminal {
        terminal.finish();
    }
    waited
}

/// Waits for the end, forwarding signals meanwhile.
fn wait(watched: &mut Watched, terminal: Option<&Terminal>, signals: &SignalFd) -> io::Result<(u8, Option<String>)> {
    let mut ended_by = None;
    loop {
        match watched.until_end(Some(signals.as_fd()))? {
            End::Caller => forward(watched, terminal, signals)?,
            End::Own => {
                let status = exit_status(watched.init.as_fd())?;
                return Ok((status, ended_by));
            }
            End::Killed(reason) => {
                ended_by = Some(reason);
                return Ok((exit_status(watched.init.as_fd())?, ended_by));
            }
        }
    }
}

/// The exit status of our child behind `pidfd`, which is reaped.
fn exit_status(pidfd: BorrowedFd<'_>) -> io::Result<u8> {
    let status = rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED)?;
    let number = status.and_then(|status| match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(code),
        (None, Some(signal)) => Some(128 + signal),
        (None, None) => None,
    });
    Ok(number.and_then(|number| u8::try_from(number & 0xff).ok()).unwrap_or(u8::MAX))
}

/// Passes a signal on. The first process of a pid namespace never dies of one that it does not handle, which would make
/// Ctrl-C useless for most commands; so one whose default is to end is carried out by killing.
fn forward(watched: &Watched, terminal: Option<&Terminal>, signals: &SignalFd) -> io::Result<()> {
    let Some(info) = signals.read_signal()? else { return Ok(()) };
    let Some(signal) = i32::try_from(info.ssi_signo).ok().and_then(crate::sys::process::signal_of) else {
        return Ok(());
    };
    if let (Some(terminal), Signal::WINCH) = (terminal, signal) {
        terminal.resize();
        return Ok(());
    }
    let ends = signal != Signal::WINCH && signal != Signal::CONT;
    if ends && watched.subject == Subject::Container && !handles(watched, signal) {
        watched.kill();
        return Ok(());
    }
    match rustix::process::pidfd_send_signal(&watched.init, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the container's first process catches, ignores, or waits for `signal` (SigCgt, SigIgn and SigBlk of
/// proc_pid_status(5)).
fn handles(watched: &Watched, signal: Signal) -> bool {
    let status = watched.init_status().unwrap_or_default();
    let mask = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let bit = 1_u64 << (signal.as_raw() - 1);
    ["SigCgt:", "SigIgn:", "SigBlk:"].into_iter().filter_map(mask).any(|mask| mask & bit != 0)
}

/// From here on these signals are read instead of ending us.
pub(super) fn take_signals() -> Result<SignalFd, Error> {
    use nix::sys::signal::Signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
    let set: SigSet = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT].into_iter().collect();
    let taken =
        set.thread_block().and_then(|()| SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK));
    Ok(taken.map_err(|error| LifecycleError::Signal(error.into()))?)
}

fn refusals(audit: &std::path::Path) -> Vec<Distinct> {
    if !audit.exists() {
        return Vec::new();
    }
    let read = std::fs::File::open(audit).map(io::BufReader::new).map_err(|error| error.to_string());
    match read.and_then(|reader| record::summarise(reader).map_err(|error| error.to_string())) {
        Ok(refusals) => refusals,
        Err(error) => {
            tracing::warn!(error, "the sentry's records cannot be read");
            Vec::new()
        }
    }
}
