//! Packet filters and traffic control: what an administrator of a network namespace configures.

use super::{INT, NET_ADMIN};
use crate::entry::{Need, Part, call, entry};

const NETFILTER: Need = call!("socket(AF_NETLINK, NETLINK_NETFILTER)", socket, 0: INT => 16, 2: INT => 12);
const ROUTE: Need = call!("socket(AF_NETLINK, NETLINK_ROUTE)", socket, 0: INT => 16, 2: INT => 0);
/// The tables' options start at 64 on both levels.
const XTABLES: Need = Need::Any(
    "setsockopt(IPT_SO_SET_REPLACE) or its IPv6 counterpart",
    &[
        call!("setsockopt(SOL_IP, IPT_SO_SET_REPLACE)", setsockopt, 1: INT => 0, 2: INT => 64),
        call!("setsockopt(SOL_IPV6, IP6T_SO_SET_REPLACE)", setsockopt, 1: INT => 41, 2: INT => 64),
    ],
);

const NF: &[Need] = &[NET_ADMIN, NETFILTER];
const XT: &[Need] = &[NET_ADMIN, XTABLES];
const TC: &[Need] = &[NET_ADMIN, ROUTE];

/// nf_tables, ipset and the tables before them.
pub(super) const TABLES: Part = Part {
    title: "Packet filters",
    entries: &[
        entry("CVE-2016-3134", "x_tables: a rule's offset was not checked", XT),
        entry("CVE-2016-4997", "x_tables: a 32-bit rule set wrote out of bounds", XT),
        entry("CVE-2016-4998", "x_tables: a rule set read out of bounds", XT),
        entry("CVE-2021-22555", "x_tables: padding of a 32-bit target written past the heap", XT),
        entry("CVE-2022-1015", "nf_tables: registers out of bounds", NF),
        entry("CVE-2022-2586", "nf_tables: a set of another table used after free", NF),
        entry("CVE-2022-25636", "nf_tables: hardware offload of dup and fwd wrote past the heap", NF),
        entry("CVE-2022-32250", "nf_tables: an expression of a set used after free", NF),
        entry("CVE-2022-34918", "nf_tables: a confused type of set element wrote past the heap", NF),
        entry("CVE-2023-0179", "nf_tables: a VLAN header's length underflowed onto the stack", NF),
        entry("CVE-2023-3390", "nf_tables: the error path of a new rule used freed memory", NF),
        entry("CVE-2023-3610", "nf_tables: a bound chain used after free", NF),
        entry("CVE-2023-4004", "nf_tables: removal from a pipapo set used freed memory", NF),
        entry("CVE-2023-4147", "nf_tables: a rule added to a bound chain", NF),
        entry("CVE-2023-4244", "nf_tables: garbage collection raced with transactions", NF),
        entry("CVE-2023-5197", "nf_tables: rules removed from a bound chain", NF),
        entry("CVE-2023-6817", "nf_tables: inactive elements of a pipapo set deactivated twice", NF),
        entry("CVE-2023-31248", "nf_tables: a chain found by id although it was going", NF),
        entry("CVE-2023-32233", "nf_tables: an anonymous set used after free in one batch", NF),
        entry("CVE-2023-35001", "nf_tables: byteorder out of bounds", NF),
        entry("CVE-2023-42753", "ipset: an index out of bounds", NF),
        entry("CVE-2024-0193", "nf_tables: a catch-all element freed twice", NF),
        entry("CVE-2024-1085", "nf_tables: a catch-all element freed twice by its generation", NF),
        entry("CVE-2024-1086", "nf_tables: a verdict's error value freed a packet twice", NF),
        entry("CVE-2024-26581", "nf_tables: lazy garbage collection of an rbtree set", NF),
        entry("CVE-2024-53141", "ipset: a range out of bounds in bitmap:ip", NF),
    ],
};

/// Queueing disciplines and classifiers.
pub(super) const SCHEDULERS: Part = Part {
    title: "Traffic control",
    entries: &[
        entry("CVE-2021-3715", "cls_route: a filter used after free", TC),
        entry("CVE-2022-1055", "tc_new_tfilter: a race used a chain after free", TC),
        entry("CVE-2022-2588", "cls_route: a filter with handle 0 used after free", TC),
        entry("CVE-2022-29581", "cls_u32: a reference count went wrong", TC),
        entry("CVE-2023-1281", "cls_tcindex: a filter used while it changed", TC),
        entry("CVE-2023-1829", "cls_tcindex: a filter freed and not removed", TC),
        entry("CVE-2023-3609", "cls_u32: a reference count went wrong in an error path", TC),
        entry("CVE-2023-3611", "sch_qfq: a write out of bounds by packet size", TC),
        entry("CVE-2023-3776", "cls_fw: a reference count went wrong in an error path", TC),
        entry("CVE-2023-4206", "cls_route: a filter copied with its class", TC),
        entry("CVE-2023-4207", "cls_fw: a filter copied with its class", TC),
        entry("CVE-2023-4208", "cls_u32: a filter copied with its class", TC),
        entry("CVE-2023-4623", "sch_hfsc: a parent without link-sharing used after free", TC),
        entry("CVE-2023-4921", "sch_qfq: an aggregate used after free behind sch_plug", TC),
        entry("CVE-2023-31436", "sch_qfq: a write out of bounds by MTU", TC),
        entry("CVE-2025-37797", "sch_hfsc: a class used after free when its child dropped packets", TC),
    ],
};
