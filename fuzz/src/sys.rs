//! A forked process under a filter, and memory with an end: what the targets `filter` and `copyin` need of the kernel.

use std::arch::asm;

use lazaret_profiles::bpf::Insn;

/// A call under a filter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) number: u32,
    pub(crate) args: [u64; 6],
    /// What it returned; `None` when the caller ended by it.
    pub(crate) result: Option<i64>,
}

impl Probe {
    /// That was not made yet.
    pub(crate) fn new(number: u32, args: [u64; 6]) -> Self {
        Self { number, args, result: None }
    }
}

/// Makes the calls one after the other under `program`; after one by which the caller ended, in another process.
pub(crate) fn run_under(program: &[Insn], probes: &mut [Probe]) {
    let filter: Vec<libc::sock_filter> =
        program.iter().map(|insn| libc::sock_filter { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k }).collect();
    let filter = libc::sock_fprog { len: u16::try_from(filter.len()).unwrap(), filter: filter.as_ptr().cast_mut() };
    let shared = Memory::new(1);
    let mut next = 0;
    while next < probes.len() {
        // SAFETY: the child makes raw system calls alone, on memory that it inherits.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "{}", std::io::Error::last_os_error());
        if child == 0 {
            play(&filter, &probes[next..], &shared);
        }
        let mut status = 0;
        // SAFETY: waitpid(2) writes one int, exclusively borrowed. libFuzzer's clock interrupts it.
        while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
        }
        let done = usize::try_from(shared.word(0)).unwrap();
        for (at, probe) in probes[next..].iter_mut().take(done).enumerate() {
            probe.result = Some(shared.word(at + 1).cast_signed());
        }
        next += done;
        if next < probes.len() {
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS, "ended by {status:#x}");
            next += 1;
        }
    }
}

/// The child's part: results stand behind their number in shared memory, for no call is sure to be allowed afterwards.
fn play(filter: &libc::sock_fprog, probes: &[Probe], shared: &Memory) -> ! {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    shared.set(0, 0);
    // SAFETY: no handler runs afterwards; libFuzzer has one, which would write a report in here.
    unsafe { libc::signal(libc::SIGILL, libc::SIG_DFL) };
    let address = |pointer: *const libc::sock_fprog| u64::try_from(pointer.addr()).unwrap_or_default();
    let limit = u64::try_from((&raw const none).addr()).unwrap_or_default();
    let [prctl, seccomp, setrlimit] = [libc::SYS_prctl, libc::SYS_seccomp, libc::SYS_setrlimit].map(i64::cast_unsigned);
    let core = u64::from(libc::RLIMIT_CORE);
    if call(setrlimit, [core, limit, 0, 0, 0, 0]) == 0
        && call(prctl, [u64::from(libc::PR_SET_NO_NEW_PRIVS.cast_unsigned()), 1, 0, 0, 0, 0]) == 0
        && call(seccomp, [u64::from(libc::SECCOMP_SET_MODE_FILTER), 0, address(filter), 0, 0, 0]) == 0
    {
        for (at, probe) in probes.iter().enumerate() {
            let result = call(u64::from(probe.number), probe.args);
            shared.set(at + 1, result.cast_unsigned());
            shared.set(0, u64::try_from(at + 1).unwrap_or_default());
        }
    }
    // SAFETY: an invalid instruction ends the process, without any call.
    unsafe { asm!("ud2", options(noreturn)) }
}

fn call(number: u64, args: [u64; 6]) -> i64 {
    let result: i64;
    // SAFETY: the calls made here are prctl, seccomp and setrlimit with valid pointers, and such as have no arguments.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5], lateout("rcx") _, lateout("r11") _);
    }
    result
}

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// Shared pages between two that cannot be touched.
#[derive(Debug)]
pub(crate) struct Memory {
    base: *mut u8,
    pages: usize,
}

impl Memory {
    /// Of this many pages, filled with zeros.
    pub(crate) fn new(pages: usize) -> Self {
        let len = (pages + 2) * PAGE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, where the kernel likes it.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        assert_ne!(base, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
        let base = base.cast::<u8>();
        // SAFETY: within the mapping above.
        let usable = unsafe { base.add(PAGE) };
        // SAFETY: the pages of the mapping above without its first and its last.
        let code = unsafe { libc::mprotect(usable.cast(), pages * PAGE, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
        Self { base, pages }
    }

    /// How many bytes can be touched.
    #[cfg(feature = "door")]
    pub(crate) fn len(&self) -> usize {
        self.pages * PAGE
    }

    /// Where the first of them stands.
    #[cfg(feature = "door")]
    pub(crate) fn start(&self) -> u64 {
        u64::try_from(self.base.addr() + PAGE).unwrap()
    }

    fn at(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset + len <= self.pages * PAGE);
        // SAFETY: within the mapping, as was just seen.
        unsafe { self.base.add(PAGE + offset) }
    }

    /// Writes bytes.
    #[cfg(feature = "door")]
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len());
        // SAFETY: `at` gives as many bytes of the mapping, to which no reference exists.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    fn set(&self, word: usize, value: u64) {
        let to = self.at(word * 8, 8).cast::<u64>();
        // SAFETY: eight aligned bytes of the mapping; volatile, as another process looks at them.
        unsafe { to.write_volatile(value) }
    }

    fn word(&self, word: usize) -> u64 {
        let from = self.at(word * 8, 8).cast::<u64>();
        // SAFETY: eight aligned bytes of the mapping; volatile, as another process writes them.
        unsafe { from.read_volatile() }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the whole of the mapping, which nobody else knows.
        let code = unsafe { libc::munmap(self.base.cast(), (self.pages + 2) * PAGE) };
        assert_eq!(code, 0);
    }
}
