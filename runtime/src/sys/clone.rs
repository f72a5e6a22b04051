//! Making processes: a holder of a new user namespace, a plain fork, and the stage-1/stage-2 pair of a launch.
//!
//! Every caller is single-threaded (the command line, or the shim's launcher): a child of `clone(2)` that runs Rust
//! code would otherwise inherit locks that nobody will ever release.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::Pid;

/// Stack of a child that shares our memory. Stage 2 runs on its own copy of it, so it has room for mount set-up.
const STACK_BYTES: usize = 1024 * 1024;

/// A new child that runs `child` on a copy of our memory and ends with its result.
///
/// # Errors
/// As `fork(2)`.
pub fn fork(child: impl FnOnce() -> u8) -> io::Result<(Pid, OwnedFd)> {
    fork_into(None, child)
}

/// The same, born in the v2 cgroup `cgroup`.
///
/// # Errors
/// As `fork(2)`, and as `CLONE_INTO_CGROUP` of clone(2).
pub fn fork_into(cgroup: Option<BorrowedFd<'_>>, child: impl FnOnce() -> u8) -> io::Result<(Pid, OwnedFd)> {
    let mut pidfd: c_int = -1;
    let mut args = clone_args(libc::CLONE_PIDFD, &mut pidfd);
    set_cgroup(&mut args, cgroup);
    // SAFETY: clone3 without CLONE_VM and without a stack behaves as fork(2); the process is single-threaded.
    let pid = unsafe { clone3(&mut args) }?;
    if pid == 0 {
        exit_now(child());
    }
    // SAFETY: CLONE_PIDFD stored a new descriptor that nobody else knows of.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((positive(pid)?, pidfd))
}

/// A new child by plain `fork(2)`, for a process whose filter refuses clone3 (its arguments are in memory, where no
/// filter can see them).
///
/// # Errors
/// As `fork(2)`.
pub fn fork_plainly(child: impl FnOnce() -> u8) -> io::Result<Pid> {
    // SAFETY: the process is single-threaded, so the child may run any code on its copy of the memory.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => exit_now(child()),
        pid => positive(i64::from(pid)),
    }
}

/// A child in a new user namespace that does nothing until it is killed: the process through which the namespace's
/// maps are written and its descriptor is opened.
#[derive(Debug)]
pub struct UsernsHolder {
    pid: Pid,
    _stack: Vec<u8>,
}

impl UsernsHolder {
    /// Makes the child, as user `uid` and group `gid`, who then own the namespace. It shares our memory (no page tables
    /// are copied).
    ///
    /// The owner is whom the kernel charges with what the processes of the namespace use of per-user limits: inotify
    /// instances, pending signals, bytes of message queues. Made by root, every container would use up root's.
    ///
    /// # Errors
    /// As `unshare(2)` with `CLONE_NEWUSER`: `ENOSPC` at the limit of user namespaces, `EPERM` where they are disabled.
    pub fn new(uid: u32, gid: u32) -> io::Result<Self> {
        extern "C" fn hold(argument: *mut c_void) -> c_int {
            // SAFETY: `new` keeps the value alive until it has read the outcome, which is the last that we touch of it.
            let holding = unsafe { &*argument.cast::<Holding>() };
            let parent = holding.parent;
            // It must not hold our descriptors: a lock on a state directory is among them.
            // SAFETY: close_range(2) with integers; the descriptor table is a copy, of which this child uses nothing.
            unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
            let outcome = own_namespace(holding.uid, holding.gid);
            // Nor outlive us; after the change of user, which would cancel it. Nothing could be done about a failure.
            // SAFETY: prctl(2) with integers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            holding.outcome.store(outcome, Ordering::Release);
            loop {
                // SAFETY: getppid(2) takes nothing. Another parent means that ours died before the signal was asked for.
                if unsafe { libc::getppid() }.unsigned_abs() != parent {
                    return 0;
                }
                // SAFETY: pause(2) takes nothing and touches no memory.
                unsafe { libc::pause() };
            }
        }
        let holding = Holding { uid, gid, parent: std::process::id(), outcome: AtomicI32::new(Holding::PENDING) };
        let mut stack = vec![0_u8; 16 * 1024];
        let flags = libc::CLONE_VM | libc::SIGCHLD;
        let argument = (&raw const holding).cast_mut().cast::<c_void>();
        // SAFETY: the stack lives as long as the child: it is kept in Self, whose Drop kills and reaps the child first.
        let pid = unsafe { libc::clone(hold, stack_top(&mut stack), flags, argument) };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        let this = Self { pid: positive(i64::from(pid))?, _stack: stack };
        match holding.wait() {
            0 => Ok(this),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl Drop for UsernsHolder {
    fn drop(&mut self) {
        // A child of ours that is not yet reaped: its pid cannot have been reused, and both calls can only succeed.
        if rustix::process::kill_process(self.pid, rustix::process::Signal::KILL).is_ok() {
            reap(self.pid);
        }
    }
}

/// What the holder is told, and what it tells.
struct Holding {
    uid: u32,
    gid: u32,
    parent: u32,
    /// 0 or an errno, once the namespace is made.
    outcome: AtomicI32,
}

impl Holding {
    const PENDING: i32 = -1;

    /// The outcome. The holder makes three system calls until then, so this ends in microseconds.
    fn wait(&self) -> i32 {
        loop {
            match self.outcome.load(Ordering::Acquire) {
                Self::PENDING => std::thread::yield_now(),
                outcome => return outcome,
            }
        }
    }
}

/// Makes a user namespace that `uid` and `gid` own. By plain system calls: the C library would do the change of user for
/// every thread of the process that it takes this one for. 0 or an errno.
fn own_namespace(uid: u32, gid: u32) -> i32 {
    // SAFETY: three integers.
    let mut result = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
    if result == 0 {
        // SAFETY: three integers.
        result = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    }
    if result == 0 {
        // SAFETY: one integer.
        result = unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER) };
    }
    if result == 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO) }
}

/// Waits for a child that is ending, whatever its status.
pub fn reap(pid: Pid) {
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
    {
    }
}

/// Namespaces to join.
#[derive(Debug, Clone, Copy)]
pub struct Join<'fd> {
    /// A namespace, or the pidfd of a process whose namespaces are meant.
    pub fd: BorrowedFd<'fd>,
    /// `CLONE_NEW*` flags of the namespaces meant; 0 for whatever namespace `fd` is.
    pub kinds: c_int,
}

impl<'fd> From<BorrowedFd<'fd>> for Join<'fd> {
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self { fd, kinds: 0 }
    }
}

/// What stage 1 is to enter and to make.
#[derive(Debug)]
pub struct Stage<'fd> {
    /// Existing namespaces to join, in order; the user namespace last, because the others may belong to its parent.
    pub join: Vec<Join<'fd>>,
    /// `CLONE_NEW*` flags of the namespaces to make, owned by the user namespace just joined.
    pub new: c_int,
    /// A cgroup v2 directory to be born in.
    pub cgroup: Option<BorrowedFd<'fd>>,
    /// The clocks of the time namespace to make, as `/proc/PID/timens_offsets` takes them.
    pub clocks: Option<&'fd str>,
}

/// Which step of [`launch`] failed.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Stage 1 itself could not be made.
    #[error("could not clone stage 1")]
    Stage1(#[source] io::Error),
    /// The namespace at this index of `join` could not be joined.
    #[error("could not join namespace {0}")]
    Join(usize, #[source] io::Error),
    /// The clocks of the new time namespace could not be set.
    #[error("could not set the clocks of the container's time namespace (linux.timeOffsets)")]
    Clocks(#[source] io::Error),
    /// Stage 2 could not be cloned into its namespaces and cgroup.
    #[error("could not clone the container's first process into its new namespaces")]
    Stage2(#[source] io::Error),
}

struct Stage1<'a, 'fd, F> {
    stage: &'a Stage<'fd>,
    body: Option<F>,
    outcome: Result<(i64, c_int), LaunchError>,
}

/// Joins and makes the namespaces of `stage`, and runs `body` as the first process in them. It never returns: its
/// result is the exit status.
///
/// Two steps, because a user namespace that was entered cannot be left: stage 1 is a child that shares our memory and
/// descriptors while we wait (as `vfork(2)`), joins, and clones stage 2, which owns a copy of the memory. Stage 1
/// then ends, so stage 2 becomes a child of the nearest subreaper above us.
///
/// # Errors
/// See [`LaunchError`]; nothing is left running.
pub fn launch<F: FnOnce() -> u8>(stage: &Stage<'_>, body: F) -> Result<(Pid, OwnedFd), LaunchError> {
    let mut stack = vec![0_u8; STACK_BYTES];
    let mut context = Stage1 { stage, body: Some(body), outcome: Ok((0, -1)) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::SIGCHLD;
    let argument = (&raw mut context).cast::<c_void>();
    // SAFETY: with CLONE_VFORK we do not run until the child has ended, so `stack` and `context` outlive it and are not
    // used by both at once.
    let pid = unsafe { libc::clone(stage1::<F>, stack_top(&mut stack), flags, argument) };
    if pid < 0 {
        return Err(LaunchError::Stage1(io::Error::last_os_error()));
    }
    reap(positive(i64::from(pid)).map_err(LaunchError::Stage1)?);
    let (pid, pidfd) = context.outcome?;
    // SAFETY: stage 1 shares our descriptor table (CLONE_FILES), so the pidfd that clone3 stored there is ours alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((positive(pid).map_err(LaunchError::Stage2)?, pidfd))
}

extern "C" fn stage1<F: FnOnce() -> u8>(argument: *mut c_void) -> c_int {
    // SAFETY: `launch` passed a pointer to its Stage1, which lives until we have ended, and does not touch it meanwhile.
    let context = unsafe { &mut *argument.cast::<Stage1<'_, '_, F>>() };
    context.outcome = stage1_steps(context.stage, &mut context.body);
    0
}

fn stage1_steps<F: FnOnce() -> u8>(stage: &Stage<'_>, body: &mut Option<F>) -> Result<(i64, c_int), LaunchError> {
    for (index, namespace) in stage.join.iter().enumerate() {
        // SAFETY: setns(2) takes two integers; the process has no other thread.
        let result = unsafe { libc::setns(namespace.fd.as_raw_fd(), namespace.kinds) };
        if result != 0 {
            return Err(LaunchError::Join(index, io::Error::last_os_error()));
        }
    }
    let mut new = stage.new;
    if let Some(clocks) = stage.clocks {
        set_clocks(clocks).map_err(LaunchError::Clocks)?;
        new &= !libc::CLONE_NEWTIME;
    }
    let mut pidfd: c_int = -1;
    let mut args = clone_args(libc::CLONE_PIDFD | new, &mut pidfd);
    set_cgroup(&mut args, stage.cgroup);
    // SAFETY: no CLONE_VM: the child gets a copy of the memory, with this stack in it, and runs `body` on that copy.
    let pid = unsafe { clone3(&mut args) }.map_err(LaunchError::Stage2)?;
    if pid == 0 {
        exit_now(body.take().map_or(1, |body| body()));
    }
    Ok((pid, pidfd))
}

/// Makes a time namespace for our children and sets its clocks, which are fixed once the first of them enters it.
fn set_clocks(clocks: &str) -> io::Result<()> {
    // SAFETY: unshare(2) takes an integer; CLONE_NEWTIME changes nothing for this process itself.
    let result = unsafe { libc::unshare(libc::CLONE_NEWTIME) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    std::fs::write("/proc/self/timens_offsets", clocks)
}

/// `CLONE_INTO_CGROUP` of `linux/sched.h`; libc has it as a signed constant that does not fit a C int.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

fn clone_args(flags: c_int, pidfd: &mut c_int) -> libc::clone_args {
    // SAFETY: clone_args is plain integers, for which zero is a valid value and means "not used".
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from(flags.cast_unsigned());
    args.pidfd = (&raw mut *pidfd).addr() as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    args
}

fn set_cgroup(args: &mut libc::clone_args, cgroup: Option<BorrowedFd<'_>>) {
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
}

/// # Safety
/// With `CLONE_VM` in the flags the caller answers for the stack that parent and child would share.
unsafe fn clone3(args: &mut libc::clone_args) -> io::Result<i64> {
    // SAFETY: `args` is a live struct clone_args and its size is passed with it.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut *args, size_of::<libc::clone_args>()) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

/// Ends the process without running exit handlers, which belong to the parent.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: _exit(2) takes an integer and does not return.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// Marks every descriptor from `first` on close-on-exec, so that none that we forgot reaches the workload
/// (the class of CVE-2024-21626).
///
/// # Errors
/// As `close_range(2)`.
pub fn cloexec_from(first: u32) -> io::Result<()> {
    // SAFETY: close_range(2) takes three integers; with CLOSE_RANGE_CLOEXEC no descriptor is closed.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The end of `stack` that a downward-growing stack starts at, aligned as the x86-64 and AArch64 ABIs require.
fn stack_top(stack: &mut [u8]) -> *mut c_void {
    let end = stack.as_mut_ptr_range().end;
    end.map_addr(|address| address & !15).cast()
}

fn positive(pid: i64) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("clone returned a process id out of range"))
}

/// Closes every descriptor but `keep`: nothing of a caller's may stay open in a process that outlives it.
///
/// # Errors
/// As `close_range(2)`.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    close_all_but_from(0, keep)
}

/// The same, for descriptors from `first` on.
///
/// # Errors
/// As `close_range(2)`.
pub fn close_all_but_from(first: u32, keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd().unsigned_abs()).filter(|fd| *fd >= first).collect();
    keep.sort_unstable();
    let mut first = first;
    for fd in keep {
        if first < fd {
            close_range(first, fd - 1)?;
        }
        first = first.max(fd + 1);
    }
    close_range(first, u32::MAX)
}

/// Closes every descriptor from `first` on. For the start of a program, when it has opened none yet: what is open then
/// was left open by the caller, who did not mean it for the container.
///
/// # Errors
/// As `close_range(2)`.
pub fn close_from(first: u32) -> io::Result<()> {
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: close_range(2) takes three integers. The caller has given up every descriptor in the range: it is called
    // in a child that from here on uses only those it kept.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
