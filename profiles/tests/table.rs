//! The table's contract: complete, unambiguous, in step with the C library, every word of it used.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use lazaret_profiles::check::Check;
    use lazaret_profiles::class::{Class, Errno, Event, Handler, Rule};
    use lazaret_profiles::plan::{Action, Witness, guarded, of_column};
    use lazaret_profiles::rules::{Cases, Verdict, cases};
    use lazaret_profiles::syscalls::{AUDIT_ARCH, Choice, Column, TABLE, by_name, by_number, exists_elsewhere};

    #[test]
    fn every_call_of_linux_6_18_has_one_row() {
        assert_eq!(TABLE.len(), 383);
        assert!(TABLE.is_sorted_by(|a, b| a.number < b.number));
        let numbers: BTreeSet<u32> = TABLE.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (0..=336).chain(424..=469).collect());
        let names: BTreeSet<&str> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), TABLE.len());
        assert_eq!(AUDIT_ARCH, 0xc000_003e);
    }

    #[test]
    fn rows_are_found_by_number_and_by_name() {
        for row in TABLE {
            assert_eq!(by_number(row.number), Some(row));
            assert_eq!(by_name(row.name), Some(row));
            assert!(!exists_elsewhere(row.name), "{}", row.name);
        }
        assert_eq!(by_number(337), None);
        assert_eq!(by_number(u32::MAX), None);
        assert_eq!(by_name("socketcall"), None);
        assert!(exists_elsewhere("socketcall"));
    }

    /// Every choice of the table, with the name of its row.
    fn choices() -> impl Iterator<Item = (&'static str, Choice)> {
        TABLE.iter().flat_map(|row| Column::ALL.iter().map(|column| (row.name, row.choice(*column))))
    }

    #[test]
    fn every_class_has_the_calls_it_is_known_for() {
        let count = |column| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for row in TABLE {
                *counts.entry(row.choice(column).class.label()).or_default() += 1;
            }
            counts
        };
        let sandbox =
            [("native", 278), ("argument-checked", 16), ("emulated", 5), ("refused and recorded", 49), ("refused", 35)];
        assert_eq!(count(Column::Sandbox), sandbox.into());
        let strict =
            [("native", 224), ("argument-checked", 20), ("emulated", 3), ("refused and recorded", 79), ("refused", 57)];
        assert_eq!(count(Column::Strict), strict.into());
    }

    #[test]
    fn every_choice_has_a_reason_and_a_known_errno() {
        for (name, choice) in choices() {
            assert!(choice.reason.len() > 12 && !choice.reason.ends_with('.'), "{name}");
            assert!(choice.errno.name() != "E?", "{name}");
            if let Class::Deny(errno) = choice.class {
                assert_eq!(errno, choice.errno, "{name}");
            }
        }
    }

    #[test]
    fn strict_mode_has_a_reason_of_its_own_wherever_it_differs() {
        for row in TABLE {
            let Some(strict) = row.strict else { continue };
            assert_ne!(strict.class, row.class, "{}", row.name);
            assert_ne!(strict.reason, row.reason, "{}", row.name);
            let gives = matches!(row.class, Class::Native | Class::Arg(_) | Class::Emulate(_));
            assert!(gives, "{}: strict mode takes away only", row.name);
        }
    }

    #[test]
    fn every_rule_and_every_handler_has_its_row() {
        for rule in Rule::ALL {
            let rows: BTreeSet<&str> =
                choices().filter(|(_, choice)| choice.class == Class::Arg(*rule)).map(|(name, _)| name).collect();
            assert_eq!(rows.len(), 1, "{rule:?}");
            assert!(rule.lets_through().len() > 3);
        }
        for handler in Handler::ALL {
            let does = |choice: Option<Class>| choice == Some(Class::Emulate(*handler));
            let guarded = |row: &lazaret_profiles::syscalls::Row| row.guarded.map(|choice| choice.class);
            let rows = TABLE.iter().filter(|row| does(Some(row.class)) || does(guarded(row)));
            assert_eq!(rows.count(), 1, "{handler:?}");
        }
        assert_eq!(Rule::ALL.len(), 28);
        assert_eq!(Handler::ALL.len(), 6);
    }

    #[test]
    fn every_event_has_a_source_and_words() {
        let mut sources: BTreeSet<Event> = BTreeSet::new();
        let guarded = TABLE.iter().filter_map(|row| row.guarded);
        for choice in choices().map(|(_, choice)| choice).chain(guarded) {
            match choice.class {
                Class::DenyNotify(event) => {
                    sources.insert(event);
                }
                Class::Arg(rule) => walk(cases(rule), &mut |verdict| {
                    if let Verdict::Refuse(refusal) = verdict {
                        sources.insert(refusal.event);
                    }
                }),
                Class::Emulate(handler) => sources.extend(handler.refused_as()),
                Class::Native | Class::Deny(_) => {}
            }
        }
        assert_eq!(sources, Event::ALL.iter().copied().collect());
        let techniques: BTreeSet<&str> = Event::ALL.iter().map(|event| event.technique()).collect();
        assert_eq!(techniques.len(), Event::ALL.len());
        for event in Event::ALL {
            let (kind, name) = event.technique().split_once('.').expect("kind.name");
            assert!(["escape", "kernel", "spy", "evade", "host"].contains(&kind), "{kind}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
            for words in [event.why(), event.allow()] {
                assert!(words.len() > 10 && !words.ends_with('.') && !words.contains('\n'), "{event:?}: {words}");
            }
        }
    }

    #[test]
    fn a_directory_of_the_host_traps_what_the_table_says_and_nothing_else() {
        for column in Column::ALL {
            for witness in [Witness::Notify, Witness::Trace, Witness::None] {
                let (plain, guarded) = (of_column(*column, witness), guarded(*column, witness));
                for row in TABLE {
                    let is_same = plain.decision(row.number) == guarded.decision(row.number);
                    assert_eq!(is_same, row.guarded.is_none() || witness == Witness::None, "{}", row.name);
                }
            }
        }
        let rows: Vec<_> = TABLE.iter().filter(|row| row.guarded.is_some()).map(|row| row.name).collect();
        assert_eq!(rows, ["connect"]);
    }

    fn walk(cases: &Cases, see: &mut impl FnMut(Verdict)) {
        for verdict in cases.list.iter().map(|case| case.then).chain([cases.otherwise]) {
            see(verdict);
            if let Verdict::Ask(cases) = verdict {
                walk(cases, see);
            }
        }
    }

    #[test]
    fn every_check_is_well_formed() {
        fn all(cases: &Cases, see: &mut impl FnMut(&Check)) {
            for case in cases.list {
                case.when.iter().for_each(&mut *see);
                if let Verdict::Ask(further) = case.then {
                    all(further, see);
                }
            }
        }
        for rule in Rule::ALL {
            all(cases(*rule), &mut |check| {
                let spans = check.spans.as_slice();
                assert!(check.arg < 6 && check.mask != 0 && !spans.is_empty(), "{rule:?}");
                assert!(spans.iter().all(|span| span.first <= span.last && span.last & !check.mask == 0), "{rule:?}");
                assert!(spans.is_sorted_by(|a, b| a.last < b.first), "{rule:?}");
            });
        }
    }

    #[test]
    fn the_plans_follow_the_classes() {
        for column in Column::ALL {
            for (witness, seen) in [(Witness::Notify, Action::Notify), (Witness::Trace, Action::Trace(0x1a2a))] {
                let plan = of_column(*column, witness);
                for row in TABLE {
                    let action = plan.decide(row.number, &[0; 6]);
                    match row.choice(*column).class {
                        Class::Native => assert_eq!(action, Action::Allow, "{}", row.name),
                        Class::Emulate(_) | Class::DenyNotify(_) => assert_eq!(action, seen, "{}", row.name),
                        Class::Deny(Errno(errno)) => assert_eq!(action, Action::Errno(errno), "{}", row.name),
                        Class::Arg(_) => {}
                    }
                }
            }
            let alone = of_column(*column, Witness::None);
            for row in TABLE {
                let choice = row.choice(*column);
                if matches!(choice.class, Class::Emulate(_) | Class::DenyNotify(_)) {
                    assert_eq!(alone.decide(row.number, &[0; 6]), Action::Errno(choice.errno.0), "{}", row.name);
                }
            }
            for unknown in [337, 423, 470, 9999] {
                assert_eq!(alone.decide(unknown, &[0; 6]), Action::Errno(38));
            }
        }
    }

    macro_rules! libc_numbers {
        ($($constant:ident)*) => { &[$((stringify!($constant), libc::$constant)),*] };
    }

    /// Every call that the C library's bindings know.
    #[rustfmt::skip]
    const LIBC: &[(&str, libc::c_long)] = libc_numbers! {
        SYS_read SYS_write SYS_open SYS_close SYS_stat SYS_fstat SYS_lstat SYS_poll SYS_lseek SYS_mmap
        SYS_mprotect SYS_munmap SYS_brk SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_ioctl
        SYS_pread64 SYS_pwrite64 SYS_readv SYS_writev SYS_access SYS_pipe SYS_select SYS_sched_yield SYS_mremap
        SYS_msync SYS_mincore SYS_madvise SYS_shmget SYS_shmat SYS_shmctl SYS_dup SYS_dup2 SYS_pause
        SYS_nanosleep SYS_getitimer SYS_alarm SYS_setitimer SYS_getpid SYS_sendfile SYS_socket SYS_connect
        SYS_accept SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_shutdown SYS_bind SYS_listen
        SYS_getsockname SYS_getpeername SYS_socketpair SYS_setsockopt SYS_getsockopt SYS_clone SYS_fork
        SYS_vfork SYS_execve SYS_exit SYS_wait4 SYS_kill SYS_uname SYS_semget SYS_semop SYS_semctl SYS_shmdt
        SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_fcntl SYS_flock SYS_fsync SYS_fdatasync SYS_truncate
        SYS_ftruncate SYS_getdents SYS_getcwd SYS_chdir SYS_fchdir SYS_rename SYS_mkdir SYS_rmdir SYS_creat
        SYS_link SYS_unlink SYS_symlink SYS_readlink SYS_chmod SYS_fchmod SYS_chown SYS_fchown SYS_lchown
        SYS_umask SYS_gettimeofday SYS_getrlimit SYS_getrusage SYS_sysinfo SYS_times SYS_ptrace SYS_getuid
        SYS_syslog SYS_getgid SYS_setuid SYS_setgid SYS_geteuid SYS_getegid SYS_setpgid SYS_getppid SYS_getpgrp
        SYS_setsid SYS_setreuid SYS_setregid SYS_getgroups SYS_setgroups SYS_setresuid SYS_getresuid
        SYS_setresgid SYS_getresgid SYS_getpgid SYS_setfsuid SYS_setfsgid SYS_getsid SYS_capget SYS_capset
        SYS_rt_sigpending SYS_rt_sigtimedwait SYS_rt_sigqueueinfo SYS_rt_sigsuspend SYS_sigaltstack SYS_utime
        SYS_mknod SYS_uselib SYS_personality SYS_ustat SYS_statfs SYS_fstatfs SYS_sysfs SYS_getpriority
        SYS_setpriority SYS_sched_setparam SYS_sched_getparam SYS_sched_setscheduler SYS_sched_getscheduler
        SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_rr_get_interval SYS_mlock SYS_munlock
        SYS_mlockall SYS_munlockall SYS_vhangup SYS_modify_ldt SYS_pivot_root SYS__sysctl SYS_prctl
        SYS_arch_prctl SYS_adjtimex SYS_setrlimit SYS_chroot SYS_sync SYS_acct SYS_settimeofday SYS_mount
        SYS_umount2 SYS_swapon SYS_swapoff SYS_reboot SYS_sethostname SYS_setdomainname SYS_iopl SYS_ioperm
        SYS_init_module SYS_delete_module SYS_quotactl SYS_nfsservctl SYS_getpmsg SYS_putpmsg SYS_afs_syscall
        SYS_tuxcall SYS_security SYS_gettid SYS_readahead SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_getxattr
        SYS_lgetxattr SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr SYS_removexattr SYS_lremovexattr
        SYS_fremovexattr SYS_tkill SYS_time SYS_futex SYS_sched_setaffinity SYS_sched_getaffinity
        SYS_set_thread_area SYS_io_setup SYS_io_destroy SYS_io_getevents SYS_io_submit SYS_io_cancel
        SYS_get_thread_area SYS_lookup_dcookie SYS_epoll_create SYS_epoll_ctl_old SYS_epoll_wait_old
        SYS_remap_file_pages SYS_getdents64 SYS_set_tid_address SYS_restart_syscall SYS_semtimedop SYS_fadvise64
        SYS_timer_create SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun SYS_timer_delete
        SYS_clock_settime SYS_clock_gettime SYS_clock_getres SYS_clock_nanosleep SYS_exit_group SYS_epoll_wait
        SYS_epoll_ctl SYS_tgkill SYS_utimes SYS_vserver SYS_mbind SYS_set_mempolicy SYS_get_mempolicy
        SYS_mq_open SYS_mq_unlink SYS_mq_timedsend SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr
        SYS_kexec_load SYS_waitid SYS_add_key SYS_request_key SYS_keyctl SYS_ioprio_set SYS_ioprio_get
        SYS_inotify_init SYS_inotify_add_watch SYS_inotify_rm_watch SYS_migrate_pages SYS_openat SYS_mkdirat
        SYS_mknodat SYS_fchownat SYS_futimesat SYS_newfstatat SYS_unlinkat SYS_renameat SYS_linkat SYS_symlinkat
        SYS_readlinkat SYS_fchmodat SYS_faccessat SYS_pselect6 SYS_ppoll SYS_unshare SYS_set_robust_list
        SYS_get_robust_list SYS_splice SYS_tee SYS_sync_file_range SYS_vmsplice SYS_move_pages SYS_utimensat
        SYS_epoll_pwait SYS_signalfd SYS_timerfd_create SYS_eventfd SYS_fallocate SYS_timerfd_settime
        SYS_timerfd_gettime SYS_accept4 SYS_signalfd4 SYS_eventfd2 SYS_epoll_create1 SYS_dup3 SYS_pipe2
        SYS_inotify_init1 SYS_preadv SYS_pwritev SYS_rt_tgsigqueueinfo SYS_perf_event_open SYS_recvmmsg
        SYS_fanotify_init SYS_fanotify_mark SYS_prlimit64 SYS_name_to_handle_at SYS_open_by_handle_at
        SYS_clock_adjtime SYS_syncfs SYS_sendmmsg SYS_setns SYS_getcpu SYS_process_vm_readv
        SYS_process_vm_writev SYS_kcmp SYS_finit_module SYS_sched_setattr SYS_sched_getattr SYS_renameat2
        SYS_seccomp SYS_getrandom SYS_memfd_create SYS_kexec_file_load SYS_bpf SYS_execveat SYS_userfaultfd
        SYS_membarrier SYS_mlock2 SYS_copy_file_range SYS_preadv2 SYS_pwritev2 SYS_pkey_mprotect SYS_pkey_alloc
        SYS_pkey_free SYS_statx SYS_rseq SYS_pidfd_send_signal SYS_io_uring_setup SYS_io_uring_enter
        SYS_io_uring_register SYS_open_tree SYS_move_mount SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick
        SYS_pidfd_open SYS_clone3 SYS_close_range SYS_openat2 SYS_pidfd_getfd SYS_faccessat2 SYS_process_madvise
        SYS_epoll_pwait2 SYS_mount_setattr SYS_quotactl_fd SYS_landlock_create_ruleset SYS_landlock_add_rule
        SYS_landlock_restrict_self SYS_memfd_secret SYS_process_mrelease SYS_futex_waitv
        SYS_set_mempolicy_home_node SYS_fchmodat2 SYS_mseal
    };

    #[test]
    fn numbers_are_the_c_librarys() {
        assert!(LIBC.len() > 350);
        for (constant, number) in LIBC {
            let name = constant.trim_start_matches("SYS_");
            let row = by_name(name).unwrap_or_else(|| panic!("{name} has no row"));
            assert_eq!(libc::c_long::from(row.number), *number, "{name}");
        }
    }
}
