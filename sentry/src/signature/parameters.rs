//! The parameters of every call that the filter can send to the sentry, as their manual pages name them.
//!
//! Data for `signature`; sorted by class and then by family as in the table of lazaret-profiles.

use super::Kind::{Bits, Counted, Device, FileMode, Int, Masked, Name, OneOf, Path, Word};
use super::{Kind, Parameter, values};

/// A parameter that tells one attempt from another.
const fn telling(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, telling: true }
}

/// A parameter that is recorded and no more.
const fn other(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, telling: false }
}

/// Name of the call and its parameters.
pub(super) const ALL: &[(&str, &[Parameter])] = &[
    // Emulated.
    (
        "mount",
        &[
            telling("source", Path),
            telling("target", Path),
            telling("fstype", Name),
            telling("flags", Bits(values::MOUNT)),
            other("data", Path),
        ],
    ),
    ("umount2", &[telling("target", Path), other("flags", Bits(values::UMOUNT))]),
    ("sysinfo", &[other("info", Word)]),
    ("sethostname", &[telling("name", Counted), other("len", Int)]),
    ("setdomainname", &[telling("name", Counted), other("len", Int)]),
    ("connect", &[other("sockfd", Int), telling("addr", Counted), other("addrlen", Int)]),
    // Refused and recorded: mounts and namespaces.
    ("fsopen", &[telling("fsname", Name), other("flags", Word)]),
    ("fsconfig", &[other("fd", Int), other("cmd", Int), telling("key", Name), other("value", Word), other("aux", Int)]),
    ("fsmount", &[other("fs_fd", Int), other("flags", Word), other("attr_flags", Word)]),
    ("fspick", &[other("dirfd", Int), telling("path", Path), other("flags", Word)]),
    ("open_tree", &[other("dirfd", Int), telling("path", Path), other("flags", Word)]),
    (
        "open_tree_attr",
        &[other("dirfd", Int), telling("path", Path), other("flags", Word), other("attr", Word), other("size", Word)],
    ),
    (
        "move_mount",
        &[
            other("from_dirfd", Int),
            telling("from_path", Path),
            other("to_dirfd", Int),
            telling("to_path", Path),
            other("flags", Word),
        ],
    ),
    (
        "mount_setattr",
        &[other("dirfd", Int), telling("path", Path), other("flags", Word), other("attr", Word), other("size", Word)],
    ),
    ("pivot_root", &[telling("new_root", Path), telling("put_old", Path)]),
    ("setns", &[other("fd", Int), telling("nstype", Bits(values::CLONE))]),
    // Refused and recorded: other processes and files.
    (
        "ptrace",
        &[telling("request", OneOf(values::PTRACE)), other("pid", Int), other("addr", Word), other("data", Word)],
    ),
    (
        "process_vm_readv",
        &[
            other("pid", Int),
            other("local_iov", Word),
            other("liovcnt", Int),
            other("remote_iov", Word),
            other("riovcnt", Int),
            other("flags", Word),
        ],
    ),
    (
        "process_vm_writev",
        &[
            other("pid", Int),
            other("local_iov", Word),
            other("liovcnt", Int),
            other("remote_iov", Word),
            other("riovcnt", Int),
            other("flags", Word),
        ],
    ),
    (
        "process_madvise",
        &[other("pidfd", Int), other("vec", Word), other("vlen", Int), telling("advice", Int), other("flags", Word)],
    ),
    ("pidfd_getfd", &[other("pidfd", Int), other("targetfd", Int), other("flags", Word)]),
    ("kcmp", &[other("pid1", Int), other("pid2", Int), telling("type", Int), other("idx1", Word), other("idx2", Word)]),
    ("open_by_handle_at", &[other("mount_fd", Int), other("handle", Word), other("flags", Word)]),
    (
        "name_to_handle_at",
        &[
            other("dirfd", Int),
            telling("path", Path),
            other("handle", Word),
            other("mount_id", Word),
            other("flags", Word),
        ],
    ),
    ("fanotify_init", &[telling("flags", Word), other("event_f_flags", Word)]),
    (
        "fanotify_mark",
        &[
            other("fanotify_fd", Int),
            other("flags", Word),
            other("mask", Word),
            other("dirfd", Int),
            telling("path", Path),
        ],
    ),
    // Refused and recorded: doors into the kernel.
    ("bpf", &[telling("cmd", OneOf(values::BPF)), other("attr", Word), other("size", Int)]),
    (
        "perf_event_open",
        &[other("attr", Word), other("pid", Int), other("cpu", Int), other("group_fd", Int), other("flags", Word)],
    ),
    ("userfaultfd", &[other("flags", Word)]),
    ("io_uring_setup", &[other("entries", Int), other("params", Word)]),
    (
        "io_uring_enter",
        &[
            other("fd", Int),
            other("to_submit", Int),
            other("min_complete", Int),
            other("flags", Word),
            other("sig", Word),
        ],
    ),
    ("io_uring_register", &[other("fd", Int), telling("opcode", Int), other("arg", Word), other("nr_args", Int)]),
    ("add_key", &[telling("type", Name), telling("description", Name), other("payload", Word), other("plen", Int)]),
    ("request_key", &[telling("type", Name), telling("description", Name), other("callout_info", Word)]),
    (
        "keyctl",
        &[
            telling("operation", OneOf(values::KEYCTL)),
            other("arg2", Word),
            other("arg3", Word),
            other("arg4", Word),
            other("arg5", Word),
        ],
    ),
    ("iopl", &[telling("level", Int)]),
    ("ioperm", &[other("from", Word), other("num", Word), other("turn_on", Int)]),
    ("modify_ldt", &[telling("func", Int), other("ptr", Word), other("bytecount", Int)]),
    ("memfd_secret", &[other("flags", Word)]),
    ("vmsplice", &[other("fd", Int), other("iov", Word), other("nr_segs", Int), other("flags", Word)]),
    // Refused and recorded: the machine.
    ("init_module", &[other("module_image", Word), other("len", Int), telling("param_values", Path)]),
    ("finit_module", &[other("fd", Int), telling("param_values", Path), other("flags", Word)]),
    ("delete_module", &[telling("name", Name), other("flags", Word)]),
    ("kexec_load", &[other("entry", Word), other("nr_segments", Int), other("segments", Word), other("flags", Word)]),
    (
        "kexec_file_load",
        &[
            other("kernel_fd", Int),
            other("initrd_fd", Int),
            other("cmdline_len", Int),
            telling("cmdline", Name),
            other("flags", Word),
        ],
    ),
    ("swapon", &[telling("path", Path), other("swapflags", Word)]),
    ("swapoff", &[telling("path", Path)]),
    (
        "reboot",
        &[other("magic", Word), other("magic2", Word), telling("op", OneOf(values::REBOOT)), other("arg", Word)],
    ),
    ("acct", &[telling("filename", Path)]),
    ("quotactl", &[telling("op", Word), telling("special", Path), other("id", Int), other("addr", Word)]),
    ("quotactl_fd", &[other("fd", Int), telling("op", Word), other("id", Int), other("addr", Word)]),
    ("syslog", &[telling("type", OneOf(values::SYSLOG)), other("bufp", Word), other("len", Int)]),
    ("settimeofday", &[other("tv", Word), other("tz", Word)]),
    (
        "clock_nanosleep",
        &[
            telling("clockid", OneOf(values::CLOCK)),
            other("flags", Word),
            other("request", Word),
            other("remain", Word),
        ],
    ),
    ("clock_settime", &[telling("clockid", OneOf(values::CLOCK)), other("tp", Word)]),
    ("vhangup", &[]),
    // Argument-checked; these come only when BPF has refused their registers.
    (
        "clone",
        &[
            telling("flags", Bits(values::CLONE)),
            other("stack", Word),
            other("parent_tid", Word),
            other("child_tid", Word),
            other("tls", Word),
        ],
    ),
    ("unshare", &[telling("flags", Bits(values::CLONE))]),
    (
        "prctl",
        &[
            telling("op", OneOf(values::PRCTL)),
            other("arg2", Word),
            other("arg3", Word),
            other("arg4", Word),
            other("arg5", Word),
        ],
    ),
    ("arch_prctl", &[telling("op", Word), other("addr", Word)]),
    ("personality", &[telling("persona", Word)]),
    ("seccomp", &[telling("operation", OneOf(values::SECCOMP)), telling("flags", Word), other("args", Word)]),
    (
        "socket",
        &[
            telling("domain", OneOf(values::DOMAIN)),
            telling("type", Masked(0xf, values::SOCKET_TYPE)),
            telling("protocol", Int),
        ],
    ),
    (
        "socketpair",
        &[
            telling("domain", OneOf(values::DOMAIN)),
            telling("type", Masked(0xf, values::SOCKET_TYPE)),
            telling("protocol", Int),
            other("sv", Word),
        ],
    ),
    (
        "setsockopt",
        &[
            other("sockfd", Int),
            telling("level", OneOf(values::LEVEL)),
            telling("optname", Int),
            other("optval", Word),
            other("optlen", Int),
        ],
    ),
    ("ioctl", &[other("fd", Int), telling("op", OneOf(values::IOCTL)), other("argp", Word)]),
    ("fcntl", &[other("fd", Int), telling("op", OneOf(values::FCNTL)), other("arg", Word)]),
    ("mknod", &[telling("pathname", Path), telling("mode", FileMode), telling("dev", Device)]),
    ("mknodat", &[other("dirfd", Int), telling("pathname", Path), telling("mode", FileMode), telling("dev", Device)]),
    ("memfd_create", &[telling("name", Name), telling("flags", Bits(values::MEMFD))]),
    ("adjtimex", &[other("buf", Word)]),
    ("clock_adjtime", &[telling("clockid", OneOf(values::CLOCK)), other("buf", Word)]),
    // In strict mode alone.
    ("chroot", &[telling("path", Path)]),
    ("futex", &[other("uaddr", Word), telling("op", Int), other("val", Int)]),
    ("madvise", &[other("addr", Word), other("length", Word), telling("advice", Int)]),
    ("timer_create", &[telling("clockid", OneOf(values::CLOCK)), other("sevp", Word), other("timerid", Word)]),
    (
        "sendto",
        &[
            other("sockfd", Int),
            other("buf", Word),
            other("len", Word),
            telling("flags", Word),
            other("dest_addr", Word),
            other("addrlen", Int),
        ],
    ),
    ("sendmsg", &[other("sockfd", Int), other("msg", Word), telling("flags", Word)]),
    ("sendmmsg", &[other("sockfd", Int), other("msgvec", Word), other("vlen", Int), telling("flags", Word)]),
    ("shmget", &[other("key", Int), other("size", Word), other("shmflg", Word)]),
    ("shmat", &[other("shmid", Int), other("shmaddr", Word), other("shmflg", Word)]),
    ("shmctl", &[other("shmid", Int), other("op", Int), other("buf", Word)]),
    ("shmdt", &[other("shmaddr", Word)]),
    ("semget", &[other("key", Int), other("nsems", Int), other("semflg", Word)]),
    ("semop", &[other("semid", Int), other("sops", Word), other("nsops", Word)]),
    ("semctl", &[other("semid", Int), other("semnum", Int), other("op", Int), other("arg", Word)]),
    ("semtimedop", &[other("semid", Int), other("sops", Word), other("nsops", Word), other("timeout", Word)]),
    ("msgget", &[other("key", Int), other("msgflg", Word)]),
    ("msgsnd", &[other("msqid", Int), other("msgp", Word), other("msgsz", Word), other("msgflg", Word)]),
    (
        "msgrcv",
        &[other("msqid", Int), other("msgp", Word), other("msgsz", Word), other("msgtyp", Word), other("msgflg", Word)],
    ),
    ("msgctl", &[other("msqid", Int), other("op", Int), other("buf", Word)]),
    ("mq_open", &[telling("name", Name), other("oflag", Word), other("mode", Word), other("attr", Word)]),
    ("mq_unlink", &[telling("name", Name)]),
    (
        "mq_timedsend",
        &[
            other("mqdes", Int),
            other("msg_ptr", Word),
            other("msg_len", Word),
            other("msg_prio", Int),
            other("abs_timeout", Word),
        ],
    ),
    (
        "mq_timedreceive",
        &[
            other("mqdes", Int),
            other("msg_ptr", Word),
            other("msg_len", Word),
            other("msg_prio", Word),
            other("abs_timeout", Word),
        ],
    ),
    ("mq_notify", &[other("mqdes", Int), other("sevp", Word)]),
    ("mq_getsetattr", &[other("mqdes", Int), other("newattr", Word), other("oldattr", Word)]),
    ("io_setup", &[other("nr_events", Int), other("ctx_idp", Word)]),
    ("io_destroy", &[other("ctx_id", Word)]),
    ("io_submit", &[other("ctx_id", Word), other("nr", Word), other("iocbpp", Word)]),
    (
        "io_getevents",
        &[
            other("ctx_id", Word),
            other("min_nr", Word),
            other("nr", Word),
            other("events", Word),
            other("timeout", Word),
        ],
    ),
    (
        "io_pgetevents",
        &[
            other("ctx_id", Word),
            other("min_nr", Word),
            other("nr", Word),
            other("events", Word),
            other("timeout", Word),
            other("usig", Word),
        ],
    ),
    ("io_cancel", &[other("ctx_id", Word), other("iocb", Word), other("result", Word)]),
];
