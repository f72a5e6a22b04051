//! The entries, by chapter, and the pieces of surface that several chapters need.
//!
//! A fact that is not certain is left out. Numbers stand here as the kernel's headers have them; what they do to a
//! verdict is the probe's to say.

mod calls;
mod devices;
mod filesystems;
mod memory;
mod netfilter;
mod runtimes;
mod sockets;

use crate::entry::{Need, Part, call};

/// Every chapter.
pub(crate) const PARTS: &[Part] = &[
    runtimes::RUNTIMES,
    runtimes::SANDBOXES,
    filesystems::PART,
    netfilter::TABLES,
    netfilter::SCHEDULERS,
    sockets::PART,
    calls::PART,
    memory::PART,
    devices::PART,
];

/// An argument that the kernel takes as int: it drops the upper half.
const INT: u64 = 0xffff_ffff;

const CLONE_NEWUSER: u64 = 0x1000_0000;

/// A user namespace of one's own, and with it every capability over the namespaces that are made in it.
const NEW_USER_NAMESPACE: Need = Need::Any(
    "a new user namespace (unshare, clone, clone3 or setns)",
    &[
        call!("unshare(CLONE_NEWUSER)", unshare, 0: CLONE_NEWUSER => CLONE_NEWUSER),
        call!("clone(CLONE_NEWUSER)", clone, 0: CLONE_NEWUSER => CLONE_NEWUSER),
        call!(clone3),
        call!(setns),
    ],
);

const NET_ADMIN: Need =
    Need::Any("CAP_NET_ADMIN, or a new user namespace", &[Need::Capability("CAP_NET_ADMIN"), NEW_USER_NAMESPACE]);

const SYS_ADMIN: Need =
    Need::Any("CAP_SYS_ADMIN, or a new user namespace", &[Need::Capability("CAP_SYS_ADMIN"), NEW_USER_NAMESPACE]);

const PTRACE: Need = call!(ptrace);

const SET_USER_ID: Need = Need::Weakness {
    what: "a set-user-id program that gives rights",
    proofs: &[
        "image_tricks::set_user_id_programs_of_the_image_give_nothing",
        "privilege::a_set_user_id_program_made_inside_gives_nothing",
    ],
};

const USERFAULTFD: Need = call!(userfaultfd);

const UNIX_SOCKET: Need = Need::Any(
    "a unix socket",
    &[
        call!("socket(AF_UNIX)", socket, 0: INT => 1, 1: 0xf => 1),
        call!("socketpair(AF_UNIX)", socketpair, 0: INT => 1, 1: 0xf => 1),
    ],
);

/// Page-cache pages into a pipe or a socket. Since Linux 5.12 sendfile(2) fills a pipe itself.
const SPLICE: Need = Need::Any("splice, or sendfile into a pipe or socket", &[call!(splice), call!(sendfile)]);
