//! The requests of ptrace(2) of a tracer that only watches: it stops at each call's entry and exit and changes nothing.
//!
//! Called by `trace`, on the thread that traces. Never in the sentry's jail, whose filter lets none of this pass.

use std::ffi::{c_int, c_ulong};
use std::ptr;

use rustix::io::Errno;

use super::ptrace::{self, INFO_WORDS};
use super::{halves, last_errno};

/// `EXITKILL`: a stream that ends early must not look like a program that did no more. `TRACESYSGOOD` marks the stops of
/// calls. No `TRACESECCOMP`: a filter's `SECCOMP_RET_TRACE` stays what it is without a tracer, `ENOSYS`.
const OPTIONS: u64 = libc::PTRACE_O_EXITKILL as u64 | OPTIONS_TO_LET_GO;

/// The same for what is to outlive the tracer.
const OPTIONS_TO_LET_GO: u64 = (libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC) as u64;

/// The signal that the stop of a call seems to be about, with `TRACESYSGOOD`.
pub(crate) const CALL: c_int = libc::SIGTRAP | 0x80;

/// `PTRACE_SYSCALL_INFO_ENTRY` and `PTRACE_SYSCALL_INFO_EXIT`.
const ENTRY: u8 = 1;
const EXIT: u8 = 2;

/// What a tracee is about to do, or has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It enters a call.
    Entry { number: u64, architecture: u32, arguments: [u64; 6] },
    /// The call returns this.
    Exit { value: i64, is_error: bool },
}

/// Starts to trace `pid`, without stopping it.
pub(crate) fn seize(pid: i32) -> Result<(), Errno> {
    ptrace::request(libc::PTRACE_SEIZE, pid, 0, OPTIONS).map(|_nothing| ())
}

/// The same, of what the end of the tracer lets go.
pub(crate) fn seize_to_let_go(pid: i32) -> Result<(), Errno> {
    ptrace::request(libc::PTRACE_SEIZE, pid, 0, OPTIONS_TO_LET_GO).map(|_nothing| ())
}

/// Lets a stopped tracee go on untraced; with a signal other than 0, which it gets.
pub(crate) fn detach(pid: i32, signal: c_int) -> Result<(), Errno> {
    ptrace::request(libc::PTRACE_DETACH, pid, 0, u64::from(signal.cast_unsigned())).map(|_nothing| ())
}

/// Stops `pid` once; a call in which it waits is begun again by the kernel.
pub(crate) fn interrupt(pid: i32) -> Result<(), Errno> {
    ptrace::request(libc::PTRACE_INTERRUPT, pid, 0, 0).map(|_nothing| ())
}

/// Lets a stopped tracee go on to its next call's entry or exit; with a signal other than 0, which it gets.
pub(crate) fn resume(pid: i32, signal: c_int) -> Result<(), Errno> {
    ptrace::request(libc::PTRACE_SYSCALL, pid, 0, u64::from(signal.cast_unsigned())).map(|_nothing| ())
}

/// The id that the stop of `pid` is about: of what it has started, or the one that it had before it executed a program.
pub(crate) fn message_id(pid: i32) -> Result<i32, Errno> {
    let mut id: c_ulong = 0;
    // SAFETY: PTRACE_GETEVENTMSG writes one unsigned long through the fourth argument, which is one and exclusively
    // borrowed.
    let code = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, 0_u64, ptr::from_mut(&mut id)) };
    if code < 0 { Err(last_errno()) } else { i32::try_from(id).map_err(|_no_id| Errno::INVAL) }
}

/// The call in whose stop `pid` is; `None` when it is in another stop. `ESRCH`: it is in none.
pub(crate) fn call(pid: i32) -> Result<Option<Stop>, Errno> {
    ptrace::syscall_info(pid).map(decode)
}

/// Reads `struct ptrace_syscall_info` by words: operation and architecture; instruction and stack pointer; then number
/// and six arguments, or the result and whether it is an error.
fn decode(words: [u64; INFO_WORDS]) -> Option<Stop> {
    let [head, _instruction_pointer, _stack_pointer, first, a0, a1, a2, a3, a4, a5, _] = words;
    let [operation, ..] = head.to_ne_bytes();
    let [_, architecture] = halves(head);
    let [is_error, ..] = a0.to_ne_bytes();
    match operation {
        ENTRY => Some(Stop::Entry { number: first, architecture, arguments: [a0, a1, a2, a3, a4, a5] }),
        EXIT => Some(Stop::Exit { value: first.cast_signed(), is_error: is_error != 0 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_and_exit_are_read_as_the_kernel_lays_them_out() {
        let head = |operation: u8| u64::from(operation) | 0xc000_003e << 32;
        let entry = decode([head(ENTRY), 0, 0, 257, 1, 2, 3, 4, 5, 6, 0]).unwrap();
        assert_eq!(entry, Stop::Entry { number: 257, architecture: 0xc000_003e, arguments: [1, 2, 3, 4, 5, 6] });
        let exit = decode([head(EXIT), 0, 0, u64::MAX, 0xab01, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(exit, Stop::Exit { value: -1, is_error: true });
        assert_eq!(decode([head(0), 0, 0, 257, 1, 2, 3, 4, 5, 6, 0]), None);
    }
}
