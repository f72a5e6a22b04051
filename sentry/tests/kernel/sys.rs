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

/// Where a value stands, for an argument of [`attempt`].
pub(crate) fn address<T: ?Sized>(value: &T) -> u64 {
    u64::try_from(std::ptr::from_ref(value).addr()).unwrap()
}

/// Makes a system call in a forked process that does nothing after it but end, or one that only looks at memory. An error
/// is its errno.
pub(crate) fn attempt(number: i64, arguments: &[u64]) -> Result<u64, i32> {
    let [a, b, c, d, e, f] = std::array::from_fn(|index| arguments.get(index).copied().unwrap_or(0));
    // SAFETY: pointers among the arguments are of values that live past the call and are as long as it reads; a call
    // that changes this process's memory changes what nothing looks at, for the process ends.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    u64::try_from(result).map_err(|_negative| std::io::Error::last_os_error().raw_os_error().unwrap())
}

/// Reads a process's memory and returns how many bytes came.
pub(crate) fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> usize {
    let remote = nix::sys::uio::RemoteIoVec { base: usize::try_from(address).unwrap(), len: into.len() };
    let mut local = [std::io::IoSliceMut::new(into)];
    nix::sys::uio::process_vm_readv(Pid::from_raw(pid), &mut local, &[remote]).unwrap_or(0)
}

/// The handle of a file: its length and kind in two words, then its bytes.
#[cfg(feature = "jail-hook")]
pub(crate) fn file_handle(path: &std::path::Path) -> [u32; 34] {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let (mut handle, mut mount) = ([0; 34], 0_i32);
    handle[0] = 128;
    let (into, id) = (handle.as_mut_ptr(), &raw mut mount);
    // SAFETY: the kernel reads the path and writes one int and, into the handle, at most the 128 bytes it says it has.
    let code = unsafe { libc::syscall(libc::SYS_name_to_handle_at, libc::AT_FDCWD, path.as_ptr(), into, id, 0) };
    assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
    handle
}

/// Ends this (forked) process, without running anything of the test harness.
#[cfg(feature = "jail-hook")]
pub(crate) fn exit(code: i32) {
    // SAFETY: _exit(2) ends the process without touching the harness's buffers.
    unsafe { libc::_exit(code) }
}

/// Bytes that the calls of a race are judged by.
pub(crate) const POINTEE: usize = 64;

/// Bytes of a page.
const PAGE: usize = 4096;

/// The number of a call.
pub(crate) fn number(name: &str) -> i64 {
    i64::from(lazaret_profiles::syscalls::by_name(name).unwrap().number)
}

/// A page that one thread changes while another has the kernel look at it.
#[derive(Debug)]
pub(crate) struct Page(*mut u8);

// SAFETY: the page is shared on purpose; it is looked at and changed by volatile accesses alone.
unsafe impl Sync for Page {}

impl Page {
    /// Filled with zeros. It is there until the process ends.
    pub(crate) fn new() -> Self {
        Self(map())
    }

    /// Where it stands.
    pub(crate) fn address(&self) -> u64 {
        u64::try_from(self.0.expose_provenance()).unwrap()
    }

    /// Changes its first bytes, as fast as can be.
    pub(crate) fn write(&self, value: &[u8; POINTEE]) {
        // SAFETY: the page is as long as that and aligned; volatile, as others look at it meanwhile.
        unsafe { self.0.cast::<[u8; POINTEE]>().write_volatile(*value) }
    }

    /// Its first byte.
    pub(crate) fn first(&self) -> u8 {
        // SAFETY: the page is there and readable; volatile, as others change it meanwhile.
        unsafe { self.0.read_volatile() }
    }

    /// Puts another page in its place, full of this byte, in one step.
    pub(crate) fn replace(&self, byte: u8, is_writable: bool) {
        let page = map();
        // SAFETY: the new page, which nobody else knows.
        unsafe { page.write_bytes(byte, PAGE) };
        if !is_writable {
            // SAFETY: as above.
            let code = unsafe { libc::mprotect(page.cast(), PAGE, libc::PROT_READ) };
            assert_eq!(code, 0);
        }
        // SAFETY: takes the place of a page to which no reference exists.
        let moved = unsafe { libc::mremap(page.cast(), PAGE, PAGE, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, self.0) };
        assert_eq!(moved, self.0.cast());
    }
}

fn map() -> *mut u8 {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, where the kernel likes it.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, protection, flags, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    page.cast()
}

/// Has SIGUSR1 run a handler that does nothing; calls that it interrupts begin again.
pub(crate) fn ignore_by_a_handler() {
    extern "C" fn nothing(_: i32) {}
    let action = nix::sys::signal::SigAction::new(
        nix::sys::signal::SigHandler::Handler(nothing),
        nix::sys::signal::SaFlags::SA_RESTART,
        nix::sys::signal::SigSet::empty(),
    );
    // SAFETY: the handler does nothing.
    unsafe { nix::sys::signal::sigaction(nix::sys::signal::Signal::SIGUSR1, &action) }.unwrap();
}

/// Sends it to whichever thread takes it.
pub(crate) fn signal_own_process() {
    nix::sys::signal::kill(Pid::this(), nix::sys::signal::Signal::SIGUSR1).unwrap();
}

/// Executes this program once more with these arguments and this variable; comes back only if it fails.
pub(crate) fn execute_self(arguments: &[&str], variable: (&str, &str)) {
    let text = |text: &str| std::ffi::CString::new(text).unwrap();
    let arguments: Vec<_> = arguments.iter().map(|argument| text(argument)).collect();
    let variable = text(&format!("{}={}", variable.0, variable.1));
    // The link leads to the file itself: the way to it may be closed to the namespace.
    match nix::unistd::execve(c"/proc/self/exe", &arguments, &[variable]) {
        Ok(never) => match never {},
        Err(errno) => eprintln!("cannot execute myself: {errno}"),
    }
}
