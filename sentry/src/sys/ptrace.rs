//! ptrace(2) and wait4(2), as the `ptrace` interceptor needs them, and the layouts of what they exchange.
//!
//! Called by `ptrace` on the thread that traces: to the kernel the tracer is a thread. Must not decide anything.

use std::ffi::{c_int, c_long, c_uint};
use std::ptr;

use rustix::io::Errno;

use super::last_errno;

/// `PTRACE_GET_SYSCALL_INFO` of `include/uapi/linux/ptrace.h` (Linux 5.3).
const GET_SYSCALL_INFO: c_uint = 0x420e;
/// `PTRACE_SYSCALL_INFO_SECCOMP`: the stop is one of a filter's `SECCOMP_RET_TRACE`.
const OF_SECCOMP: u8 = 3;
/// `PTRACE_EVENT_STOP`: a stop of job control, or the first of a new tracee.
const EVENT_STOP: c_int = 128;
/// A stop that is none of an event: a signal is about to be delivered.
const NO_EVENT: c_int = 0;

/// What each tracee is traced with, and by inheritance everything that it starts. `EXITKILL` first: without the tracer
/// no tracee goes on. `TRACEEXEC`: a thread that executes takes the id of its process's first thread over; as it stops
/// there, an answer meant for that thread cannot meet a call of the new program.
pub(crate) const OPTIONS: u64 = (libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC) as u64;

/// `PTRACE_SEIZE`; the jail lets it pass with [`OPTIONS`] alone.
pub(crate) const SEIZE: u64 = libc::PTRACE_SEIZE as u64;

/// `PTRACE_POKEUSER`; the jail lets it pass for [`ANSWER_WORDS`] alone.
pub(crate) const POKE: u64 = libc::PTRACE_POKEUSER as u64;

/// The other requests of this module.
pub(crate) const REQUESTS: [u64; 3] = [libc::PTRACE_CONT as u64, libc::PTRACE_LISTEN as u64, GET_SYSCALL_INFO as u64];

/// Where the number of a call and its result stand in `struct user` of x86-64, in bytes.
pub(crate) const ANSWER_WORDS: [u64; 2] = [libc::ORIG_RAX as u64 * WORD, libc::RAX as u64 * WORD];

/// Bytes of a register.
const WORD: u64 = 8;

/// What became of a tracee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It makes a call that the filter has us look at.
    Call,
    /// Job control has stopped its process.
    GroupStop,
    /// It is about to get this signal.
    Signal(c_int),
    /// It has started something, or was started.
    Event,
    /// It has executed a program.
    Executed,
    /// It is gone.
    End,
}

/// A call that a filter hands to the tracer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawTrap {
    pub(crate) number: u32,
    pub(crate) architecture: u32,
    pub(crate) arguments: [u64; 6],
    /// What the filter says with it (`SECCOMP_RET_DATA`).
    pub(crate) data: u64,
}

/// Starts to trace `pid` with [`OPTIONS`], without stopping it.
pub(crate) fn seize(pid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, pid, 0, OPTIONS).map(|_nothing| ())
}

/// The next change of a tracee of this thread; `None` when there is none and `is_patient` is not set. `ECHILD`: this
/// thread has no tracee any more.
pub(crate) fn wait(is_patient: bool) -> Result<Option<(i32, Change)>, Errno> {
    wait4(-1, if is_patient { 0 } else { libc::WNOHANG })
}

/// The next change of tracee `pid`, without a wait for one.
pub(crate) fn wait_for(pid: i32) -> Result<Option<(i32, Change)>, Errno> {
    wait4(pid, libc::WNOHANG)
}

/// A tracee of this thread whose change has not been waited for yet, and still is not then; without a wait for one. `ECHILD`:
/// this thread has no tracee any more.
pub(crate) fn peek() -> Result<Option<i32>, Errno> {
    // SAFETY: siginfo_t is plain integers, for which zero is a valid value; a process id of 0 means that nothing was told.
    let mut told: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: waitid(2) writes one siginfo_t through the third argument, which is one and exclusively borrowed.
    let code = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut told, options) };
    if code < 0 {
        return Err(last_errno());
    }
    // SAFETY: waitid(2) has set the process id, or left the zero.
    let pid = unsafe { told.si_pid() };
    Ok((pid != 0).then_some(pid))
}

fn wait4(whom: i32, more: c_int) -> Result<Option<(i32, Change)>, Errno> {
    let mut status: c_int = 0;
    let options = libc::__WALL | libc::__WNOTHREAD | more;
    // SAFETY: wait4(2) writes one int through the second argument, which is one and exclusively borrowed, and nothing
    // through the fourth, which is null.
    let pid = unsafe { libc::wait4(whom, ptr::from_mut(&mut status), options, ptr::null_mut()) };
    match pid {
        -1 => Err(last_errno()),
        0 => Ok(None),
        pid => Ok(Some((pid, change(status)))),
    }
}

/// Reads a status of wait4(2), where bits 16 and up name the event (ptrace(2)).
fn change(status: c_int) -> Change {
    if !libc::WIFSTOPPED(status) {
        return Change::End;
    }
    match (status >> 16, libc::WSTOPSIG(status)) {
        (libc::PTRACE_EVENT_SECCOMP, _) => Change::Call,
        (EVENT_STOP, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) => Change::GroupStop,
        (NO_EVENT, signal) => Change::Signal(signal),
        (libc::PTRACE_EVENT_EXEC, _) => Change::Executed,
        (_, _) => Change::Event,
    }
}

/// Lets a stopped tracee go on; with a signal other than 0, which it gets.
pub(crate) fn resume(pid: i32, signal: c_int) -> Result<(), Errno> {
    request(libc::PTRACE_CONT, pid, 0, u64::from(signal.cast_unsigned())).map(|_nothing| ())
}

/// Leaves a tracee in its stop of job control, from where SIGCONT wakes it as if nobody traced it.
pub(crate) fn listen(pid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_LISTEN, pid, 0, 0).map(|_nothing| ())
}

/// The call in whose stop `pid` is; `None` when it is in another stop. `ESRCH`: it is in none.
pub(crate) fn trapped_call(pid: i32) -> Result<Option<RawTrap>, Errno> {
    syscall_info(pid).map(decode)
}

/// `struct ptrace_syscall_info` of `pid` by words. `ESRCH`: it is in no stop.
pub(super) fn syscall_info(pid: i32) -> Result<[u64; INFO_WORDS], Errno> {
    let mut words = [0_u64; INFO_WORDS];
    let size = u64::try_from(size_of_val(&words)).map_err(|_wide| Errno::INVAL)?;
    // SAFETY: PTRACE_GET_SYSCALL_INFO writes at most as many bytes as the third argument says, which is the size of
    // `words`, exclusively borrowed.
    let code = unsafe { libc::ptrace(GET_SYSCALL_INFO, pid, size, words.as_mut_ptr()) };
    if code < 0 { Err(last_errno()) } else { Ok(words) }
}

/// Words of `struct ptrace_syscall_info` as far as they are read here.
pub(super) const INFO_WORDS: usize = 11;

/// Reads `struct ptrace_syscall_info` by words: operation and architecture; instruction and stack pointer; number, six
/// arguments and the filter's data.
fn decode(words: [u64; INFO_WORDS]) -> Option<RawTrap> {
    let [head, _instruction_pointer, _stack_pointer, number, a0, a1, a2, a3, a4, a5, data] = words;
    let [operation, ..] = head.to_ne_bytes();
    let [_, architecture] = super::halves(head);
    let [number, _] = super::halves(number);
    // The filter's data has 32 bits; what stands behind them is no part of the structure.
    let [data, _] = super::halves(data);
    (operation == OF_SECCOMP).then_some(RawTrap {
        number,
        architecture,
        arguments: [a0, a1, a2, a3, a4, a5],
        data: u64::from(data),
    })
}

/// Makes the call in whose stop `pid` is return `value` instead of running: number -1 is no call (seccomp(2)).
pub(crate) fn set_result(pid: i32, value: i64) -> Result<(), Errno> {
    let [number, result] = ANSWER_WORDS;
    request(libc::PTRACE_POKEUSER, pid, number, u64::MAX)?;
    request(libc::PTRACE_POKEUSER, pid, result, value.cast_unsigned()).map(|_nothing| ())
}

/// A request that exchanges no memory of ours.
pub(super) fn request(request: c_uint, pid: i32, address: u64, data: u64) -> Result<c_long, Errno> {
    // SAFETY: none of the requests that come here (SEIZE, INTERRUPT, CONT, SYSCALL, LISTEN, DETACH, POKEUSER) reads or writes memory
    // of this process: address and data are numbers to them.
    let code = unsafe { libc::ptrace(request, pid, address, data) };
    if code < 0 { Err(last_errno()) } else { Ok(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_put_where_the_kernel_has_number_and_result() {
        let registers = std::mem::offset_of!(libc::user, regs);
        assert_eq!(registers, 0);
        let number = std::mem::offset_of!(libc::user_regs_struct, orig_rax);
        let result = std::mem::offset_of!(libc::user_regs_struct, rax);
        assert_eq!(ANSWER_WORDS, [number, result].map(|offset| u64::try_from(offset).unwrap()));
    }

    #[test]
    fn stops_are_told_apart() {
        let stopped = |signal: c_int, event: c_int| change(event << 16 | signal << 8 | 0x7f);
        assert_eq!(stopped(libc::SIGTRAP, libc::PTRACE_EVENT_SECCOMP), Change::Call);
        for signal in [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            assert_eq!(stopped(signal, EVENT_STOP), Change::GroupStop);
            assert_eq!(stopped(signal, 0), Change::Signal(signal));
        }
        assert_eq!(stopped(libc::SIGTRAP, EVENT_STOP), Change::Event);
        assert_eq!(stopped(libc::SIGTRAP, libc::PTRACE_EVENT_EXEC), Change::Executed);
        assert_eq!(stopped(libc::SIGTRAP, 0), Change::Signal(libc::SIGTRAP));
        assert_eq!(change(0), Change::End);
        assert_eq!(change(libc::SIGKILL), Change::End);
    }

    #[test]
    fn call_is_read_as_the_kernel_lays_it_out_and_only_in_its_own_stop() {
        assert_eq!(std::mem::offset_of!(libc::ptrace_syscall_info, u), 24);
        let head = u64::from(OF_SECCOMP) | 0xc000_003e << 32;
        let words = [head, 0, 0, 165, 1, 2, 3, 4, 5, 6, 0x1a2a];
        let trap = decode(words).unwrap();
        assert_eq!((trap.number, trap.architecture, trap.data), (165, 0xc000_003e, 0x1a2a));
        assert_eq!(trap.arguments, [1, 2, 3, 4, 5, 6]);
        assert_eq!(decode([1 | 0xc000_003e << 32, 0, 0, 165, 1, 2, 3, 4, 5, 6, 0x1a2a]), None);
    }
}
