//! The escape techniques by name: a stable id for audit records, one line of why, and what would allow it.
//!
//! Table rows and rule cases name an [`Event`]; the sentry writes it, the command line prints its words at the end
//! of a run. A technique without a row, a case or a handler is found by `every_event_has_a_source` in the tests.

/// One family of escape techniques.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// mount(2), umount2(2)
    Mount,
    /// fsopen(2) and its family, open_tree(2), move_mount(2), mount_setattr(2)
    NewMountApi,
    /// pivot_root(2)
    PivotRoot,
    /// clone(2) and unshare(2) with a CLONE_NEW flag
    NewNamespace,
    /// setns(2), and the ioctls that open a namespace of another process
    JoinNamespace,
    /// name_to_handle_at(2), open_by_handle_at(2)
    FileHandle,
    /// mknod(2) of a device
    DeviceNode,
    /// ioctls of raw disks, loop devices and device mapper
    BlockDevice,
    /// ioctls of hypervisors, pass-through devices and consoles
    DeviceControl,
    /// ioctls that administer a file system
    FilesystemControl,
    /// driver-private ioctls of network devices
    NetDeviceControl,
    /// ioctls that put input into a terminal
    TerminalInjection,
    /// vhangup(2)
    TerminalHangup,
    /// bpf(2)
    Bpf,
    /// socket options that attach BPF
    BpfAttach,
    /// perf_event_open(2)
    PerfEvent,
    /// userfaultfd(2)
    Userfaultfd,
    /// io_uring_setup(2) and its family
    IoUring,
    /// init_module(2) and its family
    KernelModule,
    /// kexec_load(2), kexec_file_load(2)
    Kexec,
    /// add_key(2), keyctl(2), request_key(2)
    Keyring,
    /// syslog(2)
    KernelLog,
    /// ptrace(2)
    Ptrace,
    /// process_vm_readv(2), process_vm_writev(2), process_madvise(2)
    ProcessMemory,
    /// pidfd_getfd(2)
    StealFd,
    /// kcmp(2)
    CompareProcesses,
    /// prctl(2) options that loosen or fake a process
    ProcessControl,
    /// personality(2)
    Personality,
    /// seccomp(2) with a listener
    SeccompListener,
    /// iopl(2), ioperm(2)
    IoPorts,
    /// modify_ldt(2)
    ModifyLdt,
    /// memfd_secret(2)
    SecretMemory,
    /// vmsplice(2)
    Vmsplice,
    /// socket(2) of a family that a container does not need
    SocketFamily,
    /// socket(2) with a transport that a container does not need
    SocketProtocol,
    /// socket(2) of raw type
    RawSocket,
    /// socket(2) of a netlink protocol but the routing one
    Netlink,
    /// socket options that load packet filters or IPsec policy
    PacketFilter,
    /// socket options that change what a connection is
    SocketOption,
    /// settimeofday(2), clock_settime(2), clock devices
    SetClock,
    /// sethostname(2), setdomainname(2) where the sentry refuses
    Hostname,
    /// connect(2) to a container engine's socket
    EngineSocket,
    /// reboot(2)
    Reboot,
    /// swapon(2), swapoff(2)
    Swap,
    /// acct(2)
    Accounting,
    /// quotactl(2), quotactl_fd(2)
    Quota,
    /// fanotify_init(2), fanotify_mark(2)
    Fanotify,
    /// what strict mode leaves out of the sandbox's table
    SmallerTable,
}

/// The words of one event.
struct Words {
    technique: &'static str,
    why: &'static str,
    allow: &'static str,
}

const fn words(technique: &'static str, why: &'static str, allow: &'static str) -> Words {
    Words { technique, why, allow }
}

/// For what no setting opens: the two ways that remain.
const NATIVE_ONLY: &str = "no setting allows it in sandbox mode; run with --mode native for trusted code";

impl Event {
    /// Every event, in the order of the declaration.
    pub const ALL: &[Self] = &[
        Self::Mount,
        Self::NewMountApi,
        Self::PivotRoot,
        Self::NewNamespace,
        Self::JoinNamespace,
        Self::FileHandle,
        Self::DeviceNode,
        Self::BlockDevice,
        Self::DeviceControl,
        Self::FilesystemControl,
        Self::NetDeviceControl,
        Self::TerminalInjection,
        Self::TerminalHangup,
        Self::Bpf,
        Self::BpfAttach,
        Self::PerfEvent,
        Self::Userfaultfd,
        Self::IoUring,
        Self::KernelModule,
        Self::Kexec,
        Self::Keyring,
        Self::KernelLog,
        Self::Ptrace,
        Self::ProcessMemory,
        Self::StealFd,
        Self::CompareProcesses,
        Self::ProcessControl,
        Self::Personality,
        Self::SeccompListener,
        Self::IoPorts,
        Self::ModifyLdt,
        Self::SecretMemory,
        Self::Vmsplice,
        Self::SocketFamily,
        Self::SocketProtocol,
        Self::RawSocket,
        Self::Netlink,
        Self::PacketFilter,
        Self::SocketOption,
        Self::SetClock,
        Self::Hostname,
        Self::EngineSocket,
        Self::Reboot,
        Self::Swap,
        Self::Accounting,
        Self::Quota,
        Self::Fanotify,
        Self::SmallerTable,
    ];

    /// The id in audit records, stable across versions: `escape.` leads out of the container, `kernel.` opens a part
    /// of the kernel with a history of privilege bugs, `spy.` reads others, `evade.` hides from the sentry or loosens a defence, `host.` changes the machine.
    #[must_use]
    pub fn technique(self) -> &'static str {
        self.words().technique
    }

    /// Why it is refused, in one line.
    #[must_use]
    pub fn why(self) -> &'static str {
        self.words().why
    }

    /// What would allow it, or that nothing does and what to do instead.
    #[must_use]
    pub fn allow(self) -> &'static str {
        self.words().allow
    }

    fn words(self) -> Words {
        words_of(self)
    }
}

#[expect(clippy::too_many_lines, reason = "a table of words, one line or two an event")]
const fn words_of(event: Event) -> Words {
    match event {
        Event::Mount => words(
            "escape.mount",
            "a mount brings host file systems or kernel file systems into reach",
            "declare the mount in config.json (mounts[]), where the policy can check its source",
        ),
        Event::NewMountApi => words(
            "escape.new-mount-api",
            "detached mounts bypass every check that looks at mount(2)",
            "declare the mount in config.json (mounts[]), where the policy can check its source",
        ),
        Event::PivotRoot => {
            words("escape.pivot-root", "the root of the container is chosen once, at its start", NATIVE_ONLY)
        }
        Event::NewNamespace => words(
            "escape.new-namespace",
            "a nested user namespace gives full capabilities over kernel code that expects root",
            "no setting allows it in sandbox mode; turn off the program's own sandbox (chromium: --no-sandbox) or run with --mode native",
        ),
        Event::JoinNamespace => words(
            "escape.join-namespace",
            "a process that joins another namespace is outside the container",
            "start the process in the container with `lazaret exec`, or run with --mode native for trusted code",
        ),
        Event::FileHandle => words(
            "escape.file-handle",
            "a file handle opens any inode of the file system, outside the root too (the shocker attack)",
            NATIVE_ONLY,
        ),
        Event::DeviceNode => words(
            "escape.device-node",
            "a device node opens the host's disks and memory",
            "the standard nodes (null, zero, full, random, urandom, tty) are in /dev; no setting allows another in sandbox mode",
        ),
        Event::BlockDevice => words("escape.block-device", "raw disk commands reach the host's data", NATIVE_ONLY),
        Event::DeviceControl => words(
            "escape.device-control",
            "the device hands out hardware, another kernel's memory or page-fault control",
            NATIVE_ONLY,
        ),
        Event::FilesystemControl => words(
            "host.filesystem-control",
            "it administers a file system that the container shares with the host",
            "do it on the host; reflink copies (FICLONE) are allowed",
        ),
        Event::NetDeviceControl => words(
            "kernel.net-device-control",
            "driver-private commands are unchecked code of the network card's driver",
            NATIVE_ONLY,
        ),
        Event::TerminalInjection => words(
            "escape.terminal-injection",
            "characters pushed into a terminal are read by the shell that started the container",
            NATIVE_ONLY,
        ),
        Event::TerminalHangup => {
            words("host.terminal-hangup", "it hangs up a terminal that the host may share", NATIVE_ONLY)
        }
        Event::Bpf => {
            words("kernel.bpf", "the BPF verifier and its helpers have a long history of privilege bugs", NATIVE_ONLY)
        }
        Event::BpfAttach => words(
            "kernel.bpf-attach",
            "it runs BPF programs in the host's network stack",
            "classic socket filters (SO_ATTACH_FILTER) are allowed; no setting allows this one in sandbox mode",
        ),
        Event::PerfEvent => words(
            "kernel.perf-event",
            "performance events leak the host's activity and have a history of privilege bugs",
            "profile from the host, or run with --mode native for trusted code",
        ),
        Event::Userfaultfd => words(
            "kernel.userfaultfd",
            "it stops the kernel in the middle of a copy, which makes races in it easy to win",
            NATIVE_ONLY,
        ),
        Event::IoUring => words(
            "kernel.io-uring",
            "requests in the ring bypass every system call filter",
            "no setting allows it in sandbox mode; programs fall back to epoll or threads",
        ),
        Event::KernelModule => {
            words("host.kernel-module", "a module is code in the host's kernel", "load the module on the host")
        }
        Event::Kexec => words("host.kexec", "it replaces the host's kernel", "do it on the host"),
        Event::Keyring => words(
            "escape.keyring",
            "keyrings are not separated by namespaces: keys of the host and of other pods are in reach",
            NATIVE_ONLY,
        ),
        Event::KernelLog => {
            words("spy.kernel-log", "the kernel log belongs to the host", "read it on the host (dmesg)")
        }
        Event::Ptrace => words(
            "spy.ptrace",
            "a tracer writes another process's memory and registers, and has a history of privilege bugs",
            "debug from the host, or run with --mode native for trusted code",
        ),
        Event::ProcessMemory => words(
            "spy.process-memory",
            "it reads or changes another process's memory",
            "debug from the host, or run with --mode native for trusted code",
        ),
        Event::StealFd => words(
            "spy.steal-fd",
            "it takes an open file out of another process",
            "pass the file over a unix socket (SCM_RIGHTS)",
        ),
        Event::CompareProcesses => {
            words("spy.compare-processes", "it reveals kernel pointers' order and what processes share", NATIVE_ONLY)
        }
        Event::ProcessControl => words(
            "evade.process-control",
            "the option fakes what a process looks like, loosens its credentials or groups it with others on a core",
            NATIVE_ONLY,
        ),
        Event::Personality => words(
            "evade.personality",
            "the personality turns off address randomisation or makes readable memory executable",
            "PER_LINUX and PER_LINUX32 are allowed; debuggers: run without disabling randomisation (gdb: set disable-randomization off)",
        ),
        Event::SeccompListener => words(
            "evade.seccomp-listener",
            "a second listener would take the place of the sentry's",
            "filters without SECCOMP_FILTER_FLAG_NEW_LISTENER are allowed",
        ),
        Event::IoPorts => words("host.io-ports", "ports are hardware", "do it on the host"),
        Event::ModifyLdt => words(
            "kernel.modify-ldt",
            "16-bit segments have a history of privilege bugs in the kernel's entry code",
            NATIVE_ONLY,
        ),
        Event::SecretMemory => words(
            "evade.secret-memory",
            "memory that nobody can inspect hides code from the sentry and cannot be swapped",
            "no setting allows it in sandbox mode; programs fall back to mlock",
        ),
        Event::Vmsplice => words(
            "kernel.vmsplice",
            "it puts user pages into pipes, the ground of several page-cache overwrite bugs",
            "no setting allows it in sandbox mode; programs fall back to write",
        ),
        Event::SocketFamily => words(
            "kernel.socket-family",
            "the protocol family is seldom-used kernel code, or reaches past the network namespace (vsock)",
            "unix, inet, inet6 and netlink-route sockets are allowed; no setting allows another family in sandbox mode",
        ),
        Event::SocketProtocol => words(
            "kernel.socket-protocol",
            "the transport is seldom-used kernel code with a history of privilege bugs",
            "tcp, udp and icmp echo are allowed; no setting allows another protocol in sandbox mode",
        ),
        Event::RawSocket => words(
            "escape.raw-socket",
            "raw packets forge the addresses of neighbours",
            "ping works with ICMP datagram sockets (net.ipv4.ping_group_range is open in the pod); no setting allows raw sockets in sandbox mode",
        ),
        Event::Netlink => words(
            "kernel.netlink",
            "netfilter, IPsec and diagnostics are configured here; their parsers have a history of privilege bugs",
            "netlink-route is allowed (ip address, ip route); no setting allows another netlink protocol in sandbox mode",
        ),
        Event::PacketFilter => words(
            "kernel.packet-filter",
            "packet filter tables and IPsec policy are parsed by kernel code with a history of privilege bugs",
            "configure the pod's network from the host (CNI, NetworkPolicy)",
        ),
        Event::SocketOption => words(
            "kernel.socket-option",
            "the option replaces the protocol under a connection (kTLS, ESP, repair)",
            "no setting allows it in sandbox mode; turn off kernel TLS in the program",
        ),
        Event::SetClock => words("host.set-clock", "the clock belongs to the host", "set it on the host"),
        Event::EngineSocket => words(
            "escape.engine-socket",
            "a container engine's socket gives whoever connects to it the host",
            "nothing does in a sandbox, whatever name the socket has; run code that is to command the engine with --mode native",
        ),
        Event::Hostname => words(
            "host.hostname",
            "the pod's hostname is shared by its containers",
            "set hostname in config.json, or give the container CAP_SYS_ADMIN in its own uts namespace",
        ),
        Event::Reboot => words("host.reboot", "it restarts the machine", "stop the container with `lazaret kill`"),
        Event::Swap => words("host.swap", "swap belongs to the host", "do it on the host"),
        Event::Accounting => {
            words("host.accounting", "process accounting writes a file for the whole machine", "do it on the host")
        }
        Event::Quota => words("host.quota", "quotas belong to the host's file systems", "do it on the host"),
        Event::Fanotify => words("spy.fanotify", "it watches or blocks file access of the whole mount", "use inotify"),
        Event::SmallerTable => words(
            "kernel.smaller-table",
            "strict mode leaves out parts of the kernel that most programs do without",
            "run it in sandbox mode (--mode sandbox), which allows it",
        ),
    }
}
