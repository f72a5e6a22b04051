//! The capabilities that a sandbox may keep: docker's fourteen. All of them act inside the sandbox's own user namespace
//! alone. Data.
//!
//! CAP_MKNOD stays in although the design's ceiling would do without: mknod(2) of a device asks for it in the host's user
//! namespace, so here it makes nothing; without it every container of docker and podman would start with a warning.

/// Names, as in capabilities(7).
pub const CEILING: &[&str] = &[
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];
