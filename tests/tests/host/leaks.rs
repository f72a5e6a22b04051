//! Nothing accumulates: a hundred containers leave the host as it was.

use lazaret_tests::bundle::Bundle;
use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::leftover;

fn mount_count() -> usize {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains("lazaret")).count()
}

/// Directories of the machine that are there as long as any container is: tests beside this one come and go in them.
const SHARED: [&str; 3] = ["/run/lazaret", "/run/lazaret-ids", "/run/lazaret-containerd"];

/// Names below the temporary directory and /run that are not of a test.
fn strays() -> Vec<String> {
    let names =
        ["/tmp", "/run", "/dev/shm"].iter().flat_map(|directory| std::fs::read_dir(directory).unwrap().flatten());
    names
        .map(|entry| entry.path().display().to_string())
        .filter(|name| name.contains("lazaret") && !SHARED.contains(&name.as_str()))
        .collect()
}

#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn a_hundred_runs_leave_nothing() {
    let lazaret = Lazaret::new();
    let bundle = Bundle::shell("mount -t tmpfs x /mnt 2>/dev/null; echo $$");
    drop(lazaret.run(&bundle));
    let (mounts, names) = (mount_count(), strays());
    for round in 0..100 {
        let outcome = lazaret.verb(&["run", "--bundle", &bundle.path().display().to_string(), bundle.id()]);
        assert_eq!(outcome.stdout, "1\n", "round {round}: {outcome:?}");
    }
    lazaret.nothing_left(bundle.id());
    assert!(lazaret.states().is_empty());
    assert_eq!(mount_count(), mounts, "mounts stay");
    assert_eq!(strays(), names, "files stay");
    assert!(leftover::leases(&lazaret.root()).is_empty(), "leases stay: {:?}", leftover::leases(&lazaret.root()));
    assert!(leftover::mounts(bundle.id()).is_empty());
}

/// The id ranges of ended sandboxes can be used again: more runs than a small pool would last for.
#[test]
#[ignore = "needs root: namespaces"]
fn do_a_hundred_times_leaves_nothing() {
    let lazaret = Lazaret::new();
    for round in 0..100 {
        let outcome = lazaret.run_command(&["true"]);
        assert_eq!(outcome.status, 0, "round {round}: {outcome:?}");
    }
    assert!(lazaret.states().is_empty(), "{:?}", lazaret.states());
    leftover::none(lazaret.tag());
}
