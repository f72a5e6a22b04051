//! A task that has too little memory: containerd is told, before the exit. On the host's cgroups; the VM lane has v2's.

use lazaret_tests::containerd::{Containerd, RUNTIME};
use lazaret_tests::{image, scratch};

/// dd takes a buffer of 96 MiB and fills it.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null";

fn limited(containerd: &Containerd, mode: &str, id: &str, line: &str) -> lazaret_tests::outcome::Outcome {
    let words = ["run", mode, "--memory-limit", "33554432", "--runtime", RUNTIME, image::NAME, id, "sh", "-c", line];
    containerd.ctr(&words)
}

#[test]
#[ignore = "needs root: containerd, the memory cgroup"]
fn a_first_process_that_is_killed_is_told_before_its_exit() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let id = scratch::tag();
    let killed = limited(&containerd, "--rm", &id, &format!("exec {HOG}"));
    assert_eq!(killed.status, 137, "{killed:?}");
    let order = listener.until("/tasks/delete", &id);
    let expected = ["/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit", "/tasks/delete"];
    assert_eq!(order, expected, "{}", listener.text());
}

#[test]
#[ignore = "needs root: containerd, the memory cgroup"]
fn a_child_that_is_killed_is_told_while_the_task_runs() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let id = scratch::tag();
    limited(&containerd, "--detach", &id, &format!("{HOG}; exec sleep 1000")).succeeds();
    assert_eq!(listener.until("/tasks/oom", &id), ["/tasks/create", "/tasks/start", "/tasks/oom"]);
    assert!(containerd.ctr(&["tasks", "ls"]).stdout.contains("RUNNING"));
    containerd.ctr(&["tasks", "delete", "--force", &id]).succeeds();
    let order = listener.until("/tasks/delete", &id);
    assert_eq!(order.iter().filter(|topic| *topic == "/tasks/oom").count(), 1, "told once: {order:?}");
}

/// The control: who is killed by another's hand, and who has enough memory, is not told of.
#[test]
#[ignore = "needs root: containerd, the memory cgroup"]
fn another_end_is_not_told_as_want_of_memory() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    for (line, status) in [("kill -9 $$", 137), ("true", 0)] {
        let id = scratch::tag();
        // The first process of a PID namespace cannot kill itself; a child of it can, and its status comes back.
        let ended = limited(&containerd, "--rm", &id, &format!("sh -c '{line}'; exit $?"));
        assert_eq!(ended.status, status, "{ended:?}");
        let order = listener.until("/tasks/delete", &id);
        assert_eq!(order, ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]);
    }
}
