//! What happens to tasks when a part of the machinery around them is killed, and when a hundred come at once.

use lazaret_tests::containerd::Containerd;
use lazaret_tests::{deadline, leftover, scratch};

/// The shim's own two processes, daemon first.
fn daemon_and_launcher(containerd: &Containerd) -> [i32; 2] {
    let parent = |pid: &i32| -> i32 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
        line.trim().parse().unwrap()
    };
    let mut own = containerd.shims();
    let all = own.clone();
    own.sort_unstable();
    let launcher = own.iter().find(|pid| all.contains(&parent(pid))).copied().unwrap();
    [parent(&launcher), launcher]
}

fn end(containerd: &Containerd, id: &str) {
    containerd.ctr(&["tasks", "delete", "--force", id]).succeeds();
    containerd.ctr(&["containers", "delete", id]).succeeds();
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(id);
}

/// containerd crashes and comes back: the task has gone on, and can be used as before.
#[test]
#[ignore = "needs root: containerd"]
fn a_task_outlives_containerd() {
    let mut containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    let shims = containerd.shims();
    containerd.crash();
    containerd.recover();
    assert_eq!(containerd.shims(), shims, "the same shim");
    assert!(containerd.ctr(&["tasks", "ls"]).stdout.contains("RUNNING"));
    let outcome = containerd.ctr(&["tasks", "exec", "--exec-id", "x", &id, "cat", "/proc/1/comm"]);
    assert_eq!(outcome.stdout, "sleep\n", "{outcome:?}");
    end(&containerd, &id);
}

/// A task that ends while containerd is away: its exit waits, and is told once containerd is back.
#[test]
#[ignore = "needs root: containerd"]
fn an_exit_while_containerd_is_away_is_not_lost() {
    let mut containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sleep", "1000"]);
    let list = containerd.ctr(&["tasks", "ls"]).expect(0).stdout;
    let line = list.lines().find(|line| line.starts_with(&format!("{id} "))).unwrap();
    let pid: i32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    containerd.crash();
    containerd.kill(pid);
    containerd.recover();
    deadline::until("the exit to be known", || containerd.ctr(&["tasks", "ls"]).stdout.contains("STOPPED"));
    end(&containerd, &id);
}

/// The launcher is killed: what runs goes on, can be seen and killed, and leaves nothing when it is deleted.
#[test]
#[ignore = "needs root: containerd"]
fn without_its_launcher_a_task_can_still_be_killed_and_deleted() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    containerd.detach(&id, &["sh", "-c", "sleep 1000 & exec sleep 1000"]);
    let [daemon, launcher] = daemon_and_launcher(&containerd);
    containerd.kill(launcher);
    let gone = "the launcher has ended";
    deadline::until("the daemon to notice", || containerd.log().contains(gone));
    assert!(containerd.shims().contains(&daemon), "the daemon lives on");
    assert!(containerd.ctr(&["tasks", "ls"]).stdout.contains("RUNNING"));
    let refused = containerd.ctr(&["tasks", "exec", "--exec-id", "x", &id, "true"]);
    assert_ne!(refused.status, 0, "{refused:?}");
    assert!(refused.stderr.contains("launcher"), "{refused:?}");
    // With a child beside the first process, and the signal to all of them: what `end` asks for.
    end(&containerd, &id);
}

/// A hundred at once: each has its own output, status and order of events, and nothing of any is left.
#[test]
#[ignore = "needs root: containerd"]
fn a_hundred_tasks_at_once_come_and_go() {
    let containerd = Containerd::start();
    let listener = containerd.listen();
    let ids: Vec<String> = (0..100).map(|_| scratch::tag()).collect();
    std::thread::scope(|scope| {
        let runs: Vec<_> = ids
            .iter()
            .zip(0..)
            .map(|(id, number): (&String, i32)| {
                let containerd = &containerd;
                let line = format!("echo {id}; exit {}", number % 7);
                scope.spawn(move || (number % 7, containerd.run(id, &["sh", "-c", &line])))
            })
            .collect();
        for (run, id) in runs.into_iter().zip(&ids) {
            let (status, outcome) = run.join().unwrap();
            assert_eq!((outcome.status, outcome.stdout), (status, format!("{id}\n")), "{}", outcome.stderr);
        }
    });
    deadline::until("the shims to go", || containerd.shims().is_empty());
    for id in &ids {
        leftover::none(id);
        // A quoted id: that of another may begin with it.
        let order = listener.until("/tasks/delete", &format!("\"{id}\""));
        assert_eq!(order, ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"], "{id}");
    }
}
