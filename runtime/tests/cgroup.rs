//! Cgroups against the running kernel: limits by their effect, and nothing left behind. Every test makes its own subtree
//! under the caller's own cgroups and removes it, also after a panic. The suite runs twice: on the host as it is, and
//! again in a mount namespace where a hybrid host looks like a v1 host.

#![cfg(test)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lazaret::cgroup::{Cgroup, CgroupError, Hierarchies, Version};
use lazaret::spec::resources::{BlockDevice, DeviceRule, Flow, Resources, Throttle};

const DEADLINE: Duration = Duration::from_secs(10);
const M: i64 = 1 << 20;

/// A container's cgroups that end with the test.
struct Held(Cgroup);

impl Held {
    /// In a subtree of the test's own: the parent has to be made, and removed, too.
    fn new(label: &str, resources: &Resources) -> Self {
        let (cgroup, guard) =
            Cgroup::create(&host(), Some(&place(label)), "unused", resources).expect("create the cgroup");
        guard.keep();
        Self(cgroup)
    }

    fn directory(&self, controller: &str) -> PathBuf {
        let mut directories = self.0.directories();
        let found = directories.find(|(_, names, _)| names.iter().any(|name| name == controller));
        found.map(|(_, _, path)| path.to_path_buf()).unwrap_or_else(|| panic!("no directory for {controller}"))
    }

    fn read(&self, controller: &str, file: &str) -> String {
        std::fs::read_to_string(self.directory(controller).join(file)).expect("read").trim().to_owned()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.delete());
        if !std::thread::panicking() {
            ended.expect("remove the cgroup");
            assert!(self.0.directories().all(|(_, _, path)| !path.exists()));
        }
    }
}

/// A shell that runs its script when it is told to, and that dies with the test.
struct Shell(Child);

impl Shell {
    fn waiting(script: &str) -> Self {
        let child = Command::new("sh")
            .args(["-c", &format!("read go; {script}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh");
        Self(child)
    }

    /// A shell inside the cgroups, not yet running.
    fn inside(held: &Held, script: &str) -> Self {
        let shell = Self::waiting(script);
        held.0.attach(shell.pid()).expect("attach");
        shell
    }

    fn pid(&self) -> i32 {
        self.0.id().try_into().expect("pid")
    }

    fn go(&mut self) {
        self.0.stdin.as_mut().expect("stdin").write_all(b"go\n").expect("go");
    }

    /// Runs the script to its end: status and standard output.
    fn finish(mut self) -> (ExitStatus, String) {
        self.go();
        let mut output = String::new();
        self.0.stdout.take().expect("stdout").read_to_string(&mut output).expect("output");
        (self.0.wait().expect("wait"), output)
    }

    fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("line");
        line
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if self.0.kill().is_ok() {
            self.0.wait().expect("reap");
        }
    }
}

fn host() -> Hierarchies {
    Hierarchies::read().expect("cgroups")
}

fn place(label: &str) -> String {
    format!("lazaret-test-{}-{label}/c", std::process::id())
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What exists of the test's subtree in any hierarchy.
fn leftovers(label: &str) -> Vec<PathBuf> {
    let top = place(label).replace("/c", "");
    let own = std::fs::read_to_string("/proc/self/cgroup").expect("own");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let points = mounts.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
    let bases = points.flat_map(|point| {
        own.lines()
            .map(move |line| Path::new(point).join(line.splitn(3, ":").last().unwrap_or("/").trim_start_matches('/')))
    });
    // On a pure v2 host the subtree lies beside the own cgroup.
    bases
        .flat_map(|base| [base.join(&top), base.parent().unwrap_or(&base).join(&top)])
        .filter(|path| path.exists())
        .collect()
}

fn rule(allow: bool, kind: char, number: Option<(u32, u32)>) -> DeviceRule {
    DeviceRule { allow, kind, major: number.map(|n| n.0), minor: number.map(|n| n.1), access: 7 }
}

#[test]
#[ignore = "needs root: cgroups"]
fn pids_limit_stops_a_fork_loop() {
    let held = Held::new("pids", &Resources { pids_limit: Some(8), ..Resources::default() });
    let mut shell = Shell::inside(&held, "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 60 & done; echo escaped; wait");
    shell.go();
    until("the limit is met", || {
        held.read("pids", "pids.events").starts_with("max ") && held.read("pids", "pids.events") != "max 0"
    });
    assert_eq!(held.read("pids", "pids.max"), "8");
    assert!(held.0.pids().expect("pids").len() <= 8);
}

#[test]
#[ignore = "needs root: cgroups"]
fn pids_limit_leaves_its_honest_neighbour_alone() {
    let held = Held::new("pids-ok", &Resources { pids_limit: Some(8), ..Resources::default() });
    let (status, output) = Shell::inside(&held, "for i in 1 2 3 4; do true & done; wait; echo fine").finish();
    assert!(status.success());
    assert_eq!(output, "fine\n");
}

#[test]
#[ignore = "needs root: cgroups"]
fn memory_limit_kills_a_hog_and_nobody_else() {
    let limits = Resources { memory_limit: Some(24 * M), memory_swap: Some(24 * M), ..Resources::default() };
    let held = Held::new("memory", &limits);
    let (status, output) =
        // The hog alone charges: while a victim's pages are on their way back, the kernel ends whoever charges more.
        Shell::inside(
            &held,
            "head -c 1000000 /dev/zero | tail -c 10 >/dev/null && echo small; \
             (echo 900 >/proc/self/oom_score_adj; exec tail /dev/zero >/dev/null); echo $?",
        )
        .finish();
    assert!(status.success(), "the shell itself fits");
    assert_eq!(output, "small\n137\n");
    assert!(held.0.oom_kills().expect("oom_kills").is_some_and(|count| count >= 1));
    let (limit, usage) = held.0.memory_files();
    let number = |file: Option<std::os::fd::OwnedFd>| {
        let mut text = String::new();
        std::fs::File::from(file.expect("file")).read_to_string(&mut text).expect("read");
        text.trim().parse::<i64>().expect("number")
    };
    assert_eq!(number(limit), 24 * M);
    assert!(number(usage) < 24 * M);
}

#[test]
#[ignore = "needs root: cgroups"]
fn device_rules_deny_what_they_do_not_name() {
    let script = "echo x >/dev/null && echo null; head -c1 /dev/zero >/dev/null && echo zero; \
                  d=$(mktemp -d); mknod $d/disk b 8 0 && echo mknod; rm -rf $d";
    let rules = vec![rule(false, 'a', None), rule(true, 'c', Some((1, 3)))];
    let confined = Held::new("devices", &Resources { devices: rules, ..Resources::default() });
    assert_eq!(Shell::inside(&confined, script).finish().1, "null\n");
    // Positive control: the same script, without rules.
    let free = Held::new("devices-control", &Resources::default());
    assert_eq!(Shell::inside(&free, script).finish().1, "null\nzero\nmknod\n");
}

#[test]
#[ignore = "needs root: cgroups"]
fn device_rule_with_a_hole_becomes_a_program_or_is_refused_by_name() {
    // v1 cannot take one device out of a wider rule, a program can.
    let rules = vec![rule(true, 'c', None), rule(false, 'c', Some((1, 5)))];
    let resources = Resources { devices: rules, ..Resources::default() };
    if !host().has_v2() {
        let error = Cgroup::create(&host(), Some(&place("hole")), "x", &resources).expect_err("refused");
        assert!(error.to_string().starts_with("linux.resources.devices[1] \"c 1:5 rwm\": "), "{error}");
        return;
    }
    let script = "echo x >/dev/null && echo null; head -c1 /dev/zero >/dev/null && echo zero; \
                  d=$(mktemp -d); mknod $d/disk b 8 0 && echo mknod; rm -rf $d";
    let held = Held::new("hole", &resources);
    assert_eq!(Shell::inside(&held, script).finish().1, "null\n");
}

#[test]
#[ignore = "needs root: cgroups"]
fn cpu_quota_is_written_and_throttles() {
    let limits =
        Resources { cpu_quota: Some(20_000), cpu_period: Some(100_000), cpu_shares: Some(512), ..Resources::default() };
    let held = Held::new("cpu", &limits);
    let mut shell = Shell::inside(&held, "while :; do :; done");
    shell.go();
    until("the burner is throttled", || {
        held.read("cpu", "cpu.stat").lines().any(|line| line.starts_with("nr_throttled ") && line != "nr_throttled 0")
    });
}

#[test]
#[ignore = "needs root: cgroups"]
fn cpuset_is_inherited_and_set() {
    let cpus = |held: &Held| {
        let output = Shell::inside(held, "grep Cpus_allowed_list /proc/self/status").finish().1;
        output.split_whitespace().nth(1).map(str::to_owned)
    };
    let one = Held::new("cpuset", &Resources { cpuset_cpus: Some("0".into()), ..Resources::default() });
    assert_eq!(cpus(&one).as_deref(), Some("0"));
}

/// A block device of the test's own: 4 MiB of zeroes behind a loop device.
struct Disk {
    node: String,
    file: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let file = std::env::temp_dir().join(format!("lazaret-test-{}-disk", std::process::id()));
        std::fs::write(&file, vec![0; 4 << 20]).expect("write");
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&file).output().expect("losetup");
        assert!(output.status.success(), "{output:?}");
        Self { node: String::from_utf8(output.stdout).expect("text").trim().to_owned(), file }
    }

    fn device(&self) -> BlockDevice {
        let name = self.node.trim_start_matches("/dev/");
        let numbers = std::fs::read_to_string(format!("/sys/block/{name}/dev")).expect("numbers");
        let (major, minor) = numbers.trim().split_once(':').expect("numbers");
        BlockDevice { major: major.parse().expect("major"), minor: minor.parse().expect("minor") }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let detached = Command::new("losetup").args(["--detach", &self.node]).status();
        let removed = std::fs::remove_file(&self.file);
        if !std::thread::panicking() {
            assert!(detached.is_ok_and(|status| status.success()) && removed.is_ok());
        }
    }
}

#[test]
#[ignore = "needs root: cgroups"]
fn a_reader_is_held_to_its_bytes_in_a_second() {
    if !host().has_controller("blkio") && !host().has_controller("io") {
        // `each_limit_is_refused_by_name_where_its_controller_is_missing` is for such a host.
        return;
    }
    let disk = Disk::new();
    let script = format!("dd if={} of=/dev/null iflag=direct bs=64k count=16 2>/dev/null && echo read", disk.node);
    let timed = |held: &Held| {
        let started = Instant::now();
        assert_eq!(Shell::inside(held, &script).finish().1, "read\n");
        started.elapsed()
    };
    let throttle = Throttle { flow: Flow::ReadBytes, index: 0, device: disk.device(), rate: 512 * 1024 };
    let bound = Held::new("io", &Resources { io_throttles: vec![throttle], ..Resources::default() });
    assert!(timed(&bound) > Duration::from_millis(1500), "1 MiB at 512 KiB in a second");
    let free = Held::new("io-control", &Resources::default());
    assert!(timed(&free) < Duration::from_millis(1000), "the same without a bound");
}

#[test]
#[ignore = "needs root: cgroups"]
fn burst_idle_and_the_rest_reach_the_kernel_or_are_refused_by_name() {
    let base = Resources { cpu_quota: Some(50_000), ..Resources::default() };
    let burst_file = if host().has_v2_controllers() { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
    let held = Held::new("burst", &Resources { cpu_burst: Some(20_000), cpu_idle: Some(true), ..base.clone() });
    assert_eq!((held.read("cpu", burst_file).as_str(), held.read("cpu", "cpu.idle").as_str()), ("20000", "1"));
    let id = format!("test-{}-v1", std::process::id());
    let of_v1 = [
        (Resources { cpu_realtime_runtime: Some(1000), ..Resources::default() }, "cpu", "cpu.rt_runtime_us", "1000"),
        (Resources { memory_swappiness: Some(7), ..Resources::default() }, "memory", "memory.swappiness", "7"),
        (
            Resources { memory_kernel_tcp: Some(8 * M), ..Resources::default() },
            "memory",
            "memory.kmem.tcp.limit_in_bytes",
            "8388608",
        ),
    ];
    for (resources, controller, file, value) in of_v1 {
        if host().has_v2_controllers() {
            let error = Cgroup::create(&host(), None, &id, &resources).expect_err(file);
            assert!(matches!(error, CgroupError::OnlyV1 { .. }), "{error}");
        } else {
            // Right below the own cgroup: a parent made for it would have no real-time share to give.
            let (cgroup, guard) = Cgroup::create(&host(), None, &id, &resources).expect("create");
            guard.keep();
            assert_eq!(Held(cgroup).read(controller, file), value);
        }
    }
}

#[test]
#[ignore = "needs root: cgroups"]
fn an_idle_container_can_be_given_shares_and_be_woken() {
    let mut held = Held::new("idle", &Resources { cpu_idle: Some(true), ..Resources::default() });
    let both = Resources { cpu_idle: Some(true), cpu_shares: Some(512), ..Resources::default() };
    held.0.update(&host(), &both).expect("the kernel takes no shares while it is idle");
    assert_eq!(held.read("cpu", "cpu.idle"), "1");
    let awake = Resources { cpu_idle: Some(false), cpu_shares: Some(512), ..Resources::default() };
    held.0.update(&host(), &awake).expect("update");
    let (file, shares) = if host().has_v2_controllers() { ("cpu.weight", "59") } else { ("cpu.shares", "512") };
    assert_eq!((held.read("cpu", "cpu.idle").as_str(), held.read("cpu", file).as_str()), ("0", shares));
}

#[test]
#[ignore = "needs root: cgroups"]
fn kill_reaches_a_whole_tree_with_sessions_of_its_own() {
    let held = Held::new("kill", &Resources::default());
    let script = "setsid sh -c 'sleep 60 & setsid sleep 60 & sleep 60' & sleep 60 & echo started; wait";
    let mut shell = Shell::inside(&held, script);
    shell.go();
    assert_eq!(shell.first_line(), "started\n");
    until("five processes", || held.0.pids().expect("pids").len() >= 5);
    held.0.kill().expect("kill");
    assert_eq!(shell.0.wait().expect("wait").signal(), Some(9));
    until("nobody is left", || held.0.pids().expect("pids").is_empty());
    held.0.kill().expect("killing nobody is no error");
}

#[test]
#[ignore = "needs root: cgroups"]
fn frozen_processes_stand_still_until_they_are_thawed() {
    let held = Held::new("freeze", &Resources::default());
    let mut shell = Shell::inside(&held, "echo answer");
    held.0.freeze().expect("freeze");
    shell.go();
    let stdout = shell.0.stdout.take().expect("stdout");
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("line");
        sender.send(line).expect("send");
    });
    assert!(receiver.recv_timeout(Duration::from_millis(200)).is_err(), "a frozen process answered");
    held.0.thaw().expect("thaw");
    assert_eq!(receiver.recv_timeout(DEADLINE).expect("answer"), "answer\n");
    reader.join().expect("reader");
}

#[test]
#[ignore = "needs root: cgroups"]
fn frozen_processes_can_be_killed() {
    let held = Held::new("freeze-kill", &Resources::default());
    let mut shell = Shell::inside(&held, "sleep 60");
    held.0.freeze().expect("freeze");
    held.0.kill().expect("kill");
    assert_eq!(shell.0.wait().expect("wait").signal(), Some(9));
}

#[test]
#[ignore = "needs root: cgroups"]
fn a_thread_that_enters_gives_its_cgroups_to_its_child() {
    let held = Held::new("entry", &Resources { pids_limit: Some(20), ..Resources::default() });
    let tasks = held.0.entry().expect("entry").into_tasks();
    let shell = std::thread::spawn(move || {
        for file in tasks {
            std::fs::File::from(file).write_all(b"0").expect("enter");
        }
        Shell::waiting("echo")
    });
    let shell = shell.join().expect("thread");
    for (version, controllers, path) in held.0.directories() {
        let procs = std::fs::read_to_string(path.join("cgroup.procs")).expect("procs");
        let inside = procs.lines().any(|line| line == shell.pid().to_string());
        assert_eq!(inside, version == Version::V1, "{controllers:?}");
    }
}

#[test]
#[ignore = "needs root: cgroups"]
fn refused_limit_leaves_nothing_behind() {
    // No limit here may be one that only v2 has: it would switch a controller on in the host's own root.
    let nonsense = Resources { pids_limit: Some(5), cpuset_cpus: Some("nonsense".into()), ..Resources::default() };
    let error = Cgroup::create(&host(), Some(&place("refused")), "x", &nonsense).expect_err("refused");
    assert!(matches!(error, CgroupError::Limit { ref value, .. } if value == "nonsense"), "{error}");
    assert!(error.to_string().starts_with("linux.resources.cpu.cpus: "), "{error}");
    assert!(leftovers("refused").is_empty());
}

#[test]
#[ignore = "needs root: cgroups"]
fn unified_limits_are_written_as_they_are_or_refused_by_name() {
    let unified = |file: &str, value: &str| Resources {
        unified: [(file.to_owned(), value.to_owned())].into(),
        ..Resources::default()
    };
    if host().has_v2() {
        let held = Held::new("depth", &unified("cgroup.max.depth", "1"));
        let top = held.0.directories().next().map(|(_, _, path)| path.to_path_buf()).expect("v2");
        std::fs::create_dir_all(top.join("a/b")).expect_err("deeper than allowed");
        assert!(top.join("a").exists());
    }
    if host().has_v2_controllers() {
        let held = Held::new("high", &unified("memory.high", "33554432"));
        assert_eq!(held.read("memory", "memory.high"), "33554432");
    } else {
        let resources = unified("memory.high", "33554432");
        let error = Cgroup::create(&host(), Some(&place("high")), "x", &resources).expect_err("refused");
        assert!(error.to_string().starts_with("linux.resources.unified.memory.high: "), "{error}");
    }
    let error =
        Cgroup::create(&host(), Some(&place("steal")), "x", &unified("cgroup.procs", "1")).expect_err("refused");
    assert!(matches!(error, CgroupError::Value { .. }), "{error}");
    assert!(leftovers("high").is_empty() && leftovers("steal").is_empty());
}

#[test]
#[ignore = "needs root: cgroups"]
fn dropped_guard_removes_the_cgroup_and_kept_one_does_not() {
    let (cgroup, guard) = Cgroup::create(&host(), Some(&place("guard")), "x", &Resources::default()).expect("create");
    assert!(!leftovers("guard").is_empty());
    drop(guard);
    assert!(leftovers("guard").is_empty());
    cgroup.delete().expect("deleting twice is no error");
    assert!(cgroup.pids().expect("pids").is_empty());
    cgroup.kill().expect("killing nobody is no error");
}

#[test]
#[ignore = "needs root: cgroups"]
fn cgroup_in_use_is_refused_and_an_empty_one_is_replaced() {
    let held = Held::new("twice", &Resources { pids_limit: Some(9), ..Resources::default() });
    let create = || Cgroup::create(&host(), Some(&place("twice")), "x", &Resources::default());
    let shell = Shell::inside(&held, "sleep 60");
    assert!(matches!(create(), Err(CgroupError::Occupied { .. })));
    assert_eq!(held.read("pids", "pids.max"), "9", "the first container keeps its own");
    drop(shell);
    until("it is empty", || held.0.pids().expect("pids").is_empty());
    let (_again, guard) = create().expect("create");
    assert_eq!(held.read("pids", "pids.max"), "max", "limits of an earlier owner are gone");
    guard.keep();
}

#[test]
#[ignore = "needs root: cgroups"]
fn a_cgroup_inside_of_another_containers_is_refused() {
    let held = Held::new("outer", &Resources::default());
    let inner = format!("{}/inner/c", place("outer"));
    let error = Cgroup::create(&host(), Some(&inner), "x", &Resources::default()).expect_err("refused");
    assert!(matches!(error, CgroupError::InsideContainer { .. }), "{error}");
    assert!(held.0.directories().all(|(_, _, path)| !path.join("inner").exists()), "nothing is left behind");
    // Beside it there is room: the parent is nobody's.
    let beside = place("outer").replace("/c", "/d");
    let (_cgroup, guard) = Cgroup::create(&host(), Some(&beside), "x", &Resources::default()).expect("create");
    drop(guard);
}

#[test]
#[ignore = "needs root: cgroups"]
fn a_vanished_cgroup_takes_no_process_and_is_no_obstacle_to_deletion() {
    let (cgroup, guard) = Cgroup::create(&host(), Some(&place("gone")), "x", &Resources::default()).expect("create");
    guard.keep();
    let text = serde_json::to_string(&cgroup).expect("write");
    for (_, _, path) in cgroup.directories() {
        std::fs::remove_dir(path).expect("somebody removes it");
    }
    let mut back: Cgroup = serde_json::from_str(&text).expect("read");
    if host().has_v2() {
        assert!(matches!(back.clone_target(), Err(CgroupError::Open { .. })), "nobody may run beside the limits");
    }
    assert!(back.freeze().is_err() && back.entry().is_err() != back.directories().all(|d| d.0 == Version::V2));
    assert!(back.update(&host(), &Resources { pids_limit: Some(5), ..Resources::default() }).is_err());
    assert!(back.pids().expect("pids").is_empty() && !back.is_frozen().expect("is_frozen"));
    back.kill().expect("kill");
    back.delete().expect("delete");
    assert!(leftovers("gone").is_empty());
}

#[test]
#[ignore = "needs root: cgroups"]
fn an_update_replaces_the_device_rules() {
    let script = "head -c1 /dev/zero >/dev/null && echo zero; head -c1 /dev/urandom >/dev/null && echo random";
    let only = |minor| vec![rule(false, 'a', None), rule(true, 'c', Some((1, 3))), rule(true, 'c', Some((1, minor)))];
    let all_but_zero = vec![rule(true, 'c', None), rule(false, 'c', Some((1, 5)))];
    let mut held = Held::new("rules", &Resources { devices: only(5), ..Resources::default() });
    assert_eq!(Shell::inside(&held, script).finish().1, "zero\n");
    let mut change = |devices| held.0.update(&host(), &Resources { devices, ..Resources::default() });
    change(only(9)).expect("update");
    assert_eq!(Shell::inside(&held, script).finish().1, "random\n");
    if host().has_v2() {
        let mut change = |devices| held.0.update(&host(), &Resources { devices, ..Resources::default() });
        change(all_but_zero.clone()).expect("from lines to a program, where there were lines");
        assert_eq!(Shell::inside(&held, script).finish().1, "random\n");
        let mut program = Held::new("rules-bpf", &Resources { devices: all_but_zero, ..Resources::default() });
        assert_eq!(Shell::inside(&program, script).finish().1, "random\n");
        program.0.update(&host(), &Resources { devices: only(5), ..Resources::default() }).expect("update");
        assert_eq!(Shell::inside(&program, script).finish().1, "zero\n", "the new rules alone hold");
    }
}

#[test]
#[ignore = "needs root: cgroups"]
fn a_scope_without_systemd_is_refused_by_name() {
    if Path::new("/run/systemd/system").is_dir() {
        return;
    }
    let error = Cgroup::create_scope(&host(), None, "x", &Resources::default()).expect_err("refused");
    assert!(error.to_string().starts_with("--systemd-cgroup: "), "{error}");
}

#[test]
#[ignore = "needs root: cgroups"]
fn cgroups_made_by_the_workload_are_killed_and_removed_with_it() {
    let held = Held::new("nested", &Resources::default());
    let top = held.0.directories().next().map(|(_, _, path)| path.to_path_buf()).expect("directory");
    let shell = Shell::inside(&held, "sleep 60");
    let below = top.join("a/b");
    std::fs::create_dir_all(&below).expect("nested");
    std::fs::create_dir(top.join("c")).expect("nested");
    std::fs::write(below.join("cgroup.procs"), shell.pid().to_string()).expect("move");
    assert_eq!(held.0.pids().expect("pids"), [shell.pid()]);
    held.0.kill().expect("kill");
    held.0.delete().expect("delete");
    assert!(!top.exists());
}

#[test]
#[ignore = "needs root: cgroups"]
fn state_written_and_read_back_can_do_everything() {
    let held = Held::new("state", &Resources { memory_limit: Some(64 * M), ..Resources::default() });
    let text = serde_json::to_string(&held.0).expect("write");
    let mut back: Cgroup = serde_json::from_str(&text).expect("read");
    let shell = Shell::inside(&held, "sleep 60");
    assert_eq!(back.pids().expect("pids"), [shell.pid()]);
    back.update(&host(), &Resources { memory_limit: Some(32 * M), ..Resources::default() }).expect("update");
    assert!(back.memory_files().0.is_some());
    assert_eq!(back.clone_target().expect("open").is_some(), host().has_v2());
    back.kill().expect("kill");
    back.delete().expect("delete");
}

#[test]
#[ignore = "needs root: cgroups"]
fn update_joins_a_controller_that_creation_left_out() {
    // Without linux.cgroupsPath nothing is joined that is not limited.
    let id = format!("test-{}-late", std::process::id());
    let (cgroup, guard) = Cgroup::create(&host(), None, &id, &Resources::default()).expect("create");
    guard.keep();
    let mut held = Held(cgroup);
    let mut shell = Shell::inside(&held, "sleep 60 & sleep 60 & echo started; wait");
    shell.go();
    assert_eq!(shell.first_line(), "started\n");
    held.0.update(&host(), &Resources { pids_limit: Some(3), ..Resources::default() }).expect("update");
    assert_eq!(held.read("pids", "pids.max"), "3");
    assert_eq!(held.read("pids", "pids.current"), "3");
}

#[test]
#[ignore = "needs root: cgroups"]
fn quota_and_memory_can_be_raised_and_lowered_together() {
    let mut held = Held::new(
        "order",
        &Resources {
            memory_limit: Some(32 * M),
            memory_swap: Some(32 * M),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            ..Resources::default()
        },
    );
    for memory in [128 * M, 16 * M] {
        let resources = Resources {
            memory_limit: Some(memory),
            memory_swap: Some(memory),
            cpu_quota: Some(memory / 1000),
            cpu_period: Some(200_000),
            ..Resources::default()
        };
        held.0.update(&host(), &resources).expect("update");
    }
}

#[test]
#[ignore = "needs root: cgroups"]
fn the_same_holds_on_a_host_without_v2() {
    if !host().has_v2() || host().has_v2_controllers() {
        return;
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let unified = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| line.split(' ').nth(4))
        .expect("the v2 mount");
    // unshare(1) makes the namespace's mounts private, so the host keeps its hierarchy.
    let status = Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            "umount \"$1\" && exec \"$2\" --ignored --skip the_same_holds_on --test-threads 2",
            "sh",
            unified,
        ])
        .arg(std::env::current_exe().expect("this test"))
        .status()
        .expect("unshare");
    assert!(status.success());
}
