//! Socket families, types and options that reach kernel code which no container needs. The audit netlink and mptcp are
//! refused without a record: every login program asks for the one and every Go program for the other.

use libc::{EACCES, EAFNOSUPPORT, EINVAL, ENOPROTOOPT, EPERM, EPROTONOSUPPORT, ESOCKTNOSUPPORT};

use super::attacks;

/// What socket(2) may say to a refused family.
const NO_FAMILY: [i32; 4] = [EAFNOSUPPORT, EPERM, EACCES, EPROTONOSUPPORT];
/// What a kernel without the family says.
const ABSENT: [i32; 4] = [EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EINVAL];

attacks! {
    packet_socket_is_refused: ["socket", "packet"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp";
    packet_socket_with_high_bits_is_refused: ["socket-high-bits", "packet"], refused NO_FAMILY,
        witnessed Some("socket"), beside "honest-udp";
    vsock_socket_is_refused: ["socket", "vsock"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp";
    vsock_socket_with_high_bits_is_refused: ["socket-high-bits", "vsock"], refused NO_FAMILY,
        witnessed Some("socket"), beside "honest-tcp";
    alg_socket_is_refused: ["socket", "alg"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-unix-socket",
        absent ABSENT;
    netfilter_netlink_is_refused: ["socket", "netfilter"], refused NO_FAMILY, witnessed Some("socket"),
        beside "honest-route";
    kobject_netlink_is_refused: ["socket", "kobject"], refused NO_FAMILY, witnessed Some("socket"),
        beside "honest-route";
    audit_netlink_is_refused: ["socket", "audit"], refused NO_FAMILY, witnessed None, beside "honest-route";
    crypto_netlink_is_refused: ["socket", "crypto"], refused NO_FAMILY, witnessed Some("socket"),
        beside "honest-route", absent ABSENT;
    xfrm_netlink_is_refused: ["socket", "xfrm"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-route";
    raw_socket_is_refused: ["socket", "raw"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-ping";
    raw6_socket_is_refused: ["socket", "raw6"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-ping";
    sctp_socket_is_refused: ["socket", "sctp"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    dccp_socket_is_refused: ["socket", "dccp"], refused [EAFNOSUPPORT, EPERM, EACCES, EPROTONOSUPPORT, ESOCKTNOSUPPORT],
        witnessed Some("socket"), beside "honest-tcp", absent ABSENT;
    mptcp_socket_is_refused: ["socket", "mptcp"], refused NO_FAMILY, witnessed None, beside "honest-tcp",
        absent ABSENT;
    key_socket_is_refused: ["socket", "key"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    xdp_socket_is_refused: ["socket", "xdp"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    rds_socket_is_refused: ["socket", "rds"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    tipc_socket_is_refused: ["socket", "tipc"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    bluetooth_socket_is_refused: ["socket", "bluetooth"], refused NO_FAMILY, witnessed Some("socket"),
        beside "honest-tcp", absent ABSENT;
    can_socket_is_refused: ["socket", "can"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    smc_socket_is_refused: ["socket", "smc"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    nfc_socket_is_refused: ["socket", "nfc"], refused NO_FAMILY, witnessed Some("socket"), beside "honest-tcp",
        absent ABSENT;
    socketpair_of_a_family_is_refused: ["socketpair"], refused NO_FAMILY, witnessed Some("socketpair"),
        beside "honest-unix-socket", absent [EAFNOSUPPORT];
    tcp_repair_is_refused: ["tcp-repair"], refused [EPERM, ENOPROTOOPT], witnessed Some("setsockopt"),
        beside "honest-socket-options";
    tcp_repair_with_high_bits_is_refused: ["tcp-repair-high-bits"], refused [EPERM, ENOPROTOOPT],
        witnessed Some("setsockopt"), beside "honest-socket-options";
    packet_filter_rules_are_refused: ["iptables"], refused [EPERM], witnessed Some("setsockopt"),
        beside "honest-socket-options";
}
