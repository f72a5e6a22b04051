//! What a sentry that was taken over tries. Each says whether it got what it wanted; it runs in a process of its own.

use std::os::fd::{AsFd, AsRawFd};

use lazaret_sentry::Seat;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::canary::Canary;
use crate::sys::{address, attempt};

/// Whether it worked.
pub(crate) type Attempt = fn(&Canary, &Seat) -> bool;

/// Every attempt and its name.
pub(crate) const ALL: &[(&str, Attempt)] = &[
    ("open a file by its path", |canary, _| opens(CWD, canary.secret.to_str().unwrap())),
    ("open a file by its path, from procfs", |canary, seat| from_proc(seat, canary.secret.to_str().unwrap())),
    ("open a file by .., from procfs", |canary, seat| {
        let up = format!("self/../../../../..{}", canary.secret.display());
        from_proc(seat, &up) || from_proc(seat, &format!("self/root/..{}", canary.secret.display()))
    }),
    ("open a file through the own root", |canary, seat| from_proc(seat, &format!("self/root{}", path(canary)))),
    ("open a file through the own directory", |canary, seat| {
        from_proc(seat, &format!("self/cwd/../../../..{}", path(canary)))
    }),
    ("open a file through the root of another process", |canary, seat| {
        from_proc(seat, &format!("{}/root{}", canary.victim, path(canary)))
    }),
    ("open a descriptor of another process", |canary, seat| {
        from_proc(seat, &format!("{}/fd/{}", canary.victim, canary.held))
    }),
    ("open the memory of another process", |canary, seat| from_proc(seat, &format!("{}/mem", canary.victim))),
    ("read a link of another process", |canary, seat| {
        rustix::fs::readlinkat(&seat.proc, format!("{}/exe", canary.victim), Vec::new()).is_ok()
    }),
    ("open a file by a handle", |canary, _| works(libc::SYS_open_by_handle_at, &[CURRENT, address(&canary.handle), 0])),
    ("make a file", |canary, _| {
        let flags = OFlags::CREATE | OFlags::WRONLY;
        rustix::fs::openat(CWD, canary.directory.join("new"), flags, Mode::RUSR).is_ok()
    }),
    ("make a file, from procfs", |canary, seat| {
        let flags = OFlags::CREATE | OFlags::WRONLY;
        rustix::fs::openat(&seat.proc, canary.directory.join("new"), flags, Mode::RUSR).is_ok()
    }),
    ("remove a file", |canary, _| rustix::fs::unlinkat(CWD, &canary.secret, AtFlags::empty()).is_ok()),
    ("rename a file", |canary, _| rustix::fs::rename(&canary.secret, canary.directory.join("new")).is_ok()),
    ("make a directory", |canary, _| rustix::fs::mkdir(canary.directory.join("new"), Mode::RWXU).is_ok()),
    ("connect to a socket in a directory", |canary, _| connects(SocketAddrUnix::new(&canary.socket).unwrap())),
    ("connect to an abstract socket", |canary, _| {
        connects(SocketAddrUnix::new_abstract_name(canary.name.as_bytes()).unwrap())
    }),
    ("make a socket of the Internet", |_, _| {
        rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).is_ok()
    }),
    ("fork", |_, _| works(libc::SYS_fork, &[])),
    ("clone a process", |_, _| works(libc::SYS_clone, &[signal(libc::SIGCHLD), 0, 0, 0, 0])),
    ("clone a process by clone3", |_, _| {
        let arguments = [0, 0, 0, 0, signal(libc::SIGCHLD), 0, 0, 0_u64];
        works(libc::SYS_clone3, &[address(&arguments), 64])
    }),
    ("execute a program", |_, _| nix::unistd::execv(c"/bin/true", &[c"true"]).is_ok()),
    ("execute a program in memory", |_, _| works(libc::SYS_memfd_create, &[address(b"x\0"), 0])),
    ("trace a process as the jail lets it", |canary, _| {
        works(libc::SYS_ptrace, &[SEIZE, id(canary), 0, TRACE_OPTIONS])
    }),
    ("trace a process", |canary, _| works(libc::SYS_ptrace, &[u64::from(libc::PTRACE_ATTACH), id(canary), 0, 0])),
    ("read the memory of a process", |canary, _| {
        let mut word = [0; 8];
        crate::sys::read_memory(canary.victim, canary.word, &mut word) == 8
    }),
    ("write the memory of a process", |canary, _| {
        let word = [0_u8; 8];
        let (own, other) = ([address(&word), 8], [canary.word, 8]);
        works(libc::SYS_process_vm_writev, &[id(canary), address(&own), 1, address(&other), 1, 0])
    }),
    ("kill a process", |canary, _| works(libc::SYS_kill, &[id(canary), signal(libc::SIGKILL)])),
    ("kill a thread", |canary, _| works(libc::SYS_tgkill, &[id(canary), id(canary), signal(libc::SIGKILL)])),
    ("stop a process", |canary, _| works(libc::SYS_kill, &[id(canary), signal(libc::SIGSTOP)])),
    ("take a descriptor of a process", |canary, _| {
        attempt(libc::SYS_pidfd_open, &[id(canary), 0])
            .is_ok_and(|pidfd| works(libc::SYS_pidfd_getfd, &[pidfd, u64::try_from(canary.held).unwrap(), 0]))
    }),
    ("take a descriptor of a process, without a pidfd", |canary, seat| {
        let held = u64::try_from(canary.held).unwrap();
        let target = attempt(libc::SYS_pidfd_open, &[id(canary), 0]).unwrap_or(audit(seat));
        works(libc::SYS_pidfd_getfd, &[target, held, 0])
    }),
    ("mount over a directory", |canary, _| {
        let target = canary.directory.to_str().unwrap().to_owned() + "\0";
        works(libc::SYS_mount, &[address(b"none\0"), address(target.as_bytes()), address(b"tmpfs\0"), 0, 0])
    }),
    ("make a file system", |_, _| works(libc::SYS_fsopen, &[address(b"tmpfs\0"), 0])),
    ("clone a tree of mounts", |canary, _| {
        let tree = canary.directory.to_str().unwrap().to_owned() + "\0";
        works(libc::SYS_open_tree, &[CURRENT, address(tree.as_bytes()), 1])
    }),
    ("join a namespace of a process", |canary, seat| {
        let path = format!("{}/ns/net", canary.victim);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&seat.proc, path, flags, Mode::empty()).is_ok_and(|namespace| {
            works(libc::SYS_setns, &[u64::try_from(namespace.as_raw_fd()).unwrap(), 0x4000_0000])
        })
    }),
    ("join the own user namespace's own network", |_, seat| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&seat.proc, "self/ns/net", flags, Mode::empty()).is_ok_and(|namespace| {
            works(libc::SYS_setns, &[u64::try_from(namespace.as_raw_fd()).unwrap(), 0x4000_0000])
        })
    }),
    ("make a user namespace", |_, _| works(libc::SYS_unshare, &[0x1000_0000])),
    ("make a mount namespace", |_, _| works(libc::SYS_unshare, &[0x2_0000])),
    ("make a map of BPF", |_, _| {
        let attributes = [2 | 4 << 32, 4 | 1 << 32, 0, 0, 0, 0, 0, 0_u64];
        works(libc::SYS_bpf, &[0, address(&attributes), 64])
    }),
    ("set up io_uring", |_, _| {
        let parameters = [0_u64; 15];
        works(libc::SYS_io_uring_setup, &[1, address(&parameters)])
    }),
    ("use a keyring", |_, _| works(libc::SYS_keyctl, &[0, u64::from(u32::MAX - 2), 1])),
    ("catch page faults", |_, _| works(libc::SYS_userfaultfd, &[1])),
    ("raise a limit", |_, _| {
        let limit = [4096, 4096_u64];
        works(libc::SYS_prlimit64, &[0, u64::from(libc::RLIMIT_NOFILE), address(&limit), 0])
    }),
    ("limit another process", |canary, _| {
        let limit = [4096, 4096_u64];
        works(libc::SYS_prlimit64, &[id(canary), u64::from(libc::RLIMIT_NOFILE), address(&limit), 0])
    }),
    ("become another user", |_, _| works(libc::SYS_setresuid, &[1, 1, 1])),
    ("gain a capability", |_, _| {
        let header = [0x2008_0522_u32, 0];
        let sets = [1_u32 << 21 | 1 << 19, 1 << 21 | 1 << 19, 0, 0, 0, 0];
        works(libc::SYS_capset, &[address(&header), address(&sets)])
    }),
    ("become traceable", |_, _| works(libc::SYS_prctl, &[4, 1, 0, 0, 0])),
    ("map code", |_, _| works(libc::SYS_mmap, &[0, 4096, 5, 0x22, u64::MAX, 0])),
    ("turn memory into code", |_, _| {
        attempt(libc::SYS_mmap, &[0, 4096, 3, 0x22, u64::MAX, 0])
            .is_ok_and(|page| works(libc::SYS_mprotect, &[page, 4096, 5]))
    }),
    ("change the root", |_, _| works(libc::SYS_chroot, &[address(b"..\0")])),
    ("cut the audit file", |_, seat| works(libc::SYS_ftruncate, &[audit(seat), 0])),
    ("write at the audit file's begin", |_, seat| {
        works(libc::SYS_fcntl, &[audit(seat), 4, 0]) && works(libc::SYS_pwrite64, &[audit(seat), address(b"x"), 1, 0])
    }),
    ("punch a hole into the audit file", |_, seat| works(libc::SYS_fallocate, &[audit(seat), 3, 0, 4])),
    ("go back in the audit file", |_, seat| works(libc::SYS_lseek, &[audit(seat), 0, 0])),
];

/// `AT_FDCWD`.
const CURRENT: u64 = (-100_i64).cast_unsigned();
/// `PTRACE_SEIZE`, and the options that the jail's list wants with it.
const SEIZE: u64 = 0x4206;
/// Exit-kill, seccomp, fork, vfork, clone and exec.
const TRACE_OPTIONS: u64 = 0x10_0000 | 0x80 | 0x2 | 0x4 | 0x8 | 0x10;

fn works(number: i64, arguments: &[u64]) -> bool {
    attempt(number, arguments).is_ok()
}

fn opens(directory: impl AsFd, path: &str) -> bool {
    rustix::fs::openat(directory, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).is_ok()
}

/// The one directory in which the jail lets files be opened.
fn from_proc(seat: &Seat, path: &str) -> bool {
    opens(&seat.proc, path)
}

fn path(canary: &Canary) -> std::path::Display<'_> {
    canary.secret.display()
}

fn connects(address: SocketAddrUnix) -> bool {
    rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)
        .is_ok_and(|socket| rustix::net::connect(&socket, &address).is_ok())
}

fn id(canary: &Canary) -> u64 {
    u64::try_from(canary.victim).unwrap()
}

fn audit(seat: &Seat) -> u64 {
    u64::try_from(seat.audit.as_raw_fd()).unwrap()
}

fn signal(signal: i32) -> u64 {
    u64::try_from(signal).unwrap()
}
