//! The launcher's life: one request after the other, until the daemon closes its end.
//!
//! Runs in a child that the daemon forked while it was single-threaded, and stays single-threaded. Containers' first
//! processes become children of the daemon; sentries and monitors are children of the launcher, which reaps them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags};
use rustix::process::WaitOptions;

use super::runtime::{Newborn, Runtime};
use super::{Call, Failure, FromLauncher, LoggerProgram, Outcome, Request, logger, packet};

/// Serves requests from `socket` until it is closed. Returns the process's exit status.
pub(crate) fn run(socket: &OwnedFd, runtime: &Runtime) -> u8 {
    match serve(socket, runtime) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(error = %error, "the launcher ends");
            1
        }
    }
}

fn serve(socket: &OwnedFd, runtime: &Runtime) -> io::Result<()> {
    // Blocked so that it can be polled for; the runtime resets the mask for workloads.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()?;
    let children = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    loop {
        let mut polled = [PollFd::new(socket, PollFlags::IN), PollFd::new(&children, PollFlags::IN)];
        match rustix::event::poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let [requested, ended] = polled.map(|polled| !polled.revents().is_empty());
        if ended {
            while children.read_signal()?.is_some() {}
            reap();
        }
        if requested && !answer_one(socket, runtime)? {
            return Ok(());
        }
    }
}

/// Serves one request; `false` when the daemon has gone.
fn answer_one(socket: &OwnedFd, runtime: &Runtime) -> io::Result<bool> {
    let (request, descriptors) = match packet::receive::<Request>(socket) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        other => other?,
    };
    let ticket = request.ticket;
    let (result, newborn) = match carry_out(runtime, request.call, descriptors) {
        Ok((outcome, newborn)) => (Ok(outcome), newborn),
        Err(failure) => (Err(failure), None),
    };
    let along = newborn.iter().flat_map(|newborn| std::iter::once(&newborn.pidfd).chain(&newborn.terminal));
    let along: Vec<BorrowedFd<'_>> = along.map(AsFd::as_fd).collect();
    packet::send(socket, &FromLauncher::Answer { ticket, result }, &along)?;
    Ok(true)
}

/// Does it, by the library where it is the runtime's. A process comes back from what makes one.
fn carry_out(runtime: &Runtime, call: Call, descriptors: Vec<OwnedFd>) -> Result<(Outcome, Option<Newborn>), Failure> {
    match call {
        Call::Create(create) => return runtime.create(create, descriptors).map(born),
        Call::Exec { id, process } => return runtime.exec(id, process, descriptors).map(born),
        Call::Log(program) => return Ok(start_logger(&program, &descriptors)),
        Call::Start { id } => runtime.start(&id),
        Call::Kill { id, signal, all } => runtime.kill(&id, signal, all),
        Call::Pause { id } => runtime.pause(&id),
        Call::Resume { id } => runtime.resume(&id),
        Call::Update { id, resources } => runtime.update(&id, resources),
        Call::Delete { id, force } => runtime.delete(&id, force),
    }
    .map(|()| (Outcome::Done, None))
}

fn born(newborn: Newborn) -> (Outcome, Option<Newborn>) {
    (Outcome::Born { pid: newborn.pid }, Some(newborn))
}

fn start_logger(program: &LoggerProgram, descriptors: &[OwnedFd]) -> (Outcome, Option<Newborn>) {
    match logger::start(program, descriptors) {
        Ok((pid, pidfd)) => born(Newborn { pid, pidfd, terminal: None }),
        Err(error) => {
            let unknown = rustix::io::Errno::INVAL.raw_os_error();
            (Outcome::NoLogger(error.raw_os_error().unwrap_or(unknown)), None)
        }
    }
}

fn reap() {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => tracing::debug!(pid = pid.as_raw_nonzero(), ?status, "a helper has ended"),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return,
        }
    }
}
