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

/// Waits for any signal, all of which the caller has blocked, real-time ones among them.
///
/// # Errors
/// As `sigwaitinfo(2)`.
pub fn wait_for_signal() -> io::Result<rustix::process::Signal> {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set that it is given.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    loop {
        // SAFETY: the set is initialised, and no information about the signal is asked for.
        let number = unsafe { libc::sigwaitinfo(all.as_ptr(), std::ptr::null_mut()) };
        if let Some(signal) = signal_of(number) {
            return Ok(signal);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Whether `hard` is above the caller's own hard limit, which its children inherit.
#[must_use]
pub fn is_raise(resource: u32, hard: u64) -> bool {
    let mut own = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: no new limit is set; the kernel writes the present one to a live struct.
    let result = unsafe { libc::prlimit64(0, resource, std::ptr::null(), &raw mut own) };
    result != 0 || hard > own.rlim_max
}

/// Sets a resource limit of the calling process.
///
/// # Errors
/// As `setrlimit(2)`.
pub fn set_own_rlimit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the new limit is a live struct that the kernel reads; no old one is asked for.
    let result = unsafe { libc::prlimit64(0, resource, &raw const limit, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
