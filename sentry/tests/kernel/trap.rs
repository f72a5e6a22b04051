//! The kernel's two ways to hand a call over, as bare as they are, for [`crate::unsound`].

use std::os::fd::{AsRawFd, BorrowedFd};

/// `PTRACE_O_*` that the bare tracer needs.
const OPTIONS: i32 = libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK;

/// How a notification is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// The kernel runs the call.
    Run,
    /// It returns this errno, or 0.
    Errno(i32),
}

/// The next trapped call: id, caller, number and arguments; `None` where the caller is gone.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> Option<(u64, i32, i64, [u64; 6])> {
    // SAFETY: a structure of numbers, for which zeros are values; the kernel wants zeros.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: writes one struct seccomp_notif, exclusively borrowed.
    let code = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) };
    let pid = i32::try_from(call.pid).unwrap();
    (code == 0).then_some((call.id, pid, i64::from(call.data.nr), call.data.args))
}

/// Answers it; a caller that is gone needs no answer.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Run => (0, u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap()),
        Answer::Errno(errno) => (-errno, 0),
    };
    let answer = libc::seccomp_notif_resp { id, val: 0, error, flags };
    // SAFETY: reads one struct seccomp_notif_resp.
    let code = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
    let errno = std::io::Error::last_os_error().raw_os_error();
    assert!(code == 0 || errno == Some(libc::ENOENT), "{errno:?}");
}

/// Why a tracee stands still.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stop {
    /// It makes a call that the filter hands over.
    Call { number: i64, arguments: [u64; 6] },
    /// It gets a signal.
    Signal(i32),
    /// It has started a thread, or is one.
    Event,
    /// It stands still for good.
    End,
}

/// Traces a process and all that it starts.
pub(crate) fn seize(pid: i32) {
    // SAFETY: takes numbers.
    let code = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0_u64, u64::from(OPTIONS.cast_unsigned())) };
    assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
}

/// The next stop of a tracee; `None` when there is none left.
pub(crate) fn next_stop() -> Option<(i32, Stop)> {
    let mut status = 0;
    // SAFETY: writes one int, exclusively borrowed.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
    if pid < 0 {
        return None;
    }
    let stop = match status >> 16 {
        _ if !libc::WIFSTOPPED(status) => Stop::End,
        libc::PTRACE_EVENT_SECCOMP => {
            let registers = registers(pid);
            let libc::user_regs_struct { orig_rax, rdi, rsi, rdx, r10, r8, r9, .. } = registers;
            Stop::Call { number: orig_rax.cast_signed(), arguments: [rdi, rsi, rdx, r10, r8, r9] }
        }
        0 => Stop::Signal(libc::WSTOPSIG(status)),
        _ => Stop::Event,
    };
    Some((pid, stop))
}

/// Has the call return this instead of running.
pub(crate) fn skip_call(pid: i32, result: i64) {
    let mut registers = registers(pid);
    registers.orig_rax = u64::MAX;
    registers.rax = result.cast_unsigned();
    // SAFETY: reads one struct user_regs_struct.
    let code = unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0_u64, &raw const registers) };
    assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
}

/// Lets a tracee go on; one that is gone is told elsewhere.
pub(crate) fn go_on(pid: i32, signal: i32) {
    // SAFETY: takes numbers.
    let code = unsafe { libc::ptrace(libc::PTRACE_CONT, pid, 0_u64, u64::from(signal.cast_unsigned())) };
    let errno = std::io::Error::last_os_error().raw_os_error();
    assert!(code == 0 || errno == Some(libc::ESRCH), "{errno:?}");
}

fn registers(pid: i32) -> libc::user_regs_struct {
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: writes one struct user_regs_struct, exclusively borrowed.
    let code = unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0_u64, &raw mut registers) };
    assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
    registers
}
