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
    ];
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
}

impl Handler {
    /// Every handler, in the order of the declaration.
    pub const ALL: &[Self] = &[Self::Mount, Self::Umount2, Self::Sysinfo, Self::Sethostname, Self::Setdomainname];

    /// The technique that a refusal by this handler is recorded as; `None` where it cannot be one.
    #[must_use]
    pub const fn refused_as(self) -> Option<Event> {
        match self {
            Self::Mount | Self::Umount2 => Some(Event::Mount),
            Self::Sethostname | Self::Setdomainname => Some(Event::Hostname),
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
    /// Address family not supported by protocol.
    pub const EAFNOSUPPORT: Self = Self(97);

    /// The symbol, for lists and audit records; "E?" for a number that no row uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EPERM => "EPERM",
            Self::EINVAL => "EINVAL",
            Self::ENOTTY => "ENOTTY",
            Self::ENOSYS => "ENOSYS",
            Self::ENOPROTOOPT => "ENOPROTOOPT",
            Self::EPROTONOSUPPORT => "EPROTONOSUPPORT",
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
