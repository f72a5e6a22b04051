//! `doctor` sees what is there and what is not: each gap is made real by a filter outside of lazaret, and beside what the
//! report says stands what lazaret then does.

use lazaret_tests::lazaret::Lazaret;
use lazaret_tests::leftover;
use lazaret_tests::outcome::Outcome;
use lazaret_tests::user::User;
use serde_json::Value;

use crate::interceptors::supervised;

/// Executes a command below a filter that has one answer for each of the calls named: `ACTION NUMBER,NUMBER... COMMAND`.
const BELOW: &str = r#"
    my ($action, $numbers) = (shift, shift);
    my $filter = pack("SCCL", 0x20, 0, 0, 0);
    $filter .= pack("SCCL" x 2, 0x15, 0, 1, $_, 6, 0, 0, hex $action) for split /,/, $numbers;
    $filter .= pack("SCCL", 6, 0, 0, 0x7fff0000);
    my $program = pack("S x6 P", length($filter) / 8, $filter);
    syscall(317, 1, 0, $program) >= 0 or die "no filter: $!";
    exec @ARGV or die "no command: $!";
"#;

/// `SECCOMP_RET_ERRNO` with ENOSYS.
pub(crate) const ENOSYS: &str = "50026";
/// `SECCOMP_RET_ERRNO` with EAGAIN.
const EAGAIN: &str = "5000b";
/// `SECCOMP_RET_KILL_PROCESS`.
const KILL: &str = "80000000";

pub(crate) fn below(action: &str, calls: &[libc::c_long]) -> Lazaret {
    let numbers = calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Lazaret::new().run_by(&["perl", "-e", BELOW, action, &numbers])
}

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("no JSON: {error}: {outcome:?}"))
}

/// Of the feature `id`: its status, need and detail.
#[track_caller]
fn feature<'r>(report: &'r Value, id: &str) -> (&'r str, &'r str, &'r str) {
    let all = report["features"].as_array().unwrap();
    let found = all.iter().find(|feature| feature["id"] == id).unwrap_or_else(|| panic!("no {id} in {report}"));
    let text = |key: &str| found[key].as_str().unwrap();
    assert!(!text("consequence").is_empty() && !text("name").is_empty() && !text("group").is_empty(), "{found}");
    (text("status"), text("need"), text("detail"))
}

#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn a_host_that_runs_sandboxes_is_said_to() {
    let lazaret = Lazaret::new();
    let outcome = lazaret.verb(&["doctor", "-o", "json"]).expect(0);
    let report = report(&outcome);
    assert_eq!((&report["version"], &report["caller"], &report["sandbox"]), (&1.into(), &"root".into(), &true.into()));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(report["kernel"], kernel.trim());
    for id in ["seccomp-filter", "user-namespace", "mount-setattr", "cgroup"] {
        let (status, need, detail) = feature(&report, id);
        assert_eq!((status, need), ("present", "sandbox"), "{id}: {detail}");
    }
    lazaret.run_command(&["true"]).succeeds();
    leftover::none("lazaret-doctor");
}

#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn a_call_that_sandboxes_need_and_that_is_missing_is_named_with_its_consequence() {
    let lazaret = below(ENOSYS, &[libc::SYS_mount_setattr]);
    let outcome = lazaret.verb(&["doctor", "-o", "json"]).expect(1);
    let report = report(&outcome);
    assert_eq!(feature(&report, "mount-setattr"), ("absent", "sandbox", "mount_setattr: ENOSYS"));
    assert_eq!((&report["sandbox"], &report["strict"]), (&false.into(), &false.into()));
    assert_eq!(feature(&report, "openat2").0, "present", "one gap is one gap");
    let table = lazaret.verb(&["doctor"]).expect(1).stdout;
    let gap = table.lines().skip_while(|line| !line.contains("✗ attributes of mounts"));
    let lines: Vec<&str> = gap.take(2).collect();
    assert!(
        lines[0].ends_with("mount_setattr: ENOSYS") && lines[1].contains("-> needed by sandbox mode:"),
        "{lines:?}"
    );
    assert!(table.ends_with("sandbox mode cannot run here, strict mode cannot run here\n"), "{table}");
    assert_eq!(lazaret.run_command(&["true"]).status, 125, "what the report says is so");
}

#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn without_landlock_strict_mode_alone_is_said_to_be_refused_and_is() {
    let lazaret = below(ENOSYS, &[libc::SYS_landlock_create_ruleset]);
    let outcome = lazaret.verb(&["doctor", "-o", "json"]).expect(0);
    let report = report(&outcome);
    let (status, need, detail) = feature(&report, "landlock");
    assert_eq!((status, need), ("absent", "strict"));
    assert_eq!(detail, "landlock_create_ruleset: ENOSYS");
    assert_eq!((&report["sandbox"], &report["strict"]), (&true.into(), &false.into()));
    lazaret.run_command(&["true"]).succeeds();
    assert_eq!(lazaret.verb(&["--mode", "strict", "do", "--", "true"]).status, 125);
}

#[test]
#[ignore = "needs root: namespaces, seccomp, ptrace"]
pub(crate) fn below_a_supervisor_the_listener_is_missing_and_the_tracer_is_not() {
    let lazaret = supervised(&[], false);
    let outcome = lazaret.verb(&["doctor", "-o", "json"]).expect(0);
    let report = report(&outcome);
    let (status, need, detail) = feature(&report, "seccomp-notify");
    assert_eq!((status, need), ("absent", "option"), "{detail}");
    assert!(detail.ends_with("EBUSY"), "{detail}");
    assert_eq!(feature(&report, "seccomp-wait-killable").0, "present", "the kernel knows the flag");
    assert_eq!(feature(&report, "ptrace").0, "present");
}

#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn a_probe_that_is_killed_for_its_call_is_a_gap_and_the_others_go_on() {
    let outcome = below(KILL, &[libc::SYS_openat2]).verb(&["doctor", "-o", "json"]).expect(1);
    let report = report(&outcome);
    let (status, _, detail) = feature(&report, "openat2");
    assert!(status == "absent" && detail.contains("SIGSYS"), "{status}: {detail}");
    assert_eq!(feature(&report, "mount-setattr").0, "present");
}

/// What could not be tried is not said to be missing, and not said to be there.
#[test]
#[ignore = "needs root: namespaces, mounts, cgroups"]
fn where_nothing_can_be_tried_nothing_is_known_and_the_status_is_1() {
    let forks = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_fork, libc::SYS_vfork];
    let outcome = below(EAGAIN, &forks).verb(&["doctor", "-o", "json"]).expect(1);
    let report = report(&outcome);
    let all = report["features"].as_array().unwrap();
    assert!(all.iter().all(|feature| feature["status"] == "unknown"), "{report}");
    assert_eq!(report["sandbox"], false);
}

#[test]
#[ignore = "needs root to become an ordinary user"]
fn an_ordinary_user_is_told_what_holds_without_root() {
    let user = User::new();
    let outcome = user.verb(&["doctor", "-o", "json"]).expect(0);
    let report = report(&outcome);
    assert_eq!(report["caller"], "user");
    assert_eq!(feature(&report, "cgroup"), ("unknown", "option", "not used without root"));
    assert_eq!(feature(&report, "user-namespace").0, "present");
    assert_eq!(feature(&report, "subordinate-ids").0, "absent");
    let given = User::with_subordinate_ids();
    let outcome = given.verb(&["doctor", "-o", "json"]).expect(0);
    assert_eq!(feature(&self::report(&outcome), "subordinate-ids").0, "present");
}
