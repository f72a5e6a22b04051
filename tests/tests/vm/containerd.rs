//! Limits that containerd hands to the shim, on cgroup v2: by their effect, and in its metrics.

use lazaret_tests::containerd::{Containerd, RUNTIME};
use lazaret_tests::{deadline, image};

use crate::cgroup::Cgroup;

/// `ctr run` with a memory limit of 32 MiB and a quota of half a processor.
fn limited<'a>(
    containerd: &Containerd,
    flags: &[&'a str],
    id: &'a str,
    line: &'a str,
) -> lazaret_tests::outcome::Outcome {
    let head = ["run", "--runtime", RUNTIME, "--memory-limit", "33554432", "--cpus", "0.5"];
    containerd.ctr(&[&head[..], flags, &[image::NAME, id, "/bin/sh", "-c", line]].concat())
}

/// The pid that `ctr task ls` has for a task.
fn pid(containerd: &Containerd, id: &str) -> i32 {
    let list = containerd.ctr(&["task", "ls"]).expect(0).stdout;
    let line = list.lines().find(|line| line.starts_with(&format!("{id} "))).unwrap_or_else(|| panic!("{list}"));
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs the VM"]
fn a_hog_under_containerd_is_killed() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let hog = "exec dd if=/dev/zero of=/dev/null bs=96M count=1";
    let killed = limited(&containerd, &["--rm"], "hog", hog);
    assert_eq!(killed.status, 137, "{killed:?}");
    let order = listener.until("/tasks/delete", "hog");
    let expected = ["/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit", "/tasks/delete"];
    assert_eq!(order, expected, "{}", listener.text());
    let control = containerd.run("control", &["/bin/sh", "-c", hog]);
    assert_eq!(control.status, 0, "{control:?}");
}

/// A child of the first process is killed: told while the task goes on.
#[test]
#[ignore = "needs the VM"]
fn want_of_memory_is_told_while_the_task_runs() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let line = "dd if=/dev/zero of=/dev/null bs=96M count=1; exec sleep 1000";
    limited(&containerd, &["--detach"], "childhog", line).succeeds();
    assert_eq!(listener.until("/tasks/oom", "childhog"), ["/tasks/create", "/tasks/start", "/tasks/oom"]);
    containerd.ctr(&["task", "rm", "--force", "childhog"]).succeeds();
    containerd.ctr(&["container", "rm", "childhog"]).succeeds();
}

#[test]
#[ignore = "needs the VM"]
fn limits_stand_and_metrics_are_the_kernels() {
    let containerd = Containerd::start();
    limited(&containerd, &["--detach"], "busy", "while true; do true; done").succeeds();
    let cgroup = Cgroup::of_process(pid(&containerd, "busy"));
    assert_eq!((cgroup.number("memory.max"), cgroup.read("cpu.max").as_str()), (32 << 20, "50000 100000"));
    deadline::until("some work", || cgroup.processor_time().as_millis() > 500);
    let used = || cgroup.field("cpu.stat", "usage_usec");
    let before = used();
    let metrics = containerd.ctr(&["task", "metrics", "busy"]).expect(0).stdout;
    let after = used();
    let number = |name: &str| -> u64 {
        let line = metrics.lines().find(|line| line.split_ascii_whitespace().next() == Some(name));
        let value = line.and_then(|line| line.split_ascii_whitespace().nth(1));
        value.unwrap_or_else(|| panic!("no {name} in:\n{metrics}")).parse().unwrap()
    };
    let counted = number("cpu.usage_usec");
    assert!((before..=after).contains(&counted), "{before} {counted} {after}");
    assert_eq!((number("memory.usage_limit"), number("pids.current")), (32 << 20, 1));
    containerd.ctr(&["task", "rm", "--force", "busy"]).succeeds();
    assert!(!cgroup.exists(), "the task's cgroup is removed");
    containerd.ctr(&["container", "rm", "busy"]).succeeds();
}
