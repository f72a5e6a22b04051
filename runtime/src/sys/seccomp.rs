//! `seccomp(2)`: installing a filter program, with or without a listener.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use lazaret_profiles::bpf::Insn;

/// Installs `program` for the calling thread, with `flags` of `SECCOMP_SET_MODE_FILTER`.
///
/// # Errors
/// `EACCES` without no_new_privs and CAP_SYS_ADMIN; `EINVAL` for a program that the kernel's checker refuses.
pub fn install(program: &[Insn], flags: u32) -> io::Result<()> {
    set_mode_filter(program, u64::from(flags)).map(|_listener| ())
}

/// Installs `program` and returns the listener of its `SECCOMP_RET_USER_NOTIF` calls.
///
/// `WAIT_KILLABLE_RECV` is set: once the sentry has received a call, only a fatal signal interrupts it, so a handler
/// never runs twice for one call (`seccomp_unotify(2)`).
///
/// # Errors
/// As [`install`]; `EBUSY` when a filter of this task has a listener already.
pub fn install_with_listener(program: &[Insn]) -> io::Result<OwnedFd> {
    listener_of(program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
}

fn listener_of(program: &[Insn], flags: u64) -> io::Result<OwnedFd> {
    let fd = set_mode_filter(program, flags)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: with NEW_LISTENER a non-negative result is a new descriptor that nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the calling thread is under a filter (`PR_GET_SECCOMP`). In strict mode, where asking is death, it could not
/// have come here.
#[must_use]
pub fn is_filtered() -> bool {
    // SAFETY: PR_GET_SECCOMP takes no argument and touches no memory.
    let mode = unsafe { libc::prctl(libc::PR_GET_SECCOMP) };
    mode > 0
}

/// Whether filters may return `action`, one of `SECCOMP_RET_*` (`SECCOMP_GET_ACTION_AVAIL`, Linux 4.14).
///
/// # Errors
/// `EOPNOTSUPP` where it is unknown.
pub fn has_action(action: u32) -> io::Result<()> {
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32 through the third argument, which `action` is and stays for the call.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Installs `program` with `flags` and returns its listener, for an agent that is not ours.
///
/// # Errors
/// As [`install_with_listener`].
pub fn install_for_agent(program: &[Insn], flags: u32) -> io::Result<OwnedFd> {
    // There is one thread to be filtered. To filter the others too would take the agent's way to the listener.
    let flags = u64::from(flags) & !libc::SECCOMP_FILTER_FLAG_TSYNC;
    listener_of(program, flags | libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)
}

fn set_mode_filter(program: &[Insn], flags: u64) -> io::Result<i64> {
    let filter: Vec<libc::sock_filter> =
        program.iter().map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
    let len = u16::try_from(filter.len()).map_err(|_long| io::Error::from_raw_os_error(libc::E2BIG))?;
    let prog = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `prog` points to `len` instructions of `filter`, which outlives the call; the kernel copies them.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const prog) };
    if result >= 0 { Ok(result) } else { Err(io::Error::last_os_error()) }
}
