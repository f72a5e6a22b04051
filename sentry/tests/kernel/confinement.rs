//! What a running sentry has left.

use std::collections::BTreeMap;

use lazaret_sentry::handoff::{FromSentry, Interceptor};

use crate::stage::{Sentry, Workload, on_both, plain, user_namespace};

/// A sentry that watches a workload which waits.
fn scene(by: Interceptor) -> (Sentry, Workload) {
    let userns = user_namespace();
    let sentry = Sentry::start(&userns, by);
    let mut workload = Workload::start(&userns, by, r#"c "getpid"; c "umount2", 8, 0;"#);
    sentry.watch(&mut workload, plain(), &[]);
    (sentry, workload)
}

fn status(task: &std::path::Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(task.join("status")).unwrap();
    text.lines()
        .filter_map(|line| line.split_once(':').map(|(key, value)| (key.to_owned(), value.trim().to_owned())))
        .collect()
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn every_thread_has_one_capability_a_filter_and_no_new_privileges() {
    on_both(|by| {
        let (sentry, _workload) = scene(by);
        let mut threads = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", sentry.child.0)).unwrap() {
            let status = status(&task.unwrap().path());
            let only_ptrace = format!("{:016x}", 1_u64 << 19);
            let none = format!("{:016x}", 0);
            for (set, expected) in [
                ("CapEff", &only_ptrace),
                ("CapPrm", &only_ptrace),
                ("CapInh", &none),
                ("CapBnd", &none),
                ("CapAmb", &none),
            ] {
                assert_eq!(&status[set], expected, "{set}");
            }
            assert_eq!((status["Seccomp"].as_str(), status["Seccomp_filters"].as_str()), ("2", "2"));
            assert_eq!(status["NoNewPrivs"], "1");
            threads += 1;
        }
        assert_eq!(threads, 2, "the main thread and one for the container");
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn its_root_is_empty_and_cannot_be_written() {
    on_both(|by| {
        let (sentry, _workload) = scene(by);
        let root = format!("/proc/{}/root", sentry.child.0);
        assert_eq!(std::fs::read_dir(format!("{root}/.")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(format!("/proc/{}/cwd/.", sentry.child.0)).unwrap().count(), 0);
        let refused = std::fs::write(format!("{root}/x"), b"x").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn it_holds_its_seat_and_its_listener_and_nothing_else() {
    on_both(|by| {
        let (sentry, _workload) = scene(by);
        let directory = format!("/proc/{}/fd", sentry.child.0);
        let mut open: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
            .map(|target| target.split(':').next().unwrap().to_owned())
            .collect();
        open.sort();
        let audit = open.iter().position(|target| target.contains("lazaret-sentry-test")).unwrap();
        open.remove(audit);
        // The empty root on 0, 1 and 2, the procfs, the eventfd and the listener (a tracer has none), the control socket.
        let mut expected = vec!["/", "/", "/", "/", "anon_inode", "anon_inode", "socket"];
        if by == Interceptor::Ptrace {
            expected.remove(4);
        }
        assert_eq!(open, expected);
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn its_limits_are_set() {
    on_both(|by| {
        let (sentry, _workload) = scene(by);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", sentry.child.0)).unwrap();
        for (name, value) in [("Max core file size", 0), ("Max open files", 800), ("Max file size", 9 * 1024 * 1024)] {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            let numbers: Vec<&str> = line[name.len()..].split_whitespace().take(2).collect();
            assert_eq!(numbers, [value.to_string(), value.to_string()], "{name}");
        }
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn its_private_memory_is_small() {
    on_both(|by| {
        let (sentry, mut workload) = scene(by);
        workload.go();
        workload.result();
        workload.result();
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", sentry.child.0)).unwrap();
        let private: u64 = rollup
            .lines()
            .filter(|line| line.starts_with("Private_"))
            .map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap())
            .sum();
        assert!(private <= 2048, "{private} KiB: {rollup}");
    });
}

#[test]
#[ignore = "needs root: seccomp listener"]
fn step_that_fails_is_told_and_ends_it() {
    let userns = user_namespace();
    let no_directory = rustix::fs::memfd_create("root", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let sentry = Sentry::fork(&userns, no_directory, false);
    let FromSentry::Failed { why } = sentry.hear() else { panic!("it says nothing") };
    assert!(why.starts_with("cannot enter the empty root: "), "{why}");
    assert_eq!(crate::endings::code(sentry), 1);
}
