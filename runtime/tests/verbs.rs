//! The verbs beside create, start, state, kill and delete, by the binary and by their effect. Every test has a state
//! directory and a bundle of its own and removes both, also after a panic. Those that need root run twice: on the host as
//! it is, and again in a mount namespace where a hybrid host looks like a v1 host.

#![cfg(test)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const LAZARET: &str = env!("CARGO_BIN_EXE_lazaret");
const DEADLINE: Duration = Duration::from_secs(20);
const MODES: [&str; 2] = ["sandbox", "native"];
/// Long enough for a loop of 20 ms to be seen going on, or standing still.
const WINDOW: Duration = Duration::from_millis(300);
const COUNT: &str = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.02; done";

/// A container with a shell line, which ends with the test.
struct Container {
    scratch: PathBuf,
    id: String,
    mode: &'static str,
}

impl Container {
    /// Its bundle is `spec`'s own configuration after `change`.
    fn created(label: &str, mode: &'static str, script: &str, change: impl FnOnce(&mut Value)) -> Self {
        let id = format!("verbs-{}-{label}-{mode}", std::process::id());
        let scratch = std::env::temp_dir().join(&id);
        std::fs::create_dir(&scratch).expect("scratch");
        let container = Self { scratch, id, mode };
        container.make_bundle(script, change);
        container.create();
        container
    }

    /// Without pipes: the container keeps its standard streams, and a pipe would not end before it.
    fn create(&self) {
        let said = self.scratch.join("create.log");
        let file = std::fs::File::create(&said).expect("create.log");
        let mut create = self.command();
        create.args(["create", "--bundle"]).arg(self.bundle()).arg(&self.id).stdout(Stdio::null()).stderr(file);
        let created = create.status().expect("create");
        assert!(created.success(), "{}", std::fs::read_to_string(&said).expect("create.log"));
    }

    fn running(label: &str, mode: &'static str, script: &str) -> Self {
        let container = Self::created(label, mode, script, |_| {});
        container.does(&["start"]);
        container
    }

    fn make_bundle(&self, script: &str, change: impl FnOnce(&mut Value)) {
        let bin = self.bundle().join("rootfs/bin");
        std::fs::create_dir_all(&bin).expect("rootfs");
        std::fs::copy("/usr/bin/busybox", bin.join("busybox")).expect("busybox-static");
        for applet in ["sh", "sleep", "dd"] {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).expect("applet");
        }
        succeed(&self.command().args(["spec", "--bundle"]).arg(self.bundle()).output().expect("spec"));
        let path = self.bundle().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).expect("config")).expect("JSON");
        config["process"]["args"] = json!(["sh", "-c", script]);
        change(&mut config);
        std::fs::write(&path, config.to_string()).expect("write the configuration");
    }

    fn bundle(&self) -> PathBuf {
        self.scratch.join("bundle")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(LAZARET);
        command.arg("--root").arg(self.scratch.join("state")).args(["--mode", self.mode]);
        command.stdin(Stdio::null());
        command
    }

    /// The outcome of a verb with these arguments and the id.
    fn outcome(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).arg(&self.id).output().expect("run lazaret")
    }

    /// What a verb printed; it must succeed.
    fn does(&self, arguments: &[&str]) -> String {
        succeed(&self.outcome(arguments))
    }

    /// The error text of a verb that must fail.
    fn refuses(&self, arguments: &[&str]) -> String {
        let outcome = self.outcome(arguments);
        assert_eq!(outcome.status.code(), Some(125), "{arguments:?}: {outcome:?}");
        String::from_utf8(outcome.stderr).expect("text")
    }

    fn state(&self) -> Value {
        serde_json::from_str(&self.does(&["state"])).expect("state")
    }

    fn status(&self) -> String {
        self.state()["status"].as_str().expect("status").to_owned()
    }

    fn stats(&self) -> Value {
        serde_json::from_str(&self.does(&["events", "--stats"])).expect("stats")
    }

    /// A file of the container, through the root of its first process.
    fn file(&self, name: &str) -> String {
        let path = format!("/proc/{}/root/tmp/{name}", self.state()["pid"]);
        std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
    }

    /// Whether the counter moved within the window.
    fn counts(&self) -> bool {
        let before = self.file("count");
        std::thread::sleep(WINDOW);
        assert!(!before.is_empty() || self.file("count").is_empty(), "the counter is there");
        before != self.file("count")
    }

    /// The cgroup directories of the container in every hierarchy.
    fn cgroups(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(Path::new("/sys/fs/cgroup"), &format!("lazaret-{}", self.id), &mut found);
        found
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let deleted = self.command().args(["delete", "--force", &self.id]).output();
        let removed = std::fs::remove_dir_all(&self.scratch);
        if !std::thread::panicking() {
            succeed(&deleted.expect("delete"));
            removed.expect("remove the scratch directory");
            assert_eq!(self.cgroups(), [""; 0].map(PathBuf::from));
        }
    }
}

fn collect(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name() == name {
                found.push(entry.path());
            }
            collect(&entry.path(), name, found);
        }
    }
}

/// A zombie, which waits for whoever reaps orphans here, is not.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "needs root: containers"]
fn a_paused_container_stands_still_until_it_is_resumed() {
    for mode in MODES {
        let container = Container::running("pause", mode, COUNT);
        until("the counter counts", || !container.file("count").is_empty());
        assert!(container.counts(), "without a pause it goes on");
        container.does(&["pause"]);
        assert_eq!(container.status(), "paused");
        assert!(!container.counts());
        assert!(container.refuses(&["pause"]).contains("it is paused"));
        assert!(container.refuses(&["start"]).contains("it is paused"));
        assert!(container.refuses(&["delete"]).contains("it is paused"));
        assert_eq!(container.status(), "paused", "what was refused changed nothing");
        container.does(&["resume"]);
        assert_eq!(container.status(), "running");
        assert!(container.counts());
        assert!(container.refuses(&["resume"]).contains("not paused"));
    }
}

#[test]
#[ignore = "needs root: containers"]
fn a_created_container_can_be_paused_and_starts_after_that() {
    let container = Container::created("paused-created", "sandbox", COUNT, |_| {});
    container.does(&["pause"]);
    assert!(container.refuses(&["start"]).contains("not created"));
    container.does(&["resume"]);
    assert_eq!(container.status(), "created");
    container.does(&["start"]);
    until("the counter counts", || !container.file("count").is_empty());
}

#[test]
#[ignore = "needs root: containers"]
fn a_paused_container_dies_of_sigkill_and_is_deleted_by_force() {
    for mode in MODES {
        let container = Container::running("frozen-kill", mode, COUNT);
        container.does(&["pause"]);
        container.outcome(&["kill"]);
        assert_eq!(container.status(), "paused", "any other signal waits");
        succeed(&container.command().args(["kill", &container.id, "KILL"]).output().expect("kill"));
        until("it ends", || container.status() == "stopped");
        assert!(container.refuses(&["pause"]).contains("container not running"));
        assert_eq!(container.does(&["ps", "--format", "json"]).trim(), "[]");
        container.does(&["delete"]);

        let other = Container::running("frozen-delete", mode, COUNT);
        let pid = other.state()["pid"].to_string();
        other.does(&["pause"]);
        other.does(&["delete", "--force"]);
        until("its first process is gone", || !is_alive(&pid));
        assert!(other.refuses(&["state"]).contains("does not exist"));
    }
}

#[test]
#[ignore = "needs root: containers"]
fn a_new_limit_on_processes_holds_at_once() {
    // Four at a time, or not.
    const FORKS: &str = "while :; do
        if sh -c 'sleep 0.01 & sleep 0.01 & sleep 0.01 & sleep 0.01 & wait' 2>/dev/null
        then echo yes > /tmp/forks; else echo no > /tmp/forks; fi; sleep 0.05; done";
    for mode in MODES {
        let container = Container::running("pids", mode, FORKS);
        until("without a tight limit they fork", || container.file("forks") == "yes");
        container.does(&["update", "--pids-limit", "4"]);
        until("they fork no more", || container.file("forks") == "no");
        assert_eq!(container.stats()["data"]["pids"]["limit"], 4);

        let mut update = container.command();
        let mut update =
            update.args(["update", "--resources=-", &container.id]).stdin(Stdio::piped()).spawn().expect("update");
        let resources = json!({"pids": {"limit": 100}, "cpu": {"shares": 0}, "devices": []});
        update.stdin.take().expect("stdin").write_all(resources.to_string().as_bytes()).expect("write");
        assert!(update.wait().expect("wait").success());
        until("they fork again", || container.file("forks") == "yes");
        assert_eq!(container.stats()["data"]["pids"]["limit"], 100);
    }
}

#[test]
#[ignore = "needs root: containers"]
fn limits_that_cannot_be_had_are_refused_by_name_and_change_nothing() {
    let container = Container::running("refused", "sandbox", COUNT);
    let before = container.stats()["data"]["pids"]["limit"].clone();
    let error = container.refuses(&["update", "--pids-limit", "-2"]);
    assert!(error.contains("linux.resources.pids.limit = -2:"), "{error}");
    let error = container.refuses(&["update", "--memory", "much"]);
    assert!(error.contains("--memory \"much\""), "{error}");
    let missing = container.refuses(&["update", "--resources", "/nonexistent"]);
    assert!(missing.contains("could not read the limits from /nonexistent"), "{missing}");
    assert_eq!(container.stats()["data"]["pids"]["limit"], before);
}

#[test]
#[ignore = "needs root: containers"]
fn a_memory_limit_that_comes_later_is_found_by_events_and_by_delete() {
    let container = Container::running("memory", "sandbox", COUNT);
    container.does(&["update", "--memory", "64M"]);
    let stats = container.stats();
    assert_eq!(stats["data"]["memory"]["usage"]["limit"], 64 << 20, "{stats}");
    assert!(container.cgroups().len() > 1 || !Path::new("/sys/fs/cgroup/memory").exists());
}

#[test]
#[ignore = "needs root: containers"]
fn events_are_told_until_the_end_and_name_the_lack_of_memory() {
    let script = "trap 'dd if=/dev/zero of=/tmp/big bs=1M count=60; exit' USR1; while :; do sleep 0.02; done";
    let limit = |config: &mut Value| config["linux"]["resources"]["memory"] = json!({"limit": 16 << 20});
    let container = Container::created("events", "sandbox", script, limit);
    container.does(&["start"]);
    let mut events = container.command();
    events.args(["events", "--interval", "50ms", &container.id]).stdout(Stdio::piped());
    let mut events = events.spawn().expect("events");
    let mut lines = BufReader::new(events.stdout.take().expect("stdout")).lines().map(|line| {
        let event: Value = serde_json::from_str(&line.expect("line")).expect("one JSON object a line");
        assert_eq!(event["id"], container.id.as_str());
        event
    });
    let first = lines.next().expect("the first event comes at once");
    assert_eq!(first["type"], "stats");
    assert_eq!(first["data"]["memory"]["usage"]["limit"], 16 << 20);
    succeed(&container.command().args(["kill", &container.id, "USR1"]).output().expect("kill"));
    let rest: Vec<Value> = lines.collect();
    assert!(events.wait().expect("wait").success(), "it ends with the container");
    assert_eq!(rest.iter().filter(|event| event["type"] == "oom").count(), 1, "{rest:?}");
    assert!(container.refuses(&["events", "--stats"]).contains("container not running"));
}

#[test]
#[ignore = "needs root: containers"]
fn lists_of_containers_and_processes_can_be_read() {
    // An engine that places the cgroup reads its statistics: then also those of v1 are counted.
    let place = format!("lazaret-verbs-{}-list-sandbox", std::process::id());
    let placed = |config: &mut Value| config["linux"]["cgroupsPath"] = json!(place);
    let container = Container::created("list", "sandbox", COUNT, placed);
    container.does(&["start"]);
    let state = container.state();
    let list = |arguments: &[&str]| succeed(&container.command().arg("list").args(arguments).output().expect("list"));
    let listed: Value = serde_json::from_str(&list(&["--format=json"])).expect("JSON");
    let [one] = listed.as_array().expect("array").as_slice() else { panic!("{listed}") };
    for key in ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations"] {
        assert_eq!(one[key], state[key], "{key}");
    }
    assert_eq!((&one["owner"], &one["status"]), (&json!("root"), &json!("running")));
    assert_eq!(list(&["-q"]), format!("{}\n", container.id));
    let table = list(&[]);
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(words[1][..3], [container.id.as_str(), &state["pid"].to_string(), "running"]);

    let pids: Vec<i64> = serde_json::from_str(&container.does(&["ps", "--format", "json"])).expect("pids");
    assert!(pids.contains(&state["pid"].as_i64().expect("pid")), "{pids:?}");
    let table = container.does(&["ps"]);
    assert!(table.starts_with("UID") && table.contains("/tmp/count"), "{table}");
    let stats = container.stats();
    assert!(stats["data"]["cpu"]["usage"]["total"].as_u64().is_some_and(|total| total > 0), "{stats}");
    assert!(stats["data"]["memory"]["usage"]["usage"].as_u64().is_some_and(|bytes| bytes > 0), "{stats}");
    assert!(stats["data"]["pids"]["current"].as_u64().is_some_and(|count| count >= 1), "{stats}");
}

#[test]
#[ignore = "needs root: containers"]
fn the_configuration_of_spec_runs_in_both_modes() {
    for mode in MODES {
        let container = Container::created("spec", mode, "exit 7", |_| {});
        let run = |id: &str| {
            container.command().args(["run", "--bundle"]).arg(container.bundle()).arg(id).output().expect("run")
        };
        assert_eq!(run(&format!("{}-run", container.id)).status.code(), Some(7));
        let outcome = container.command().args(["spec", "-b"]).arg(container.bundle()).output().expect("spec");
        assert_eq!(outcome.status.code(), Some(125));
        assert!(String::from_utf8_lossy(&outcome.stderr).contains("File config.json exists"), "{outcome:?}");
    }
}

#[test]
#[ignore = "needs root: mounts"]
fn the_same_holds_where_only_v1_is_mounted() {
    if !Path::new("/sys/fs/cgroup/freezer").exists() {
        // A pure v2 host has no v1 to look like.
        return;
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let unified = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    // unshare(1) makes the namespace's mounts private, so the host keeps its hierarchy.
    let status = Command::new("unshare")
        .args(["-m", "sh", "-c", "umount \"$1\" && exec \"$2\" --ignored --skip the_same_holds_where --test-threads 2"])
        .args(["sh", unified.expect("the v2 mount")])
        .arg(std::env::current_exe().expect("this test"))
        .status()
        .expect("unshare");
    assert!(status.success());
}

#[test]
fn features_are_printed_as_the_specification_has_them() {
    let features: Value =
        serde_json::from_str(&succeed(&Command::new(LAZARET).arg("features").output().expect("features")))
            .expect("JSON");
    assert_eq!((&features["ociVersionMin"], &features["ociVersionMax"]), (&json!("1.0.0"), &json!("1.3.0")));
    assert!(features["mountOptions"].as_array().is_some_and(|options| options.contains(&json!("rro"))));
    assert_eq!(features["linux"]["cgroup"]["systemd"], true);
}

#[test]
fn what_is_not_there_is_refused_by_name_and_in_the_log() {
    let log = std::env::temp_dir().join(format!("lazaret-verbs-{}.log", std::process::id()));
    for (arguments, words) in [
        (&["checkpoint", "--image-path", "/i", "--status-fd", "3", "c"] as &[&str], "checkpoint is not supported"),
        (&["restore", "--image-path", "/i", "c"], "restore is not supported"),
    ] {
        let mut command = Command::new(LAZARET);
        command.arg("--log").arg(&log).args(["--log-format", "json"]).args(arguments);
        let outcome = command.output().expect("run");
        assert_eq!(outcome.status.code(), Some(125), "{arguments:?}");
        assert!(String::from_utf8_lossy(&outcome.stderr).contains(words), "{outcome:?}");
        let text = std::fs::read_to_string(&log).expect("log");
        let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(last["level"], "error");
        assert!(last["msg"].as_str().is_some_and(|text| text.contains(words)), "{last}");
    }
    std::fs::remove_file(&log).expect("remove the log");
}
