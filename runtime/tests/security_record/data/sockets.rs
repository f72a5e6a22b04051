//! Socket families, protocols and options.

use super::{INT, NET_ADMIN, NEW_USER_NAMESPACE, SPLICE, UNIX_SOCKET};
use crate::entry::{Need, Part, call, entry};

const NET_RAW: Need =
    Need::Any("CAP_NET_RAW, or a new user namespace", &[Need::Capability("CAP_NET_RAW"), NEW_USER_NAMESPACE]);

const PACKET: Need = call!("socket(AF_PACKET)", socket, 0: INT => 17);
const RDS: Need = call!("socket(AF_RDS)", socket, 0: INT => 21);
const CAN: Need = call!("socket(AF_CAN)", socket, 0: INT => 29);
const BLUETOOTH: Need = call!("socket(AF_BLUETOOTH)", socket, 0: INT => 31);
const ALG: Need = call!("socket(AF_ALG)", socket, 0: INT => 38);
const NFC: Need = call!("socket(AF_NFC)", socket, 0: INT => 39);
const VSOCK: Need = call!("socket(AF_VSOCK)", socket, 0: INT => 40);
const ISCSI: Need = call!("socket(AF_NETLINK, NETLINK_ISCSI)", socket, 0: INT => 16, 2: INT => 8);
const GENERIC: Need = call!("socket(AF_NETLINK, NETLINK_GENERIC)", socket, 0: INT => 16, 2: INT => 16);
const TIPC: Need = Need::Any(
    "a TIPC socket, or its configuration by generic netlink",
    &[call!("socket(AF_TIPC)", socket, 0: INT => 30), GENERIC],
);
const XFRM: Need = Need::Any(
    "socket(AF_NETLINK, NETLINK_XFRM) or socket(AF_KEY)",
    &[
        call!("socket(AF_NETLINK, NETLINK_XFRM)", socket, 0: INT => 16, 2: INT => 6),
        call!("socket(AF_KEY)", socket, 0: INT => 15),
    ],
);
/// SOCK_DCCP is a type of its own (6).
const DCCP: Need = Need::Any(
    "socket(AF_INET or AF_INET6, SOCK_DCCP)",
    &[
        call!("socket(AF_INET, SOCK_DCCP)", socket, 0: INT => 2, 1: 0xf => 6),
        call!("socket(AF_INET6, SOCK_DCCP)", socket, 0: INT => 10, 1: 0xf => 6),
    ],
);
const SCTP: Need = Need::Any(
    "socket(AF_INET or AF_INET6, IPPROTO_SCTP)",
    &[
        call!("socket(AF_INET, IPPROTO_SCTP)", socket, 0: INT => 2, 2: INT => 132),
        call!("socket(AF_INET6, IPPROTO_SCTP)", socket, 0: INT => 10, 2: INT => 132),
    ],
);
const TCP: Need = call!("a TCP socket", socket, 0: INT => 2, 1: 0xf => 1, 2: INT => 6);
const UPPER_PROTOCOL: Need = call!("setsockopt(SOL_TCP, TCP_ULP)", setsockopt, 1: INT => 6, 2: INT => 31);
const FORCED_BUFFER: Need = call!("setsockopt(SOL_SOCKET, SO_SNDBUFFORCE)", setsockopt, 1: INT => 1, 2: INT => 32);
const MULTICAST: Need = call!("setsockopt(SOL_IP, MCAST_JOIN_GROUP)", setsockopt, 1: INT => 0, 2: INT => 42);
const SEND: Need = call!(sendmsg);
const URGENT: Need = Need::Any(
    "urgent data (MSG_OOB) by sendto, sendmsg or sendmmsg",
    &[
        call!("sendto(MSG_OOB)", sendto, 3: 1 => 1),
        call!("sendmsg(MSG_OOB)", sendmsg, 2: 1 => 1),
        call!("sendmmsg(MSG_OOB)", sendmmsg, 3: 1 => 1),
    ],
);
const DISCIPLINE: Need = call!("ioctl(TIOCSETD)", ioctl, 1: INT => 0x5423);

/// The chapter.
pub(super) const PART: Part = Part {
    title: "Sockets and line disciplines",
    entries: &[
        entry("CVE-2010-3904", "RDS: an unchecked pointer wrote to kernel memory", &[RDS]),
        entry("CVE-2016-8655", "packet sockets: a race between the ring and the version", &[NET_RAW, PACKET]),
        entry("CVE-2016-9793", "a negative buffer size by SO_SNDBUFFORCE", &[NET_ADMIN, FORCED_BUFFER]),
        entry("CVE-2017-2636", "n_hdlc: a buffer freed twice", &[DISCIPLINE]),
        entry("CVE-2017-6074", "DCCP: a packet freed twice", &[DCCP]),
        entry("CVE-2017-7184", "xfrm: the replay window was not checked", &[NET_ADMIN, XFRM]),
        entry("CVE-2017-7308", "packet sockets: the size of a ring's block was not checked", &[NET_RAW, PACKET]),
        entry("CVE-2017-8890", "TCP: a multicast list freed twice with a listener's child", &[TCP, MULTICAST]),
        entry("CVE-2017-16939", "xfrm: a policy dump used freed memory", &[NET_ADMIN, XFRM]),
        entry("CVE-2018-5333", "RDS: a null pointer in atomic operations", &[RDS]),
        entry("CVE-2019-8912", "AF_ALG: a socket used after its release", &[ALG]),
        entry("CVE-2020-14386", "packet sockets: a header's length wrote past the ring", &[NET_RAW, PACKET]),
        entry("CVE-2020-16119", "DCCP: a listener's state shared and used after free", &[DCCP]),
        entry("CVE-2021-0920", "unix sockets: garbage collection raced with MSG_PEEK", &[UNIX_SOCKET, SEND]),
        entry("CVE-2021-3573", "Bluetooth: a controller used after it was removed", &[BLUETOOTH]),
        entry("CVE-2021-3609", "CAN broadcast manager: a race used freed memory", &[CAN]),
        entry("CVE-2021-22600", "packet sockets: a ring freed twice", &[NET_RAW, PACKET]),
        entry("CVE-2021-23133", "SCTP: a race in the destruction of a socket", &[SCTP]),
        entry("CVE-2021-23134", "NFC: a socket used after a failed bind", &[NFC]),
        entry("CVE-2021-26708", "vsock: races between transports", &[VSOCK]),
        entry("CVE-2021-27365", "iSCSI: strings written past a page", &[ISCSI]),
        entry("CVE-2021-32606", "CAN ISO-TP: a socket option after bind used freed memory", &[CAN]),
        entry("CVE-2021-42008", "6pack: a short packet wrote out of bounds", &[NET_ADMIN, DISCIPLINE]),
        entry("CVE-2021-43267", "TIPC: the size of a key was not checked", &[TIPC]),
        entry("CVE-2022-0435", "TIPC: a domain record overflowed the stack", &[TIPC]),
        entry("CVE-2022-2639", "Open vSwitch: the size of copied actions underflowed", &[NET_ADMIN, GENERIC]),
        entry("CVE-2022-27666", "ESP: a message written past its pages", &[NET_ADMIN, XFRM]),
        entry("CVE-2023-0461", "TCP: kernel TLS data of a listener shared with its children", &[TCP, UPPER_PROTOCOL]),
        entry("CVE-2023-4622", "unix sockets: a race between garbage collection and sendpage", &[UNIX_SOCKET, SPLICE]),
        entry("CVE-2023-6546", "n_gsm: a race at restart used freed memory", &[DISCIPLINE]),
        entry("CVE-2024-26923", "unix sockets: garbage collection raced with connect", &[UNIX_SOCKET, SEND]),
        entry("CVE-2024-50264", "vsock: a dangling transport after a race at connect", &[VSOCK]),
        entry("CVE-2025-21756", "vsock: a binding lost at a change of transport", &[VSOCK]),
        entry("CVE-2025-38236", "unix sockets: urgent data used after free", &[UNIX_SOCKET, URGENT]),
    ],
};
