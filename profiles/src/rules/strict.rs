//! The cases of strict mode's own rules: the sandbox's with less let through, and some for calls that the sandbox lets
//! through whatever their arguments.
//!
//! Only `rules` reads them. A rule here must not let through what the sandbox's refuses: the tests compare the two.

use crate::cases::{Cases, Verdict, allow, answer, arg, is, refuse, refused, span};
use crate::check::INT;
use crate::class::{Errno, Event};

// socket(int domain, int type, int protocol). Of the sandbox's datagram protocols without ICMP: ping sockets.

pub(super) const SOCKET: Cases = Cases {
    list: &[refuse(
        &[
            arg(0, INT, &[is(super::AF_INET), is(super::AF_INET6)]),
            arg(1, super::SOCK_TYPE, &[is(super::SOCK_DGRAM)]),
            arg(2, INT, &[is(super::IPPROTO_ICMP), is(super::IPPROTO_ICMPV6)]),
        ],
        Event::SmallerTable,
        Errno::EPROTONOSUPPORT,
    )],
    otherwise: Verdict::Ask(&super::SOCKET),
};

// setsockopt(int fd, int level, int name, ...): SO_ATTACH_FILTER; SO_ZEROCOPY, SO_TXTIME.

pub(super) const SETSOCKOPT: Cases = Cases {
    list: &[
        refuse(&[arg(1, INT, &[is(super::SOL_SOCKET)]), arg(2, INT, &[is(26)])], Event::BpfAttach, Errno::EPERM),
        // Programs that ask for these send without them.
        answer(&[arg(1, INT, &[is(super::SOL_SOCKET)]), arg(2, INT, &[span(60, 61)])], Errno::ENOPROTOOPT),
    ],
    otherwise: Verdict::Ask(&super::SETSOCKOPT),
};

// ioctl(unsigned int fd, unsigned int command, ...).

/// What programs ask of terminals, pipes, sockets and files. asm-generic/ioctls.h, linux/sockios.h, linux/fs.h.
const EVERYDAY: Cases = Cases {
    list: &[allow(&[arg(
        1,
        INT,
        &[
            span(0x5401, 0x5411),           // TCGETS to TIOCOUTQ: attributes, flow, session, foreground group
            span(0x5413, 0x5419),           // TIOCGWINSZ, TIOCSWINSZ, modem lines, TIOCGSOFTCAR
            is(0x541b),                     // FIONREAD
            span(0x5420, 0x5422),           // TIOCPKT, FIONBIO, TIOCNOTTY
            span(0x5424, 0x5425),           // TIOCGETD, TCSBRKP
            is(0x5429),                     // TIOCGSID
            is(0x5441),                     // TIOCGPTPEER
            span(0x5450, 0x5452),           // FIONCLEX, FIOCLEX, FIOASYNC
            span(0x8901, 0x8905),           // owner of a socket, SIOCATMARK
            is(0x8910),                     // SIOCGIFNAME
            is(0x8912),                     // SIOCGIFCONF
            is(0x8913),                     // SIOCGIFFLAGS
            is(0x8915),                     // SIOCGIFADDR
            is(0x8917),                     // SIOCGIFDSTADDR
            is(0x8919),                     // SIOCGIFBRDADDR
            is(0x891b),                     // SIOCGIFNETMASK
            is(0x891d),                     // SIOCGIFMETRIC
            is(0x8921),                     // SIOCGIFMTU
            is(0x8927),                     // SIOCGIFHWADDR
            is(0x8933),                     // SIOCGIFINDEX
            is(0x4004_5431),                // TIOCSPTLCK
            span(0x402c_542b, 0x402c_542d), // TCSETS2 and its kinds
            is(0x8004_5430),                // TIOCGPTN
            span(0x8004_5438, 0x8004_5439), // TIOCGPKT, TIOCGPTLCK
            is(0x8008_6601),                // FS_IOC_GETFLAGS
            is(0x802c_542a),                // TCGETS2
        ],
    )])],
    otherwise: Verdict::Answer(Errno::ENOTTY),
};

pub(super) const IOCTL: Cases = Cases { list: super::DOORS, otherwise: Verdict::Ask(&EVERYDAY) };

// mknod(path, umode_t mode, unsigned dev).

pub(super) const MKNOD: Cases = Cases {
    list: &[allow(&[arg(1, super::S_IFMT, super::NODES_WITHOUT_DEVICE)])],
    otherwise: refused(Event::DeviceNode, Errno::EPERM),
};

pub(super) const MKNODAT: Cases = Cases {
    list: &[allow(&[arg(2, super::S_IFMT, super::NODES_WITHOUT_DEVICE)])],
    otherwise: refused(Event::DeviceNode, Errno::EPERM),
};

// futex(addr, int op, ...): linux/futex.h. PRIVATE (128) and CLOCK_REALTIME (256) are flags.

const FUTEX_COMMAND: u64 = INT & !(128 | 256);

pub(super) const FUTEX: Cases = Cases {
    list: &[allow(&[arg(1, FUTEX_COMMAND, &[span(0, 1), span(3, 5), span(9, 10)])])],
    // As a kernel without CONFIG_FUTEX_PI: the C library then says that it has no such mutexes. FD (2) is long gone.
    otherwise: Verdict::Answer(Errno::ENOSYS),
};

// madvise(addr, length, int advice): asm-generic/mman-common.h.

const MADV_MERGEABLE: u64 = 12;

pub(super) const MADVISE: Cases =
    Cases { list: &[answer(&[arg(2, INT, &[is(MADV_MERGEABLE)])], Errno::EINVAL)], otherwise: Verdict::Allow };

// timer_create(const clockid_t which, ...), clock_nanosleep(const clockid_t which, ...): linux/time.h. clockid_t is int; CPU
// time of the own process (2) or thread (3), and of others as negative numbers. Both calls make and remove such a timer.

pub(super) const CLOCKS: Cases =
    Cases { list: &[allow(&[arg(0, INT, &[span(0, 1), span(4, 11)])])], otherwise: Verdict::Answer(Errno::EINVAL) };

// The flags of sendto(fd, buffer, length, unsigned flags, ...), sendmsg(fd, message, unsigned flags) and
// sendmmsg(fd, messages, count, unsigned flags): linux/socket.h. The kernel takes the low half.

const MSG_OOB: u64 = 1;

pub(super) const SENDTO: Cases =
    Cases { list: &[allow(&[arg(3, MSG_OOB, &[is(0)])])], otherwise: refused(Event::SmallerTable, Errno::EOPNOTSUPP) };

pub(super) const SENDMSG: Cases =
    Cases { list: &[allow(&[arg(2, MSG_OOB, &[is(0)])])], otherwise: refused(Event::SmallerTable, Errno::EOPNOTSUPP) };

pub(super) const SENDMMSG: Cases =
    Cases { list: &[allow(&[arg(3, MSG_OOB, &[is(0)])])], otherwise: refused(Event::SmallerTable, Errno::EOPNOTSUPP) };
