//! `binary://`: a program on the host takes the output of what runs under containerd.

use std::path::PathBuf;

use lazaret_tests::containerd::{Containerd, RUNTIME};
use lazaret_tests::scratch::Scratch;
use lazaret_tests::{deadline, image, leftover, scratch};

/// A logger that keeps what it gets, and says that it is ready by closing descriptor 5.
const KEEPER: &str = "#!/bin/sh\n\
    /usr/bin/env >\"$2/environment\"; echo \"$*\" >\"$2/arguments\"; ls -l /proc/self/fd >\"$2/descriptors\"\n\
    cat <&3 >\"$2/stdout\" 5>&- & cat <&4 >\"$2/stderr\" 5>&- & exec 5>&-; wait; : >\"$2/end\"\n";

/// A logger that is ready and ends.
const QUITTER: &str = "#!/bin/sh\nexec 5>&-\n";

struct Logger {
    scratch: Scratch,
}

impl Logger {
    fn new(script: &str) -> Self {
        let scratch = Scratch::new();
        let program = scratch.join("log ger");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { scratch }
    }

    fn uri(&self) -> String {
        let path = self.scratch.path().display();
        format!("binary://{path}/log%20ger?dir={path}&word=a+b")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.scratch.join(name)).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }
}

fn run(containerd: &Containerd, uri: &str, id: &str, script: &str) -> lazaret_tests::outcome::Outcome {
    containerd.ctr(&["run", "--rm", "--log-uri", uri, "--runtime", RUNTIME, image::NAME, id, "sh", "-c", script])
}

#[test]
#[ignore = "needs root: containerd"]
fn a_logger_takes_all_output_and_knows_whose_it_is() {
    let containerd = Containerd::start();
    let (id, logger) = (scratch::tag(), Logger::new(KEEPER));
    let script = "dd if=/dev/zero bs=1M count=16 2>/dev/null; echo end >&2; exit 3";
    let outcome = run(&containerd, &logger.uri(), &id, script);
    assert_eq!(outcome.status, 3, "{outcome:?}");
    // Delete has waited for it, to the last byte.
    assert!(logger.path("end").exists(), "{}", containerd.log());
    assert_eq!(std::fs::metadata(logger.path("stdout")).unwrap().len(), 16 << 20);
    assert_eq!(logger.read("stderr"), "end\n");
    assert_eq!(logger.read("arguments"), format!("dir {} word a b\n", logger.scratch.path().display()));
    let environment = logger.read("environment");
    for variable in [format!("CONTAINER_ID={id}\n"), format!("CONTAINER_NAMESPACE={}\n", containerd.namespace())] {
        assert!(environment.contains(&variable), "{environment}");
    }
    assert!(!environment.contains("LAZARET_TEST_ROOT"), "nothing else of ours: {environment}");
    // Nothing of the host's comes along: three standard ones, its three, the script, and what `ls` itself opens.
    let descriptors = logger.read("descriptors");
    assert!(descriptors.matches("socket:").count() == 0 && descriptors.lines().count() <= 9, "{descriptors}");
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

#[test]
#[ignore = "needs root: containerd"]
fn an_added_process_has_a_logger_of_its_own() {
    let containerd = Containerd::start();
    let (id, logger) = (scratch::tag(), Logger::new(KEEPER));
    containerd.detach(&id, &["sleep", "1000"]);
    let words = ["tasks", "exec", "--log-uri", &logger.uri(), "--exec-id", "added", &id, "echo", "hello"];
    containerd.ctr(&words).succeeds();
    assert_eq!(logger.read("stdout"), "hello\n");
    assert!(logger.read("environment").contains("CONTAINER_ID=added\n"));
    containerd.ctr(&["tasks", "delete", "--force", &id]).succeeds();
}

#[test]
#[ignore = "needs root: containerd"]
fn a_logger_that_cannot_be_started_is_an_error_and_leaves_nothing() {
    let containerd = Containerd::start();
    let id = scratch::tag();
    let outcome = run(&containerd, "binary:///no/such/logger", &id, "true");
    assert_ne!(outcome.status, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("/no/such/logger") && outcome.stderr.contains("No such file"), "{outcome:?}");
    deadline::until("the shim to go", || containerd.shims().is_empty());
    leftover::none(&id);
}

/// A logger that has gone takes nothing with it: no SIGPIPE, no full pipe that nobody empties.
#[test]
#[ignore = "needs root: containerd"]
fn a_logger_that_ends_early_does_not_stop_the_process() {
    let containerd = Containerd::start();
    let (id, logger) = (scratch::tag(), Logger::new(QUITTER));
    let script = "dd if=/dev/zero bs=1M count=4 2>/dev/null && exit 9";
    let outcome = run(&containerd, &logger.uri(), &id, script);
    assert_eq!(outcome.status, 9, "{outcome:?}");
    deadline::until("the warning", || containerd.log().contains("a logger has ended before its process"));
}
