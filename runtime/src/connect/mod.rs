//! connect(2) for a workload that was given a directory of the host: the life of one worker, from the address to the
//! answer.
//!
//! `watch` forks the worker; nothing here runs in the monitor itself. The worker takes the caller's socket, which nobody
//! can exchange then, and has an agent with the caller's own rights, root and working directory follow the path, once.
//! What the path has led to is judged with the host's rights ([`engines`]) before the agent connects to that very file.
//! Sockets that are no unix sockets are connected by the agent at once: only a unix socket can be an engine's.
//! A connect whose caller is wanted elsewhere is called back ([`recall`]).

mod agent;
mod caller;
mod engines;
mod recall;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use lazaret_sentry::handoff::Answer;
use rustix::process::DumpableBehavior;
use serde::{Deserialize, Serialize};

use crate::channel::{self, ChannelError};
use crate::sys;
use crate::worker;
use caller::Caller;
use recall::Recall;

/// What the agent says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum FromAgent {
    /// The path leads to the file that comes along.
    Found,
    /// There is no path to follow: it connects.
    Connecting,
    /// It is done: 0, or the errno that the caller gets.
    Done(i32),
}

/// The worker's answer to [`FromAgent::Found`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Connect;

/// Connects descriptor `fd` of the thread `pid` to `address`, a `struct sockaddr`. The thread has to be of the container
/// of the process behind `init`. Gives up with [`lazaret_sentry::handoff::RESTART`] when `is_to_stand_still`, asked
/// now and then, says that the container is to be stopped. To be called in a process of its own, with the host's rights.
pub(crate) fn carry_out(
    init: BorrowedFd<'_>,
    (pid, fd): (i32, i32),
    address: &[u8],
    is_to_stand_still: impl Fn() -> bool,
) -> Answer {
    steps(init, (pid, fd), address, &is_to_stand_still).unwrap_or_else(worker::errno)
}

fn steps(
    init: BorrowedFd<'_>,
    (pid, fd): (i32, i32),
    address: &[u8],
    is_to_stand_still: &dyn Fn() -> bool,
) -> io::Result<Answer> {
    // The container's root may not look into this process, which has a copy of the monitor's memory.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let caller = Caller::open(pid, init)?;
    let socket = caller.descriptor(fd)?;
    let (ours, theirs) = channel::pair().map_err(io::Error::other)?;
    let us = rustix::process::getpid();
    let recall = Recall::of(&caller, &socket, is_to_stand_still);
    let (_pid, agent) = sys::clone::fork(|| {
        let keep = [theirs.as_fd(), socket.as_fd(), init].into_iter().chain(caller.descriptors());
        let keep: Vec<BorrowedFd<'_>> = keep.collect();
        let alone = sys::clone::close_all_but_from(3, &keep).and_then(|()| worker::die_with(us));
        let work = || agent::connect(&theirs, init, &caller, (&socket, address), us);
        let done = alone.and_then(|()| work()).map_or_else(errno_of, |()| 0);
        u8::from(channel::send(&theirs, &FromAgent::Done(done), None).is_err())
    })?;
    drop(theirs);
    converse(&ours, &agent, recall)
}

/// Hears the agent to its end, and judges what it has found.
fn converse(agent: &OwnedFd, pidfd: &OwnedFd, mut recall: Recall<'_>) -> io::Result<Answer> {
    let mut has_begun = false;
    loop {
        if !recall::speaks(agent)? {
            match recall.errno(has_begun) {
                Some(errno) => return recall.carry_out((agent, pidfd), errno),
                None => continue,
            }
        }
        match channel::receive::<FromAgent>(agent).map_err(broken)? {
            (FromAgent::Done(errno), _) => return Ok(Answer::Errno(errno)),
            (FromAgent::Found, Some(file)) if engines::is_engine(&file)? => return Ok(Answer::Forbidden),
            (FromAgent::Found, Some(_)) => {
                channel::send(agent, &Connect, None).map_err(broken)?;
                has_begun = true;
            }
            (FromAgent::Connecting, _) => has_begun = true,
            (FromAgent::Found, None) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn broken(error: ChannelError) -> io::Error {
    io::Error::other(error)
}

fn errno_of(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
