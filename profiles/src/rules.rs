//! The cases of every argument rule, to be read from top to bottom: the first case whose checks all hold decides.
//!
//! The planner and the sentry read them. The checks see registers only. An argument that the kernel declares `int`
//! is compared by its low half ([`INT`]): the kernel drops the upper half, so a comparison of all 64 bits could be
//! passed by setting it. One that the kernel reads whole is compared whole ([`LONG`]).

mod strict;

pub use crate::cases::{Answer, Case, Cases, Verdict};
use crate::cases::{allow, answer, arg, ask, is, refuse, refused, span};
use crate::check::{INT, LONG, Span};
use crate::class::{Errno, Event, Rule};

/// The cases of a rule.
#[must_use]
pub const fn cases(rule: Rule) -> &'static Cases {
    match rule {
        Rule::Clone => &CLONE,
        Rule::Unshare => &UNSHARE,
        Rule::Prctl => &PRCTL,
        Rule::ArchPrctl => &ARCH_PRCTL,
        Rule::Personality => &PERSONALITY,
        Rule::Seccomp => &SECCOMP,
        Rule::Socket => &SOCKET,
        Rule::Socketpair => &SOCKETPAIR,
        Rule::Setsockopt => &SETSOCKOPT,
        Rule::Ioctl => &IOCTL,
        Rule::Fcntl => &FCNTL,
        Rule::Mknod => &MKNOD,
        Rule::Mknodat => &MKNODAT,
        Rule::MemfdCreate => &MEMFD_CREATE,
        Rule::Adjtimex => &ADJTIMEX,
        Rule::ClockAdjtime => &CLOCK_ADJTIME,
        Rule::StrictSocket => &strict::SOCKET,
        Rule::StrictSetsockopt => &strict::SETSOCKOPT,
        Rule::StrictIoctl => &strict::IOCTL,
        Rule::StrictMknod => &strict::MKNOD,
        Rule::StrictMknodat => &strict::MKNODAT,
        Rule::StrictFutex => &strict::FUTEX,
        Rule::StrictMadvise => &strict::MADVISE,
        Rule::StrictTimerCreate | Rule::StrictClockNanosleep => &strict::CLOCKS,
        Rule::StrictSendto => &strict::SENDTO,
        Rule::StrictSendmsg => &strict::SENDMSG,
        Rule::StrictSendmmsg => &strict::SENDMMSG,
    }
}

// clone(flags, ...), unshare(flags): linux/sched.h.
// CLONE_NEWTIME (0x80) is no case of clone: there it is part of the exit signal, and makes no namespace.

const CLONE_FS: u64 = 0x0200;
const CLONE_FILES: u64 = 0x0400;
const CLONE_SYSVSEM: u64 = 0x0004_0000;
const CLONE_NEWTIME: u64 = 0x80;
const CLONE_NEWNS: u64 = 0x0002_0000;
const CLONE_NEWCGROUP: u64 = 0x0200_0000;
const CLONE_NEWUTS: u64 = 0x0400_0000;
const CLONE_NEWIPC: u64 = 0x0800_0000;
const CLONE_NEWUSER: u64 = 0x1000_0000;
const CLONE_NEWPID: u64 = 0x2000_0000;
const CLONE_NEWNET: u64 = 0x4000_0000;

/// The namespace flags that clone(2) can carry. The kernel takes the low half of its flags (kernel/fork.c).
const NEW_BY_CLONE: u64 =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

/// A child that is not traced though its parent is. Only the kernel's own threads have a use for it; a workload could
/// take a child away from the sentry where that traces.
const CLONE_UNTRACED: u64 = 0x0080_0000;

const CLONE: Cases = Cases {
    list: &[
        allow(&[arg(0, NEW_BY_CLONE | CLONE_UNTRACED, &[is(0)])]),
        refuse(&[arg(0, NEW_BY_CLONE, &[is(0)])], Event::Ptrace, Errno::EPERM),
    ],
    otherwise: refused(Event::NewNamespace, Errno::EPERM),
};

/// What unshare(2) may separate. It reads all 64 bits and answers EINVAL to flags that it does not know.
const UNSHARED: u64 = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;

const UNSHARE: Cases = Cases {
    list: &[
        allow(&[arg(0, LONG & !UNSHARED, &[is(0)])]),
        // The flags that would make a thread its own process: no namespace, and no program asks for it.
        answer(&[arg(0, NEW_BY_CLONE | CLONE_NEWTIME, &[is(0)])], Errno::EINVAL),
    ],
    otherwise: refused(Event::NewNamespace, Errno::EPERM),
};

// prctl(int option, ...): linux/prctl.h. An option that is not named is unknown here, and gets the kernel's answer
// to unknown options.

const PR_SET_SECUREBITS: u64 = 28;
const PR_TASK_PERF_EVENTS_DISABLE: u64 = 31;
const PR_TASK_PERF_EVENTS_ENABLE: u64 = 32;
const PR_SET_MM: u64 = 35;
const PR_SCHED_CORE: u64 = 62;

const PRCTL: Cases = Cases {
    list: &[
        allow(&[arg(
            0,
            INT,
            &[
                span(1, 4),      // PDEATHSIG, DUMPABLE
                span(7, 8),      // KEEPCAPS
                span(13, 16),    // TIMING, NAME
                span(21, 27),    // SECCOMP (no flags, so no listener), CAPBSET, TSC, reading SECUREBITS
                span(29, 30),    // TIMERSLACK
                span(36, 42),    // CHILD_SUBREAPER, NO_NEW_PRIVS, TID_ADDRESS, THP_DISABLE
                is(47),          // CAP_AMBIENT
                span(52, 53),    // SPECULATION_CTRL
                is(59),          // SYSCALL_USER_DISPATCH (wine)
                span(65, 66),    // MDWE
                is(0x4155_5856), // GET_AUXV
                is(0x5356_4d41), // SET_VMA: names of own mappings
                is(0x5961_6d61), // SET_PTRACER: crash handlers; ptrace itself stays refused
            ],
        )]),
        refuse(
            &[arg(
                0,
                INT,
                &[
                    is(PR_SET_SECUREBITS),
                    span(PR_TASK_PERF_EVENTS_DISABLE, PR_TASK_PERF_EVENTS_ENABLE),
                    is(PR_SET_MM),
                    is(PR_SCHED_CORE),
                ],
            )],
            Event::ProcessControl,
            Errno::EPERM,
        ),
    ],
    otherwise: Verdict::Answer(Errno::EINVAL),
};

// arch_prctl(int option, ...): asm/prctl.h of x86.

const ARCH_PRCTL: Cases = Cases {
    list: &[allow(&[arg(
        0,
        INT,
        &[
            span(0x1001, 0x1004), // FS and GS base: thread-local storage
            span(0x1021, 0x1023), // extended CPU state (AMX)
            span(0x4001, 0x4003), // linear address masking
            span(0x5001, 0x5003), // shadow stack: enable, disable, lock
            is(0x5005),           // shadow stack: status
        ],
    )])],
    otherwise: Verdict::Answer(Errno::EINVAL),
};

// personality(unsigned int): linux/personality.h. The five values that Docker allows too.

const PER_LINUX32: u64 = 8;
const UNAME26: u64 = 0x0002_0000;
const PER_QUERY: u64 = 0xffff_ffff;

const PERSONALITY: Cases = Cases {
    list: &[allow(&[arg(0, INT, &[is(0), is(PER_LINUX32), is(UNAME26), is(UNAME26 | PER_LINUX32), is(PER_QUERY)])])],
    otherwise: refused(Event::Personality, Errno::EPERM),
};

// seccomp(unsigned int operation, unsigned int flags, void *): linux/seccomp.h.

const SECCOMP_SET_MODE_STRICT: u64 = 0;
const SECCOMP_SET_MODE_FILTER: u64 = 1;
const SECCOMP_GET_ACTION_AVAIL: u64 = 2;
const SECCOMP_FILTER_FLAG_NEW_LISTENER: u64 = 8;

const SECCOMP: Cases = Cases {
    list: &[
        allow(&[arg(0, INT, &[is(SECCOMP_SET_MODE_STRICT), is(SECCOMP_GET_ACTION_AVAIL)])]),
        allow(&[arg(0, INT, &[is(SECCOMP_SET_MODE_FILTER)]), arg(1, SECCOMP_FILTER_FLAG_NEW_LISTENER, &[is(0)])]),
        // libseccomp asks for the flag with a null program to learn whether the kernel has it.
        answer(&[arg(2, LONG, &[is(0)])], Errno::EINVAL),
        refuse(&[arg(0, INT, &[is(SECCOMP_SET_MODE_FILTER)])], Event::SeccompListener, Errno::EPERM),
    ],
    otherwise: Verdict::Answer(Errno::EINVAL),
};

// socket(int domain, int type, int protocol): linux/socket.h, linux/net.h, linux/in.h.

const AF_UNIX: u64 = 1;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_NETLINK: u64 = 16;
/// The type without SOCK_NONBLOCK and SOCK_CLOEXEC, as the kernel masks it.
const SOCK_TYPE: u64 = 0xf;
const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
const SOCK_RAW: u64 = 3;
const SOCK_SEQPACKET: u64 = 5;
/// An old way to say AF_PACKET with the family AF_INET.
const SOCK_PACKET: u64 = 10;
const IPPROTO_ICMP: u64 = 1;
const IPPROTO_TCP: u64 = 6;
const IPPROTO_UDP: u64 = 17;
const IPPROTO_ICMPV6: u64 = 58;
const IPPROTO_MPTCP: u64 = 262;
const NETLINK_ROUTE: u64 = 0;
const NETLINK_AUDIT: u64 = 9;

const SOCKET: Cases = Cases {
    list: &[
        ask(&[arg(0, INT, &[is(AF_UNIX)])], &UNIX_SOCKET),
        ask(&[arg(0, INT, &[is(AF_INET), is(AF_INET6)])], &INET_SOCKET),
        ask(&[arg(0, INT, &[is(AF_NETLINK)])], &NETLINK_SOCKET),
    ],
    otherwise: refused(Event::SocketFamily, Errno::EAFNOSUPPORT),
};

const UNIX_SOCKET: Cases = Cases {
    list: &[allow(&[arg(1, SOCK_TYPE, &[span(SOCK_STREAM, SOCK_DGRAM), is(SOCK_SEQPACKET)])])],
    otherwise: refused(Event::RawSocket, Errno::EPERM),
};

const INET_SOCKET: Cases = Cases {
    list: &[
        ask(&[arg(1, SOCK_TYPE, &[is(SOCK_STREAM)])], &STREAM_SOCKET),
        ask(&[arg(1, SOCK_TYPE, &[is(SOCK_DGRAM)])], &DATAGRAM_SOCKET),
        refuse(&[arg(1, SOCK_TYPE, &[is(SOCK_RAW), is(SOCK_PACKET)])], Event::RawSocket, Errno::EPERM),
    ],
    otherwise: refused(Event::SocketProtocol, Errno::EPROTONOSUPPORT),
};

const STREAM_SOCKET: Cases = Cases {
    list: &[
        allow(&[arg(2, INT, &[is(0), is(IPPROTO_TCP)])]),
        // Go's listeners try MPTCP first and fall back to TCP.
        answer(&[arg(2, INT, &[is(IPPROTO_MPTCP)])], Errno::EPROTONOSUPPORT),
    ],
    otherwise: refused(Event::SocketProtocol, Errno::EPROTONOSUPPORT),
};

const DATAGRAM_SOCKET: Cases = Cases {
    list: &[allow(&[arg(2, INT, &[span(0, IPPROTO_ICMP), is(IPPROTO_UDP), is(IPPROTO_ICMPV6)])])],
    otherwise: refused(Event::SocketProtocol, Errno::EPROTONOSUPPORT),
};

const NETLINK_SOCKET: Cases = Cases {
    list: &[
        allow(&[arg(2, INT, &[is(NETLINK_ROUTE)])]),
        // Logins ask for audit and take this as "no audit in the kernel".
        answer(&[arg(2, INT, &[is(NETLINK_AUDIT)])], Errno::EPROTONOSUPPORT),
    ],
    otherwise: refused(Event::Netlink, Errno::EPROTONOSUPPORT),
};

const SOCKETPAIR: Cases = Cases {
    list: &[ask(&[arg(0, INT, &[is(AF_UNIX)])], &UNIX_SOCKET)],
    otherwise: refused(Event::SocketFamily, Errno::EAFNOSUPPORT),
};

// setsockopt(int fd, int level, int name, ...): asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h.

const SOL_IP: u64 = 0;
const SOL_SOCKET: u64 = 1;
const SOL_TCP: u64 = 6;
const SOL_UDP: u64 = 17;
const SOL_IPV6: u64 = 41;
const SOL_ICMPV6: u64 = 58;
const SOL_NETLINK: u64 = 270;

const SETSOCKOPT: Cases = Cases {
    list: &[
        ask(&[arg(1, INT, &[is(SOL_SOCKET)])], &SOCKET_OPTIONS),
        ask(&[arg(1, INT, &[is(SOL_TCP)])], &TCP_OPTIONS),
        ask(&[arg(1, INT, &[is(SOL_IP)])], &IP_OPTIONS),
        ask(&[arg(1, INT, &[is(SOL_IPV6)])], &IPV6_OPTIONS),
        ask(&[arg(1, INT, &[is(SOL_UDP)])], &UDP_OPTIONS),
        allow(&[arg(1, INT, &[is(SOL_ICMPV6), is(SOL_NETLINK)])]),
    ],
    // Levels of families that socket(2) refuses: ALG, packet, TIPC, RDS, SCTP, XDP, vsock and later ones.
    otherwise: refused(Event::SocketOption, Errno::ENOPROTOOPT),
};

const SOCKET_OPTIONS: Cases = Cases {
    // ATTACH_BPF, ATTACH_REUSEPORT_CBPF, ATTACH_REUSEPORT_EBPF.
    list: &[refuse(&[arg(2, INT, &[span(50, 52)])], Event::BpfAttach, Errno::EPERM)],
    otherwise: Verdict::Allow,
};

const TCP_OPTIONS: Cases = Cases {
    // REPAIR, REPAIR_QUEUE, QUEUE_SEQ, REPAIR_OPTIONS, REPAIR_WINDOW, ULP (kernel TLS, ESP in TCP).
    list: &[refuse(&[arg(2, INT, &[span(19, 22), is(29), is(31)])], Event::SocketOption, Errno::ENOPROTOOPT)],
    otherwise: Verdict::Allow,
};

const IP_OPTIONS: Cases = Cases {
    // IPSEC_POLICY and XFRM_POLICY; from 64 on: iptables, arptables, ebtables, IPVS, multicast routing.
    list: &[refuse(&[arg(2, INT, &[span(16, 17), span(64, INT)])], Event::PacketFilter, Errno::EPERM)],
    otherwise: Verdict::Allow,
};

const IPV6_OPTIONS: Cases = Cases {
    // IPSEC_POLICY and XFRM_POLICY, ip6tables; from 200 on: multicast routing.
    list: &[refuse(&[arg(2, INT, &[span(34, 35), span(64, 65), span(200, INT)])], Event::PacketFilter, Errno::EPERM)],
    otherwise: Verdict::Allow,
};

const UDP_OPTIONS: Cases = Cases {
    // ENCAP: ESP and L2TP inside UDP.
    list: &[refuse(&[arg(2, INT, &[is(100)])], Event::SocketOption, Errno::ENOPROTOOPT)],
    otherwise: Verdict::Allow,
};

// ioctl(unsigned int fd, unsigned int command, ...): asm-generic/ioctls.h and the drivers' own headers. The second
// byte of a command is the driver's letter.

const LETTER: u64 = 0xff00;

const IOCTL: Cases = Cases { list: DOORS, otherwise: Verdict::Allow };

const DOORS: &[Case] = &[
    // TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, TIOCVHANGUP.
    refuse(
        &[arg(1, INT, &[is(0x5412), span(0x541c, 0x541d), is(0x5423), is(0x5437)])],
        Event::TerminalInjection,
        Errno::EPERM,
    ),
    // FICLONE, FICLONERANGE, FIDEDUPERANGE and reading a label: generic, though under btrfs's letter.
    allow(&[arg(1, INT, &[is(0x4004_9409), is(0x4020_940d), is(0x8100_9431), is(0xc018_9436)])]),
    // The namespaces of another process, by pidfd: PIDFD_GET_*_NAMESPACE.
    refuse(&[arg(1, INT, &[span(0xff01, 0xff0a)])], Event::JoinNamespace, Errno::EPERM),
    // SIOCPROTOPRIVATE, SIOCDEVPRIVATE.
    refuse(&[arg(1, INT, &[span(0x89e0, 0x89ff)])], Event::NetDeviceControl, Errno::EPERM),
    // FS_IOC_SETFLAGS (both widths), FS_IOC_FSSETXATTR: chattr, asked for by databases, which take "not here".
    answer(&[arg(1, INT, &[is(0x4004_6602), is(0x4008_6602), is(0x401c_5820)])], Errno::ENOTTY),
    // IOC_WATCH_QUEUE_SET_SIZE and SET_FILTER of notification pipes (CVE-2022-0995), as a kernel without them answers: what
    // they would tell of are keys, which nobody has here.
    answer(&[arg(1, INT, &[span(0x5760, 0x5761)])], Errno::ENOTTY),
    // Namespace files: NS_GET_USERNS, NS_GET_PARENT and later ones.
    refuse(&[arg(1, LETTER, &[is(0xb700)])], Event::JoinNamespace, Errno::EPERM),
    // btrfs.
    refuse(&[arg(1, LETTER, &[is(0x9400)])], Event::FilesystemControl, Errno::ENOTTY),
    // block layer, SCSI generic, loop, NVMe, SCSI and CD-ROM, device mapper.
    refuse(
        &[arg(1, LETTER, &[is(0x1200), is(0x2200), is(0x4c00), is(0x4e00), is(0x5300), is(0xfd00)])],
        Event::BlockDevice,
        Errno::ENOTTY,
    ),
    // VFIO and iommufd, console keyboard, virtual terminals, userfaultfd, KVM, vhost.
    refuse(
        &[arg(1, LETTER, &[is(0x3b00), is(0x4b00), is(0x5600), is(0xaa00), span(0xae00, 0xaf00)])],
        Event::DeviceControl,
        Errno::ENOTTY,
    ),
];

// fcntl(unsigned int fd, unsigned int command, ...): linux/fcntl.h.

const F_SETLEASE: u64 = 1024;
const F_NOTIFY: u64 = 1026;
/// New in 6.19: a lease on a directory.
const F_SETDELEG: u64 = 1040;

const FCNTL: Cases = Cases {
    // As a kernel without leases and dnotify answers: file servers go on without.
    list: &[answer(&[arg(1, INT, &[is(F_SETLEASE), is(F_NOTIFY), is(F_SETDELEG)])], Errno::EINVAL)],
    otherwise: Verdict::Allow,
};

// mknod(path, umode_t mode, unsigned dev): linux/stat.h. The kernel takes 16 bits of the mode; the type is in the top
// four of them, and none means a regular file.

const S_IFMT: u64 = 0xf000;
const S_IFIFO: u64 = 0x1000;
const S_IFCHR: u64 = 0x2000;
const S_IFREG: u64 = 0x8000;
const S_IFSOCK: u64 = 0xc000;

const NODES_WITHOUT_DEVICE: &[Span] = &[is(0), is(S_IFIFO), is(S_IFREG), is(S_IFSOCK)];
/// 0:0 is overlayfs's whiteout; 1:3 null, 1:5 zero, 1:7 full, 1:8 random, 1:9 urandom, 5:0 tty.
const HARMLESS_DEVICES: &[Span] = &[is(0), is(0x103), is(0x105), span(0x107, 0x109), is(0x500)];

const MKNOD: Cases = Cases {
    list: &[
        allow(&[arg(1, S_IFMT, NODES_WITHOUT_DEVICE)]),
        allow(&[arg(1, S_IFMT, &[is(S_IFCHR)]), arg(2, INT, HARMLESS_DEVICES)]),
    ],
    otherwise: refused(Event::DeviceNode, Errno::EPERM),
};

const MKNODAT: Cases = Cases {
    list: &[
        allow(&[arg(2, S_IFMT, NODES_WITHOUT_DEVICE)]),
        allow(&[arg(2, S_IFMT, &[is(S_IFCHR)]), arg(3, INT, HARMLESS_DEVICES)]),
    ],
    otherwise: refused(Event::DeviceNode, Errno::EPERM),
};

// memfd_create(name, unsigned int flags): linux/memfd.h.

const MFD_HUGETLB: u64 = 4;

const MEMFD_CREATE: Cases =
    Cases { list: &[allow(&[arg(1, MFD_HUGETLB, &[is(0)])])], otherwise: Verdict::Answer(Errno::EINVAL) };

// adjtimex(struct timex *): the register holds a pointer alone. The kernel demands CAP_SYS_TIME of the host for every
// mode that changes something, so reading is what is left.

const ADJTIMEX: Cases = Cases { list: &[], otherwise: Verdict::Allow };

// clock_adjtime(const clockid_t which, struct timex *): clockid_t is int. A negative one is a clock device by open
// file; the kernel's own end with CLOCK_TAI (11).

const CLOCK_ADJTIME: Cases =
    Cases { list: &[allow(&[arg(0, INT, &[span(0, 11)])])], otherwise: refused(Event::SetClock, Errno::EPERM) };
