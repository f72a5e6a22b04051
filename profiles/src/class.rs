//! What a row of the table decides: the classes, the names of rules and handlers, and the errnos that answer.
//!
//! The table, the planner, the sentry's dispatch and the command line read it. It decides nothing by itself: the
//! cases of a [`Rule`] stand in [`crate::rules`], the bodies of a [`Handler`] in the sentry.

mod event;

pub use event::Event;

/// What the filter does with a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The kernel runs it; namespaces, capabilities and Landlock are the guard.
    Native,
    /// BPF looks at the registers: honest arguments run natively, the others are refused.
    Arg(Rule),
    /// The sentry does it on behalf of the workload, on its own copy of the arguments.
    Emulate(Handler),
    /// Refused, and the sentry records the attempt first.
    DenyNotify(Event),
    /// Refused in BPF, without a record: honest programs probe for it and fall back.
    Deny(Errno),
}

impl Class {
    /// The word for lists and documentation.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Arg(_) => "argument-checked",
            Self::Emulate(_) => "emulated",
            Self::DenyNotify(_) => "refused and recorded",
            Self::Deny(_) => "refused",
        }
    }
}

/// Which cases of [`crate::rules`] an argument-checked call goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// clone(2): no new namespaces.
    Clone,
    /// unshare(2): only what a thread shares with its siblings.
    Unshare,
    /// prctl(2): an allow-list of options.
    Prctl,
    /// arch_prctl(2) of x86: an allow-list of options.
    ArchPrctl,
    /// personality(2): five values.
    Personality,
    /// seccomp(2): no second listener.
    Seccomp,
    /// socket(2): families, types and protocols.
    Socket,
    /// socketpair(2): unix only.
    Socketpair,
    /// setsockopt(2): no packet filter, no BPF, no protocol on top of TCP.
    Setsockopt,
    /// ioctl(2): no terminal injection, no device control.
    Ioctl,
    /// fcntl(2): no leases, no dnotify.
    Fcntl,
    /// mknod(2): no device nodes.
    Mknod,
    /// mknodat(2): no device nodes.
    Mknodat,
    /// memfd_create(2): no huge pages.
    MemfdCreate,
    /// adjtimex(2): reading the clock's state.
    Adjtimex,
    /// clock_adjtime(2): the same, and no clock devices.
    ClockAdjtime,
    /// socket(2) in strict mode: no ping sockets either.
    StrictSocket,
    /// setsockopt(2) in strict mode: no BPF of the classic kind either, no zero copy.
    StrictSetsockopt,
    /// ioctl(2) in strict mode: an allow-list.
    StrictIoctl,
    /// mknod(2) in strict mode: no devices at all.
    StrictMknod,
    /// mknodat(2) in strict mode: no devices at all.
    StrictMknodat,
    /// futex(2) in strict mode: no priority inheritance.
    StrictFutex,
    /// madvise(2) in strict mode: no merging of equal pages.
    StrictMadvise,
    /// timer_create(2) in strict mode: no timers on CPU time.
    StrictTimerCreate,
    /// clock_nanosleep(2) in strict mode: no sleep on CPU time.
    StrictClockNanosleep,
    /// sendto(2) in strict mode: no urgent data.
    StrictSendto,
    /// sendmsg(2) in strict mode: no urgent data.
    StrictSendmsg,
    /// sendmmsg(2) in strict mode: no urgent data.
    StrictSendmmsg,
}

impl Rule {
    /// Every rule, in the order of the declaration.
    pub const ALL: &[Self] = &[
        Self::Clone,
        Self::Unshare,
        Self::Prctl,
        Self::ArchPrctl,
        Self::Personality,
        Self::Seccomp,
        Self::Socket,
        Self::Socketpair,
        Self::Setsockopt,
        Self::Ioctl,
        Self::Fcntl,
        Self::Mknod,
        Self::Mknodat,
        Self::MemfdCreate,
        Self::Adjtimex,
        Self::ClockAdjtime,
        Self::StrictSocket,
        Self::StrictSetsockopt,
        Self::StrictIoctl,
        Self::StrictMknod,
        Self::StrictMknodat,
        Self::StrictFutex,
        Self::StrictMadvise,
        Self::StrictTimerCreate,
        Self::StrictClockNanosleep,
        Self::StrictSendto,
        Self::StrictSendmsg,
        Self::StrictSendmmsg,
    ];

    /// What it lets through, in a few words for lists and documentation; the cases are the truth.
    #[must_use]
    pub const fn lets_through(self) -> &'static str {
        match self {
            Self::Clone => "flags without CLONE_NEW*",
            Self::Unshare => "CLONE_FILES, CLONE_FS, CLONE_SYSVSEM",
            Self::Prctl => "an allow-list of options",
            Self::ArchPrctl => "FS and GS base, AMX, address masking, shadow stack",
            Self::Personality => "PER_LINUX, PER_LINUX32, each with UNAME26, and the query",
            Self::Seccomp => "filters without a listener, strict mode, GET_ACTION_AVAIL",
            Self::Socket => "unix; inet and inet6 with tcp, udp, icmp echo; netlink-route",
            Self::Socketpair => "unix",
            Self::Setsockopt => {
                "all but packet filters, BPF, IPsec, repair, ULP, encapsulation; no levels of other families"
            }
            Self::Ioctl => "all but terminal injection, namespaces, disks, file system and device control",
            Self::Fcntl => "all but leases and dnotify",
            Self::Mknod | Self::Mknodat => "files, fifos, sockets, whiteouts, the six standard devices",
            Self::MemfdCreate => "flags without MFD_HUGETLB",
            Self::Adjtimex => "everything; the kernel refuses every change",
            Self::ClockAdjtime => "the kernel's own clocks",
            Self::StrictSocket => "unix; inet and inet6 with tcp, udp; netlink-route",
            Self::StrictSetsockopt => "as in sandbox mode, without socket filters, zero copy and send times",
            Self::StrictIoctl => "terminals, readiness, close-on-exec, interface queries, reflinks, file flags read",
            Self::StrictMknod | Self::StrictMknodat => "files, fifos, sockets",
            Self::StrictFutex => "wait, wake, requeue; no priority inheritance",
            Self::StrictMadvise => "all but MADV_MERGEABLE",
            Self::StrictTimerCreate | Self::StrictClockNanosleep => "all but clocks of CPU time",
            Self::StrictSendto | Self::StrictSendmsg | Self::StrictSendmmsg => "flags without MSG_OOB",
        }
    }
}

/// Which body in the sentry does an emulated call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handler {
    /// mount(2)
    Mount,
    /// umount2(2)
    Umount2,
    /// sysinfo(2)
    Sysinfo,
    /// sethostname(2)
    Sethostname,
    /// setdomainname(2)
    Setdomainname,
    /// connect(2)
    Connect,
}

impl Handler {
    /// Every handler, in the order of the declaration.
    pub const ALL: &[Self] =
        &[Self::Mount, Self::Umount2, Self::Sysinfo, Self::Sethostname, Self::Setdomainname, Self::Connect];

    /// What it does where an option of the container asks for it, in a few words for lists and documentation.
    #[must_use]
    pub const fn on_request(self) -> &'static str {
        match self {
            Self::Mount => "with --nested: tmpfs, proc, devpts, overlay, binds, more restrictions",
            Self::Umount2 => "with --nested: what was mounted so",
            Self::Sysinfo | Self::Sethostname | Self::Setdomainname | Self::Connect => "",
        }
    }

    /// The technique that a refusal by this handler is recorded as; `None` where it cannot be one.
    #[must_use]
    pub const fn refused_as(self) -> Option<Event> {
        match self {
            Self::Mount | Self::Umount2 => Some(Event::Mount),
            Self::Sethostname | Self::Setdomainname => Some(Event::Hostname),
            Self::Connect => Some(Event::EngineSocket),
            Self::Sysinfo => None,
        }
    }
}

/// An errno that answers a refused call. The numbers are those of asm-generic, which all our architectures share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub u16);

impl Errno {
    /// Operation not permitted.
    pub const EPERM: Self = Self(1);
    /// Permission denied.
    pub const EACCES: Self = Self(13);
    /// Invalid argument.
    pub const EINVAL: Self = Self(22);
    /// Inappropriate ioctl for device.
    pub const ENOTTY: Self = Self(25);
    /// Function not implemented.
    pub const ENOSYS: Self = Self(38);
    /// Protocol not available.
    pub const ENOPROTOOPT: Self = Self(92);
    /// Protocol not supported.
    pub const EPROTONOSUPPORT: Self = Self(93);
    /// Operation not supported on transport endpoint.
    pub const EOPNOTSUPP: Self = Self(95);
    /// Address family not supported by protocol.
    pub const EAFNOSUPPORT: Self = Self(97);

    /// The symbol, for lists and audit records; "E?" for a number that no row uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EPERM => "EPERM",
            Self::EACCES => "EACCES",
            Self::EINVAL => "EINVAL",
            Self::ENOTTY => "ENOTTY",
            Self::ENOSYS => "ENOSYS",
            Self::ENOPROTOOPT => "ENOPROTOOPT",
            Self::EPROTONOSUPPORT => "EPROTONOSUPPORT",
            Self::EOPNOTSUPP => "EOPNOTSUPP",
            Self::EAFNOSUPPORT => "EAFNOSUPPORT",
            Self(_) => "E?",
        }
    }
}

/// One refused call, as the audit record names it and the errno answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The technique.
    pub event: Event,
    /// The answer to the workload.
    pub errno: Errno,
}
