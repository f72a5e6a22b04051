//! What a workload gets for its calls, and what is recorded of them.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use lazaret_sentry::handoff::{FromSentry, Handoff};
use lazaret_sentry::record::Outcome;

use crate::stage::{Sentry, Workload, memory_file, on_both, plain, play, user_namespace};

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;
const EFAULT: i32 = 14;
const EINVAL: i32 = 22;

#[test]
#[ignore = "needs root: seccomp listener"]
fn mount_is_refused_and_recorded_with_its_arguments() {
    on_both(|by| {
        let (results, audit) = play(
            by,
            r#"($source, $target, $kind) = ("none", "/mnt", "tmpfs");
        c "mount", $source, $target, $kind, 6, 0;
        c "umount2", $target, 2;"#,
        );
        assert_eq!(results, [(-1, EPERM), (-1, EPERM)]);
        let record = audit.only("mount");
        assert_eq!((record.container.as_ref(), record.exe.as_ref()), ("box", "/usr/bin/perl"));
        assert_eq!((record.verdict, record.errno.as_deref()), (Outcome::Refused, Some("EPERM")));
        assert_eq!(record.technique.as_deref(), Some("escape.mount"));
        let text = serde_json::to_string(&record.args).unwrap();
        assert_eq!(
            text,
            r#"{"source":"none","target":"/mnt","fstype":"tmpfs","flags":"MS_NOSUID|MS_NODEV","data":"NULL"}"#
        );
        assert_eq!(audit.only("umount2").what, "umount2 /mnt");
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn one_call_of_each_kind_of_escape_is_refused_and_named() {
    on_both(|by| {
        let (results, audit) = play(
            by,
            r#"($path, $name) = ("/dev/sda", "user");
        c "unshare", 0x10000000;
        c "setns", 0, 0;
        c "ptrace", 16, 1, 0, 0;
        c "bpf", 5, 0, 0;
        c "keyctl", 0, 0, 0, 0, 0;
        c "add_key", $name, $path, 0, 0, 0;
        c "open_by_handle_at", 0, 0, 0;
        c "perf_event_open", 0, 0, 0, 0, 0;
        c "init_module", 0, 0, 0;
        c "pivot_root", $path, $path;
        c "socket", 17, 3, 0;
        c "mknod", $path, 060600, 0x800;
        c "ioctl", 0, 0x5412, 0;
        c "personality", 0x40000;"#,
        );
        assert!(results.iter().all(|(result, errno)| *result == -1 && *errno != 0), "{results:?}");
        let records = audit.records();
        assert_eq!(records.len(), results.len(), "{records:#?}");
        assert!(records.iter().all(|record| record.verdict == Outcome::Refused && record.technique.is_some()));
        let whats: Vec<&str> = records.iter().map(|record| record.what.as_ref()).collect();
        assert_eq!(
            whats,
            [
                "unshare CLONE_NEWUSER",
                "setns 0",
                "ptrace PTRACE_ATTACH",
                "bpf BPF_PROG_LOAD",
                "keyctl KEYCTL_GET_KEYRING_ID",
                "add_key user /dev/sda",
                "open_by_handle_at",
                "perf_event_open",
                "init_module NULL",
                "pivot_root /dev/sda /dev/sda",
                "socket AF_PACKET SOCK_RAW 0",
                "mknod /dev/sda S_IFBLK|0o600 8:0",
                "ioctl TIOCSTI",
                "personality 0x40000",
            ]
        );
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn honest_neighbours_run_and_leave_no_record() {
    on_both(|by| {
        let (results, audit) = play(
            by,
            r#"c "getpid";
        c "unshare", 0x200;
        c "socket", 1, 1, 0;
        c "socket", 2, 1, 0;
        c "prctl", 15, 0, 0, 0, 0;"#,
        );
        // prctl(PR_SET_NAME) of a null pointer gets as far as the kernel's own check.
        let errnos: Vec<i32> = results.iter().map(|(_, errno)| *errno).collect();
        assert_eq!(errnos, [0, 0, 0, 0, EFAULT]);
        assert_eq!(audit.records(), []);
        assert_eq!(audit.summary().entries, []);
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn arguments_that_cannot_be_read_are_refused_all_the_same() {
    on_both(|by| {
        let (results, audit) = play(by, r#"c "mount", 8, 0, 8, 0, 0;"#);
        assert_eq!(results, [(-1, EPERM)]);
        assert_eq!(audit.only("mount").what, "mount -t ? ? on NULL");
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn flood_is_refused_to_the_last_and_counted_exactly() {
    on_both(|by| {
        let (results, audit) = play(
            by,
            r#"$target = "/mnt";
        syscall($number{umount2}, $target, 0) for 1 .. 19999;
        c "umount2", $target, 0;"#,
        );
        assert_eq!(results, [(-1, EPERM)]);
        let distinct = audit.distinct();
        let count = |what: &str| distinct.iter().filter(|one| one.what == what).map(|one| one.count).sum::<u64>();
        // Beyond the burst nothing is looked at that changes nothing.
        let (seen, unseen) = (count("umount2 /mnt"), count("umount2 ?"));
        assert_eq!(seen + unseen, 20_000, "{distinct:?}");
        assert!(seen > 100 && unseen > 10_000, "{seen} {unseen}");
        let written = u64::try_from(audit.records().len()).unwrap();
        assert_eq!(written + audit.summary().dropped, 20_000);
        assert!(written > 100, "{written}");
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn calls_that_the_workloads_own_filter_hands_to_a_tracer_find_none() {
    on_both(|by| {
        let (results, audit) = play(
            by,
            r#"my $filter = pack("SCCL" x 4, 0x20, 0, 0, 0, 0x15, 0, 1, 110, 6, 0, 0, 0x7ff00007, 6, 0, 0, 0x7fff0000);
            my $program = pack("S x6 P", 4, $filter);
            c "seccomp", 1, 0, $program;
            c "getppid";
            c "umount2", 8, 0;"#,
        );
        assert_eq!(results, [(0, 0), (-1, ENOSYS), (-1, EPERM)]);
        assert_eq!(audit.records().len(), 1);
    });
}

/// A container whose root may name it.
fn naming() -> Handoff {
    Handoff { may_set_hostname: true, ..plain() }
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn root_names_its_container_through_the_monitor() {
    on_both(|by| {
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        let script = r#"$name = "quarantine"; $long = "x" x 65;
        c "sethostname", $name, 10;
        c "setdomainname", $name, 4;
        c "sethostname", $long, 65;
        c "sethostname", 8, 5;
        u 1000;
        c "sethostname", $name, 10;"#;
        let mut workload = Workload::start(&userns, by, script);
        sentry.watch(&mut workload, naming(), &[]);
        workload.go();
        for (expected, is_domain, errno) in [("quarantine", false, 0), ("quar", true, EINVAL)] {
            let FromSentry::SetHostname { ticket, container, name, domain } = sentry.hear() else {
                panic!("no question")
            };
            assert_eq!((container.as_str(), name.as_slice(), domain), ("box", expected.as_bytes(), is_domain));
            sentry.answer(ticket, errno);
        }
        let results: Vec<_> = (0..5).map(|_| workload.result()).collect();
        assert_eq!(results, [(0, 0), (-1, EINVAL), (-1, EINVAL), (-1, EFAULT), (-1, EPERM)]);
        workload.finish();
        let audit = sentry.finish();
        let outcomes: Vec<Outcome> = audit.records().iter().map(|record| record.verdict).collect();
        let answered = Outcome::Answered;
        assert_eq!(outcomes, [answered, answered, answered, answered, Outcome::Refused]);
        let [refused] = audit.distinct().try_into().unwrap();
        assert_eq!((refused.what.as_str(), refused.count), ("sethostname quarantine", 1));
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn container_that_may_not_name_itself_is_refused() {
    on_both(|by| {
        let (results, audit) = play(
            by,
            r#"$name = "quarantine"; $long = "x" x 65; 
        c "sethostname", $name, 10;
        c "sethostname", $long, 65;"#,
        );
        assert_eq!(results, [(-1, EPERM), (-1, EPERM)]);
        assert!(audit.records().iter().all(|record| record.technique.as_deref() == Some("host.hostname")));
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn monitor_that_does_not_answer_costs_the_caller_two_seconds() {
    on_both(|by| {
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        let mut workload = Workload::start(&userns, by, r#"$name = "x"; c "sethostname", $name, 1;"#);
        sentry.watch(&mut workload, naming(), &[]);
        let begin = Instant::now();
        workload.go();
        assert_eq!(workload.result(), (-1, EPERM));
        assert!((Duration::from_secs(2)..Duration::from_secs(6)).contains(&begin.elapsed()));
        workload.finish();
        let record = sentry_records(sentry);
        assert_eq!(record.0, Some("sentry.failure".to_owned()));
        assert!(record.1.unwrap().contains("did not answer"));
    });
}

fn sentry_records(sentry: Sentry) -> (Option<String>, Option<String>) {
    let record = sentry.finish().only("sethostname");
    (record.technique.map(|text| text.into_owned()), record.error.map(|text| text.into_owned()))
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn sysinfo_tells_the_limit_and_nothing_of_the_host() {
    on_both(|by| {
        let userns = user_namespace();
        let sentry = Sentry::start(&userns, by);
        let script = r#"$info = "\xff" x 120;
        c "sysinfo", $info;
        print join(" ", unpack("q Q3 Q6 S2 x4 Q2 L", $info), unpack("H*", substr($info, 112))), "\n";
        c "sysinfo", 8;"#;
        let mut workload = Workload::start(&userns, by, script);
        let (limit, usage) = (memory_file("104857600\n"), memory_file("4194304\n"));
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let started = Duration::from_secs(u64::try_from(now.tv_sec).unwrap() - 5);
        let handoff = Handoff { has_memory_limit: true, has_memory_usage: true, started, ..plain() };
        sentry.watch(&mut workload, handoff, &[limit.as_fd(), usage.as_fd()]);
        workload.go();
        assert_eq!(workload.result(), (0, 0));
        let line = workload.line();
        let fields: Vec<&str> = line.split(' ').collect();
        let uptime: u64 = fields[0].parse().unwrap();
        assert!((5..60).contains(&uptime), "{line}");
        let zero = "0";
        assert_eq!(fields[1..4], [zero; 3], "loads: {line}");
        assert_eq!(fields[4..10], ["104857600", "100663296", zero, zero, zero, zero], "memory: {line}");
        assert_eq!(fields[12..15], [zero, zero, "1"], "high memory and unit: {line}");
        assert_eq!(fields[15], "ffffffffffffffff", "written past the structure: {line}");
        assert_eq!(workload.result(), (-1, EFAULT));
        workload.finish();
        assert!(sentry.finish().records().iter().all(|record| record.verdict == Outcome::Answered));
    });
}
