//! Forking, and installing a filter with a listener, for the stage.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::AssertUnwindSafe;

use lazaret_profiles::bpf::Insn;
use nix::unistd::{ForkResult, Pid};

/// Forks; the child runs `role` and ends with its result, without running anything of the test harness.
pub(crate) fn fork(role: impl FnOnce() -> i32) -> Pid {
    // SAFETY: the child uses its own copies alone; glibc brings its heap's locks through fork(2) for it.
    match unsafe { nix::unistd::fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let code = std::panic::catch_unwind(AssertUnwindSafe(role)).unwrap_or(126);
            // SAFETY: _exit(2) ends the process without touching the harness's buffers.
            unsafe { libc::_exit(code) }
        }
    }
}

/// Puts this thread under `program` and returns its listener. Needs no_new_privs.
pub(crate) fn install_with_listener(program: &[Insn]) -> OwnedFd {
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let listener = set_filter(program, flags);
    // SAFETY: with NEW_LISTENER a result that is not negative is a new descriptor that nobody else owns.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(listener).unwrap()) }
}

/// Puts this thread under `program`. Needs no_new_privs.
pub(crate) fn install(program: &[Insn]) {
    assert_eq!(set_filter(program, 0), 0);
}

fn set_filter(program: &[Insn], flags: u64) -> i64 {
    let filter: Vec<libc::sock_filter> =
        program.iter().map(|insn| libc::sock_filter { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k }).collect();
    let program = libc::sock_fprog { len: u16::try_from(filter.len()).unwrap(), filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions from `filter`, which lives past the call.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    assert!(result >= 0, "seccomp: {}", std::io::Error::last_os_error());
    result
}

/// Closes every descriptor of this (forked) process but 0 to 2 and these.
pub(crate) fn close_all_but(kept: &[&OwnedFd]) {
    let mut kept: Vec<i32> = kept.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    kept.sort_unstable();
    kept.push(i32::MAX);
    let mut first = 3;
    for descriptor in kept {
        if first < descriptor {
            // SAFETY: close_range(2) touches no memory, and the closed descriptors belong to objects of the parent
            // that this process never looks at.
            let code = unsafe { libc::syscall(libc::SYS_close_range, first, descriptor - 1, 0) };
            assert_eq!(code, 0);
        }
        first = descriptor.saturating_add(1);
    }
}
