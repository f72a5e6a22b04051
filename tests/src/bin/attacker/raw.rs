//! The raw calls under every attack: one system call by number, `int 0x80`, and a child process.
//!
//! Nothing here checks anything: that is the point. Only this file of the program has unsafe code.

use std::ffi::CString;
use std::io::Read as _;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Performs system call `number` with up to six register arguments.
pub(crate) fn call(number: i64, arguments: &[u64]) -> Result<u64, i32> {
    let at = |index: usize| arguments.get(index).copied().unwrap_or(0);
    // SAFETY: the callers pass numbers, or addresses of buffers that outlive the call; what the kernel does to this
    // process beyond that is what the tests are about, and the process ends right after.
    let result = unsafe { libc::syscall(number, at(0), at(1), at(2), at(3), at(4), at(5)) };
    if result < 0 { Err(last_errno()) } else { Ok(result as u64) }
}

/// The calling thread's errno.
pub(crate) fn last_errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(-1)
}

/// A system call through the i386 gate: `number` is an i386 number, arguments are 32 bits each.
pub(crate) fn int80(number: u32, first: u32, second: u32, third: u32) -> i32 {
    let result: i32;
    // SAFETY: the gate preserves every register but eax; rbx is LLVM's own and is put back by the exchange. The
    // arguments of the calls used are numbers or addresses of live buffers below 4 GiB.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first:r}",
            "int 0x80",
            "xchg rbx, {first:r}",
            first = inout(reg) u64::from(first) => _,
            inlateout("eax") number as i32 => result,
            in("ecx") second,
            in("edx") third,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}

/// The address of a value, as a register argument.
pub(crate) fn address<T: ?Sized>(value: &T) -> u64 {
    std::ptr::from_ref(value).cast::<u8>() as u64
}

/// The address of a value that the kernel writes to.
pub(crate) fn address_mut<T: ?Sized>(value: &mut T) -> u64 {
    std::ptr::from_mut(value).cast::<u8>() as u64
}

/// A NUL-terminated copy; text with a NUL inside becomes the empty string.
pub(crate) fn text(value: &str) -> CString {
    CString::new(value).unwrap_or_default()
}

/// Takes ownership of a descriptor that a call returned.
pub(crate) fn own(fd: u64) -> OwnedFd {
    // SAFETY: the callers pass what a call of theirs has just returned, once.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Runs `work` in a child made by `fork` and returns its pid.
pub(crate) fn fork(work: impl FnOnce() -> i32) -> Result<i32, i32> {
    // SAFETY: this program has one thread when it forks.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        0 => exit_now(work()),
        pid => Ok(pid),
    }
}

/// Runs `work` in a child made by `clone` with `flags`, without a stack of its own (as fork does).
pub(crate) fn clone(flags: u64, work: impl FnOnce() -> i32) -> Result<i32, i32> {
    match call(libc::SYS_clone, &[flags | libc::SIGCHLD as u64, 0, 0, 0, 0])? {
        0 => exit_now(work()),
        pid => Ok(pid as i32),
    }
}

/// Runs `work` in a child made by `clone3` with `flags`.
pub(crate) fn clone3(flags: u64, work: impl FnOnce() -> i32) -> Result<i32, i32> {
    let arguments: [u64; 8] = [flags, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
    match call(libc::SYS_clone3, &[address(&arguments), 64])? {
        0 => exit_now(work()),
        pid => Ok(pid as i32),
    }
}

/// How many signals [`count_signals`] has counted.
pub(crate) static SIGNALS: AtomicUsize = AtomicUsize::new(0);

/// Has `signal` handled, with these flags of sigaction(2), by counting it.
pub(crate) fn count_signals(signal: i32, flags: i32) -> Result<(), i32> {
    extern "C" fn count(_signal: i32) {
        SIGNALS.fetch_add(1, Ordering::SeqCst);
    }
    // SAFETY: sigaction is integers and a set of signals, for which zero is a valid value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(i32) as usize;
    action.sa_flags = flags;
    // SAFETY: `action` is a live sigaction whose handler does nothing but count, which is safe in a handler.
    let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    if result < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Ends the process without running what the parent registered.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(status) }
}

/// Waits for a child and returns its raw wait status.
pub(crate) fn wait(pid: i32) -> i32 {
    let mut status = 0_i32;
    while call(libc::SYS_wait4, &[pid as u64, address_mut(&mut status), 0, 0]) == Err(libc::EINTR) {}
    status
}

/// Runs `work` in a child made by `make` and returns the text that it produced.
pub(crate) fn ask<F>(make: F, work: impl FnOnce() -> String) -> Result<String, i32>
where
    F: FnOnce(Box<dyn FnOnce() -> i32 + '_>) -> Result<i32, i32>,
{
    let (mut reader, mut writer) = std::io::pipe().map_err(|error| error.raw_os_error().unwrap_or(-1))?;
    let pid = make(Box::new(move || {
        let answer = work();
        i32::from(std::io::Write::write_all(&mut writer, answer.as_bytes()).is_err())
    }))?;
    let mut answer = String::new();
    let read = reader.read_to_string(&mut answer);
    wait(pid);
    read.map(|_| answer).map_err(|error| error.raw_os_error().unwrap_or(-1))
}
