//! System calls that no library wraps, and the layouts of what they exchange. The only unsafe code of the crate.
//!
//! Called by `notify` (listener), `copyin` and `handlers` (guest memory, through `tracee`) and `jail`. Speaks
//! descriptors, slices and numbers; no pointer leaves. Must not decide anything, and must not keep anything.

pub(crate) mod ptrace;
pub(crate) mod stops;

use std::ffi::c_int;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::AtomicU64;

use nix::sys::uio::RemoteIoVec;
use nix::unistd::Pid;
use rustix::io::Errno;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` of `include/uapi/linux/seccomp.h` (Linux 6.6): waiter and waker hand the CPU
/// over to each other, which makes a round trip 4 us where it is else up to 65 us.
const SYNC_WAKE_UP: libc::c_ulong = 1;

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`, as wide as the field of the answer.
const RUN: u32 = 1;

/// `SECCOMP_ADDFD_FLAG_SEND`, as wide as the field of the order.
const INJECT_AND_ANSWER: u32 = 2;

/// Words of `struct seccomp_notif` that are read: id, pid and flags, then `struct seccomp_data`.
const NOTIFICATION_WORDS: usize = size_of::<libc::seccomp_notif>() / size_of::<u64>();

/// Words of `struct seccomp_notif_resp`: id, value, error and flags.
const ANSWER_WORDS: usize = size_of::<libc::seccomp_notif_resp>() / size_of::<u64>();

/// The numbers of the ioctl requests that this module issues; the jail lets no other pass.
pub(crate) const LISTENER_REQUESTS: [u64; 5] = [
    libc::SECCOMP_IOCTL_NOTIF_RECV,
    libc::SECCOMP_IOCTL_NOTIF_SEND,
    libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
    libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
    libc::SECCOMP_IOCTL_NOTIF_ADDFD,
];

/// What a thread is made with by glibc's `pthread_create`; the jail lets clone(2) pass with no other flags.
pub(crate) const THREAD_FLAGS: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID) as u64;

/// The access mode and creation flags of openat(2) that the jail wants to be zero: nothing is opened but to be read.
pub(crate) const OPEN_FOR_MORE_THAN_READING: u64 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;

/// `SIGSETXID` of glibc (`SIGRTMIN + 1` of the kernel), whose handler the first `pthread_create` of a process installs.
pub(crate) const THREAD_SIGNAL: u64 = 33;

/// `F_GETFD`: the standard library of a debug build asks it of each descriptor that it closes.
pub(crate) const GET_DESCRIPTOR_FLAGS: u64 = libc::F_GETFD as u64;

/// `PROT_EXEC`: the jail maps no code.
pub(crate) const EXECUTABLE: u64 = libc::PROT_EXEC as u64;

/// The first `words` words of a file, shared with whoever else maps it, for as long as this process lives.
pub(crate) fn share_words(file: BorrowedFd<'_>, words: usize) -> Result<&'static [AtomicU64], Errno> {
    let (length, access) = (words * size_of::<u64>(), libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping at an address of the kernel's choice takes nothing from anybody.
    let start = unsafe { libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(last_errno());
    }
    // SAFETY: the mapping has so many words, is aligned to a page, is never taken back, and is looked at by atomic operations
    // alone; any bits are a number. That the file is as long is the caller's part: a page beyond its end raises SIGBUS, which ends
    // the process.
    Ok(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), words) })
}

/// One trapped system call as the kernel reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawNotification {
    pub(crate) id: u64,
    pub(crate) pid: i32,
    pub(crate) number: u32,
    pub(crate) architecture: u32,
    pub(crate) arguments: [u64; 6],
}

/// Buffers for a listener, as large as the running kernel wants them (`SECCOMP_GET_NOTIF_SIZES`).
#[derive(Debug)]
pub(crate) struct Buffers {
    notification: Box<[u64]>,
    answer: Box<[u64]>,
}

/// Sizes in bytes of the kernel's notification and answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    notification: u16,
    answer: u16,
}

/// Asks the kernel how large its structures are (seccomp(2)); they may grow at the end.
pub(crate) fn notification_sizes() -> Result<Sizes, Errno> {
    let mut sizes = libc::seccomp_notif_sizes { seccomp_notif: 0, seccomp_notif_resp: 0, seccomp_data: 0 };
    // SAFETY: seccomp(2) writes one struct seccomp_notif_sizes through the third argument, which is one, initialised
    // above and exclusively borrowed for the call.
    let code =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_NOTIF_SIZES, 0_u32, ptr::from_mut(&mut sizes)) };
    if code < 0 {
        return Err(last_errno());
    }
    Ok(Sizes { notification: sizes.seccomp_notif, answer: sizes.seccomp_notif_resp })
}

impl Buffers {
    /// Buffers of at least `sizes` and at least our own structures.
    pub(crate) fn new(sizes: Sizes) -> Self {
        let words = |bytes: u16, least: usize| usize::from(bytes).div_ceil(size_of::<u64>()).max(least);
        Self {
            notification: vec![0; words(sizes.notification, NOTIFICATION_WORDS)].into_boxed_slice(),
            answer: vec![0; words(sizes.answer, ANSWER_WORDS)].into_boxed_slice(),
        }
    }
}

/// Blocks until the listener has a notification (`SECCOMP_IOCTL_NOTIF_RECV`).
///
/// `ENOENT`: the caller was killed or interrupted meanwhile, or the last task under the filter is gone. `EINTR`: a signal.
pub(crate) fn receive(listener: BorrowedFd<'_>, buffers: &mut Buffers) -> Result<RawNotification, Errno> {
    // The kernel refuses a buffer that is not zero (EINVAL), so that later versions can read fields of it.
    buffers.notification.fill(0);
    // SAFETY: SECCOMP_IOCTL_NOTIF_RECV writes as many bytes as SECCOMP_GET_NOTIF_SIZES told, which Buffers::new made
    // room for; the words are aligned to 8 and exclusively borrowed.
    let code =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, buffers.notification.as_mut_ptr()) };
    if code < 0 {
        return Err(last_errno());
    }
    decode(&buffers.notification).ok_or(Errno::INVAL)
}

/// Reads `struct seccomp_notif` by words: id; pid, flags; nr, arch; instruction pointer; six arguments.
fn decode(words: &[u64]) -> Option<RawNotification> {
    let [id, pid_flags, nr_arch, _instruction_pointer, a0, a1, a2, a3, a4, a5, ..] = *words else { return None };
    let [pid, _flags] = halves(pid_flags);
    let [number, architecture] = halves(nr_arch);
    Some(RawNotification { id, pid: pid.cast_signed(), number, architecture, arguments: [a0, a1, a2, a3, a4, a5] })
}

/// The two 32-bit fields that share a word, in the order in which they stand in memory.
fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
}

/// What a notification is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The call fails.
    Errno(u16),
    /// The call returns this.
    Value(i64),
    /// The kernel runs it (`SECCOMP_USER_NOTIF_FLAG_CONTINUE`). Only `verdict::Continue` leads here.
    Run,
}

/// Answers notification `id` (`SECCOMP_IOCTL_NOTIF_SEND`). `ENOENT`: the caller is gone.
pub(crate) fn answer(listener: BorrowedFd<'_>, buffers: &mut Buffers, id: u64, reply: Reply) -> Result<(), Errno> {
    let (value, errno, flags) = match reply {
        Reply::Errno(errno) => (0, errno, 0),
        Reply::Value(value) => (value, 0, 0),
        Reply::Run => (0, 0, RUN),
    };
    buffers.answer.fill(0);
    let ([a, b, c, d], [e, f, g, h]) = ((-i32::from(errno)).to_ne_bytes(), flags.to_ne_bytes());
    let error_and_flags = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
    for (word, field) in buffers.answer.iter_mut().zip([id, value.cast_unsigned(), error_and_flags]) {
        *word = field;
    }
    // SAFETY: SECCOMP_IOCTL_NOTIF_SEND reads one struct seccomp_notif_resp of the size that SECCOMP_GET_NOTIF_SIZES
    // told; Buffers::new made room for it, and it is filled above.
    let code =
        unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, buffers.answer.as_mut_ptr()) };
    if code < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Answers notification `id` with a new descriptor of the caller for `file`, whose number the call returns
/// (`SECCOMP_IOCTL_NOTIF_ADDFD` with `SECCOMP_ADDFD_FLAG_SEND`, Linux 5.14). `ENOENT`: the caller is gone.
pub(crate) fn inject(
    listener: BorrowedFd<'_>,
    id: u64,
    file: BorrowedFd<'_>,
    is_close_on_exec: bool,
) -> Result<(), Errno> {
    let order = libc::seccomp_notif_addfd {
        id,
        flags: INJECT_AND_ANSWER,
        srcfd: file.as_raw_fd().cast_unsigned(),
        newfd: 0,
        newfd_flags: if is_close_on_exec { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
    };
    let pointer = ptr::from_ref(&order);
    // SAFETY: SECCOMP_IOCTL_NOTIF_ADDFD reads one struct seccomp_notif_addfd, which `order` is and stays for the call.
    let number = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, pointer) };
    if number < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Whether the caller of notification `id` still waits (`SECCOMP_IOCTL_NOTIF_ID_VALID`), so that what was read of
/// its process id was read of it and not of a later process with the same number.
pub(crate) fn is_alive(listener: BorrowedFd<'_>, id: u64) -> bool {
    let pointer = ptr::from_ref(&id);
    // SAFETY: SECCOMP_IOCTL_NOTIF_ID_VALID reads one u64, which `id` is and stays for the call.
    let code = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, pointer) };
    code == 0
}

/// Turns on the synchronous wake-up. The request takes the flags themselves and not a pointer to them (a pointer is
/// `EINVAL`). `EINVAL` or `ENOTTY` on Linux before 6.6.
pub(crate) fn set_sync_wake_up(listener: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: SECCOMP_IOCTL_NOTIF_SET_FLAGS takes an integer and touches no memory of ours.
    let code = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
    if code < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Copies from the memory of `pid` (process_vm_readv(2)) and returns how many bytes came; fewer than asked for when
/// a page is missing.
pub(crate) fn read_memory(pid: i32, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let remote = remote(address, into.len())?;
    nix::sys::uio::process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(into)], &[remote]).map_err(errno_of)
}

/// Copies into the memory of `pid` (process_vm_writev(2)) and returns how many bytes went.
pub(crate) fn write_memory(pid: i32, address: u64, from: &[u8]) -> Result<usize, Errno> {
    let remote = remote(address, from.len())?;
    nix::sys::uio::process_vm_writev(Pid::from_raw(pid), &[IoSlice::new(from)], &[remote]).map_err(errno_of)
}

fn remote(address: u64, len: usize) -> Result<RemoteIoVec, Errno> {
    Ok(RemoteIoVec { base: usize::try_from(address).map_err(|_beyond_memory| Errno::FAULT)?, len })
}

fn errno_of(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

/// Closes the descriptors `first` to `last`, both included (close_range(2)).
pub(crate) fn close_range(first: RawFd, last: RawFd) -> Result<(), Errno> {
    // SAFETY: close_range(2) touches no memory. That nobody uses the closed descriptors any more is what `serve`
    // demands of its caller, and what the jail keeps is outside of the ranges it gives.
    let code = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) };
    if code < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Keeps glibc's heap (mallopt(3)) within what the jail has. One heap for all threads: one for each would cost 64 MiB
/// of address space and some 100 KiB of memory. No memory given back at the top: a heap that was made for a thread
/// (which the caller's may be) asks `/proc/sys/vm/overcommit_memory` first, and the jail opens no such file.
pub(crate) fn tame_heap() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [(libc::M_ARENA_MAX, 1), (libc::M_TRIM_THRESHOLD, c_int::MAX)] {
        // SAFETY: mallopt(3) takes integers; it is called while the process has one thread.
        let _done: c_int = unsafe { libc::mallopt(parameter, value) };
    }
}

fn last_errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_words_are_read_as_the_kernel_lays_them_out() {
        assert_eq!(size_of::<libc::seccomp_notif>(), 80);
        assert_eq!(size_of::<libc::seccomp_notif_resp>(), 24);
        assert_eq!(u64::from(RUN), libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE);
        assert_eq!(u64::from(INJECT_AND_ANSWER), libc::SECCOMP_ADDFD_FLAG_SEND);
        let words = [7, 42 | 9 << 32, 165 | 0xc000_003e << 32, 0, 1, 2, 3, 4, 5, 6];
        let raw = decode(&words).unwrap();
        assert_eq!((raw.id, raw.pid, raw.number, raw.architecture), (7, 42, 165, 0xc000_003e));
        assert_eq!(raw.arguments, [1, 2, 3, 4, 5, 6]);
        assert_eq!(decode(&words[..9]), None);
    }

    #[test]
    fn buffers_are_never_smaller_than_our_structures_and_grow_with_the_kernel() {
        let small = Buffers::new(Sizes { notification: 1, answer: 1 });
        assert_eq!((small.notification.len(), small.answer.len()), (10, 3));
        let large = Buffers::new(Sizes { notification: 97, answer: 40 });
        assert_eq!((large.notification.len(), large.answer.len()), (13, 5));
    }

    #[test]
    fn own_memory_is_read_and_written_in_part_at_the_end_of_a_mapping() {
        let own = i32::try_from(std::process::id()).unwrap();
        let text = *b"hello";
        let mut copy = [0; 5];
        let address = u64::try_from(text.as_ptr().addr()).unwrap();
        assert_eq!(read_memory(own, address, &mut copy), Ok(5));
        assert_eq!(copy, text);
        assert_eq!(read_memory(own, 0, &mut copy), Err(Errno::FAULT));
        assert_eq!(write_memory(own, 0, &copy), Err(Errno::FAULT));
    }
}
