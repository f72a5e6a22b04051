//! Every argument rule with its attacks and its honest neighbours, by name and registers.
//!
//! An attack is tried as it stands, with its upper half set where the kernel ignores that, and under every witness.

#[cfg(test)]
mod tests {
    use lazaret_profiles::check::Arguments;
    use lazaret_profiles::class::{Errno, Event, Refusal};
    use lazaret_profiles::plan::{Action, TRACE_DATA, Witness, sandbox, strict};
    use lazaret_profiles::syscalls::{Column, Row, by_name};

    const HIGH: u64 = 0xdead_beef_0000_0000;

    fn row(name: &str) -> &'static Row {
        by_name(name).unwrap()
    }

    fn padded(given: &[u64]) -> Arguments {
        std::array::from_fn(|at| given.get(at).copied().unwrap_or(0))
    }

    #[track_caller]
    fn honest(name: &str, args: &[u64]) {
        let args = padded(args);
        for witness in Witness::ALL {
            assert_eq!(sandbox(*witness).decide(row(name).number, &args), Action::Allow, "{name} {args:x?}");
        }
        assert_eq!(row(name).choice(Column::Sandbox).refusal(&args), None);
    }

    #[track_caller]
    fn attack(name: &str, args: &[u64], event: Event, errno: Errno) {
        let args = padded(args);
        let decide = |witness| sandbox(witness).decide(row(name).number, &args);
        assert_eq!(decide(Witness::Notify), Action::Notify, "{name} {args:x?}");
        assert_eq!(decide(Witness::Trace), Action::Trace(TRACE_DATA), "{name} {args:x?}");
        assert_eq!(decide(Witness::None), Action::Errno(errno.0), "{name} {args:x?}");
        assert_eq!(row(name).refusal(&args), Some(Refusal { event, errno }));
    }

    #[track_caller]
    fn quiet(name: &str, args: &[u64], errno: Errno) {
        let args = padded(args);
        for witness in Witness::ALL {
            assert_eq!(sandbox(*witness).decide(row(name).number, &args), Action::Errno(errno.0), "{name} {args:x?}");
        }
        assert_eq!(row(name).choice(Column::Sandbox).refusal(&args), None);
    }

    const NEW: [u64; 7] = [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];

    #[test]
    fn clone_makes_threads_and_children_but_no_namespaces() {
        let thread = 0x003d_0f00; // what pthread_create passes
        for flags in [17, thread, 0x0100_4011, HIGH | 17, 0x80 | 17] {
            honest("clone", &[flags]);
        }
        for new in NEW {
            for flags in [new, new | 17, new | thread, HIGH | new, u64::from(u32::MAX), u64::MAX] {
                attack("clone", &[flags], Event::NewNamespace, Errno::EPERM);
            }
        }
        attack("clone", &[0x0080_0011], Event::Ptrace, Errno::EPERM);
        attack("clone", &[0xff_0080_0000 | 0x1000_0000], Event::NewNamespace, Errno::EPERM);
        quiet("clone3", &[], Errno::ENOSYS);
    }

    #[test]
    fn unshare_separates_threads_but_makes_no_namespaces() {
        for flags in [0, 0x200, 0x400, 0x4_0000, 0x4_0600] {
            honest("unshare", &[flags]);
        }
        for new in NEW.into_iter().chain([0x80]) {
            for flags in [new, new | 0x600, HIGH | new, u64::MAX] {
                attack("unshare", &[flags], Event::NewNamespace, Errno::EPERM);
            }
        }
        for flags in [0x100, 0x1_0000, HIGH, 1 << 32 | 0x200] {
            quiet("unshare", &[flags], Errno::EINVAL);
        }
    }

    #[test]
    fn sockets_of_everyday_families_alone() {
        let (nonblock, cloexec) = (0o4000, 0o2_000_000);
        for kind in [1, 2, 5, 1 | cloexec, 2 | nonblock | cloexec, HIGH | 1] {
            honest("socket", &[1, kind, 0]);
            honest("socketpair", &[1, kind, 0]);
        }
        for family in [2, 10, HIGH | 2] {
            for (kind, protocol) in [(1, 0), (1, 6), (2, 0), (2, 17), (2, 1), (2, 58), (1 | cloexec, HIGH | 6)] {
                honest("socket", &[family, kind, protocol]);
            }
            for (kind, protocol) in [(3, 0), (3, 1), (3, 255), (10, 0x0300), (3 | cloexec, 6), (HIGH | 3, 6)] {
                attack("socket", &[family, kind, protocol], Event::RawSocket, Errno::EPERM);
            }
            for (kind, protocol) in [(1, 132), (5, 132), (2, 136), (2, 115), (6, 33), (4, 0), (1, HIGH | 132), (0, 0)] {
                attack("socket", &[family, kind, protocol], Event::SocketProtocol, Errno::EPROTONOSUPPORT);
            }
            quiet("socket", &[family, 1, 262], Errno::EPROTONOSUPPORT);
        }
        for family in
            [0, 3, 9, 15, 17, 21, 29, 30, 31, 32, 38, 39, 40, 43, 44, 45, 46, 99, HIGH | 17, HIGH | 40, u64::MAX]
        {
            attack("socket", &[family, 3, 0], Event::SocketFamily, Errno::EAFNOSUPPORT);
            attack("socketpair", &[family, 1, 0], Event::SocketFamily, Errno::EAFNOSUPPORT);
        }
        attack("socketpair", &[2, 1, 0], Event::SocketFamily, Errno::EAFNOSUPPORT);
        attack("socket", &[1, 3, 0], Event::RawSocket, Errno::EPERM);
    }

    #[test]
    fn netlink_is_for_routes() {
        for kind in [2, 3, 3 | 0o2_000_000] {
            honest("socket", &[16, kind, 0]);
            for protocol in [2, 4, 6, 10, 12, 15, 16, 20, HIGH | 12] {
                attack("socket", &[16, kind, protocol], Event::Netlink, Errno::EPROTONOSUPPORT);
            }
            quiet("socket", &[16, kind, 9], Errno::EPROTONOSUPPORT);
        }
    }

    #[test]
    fn socket_options_of_everyday_use_alone() {
        for (level, names) in [
            (0, &[1_u64, 2, 8, 10, 35, 51][..]),
            (1, &[2, 6, 7, 8, 9, 13, 15, 20, 21, 26, 46, 60]),
            (6, &[1, 2, 4, 5, 6, 9, 13, 18, 23, 30]),
            (17, &[1, 103, 104]),
            (41, &[26, 49, 67, 70, 78]),
            (58, &[1]),
            (270, &[1, 11]),
        ] {
            for name in names {
                honest("setsockopt", &[3, level, *name]);
                honest("setsockopt", &[3, HIGH | level, HIGH | name]);
            }
        }
        for (level, names, event, errno) in [
            (1, &[50_u64, 51, 52][..], Event::BpfAttach, Errno::EPERM),
            (0, &[16, 17, 64, 65, 96, 97, 128, 129, 200, 1152, 1167], Event::PacketFilter, Errno::EPERM),
            (41, &[34, 35, 64, 65, 200, 1152], Event::PacketFilter, Errno::EPERM),
            (6, &[19, 20, 21, 22, 29, 31], Event::SocketOption, Errno::ENOPROTOOPT),
            (17, &[100], Event::SocketOption, Errno::ENOPROTOOPT),
            (132, &[0, 1], Event::SocketOption, Errno::ENOPROTOOPT),
            (263, &[1, 5, 13], Event::SocketOption, Errno::ENOPROTOOPT),
            (279, &[1, 3], Event::SocketOption, Errno::ENOPROTOOPT),
            (271, &[127], Event::SocketOption, Errno::ENOPROTOOPT),
        ] {
            for name in names {
                attack("setsockopt", &[3, level, *name], event, errno);
                attack("setsockopt", &[3, HIGH | level, HIGH | name], event, errno);
            }
        }
    }

    #[test]
    fn ioctls_push_nothing_into_terminals_and_drive_no_devices() {
        for command in [0x5401, 0x5402, 0x5410, 0x5413, 0x5414, 0x540e, 0x541b, 0x5421, 0x5450, 0x5451, 0x8910, 0x8913]
        {
            honest("ioctl", &[0, command, 0]);
            honest("ioctl", &[0, HIGH | command, 0]);
        }
        for reflink in [0x4004_9409, 0x4020_940d, 0xc018_9436, 0xffff_ffff_c018_9436] {
            honest("ioctl", &[3, reflink, 4]);
        }
        honest("ioctl", &[3, 0x8008_6601, 0]); // lsattr
        for (commands, event, errno) in [
            (&[0x5412_u64, 0x541c, 0x541d, 0x5423, 0x5437][..], Event::TerminalInjection, Errno::EPERM),
            (&[0xff01, 0xff0a, 0xb701, 0xb702, 0xb70a], Event::JoinNamespace, Errno::EPERM),
            (&[0x89e0, 0x89f0, 0x89ff], Event::NetDeviceControl, Errno::EPERM),
            (&[0x5000_9401, 0x5000_940f], Event::FilesystemControl, Errno::ENOTTY),
            (&[0x1260, 0x2285, 0x4c00, 0x4c82, 0xc048_4e41, 0x5301, 0xc138_fd03], Event::BlockDevice, Errno::ENOTTY),
            (&[0xae01, 0x3b64, 0x4b49, 0x5606, 0xaa00, 0xc018_aa3f, 0xaf01], Event::DeviceControl, Errno::ENOTTY),
        ] {
            for command in commands {
                attack("ioctl", &[0, *command], event, errno);
                attack("ioctl", &[0, HIGH | command], event, errno);
                attack("ioctl", &[0, 0xffff_ffff_0000_0000 | command], event, errno);
            }
        }
        for chattr in [0x4008_6602, 0x401c_5820, HIGH | 0x4008_6602] {
            quiet("ioctl", &[3, chattr], Errno::ENOTTY);
        }
        for watch in [0x5760, 0x5761, HIGH | 0x5761] {
            quiet("ioctl", &[3, watch], Errno::ENOTTY);
        }
    }

    #[test]
    fn nodes_without_devices_and_the_harmless_devices() {
        for (name, at) in [("mknod", 1), ("mknodat", 2)] {
            let call = |mode, device| {
                let mut args = vec![0; at];
                args.extend([mode, device]);
                args
            };
            for mode in [0, 0o644, 0o100_644, 0o010_600, 0o140_755, HIGH | 0o100_644, 0xffff_0000 | 0o010_600] {
                honest(name, &call(mode, 0x801));
            }
            for device in [0, 0x103, 0x105, 0x107, 0x108, 0x109, 0x500, HIGH | 0x103] {
                honest(name, &call(0o020_666, device));
            }
            for device in [0x101, 0x102, 0x104, 0x106, 0x10b, 0x501, 0x801, 0x10_0103, HIGH | 0x801] {
                attack(name, &call(0o020_666, device), Event::DeviceNode, Errno::EPERM);
            }
            // The kernel takes 16 bits of the mode.
            for mode in [0o060_666, HIGH | 0o060_666, 0x8000_0000 | 0o060_666, 0o040_755, 0o170_000] {
                attack(name, &call(mode, 0), Event::DeviceNode, Errno::EPERM);
            }
        }
    }

    #[test]
    fn own_attributes_by_name() {
        for option in [1, 3, 4, 8, 15, 16, 22, 23, 24, 27, 36, 38, 39, 47, 53, 0x5356_4d41, HIGH | 15] {
            honest("prctl", &[option, 1]);
        }
        for option in [28, 31, 32, 35, 62, HIGH | 35, 0xffff_ffff_0000_0023] {
            attack("prctl", &[option, 1], Event::ProcessControl, Errno::EPERM);
        }
        for option in [0, 5, 33, 43, 57, 67, 78, 999, u64::MAX] {
            quiet("prctl", &[option, 1], Errno::EINVAL);
        }
        for option in [0x1001, 0x1002, 0x1003, 0x1004, 0x1022, 0x5001, HIGH | 0x1002] {
            honest("arch_prctl", &[option]);
        }
        for option in [0, 0x1012, 0x2001, 0x3001, 0x4004, 0x5004] {
            quiet("arch_prctl", &[option], Errno::EINVAL);
        }
    }

    #[test]
    fn personalities_that_keep_the_defences_on() {
        for value in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff, u64::MAX, HIGH] {
            honest("personality", &[value]);
        }
        for value in [0x4_0000, 0x40_0000, 0x10_0000, HIGH | 0x40_0000, 0xffff_fffe] {
            attack("personality", &[value], Event::Personality, Errno::EPERM);
        }
    }

    #[test]
    fn own_filters_without_a_listener() {
        let program = 0x7fff_0000_1000;
        for flags in [0, 1, 2, 4, 16, HIGH | 1] {
            honest("seccomp", &[1, flags, program]);
        }
        honest("seccomp", &[2, 0, program]);
        honest("seccomp", &[0, 0, 0]);
        for flags in [8, 9, 8 | 32, 8 | 16, HIGH | 8, u64::MAX] {
            attack("seccomp", &[1, flags, program], Event::SeccompListener, Errno::EPERM);
            attack("seccomp", &[HIGH | 1, flags, program], Event::SeccompListener, Errno::EPERM);
            quiet("seccomp", &[1, flags, 0], Errno::EINVAL);
        }
        quiet("seccomp", &[3, 0, program], Errno::EINVAL);
    }

    #[test]
    fn the_small_rules() {
        for command in [0, 1, 2, 3, 4, 6, 7, 1025, 1030, 1031, 1033, HIGH | 3] {
            honest("fcntl", &[3, command, 0]);
        }
        for command in [1024, 1026, 1040, HIGH | 1026] {
            quiet("fcntl", &[3, command, 0], Errno::EINVAL);
        }
        for flags in [0, 1, 2, 3, 8, 16, HIGH] {
            honest("memfd_create", &[0x1000, flags]);
        }
        for flags in [4, 5, HIGH | 4, 0x5400_0004] {
            quiet("memfd_create", &[0x1000, flags], Errno::EINVAL);
        }
        honest("adjtimex", &[0x1000]);
        honest("clock_adjtime", &[0, 0x1000]);
        honest("clock_adjtime", &[HIGH | 11, 0x1000]);
        for clock in [12, 0xffff_fff3, u64::MAX, HIGH | 0x8000_0000] {
            attack("clock_adjtime", &[clock, 0x1000], Event::SetClock, Errno::EPERM);
        }
    }

    #[test]
    fn refused_calls_name_their_technique() {
        for (name, event, errno) in [
            ("bpf", Event::Bpf, Errno::EPERM),
            ("io_uring_setup", Event::IoUring, Errno::ENOSYS),
            ("setns", Event::JoinNamespace, Errno::EPERM),
            ("move_mount", Event::NewMountApi, Errno::ENOSYS),
            ("open_by_handle_at", Event::FileHandle, Errno::EPERM),
            ("keyctl", Event::Keyring, Errno::EPERM),
            ("ptrace", Event::Ptrace, Errno::EPERM),
        ] {
            assert_eq!(row(name).refusal(&[0; 6]), Some(Refusal { event, errno }), "{name}");
        }
        // In strict mode alone; in the sandbox it is emulated.
        assert_eq!(row("mount").refusal(&[0; 6]), Some(Refusal { event: Event::Mount, errno: Errno::EPERM }));
        assert_eq!(row("mount").refused_emulation(), Some(Event::Mount));
        assert_eq!(row("sysinfo").refused_emulation(), None);
        assert_eq!(row("read").refusal(&[0; 6]), None);
    }

    /// Lets through in strict mode too.
    #[track_caller]
    fn strictly_honest(name: &str, args: &[u64]) {
        let args = padded(args);
        for witness in Witness::ALL {
            assert_eq!(strict(*witness).decide(row(name).number, &args), Action::Allow, "{name} {args:x?}");
        }
        assert_eq!(row(name).refusal(&args), None);
    }

    /// Refused in strict mode, with or without a record. The upper half of an `int` changes nothing.
    #[track_caller]
    fn strictly_refused(name: &str, args: &[u64], event: Option<Event>, errno: Errno) {
        let args = padded(args);
        let decide = |witness| strict(witness).decide(row(name).number, &args);
        let seen = if event.is_some() { Action::Notify } else { Action::Errno(errno.0) };
        assert_eq!(decide(Witness::Notify), seen, "{name} {args:x?}");
        assert_eq!(decide(Witness::None), Action::Errno(errno.0), "{name} {args:x?}");
        assert_eq!(row(name).refusal(&args), event.map(|event| Refusal { event, errno }), "{name} {args:x?}");
    }

    #[test]
    fn strict_mode_looks_closer_at_arguments() {
        let less = Some(Event::SmallerTable);
        for command in [0, 1, 3, 4, 5, 9, 10, 128, 128 | 256 | 9, HIGH | 129] {
            strictly_honest("futex", &[0x1000, command]);
        }
        for command in [2, 6, 7, 8, 11, 12, 13, 128 | 6, 256 | 13, 14, 64, HIGH | 6, u64::MAX] {
            strictly_refused("futex", &[0x1000, command], None, Errno::ENOSYS);
        }
        for (name, at) in [("sendto", 3), ("sendmmsg", 3), ("sendmsg", 2)] {
            let call = |flags: u64| [vec![0; at], vec![flags]].concat();
            for flags in [0, 0x4000, 0x40, HIGH] {
                strictly_honest(name, &call(flags));
            }
            for flags in [1, 0x4001, HIGH | 1, u64::MAX] {
                strictly_refused(name, &call(flags), less, Errno::EOPNOTSUPP);
            }
        }
        for family in [2, 10] {
            for (kind, protocol) in [(1, 0), (1, 6), (2, 0), (2, 17)] {
                strictly_honest("socket", &[family, kind, protocol]);
            }
            for (kind, protocol) in [(2, 1), (2, 58), (2 | 0o2_000_000, HIGH | 1)] {
                strictly_refused("socket", &[family, kind, protocol], less, Errno::EPROTONOSUPPORT);
            }
        }
        strictly_honest("socket", &[16, 3, 0]);
        strictly_honest("socket", &[1, 2, 1]);
        for clock in [0, 1, 4, 7, 11] {
            strictly_honest("timer_create", &[clock]);
            strictly_honest("clock_nanosleep", &[clock]);
        }
        for clock in [2, 3, 12, 0xffff_fffa, u64::MAX, HIGH | 3] {
            strictly_refused("timer_create", &[clock], None, Errno::EINVAL);
            strictly_refused("clock_nanosleep", &[clock], None, Errno::EINVAL);
        }
        for advice in [0, 4, 8, 14, 21] {
            strictly_honest("madvise", &[0, 0, advice]);
        }
        strictly_refused("madvise", &[0, 0, HIGH | 12], None, Errno::EINVAL);
    }

    #[test]
    fn strict_mode_has_ioctls_by_name_and_no_nodes_of_devices() {
        for command in [
            0x5401,
            0x5402,
            0x5410,
            0x5413,
            0x5414,
            0x540e,
            0x541b,
            0x5421,
            0x5450,
            0x5451,
            0x8910,
            0x8913,
            0x8008_6601,
            0xc018_9436,
            0x8004_5430,
        ] {
            strictly_honest("ioctl", &[0, command]);
            strictly_honest("ioctl", &[0, HIGH | command]);
        }
        // Of the terminal, the network device (ethtool, wireless), the tun device, fuse, random, watchdog, input.
        for command in
            [0x541e, 0x541f, 0x5453, 0x8946, 0x8b01, 0x4004_54ca, 0x8004_e500, 0x4004_5201, 0x8028_5700, 0x4501, 0]
        {
            strictly_refused("ioctl", &[0, command], None, Errno::ENOTTY);
        }
        strictly_refused("ioctl", &[0, HIGH | 0x5412], Some(Event::TerminalInjection), Errno::EPERM);
        strictly_refused("ioctl", &[0, 0xae01], Some(Event::DeviceControl), Errno::ENOTTY);
        strictly_honest("mknodat", &[0, 0, 0o010_600]);
        for device in [0, 0x103, 0x501, 0x801] {
            strictly_refused("mknodat", &[0, 0, 0o020_666, device], Some(Event::DeviceNode), Errno::EPERM);
            strictly_refused("mknod", &[0, HIGH | 0o020_666, device], Some(Event::DeviceNode), Errno::EPERM);
        }
        for name in [1, 2, 6, 7, 8, 9, 13, 15, 20] {
            strictly_honest("setsockopt", &[3, 1, name]);
        }
        strictly_refused("setsockopt", &[3, 1, HIGH | 26], Some(Event::BpfAttach), Errno::EPERM);
        strictly_refused("setsockopt", &[3, 1, 60], None, Errno::ENOPROTOOPT);
        strictly_refused("setsockopt", &[3, 0, 64], Some(Event::PacketFilter), Errno::EPERM);
    }
}
