//! The system calls that the jailed sentry makes, and with which arguments.
//!
//! Data for `filter`. Names are those of the table of lazaret-profiles; one that it does not have fails the jail. Each
//! call says who needs it; a call that nobody needs any more goes.

use std::os::fd::RawFd;

use crate::sys::{self, ptrace};

/// The descriptors that conditions name.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pub(crate) control: RawFd,
    /// The audit file, and who gets the records beside.
    pub(crate) records: Vec<RawFd>,
    pub(crate) proc: RawFd,
    pub(crate) wake: RawFd,
}

/// What an argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    /// Its low 32 bits are this: descriptors and requests, which are ints to the kernel.
    Equal(u64),
    /// All 64 bits are this.
    EqualWord(u64),
    /// It has none of these bits.
    HaveNone(u64),
}

/// An argument's place and what it has to be.
pub(super) type Condition = (u8, Must);

/// A call and the lists of conditions of which one has to hold; no list lets every argument pass.
pub(super) type Permit = (&'static str, Vec<Vec<Condition>>);

/// What glibc tries first for a thread. It is answered with ENOSYS, since its flags stand in memory, and glibc goes on
/// to clone(2), whose flags stand in a register.
pub(super) const UNAVAILABLE: &str = "clone3";

/// Every call that may be made; those of a tracer only where one may be needed.
pub(super) fn permits(descriptors: &Descriptors, may_trace: bool) -> Vec<Permit> {
    let mut permits = listener_calls();
    permits.extend(talking_calls(descriptors));
    permits.extend(looking_calls(descriptors));
    permits.extend(runtime_calls());
    if may_trace {
        permits.extend(tracer_calls());
    }
    if cfg!(debug_assertions) {
        permits.push(("fcntl", vec![vec![(1, Must::Equal(sys::GET_DESCRIPTOR_FLAGS))]]));
    }
    permits
}

/// `notify`, `copyin`, `handlers::sysinfo`.
fn listener_calls() -> Vec<Permit> {
    vec![
        ("ioctl", sys::LISTENER_REQUESTS.map(|request| vec![(1, Must::Equal(request))]).to_vec()),
        // The kernel lets them reach what CAP_SYS_PTRACE in the pod's user namespace reaches: the pod.
        ("process_vm_readv", Vec::new()),
        ("process_vm_writev", Vec::new()),
        ("sysinfo", Vec::new()),
    ]
}

/// `monitor`, `audit`, `watch`.
fn talking_calls(descriptors: &Descriptors) -> Vec<Permit> {
    let only = |descriptor: RawFd| vec![(0, Must::Equal(int(descriptor)))];
    vec![
        ("recvmsg", vec![only(descriptors.control)]),
        ("sendmsg", vec![only(descriptors.control)]),
        ("write", descriptors.records.iter().chain([&descriptors.wake]).map(|one| only(*one)).collect()),
        // What poll(2) is in rustix.
        ("ppoll", Vec::new()),
        ("read", Vec::new()),
        ("close", Vec::new()),
    ]
}

/// `tracee`, `handlers::sysinfo`.
fn looking_calls(descriptors: &Descriptors) -> Vec<Permit> {
    let in_proc = (0, Must::Equal(int(descriptors.proc)));
    vec![
        ("openat", vec![vec![in_proc, (2, Must::HaveNone(sys::OPEN_FOR_MORE_THAN_READING))]]),
        ("readlinkat", vec![vec![in_proc]]),
        ("pread64", Vec::new()),
    ]
}

/// `ptrace`. The kernel lets it seize what CAP_SYS_PTRACE in the pod's user namespace reaches: the pod. It can read no
/// memory by it, change no register but those of an answer, and never let a tracee go.
fn tracer_calls() -> Vec<Permit> {
    let seizing = vec![(0, Must::EqualWord(ptrace::SEIZE)), (3, Must::EqualWord(ptrace::OPTIONS))];
    let requests = ptrace::REQUESTS.map(|request| vec![(0, Must::EqualWord(request))]);
    let answers = ptrace::ANSWER_WORDS.map(|word| vec![(0, Must::EqualWord(ptrace::POKE)), (2, Must::EqualWord(word))]);
    vec![
        ("ptrace", [seizing].into_iter().chain(requests).chain(answers).collect()),
        ("wait4", Vec::new()),
        ("waitid", Vec::new()),
    ]
}

/// What the Rust and C libraries need for memory, threads, locks, time and the end.
fn runtime_calls() -> Vec<Permit> {
    let no_code = vec![vec![(2, Must::HaveNone(sys::EXECUTABLE))]];
    vec![
        ("mmap", no_code.clone()),
        ("mprotect", no_code),
        ("munmap", Vec::new()),
        ("mremap", Vec::new()),
        ("madvise", Vec::new()),
        ("brk", Vec::new()),
        ("futex", Vec::new()),
        // A wait with a timeout is continued by it after SIGSTOP and SIGCONT or a freeze of the cgroup.
        ("restart_syscall", Vec::new()),
        // The vDSO answers this in user space unless the machine's clock source cannot be read from there.
        ("clock_gettime", Vec::new()),
        (UNAVAILABLE, Vec::new()),
        ("clone", vec![vec![(0, Must::EqualWord(sys::THREAD_FLAGS))]]),
        ("set_robust_list", Vec::new()),
        ("rseq", Vec::new()),
        ("sigaltstack", Vec::new()),
        ("rt_sigprocmask", Vec::new()),
        ("rt_sigaction", vec![vec![(0, Must::Equal(sys::THREAD_SIGNAL))]]),
        ("sched_getaffinity", Vec::new()),
        ("gettid", Vec::new()),
        ("exit", Vec::new()),
        ("exit_group", Vec::new()),
    ]
}

/// A descriptor as the kernel compares it.
fn int(descriptor: RawFd) -> u64 {
    u64::from(descriptor.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lazaret_profiles::syscalls;

    use super::*;

    const DESCRIPTORS: Descriptors = Descriptors { control: 10, records: Vec::new(), proc: 12, wake: 14 };

    #[test]
    fn every_permit_is_in_the_table_and_stands_once() {
        let permits = permits(&DESCRIPTORS, true);
        let names: BTreeSet<&str> = permits.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), permits.len());
        for name in names {
            assert!(syscalls::by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn list_is_within_its_bound_and_starts_nothing() {
        let permits = permits(&DESCRIPTORS, false);
        assert!(permits.len() <= 45);
        assert_eq!(super::permits(&DESCRIPTORS, true).len(), permits.len() + 3);
        for forbidden in [
            "execve",
            "execveat",
            "fork",
            "vfork",
            "socket",
            "open",
            "openat2",
            "ptrace",
            "wait4",
            "waitid",
            "kill",
            "mount",
            "setns",
            "unshare",
            "seccomp",
            "prctl",
            "bpf",
            "io_uring_setup",
            "pidfd_getfd",
        ] {
            assert!(!permits.iter().any(|(name, _)| *name == forbidden), "{forbidden}");
        }
    }
}
