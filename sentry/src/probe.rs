//! What the sentry needs of the kernel, tried once on a call that was trapped for the purpose. For `lazaret doctor`, which
//! runs each of these in a child process of its own; no part of the sentry.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::sys;
use crate::sys::ptrace::{self, Change};

/// What is tried on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// A call is received, found waiting, and answered with a value.
    Answer,
    /// It is answered with a descriptor that is put into the caller (Linux 5.14).
    Inject,
    /// The same as `Answer`, after the synchronous wake-up was asked for (Linux 6.6).
    SynchronousWakeUp,
}

/// Receives the next call of `listener` and answers it; with `value` unless a descriptor is put into the caller.
/// Blocks until there is one.
///
/// # Errors
/// Those of the listener's requests (seccomp_unotify(2)).
pub fn converse(listener: BorrowedFd<'_>, ability: Ability, value: i64) -> io::Result<()> {
    if ability == Ability::SynchronousWakeUp {
        sys::set_sync_wake_up(listener)?;
    }
    let mut buffers = sys::Buffers::new(sys::notification_sizes()?);
    let call = sys::receive(listener, &mut buffers)?;
    if !sys::is_alive(listener, call.id) {
        return Err(Errno::NOENT.into());
    }
    if ability == Ability::Inject {
        return Ok(sys::inject(listener, call.id, listener, true)?);
    }
    Ok(sys::answer(listener, &mut buffers, call.id, sys::Reply::Value(value))?)
}

/// Traces the child `pid`, calls `ready` when that has begun, has its first call that a filter hands to the tracer return
/// `value`, and lets it go on to its end.
///
/// # Errors
/// Those of ptrace(2); [`io::ErrorKind::NotFound`] when it ended without such a call.
pub fn trace(pid: i32, value: i64, ready: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    ptrace::seize(pid)?;
    ready()?;
    let mut answered = false;
    loop {
        match ptrace::wait(true)? {
            Some((_, Change::End)) | None => break,
            Some((stopped, Change::Call)) => {
                ptrace::trapped_call(stopped)?;
                ptrace::set_result(stopped, value)?;
                answered = true;
                ptrace::resume(stopped, 0)?;
            }
            Some((stopped, Change::Signal(signal))) => ptrace::resume(stopped, signal)?,
            Some((stopped, _)) => ptrace::resume(stopped, 0)?,
        }
    }
    if answered { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Copies `into.len()` bytes from the memory of `pid`, as arguments of a trapped call are copied.
///
/// # Errors
/// As process_vm_readv(2).
pub fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    Ok(sys::read_memory(pid, address, into)?)
}
