//! Small calls about the calling process.

use std::io;

/// `KEYCTL_JOIN_SESSION_KEYRING` of `linux/keyctl.h`.
const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;

/// Replaces the session keyring, which is inherited and holds the caller's keys, by a new empty one.
///
/// # Errors
/// As `keyctl(2)`: `EDQUOT` when the user has too many keys, `ENOSYS` without keyrings.
pub fn join_new_session_keyring() -> io::Result<()> {
    // SAFETY: with a null name the call reads no memory.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives the workload the signal state that a new program expects: nothing blocked, and SIGPIPE at its default, which
/// Rust's start-up code had set to be ignored.
///
/// # Errors
/// As `sigprocmask(2)` and `signal(2)`.
pub fn reset_signals() -> io::Result<()> {
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    for signal in nix::sys::signal::Signal::iterator() {
        if matches!(signal, nix::sys::signal::Signal::SIGKILL | nix::sys::signal::Signal::SIGSTOP) {
            continue;
        }
        // SAFETY: setting the default disposition installs no handler.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }?;
    }
    Ok(())
}

/// Sets a resource limit of another process.
///
/// # Errors
/// As `prlimit(2)`: `EPERM` to raise a hard limit without CAP_SYS_RESOURCE.
pub fn set_rlimit(pid: rustix::process::Pid, resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the new limit is a live struct that the kernel reads; no old one is asked for.
    let result =
        unsafe { libc::prlimit64(pid.as_raw_nonzero().get(), resource, &raw const limit, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The signal of this number, of those that the kernel knows (1 to 64).
#[must_use]
pub fn signal_of(number: i32) -> Option<rustix::process::Signal> {
    if !(1..=64).contains(&number) {
        return None;
    }
    // SAFETY: the signal is only ever sent, which is allowed for every number; no handler is installed for it.
    Some(unsafe { rustix::process::Signal::from_raw_unchecked(number) })
}

/// Executes the file behind `fd` in place of this program. Returns only on failure.
#[must_use]
pub fn execute_fd(fd: &std::os::fd::OwnedFd, args: &[std::ffi::CString], env: &[std::ffi::CString]) -> io::Error {
    match nix::unistd::execveat(fd, c"", args, env, nix::fcntl::AtFlags::AT_EMPTY_PATH) {
        Ok(never) => match never {},
        Err(error) => error.into(),
    }
}
