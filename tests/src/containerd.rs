//! containerd from the distribution, as a test's own: its own root, state, socket, configuration and namespace (so that
//! the shim's state directory and the parent of the cgroups are its own too), with the shim under test on its PATH.
//! Stopped, with everything of it, when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::outcome::{self, Outcome};
use crate::scratch::Scratch;
use crate::{deadline, image, leftover, programs};

/// The runtime name that selects the shim under test.
pub const RUNTIME: &str = "io.containerd.lazaret.v1";

/// A running containerd with the image imported.
#[derive(Debug)]
pub struct Containerd {
    scratch: Scratch,
    namespace: String,
    daemon: Child,
}

impl Containerd {
    /// Starts it and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn start() -> Self {
        let scratch = Scratch::new();
        // The paths are short on purpose: a socket's path may have 107 bytes.
        let base = scratch.path().display();
        let configuration = format!(
            "version = 2\nroot = \"{base}/root\"\nstate = \"{base}/state\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{base}/c.sock\"\n\
             [ttrpc]\naddress = \"{base}/c.sock.ttrpc\"\n"
        );
        std::fs::write(scratch.join("config.toml"), configuration).unwrap();
        let daemon = spawn(&scratch);
        // It does not end as a tag does: what is left of a container is looked for by that.
        let namespace = format!("{}-test", scratch.tag());
        let containerd = Self { scratch, namespace, daemon };
        deadline::until("containerd to answer", || containerd.ctr(&["version"]).status == 0);
        let image = image::make(&containerd.scratch);
        containerd.ctr(&["images", "import", &image.display().to_string()]).succeeds();
        containerd
    }

    /// A word in the environment of the daemon, and so of its shims.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.scratch.tag()
    }

    /// The namespace of what it runs.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Where the shim keeps the state of its containers.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        Path::new("/run/lazaret-containerd").join(&self.namespace)
    }

    /// `ctr --address SOCKET --namespace NAMESPACE ...`, to be completed by the test.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::installed("ctr"));
        command
            .arg("--address")
            .arg(self.scratch.join("c.sock"))
            .args(["--namespace", &self.namespace])
            .args(arguments);
        command
    }

    /// Runs ctr to its end.
    #[track_caller]
    #[must_use]
    pub fn ctr(&self, arguments: &[&str]) -> Outcome {
        outcome::run(&mut self.command(arguments))
    }

    /// `ctr run --rm` of the test image under lazaret.
    #[track_caller]
    #[must_use]
    pub fn run(&self, id: &str, command: &[&str]) -> Outcome {
        self.ctr(&[&["run", "--rm", "--runtime", RUNTIME, image::NAME, id], command].concat())
    }

    /// `ctr run --detach` of the test image under lazaret.
    #[track_caller]
    pub fn detach(&self, id: &str, command: &[&str]) {
        self.ctr(&[&["run", "--detach", "--runtime", RUNTIME, image::NAME, id], command].concat()).succeeds();
    }

    /// Pids of the shims of this containerd.
    #[must_use]
    pub fn shims(&self) -> Vec<i32> {
        let all = leftover::processes(self.tag());
        all.into_iter()
            .filter(|(_, command)| command.contains("containerd-shim-lazaret-v1"))
            .map(|(pid, _)| pid)
            .collect()
    }

    /// What containerd and the shims have logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.join("log")).unwrap_or_default()
    }

    /// Listens to containerd's events from now on.
    ///
    /// # Panics
    /// When no event comes through.
    #[must_use]
    pub fn listen(&self) -> Listener {
        let scratch = Scratch::new();
        let file = File::create(scratch.join("events")).unwrap();
        let child = self.command(&["events"]).stdout(file).stdin(Stdio::null()).spawn().unwrap();
        let listener = Listener { scratch, child };
        // The subscription stands when an event of our own making comes through.
        deadline::until("the subscription", || {
            drop(self.ctr(&["namespaces", "create", &crate::scratch::tag()]));
            !listener.text().is_empty()
        });
        listener
    }

    /// Where containerd keeps the bundle of a task.
    #[must_use]
    pub fn bundle(&self, id: &str) -> PathBuf {
        self.scratch.path().join("state/io.containerd.runtime.v2.task").join(&self.namespace).join(id)
    }

    /// Kills the daemon alone, as a crash would: its shims stay.
    ///
    /// # Panics
    /// When it does not end.
    pub fn crash(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    /// Starts the daemon again after [`Containerd::crash`], and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn recover(&mut self) {
        self.daemon = spawn(&self.scratch);
        deadline::until("containerd to answer again", || self.ctr(&["version"]).status == 0);
    }

    /// Kills a process that this containerd has started.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn kill(&self, pid: i32) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        assert!(deadline::ended(pid, deadline::PATIENCE));
    }

    fn stop(&mut self) {
        let pid = i32::try_from(self.daemon.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM).ok();
            if !deadline::ended(pid.as_raw_nonzero().get(), Duration::from_secs(10)) {
                kill_process(pid, Signal::KILL).ok();
            }
        }
        self.daemon.wait().ok();
        for (pid, _) in leftover::processes(self.tag()) {
            if let Some(pid) = Pid::from_raw(pid) {
                kill_process(pid, Signal::KILL).ok();
            }
        }
        for line in leftover::mounts(self.tag()).iter().rev() {
            if let Some(target) = line.split(' ').nth(4) {
                rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH).ok();
            }
        }
        std::fs::remove_dir_all(self.state()).ok();
        // Whoever was killed may still be in there for a moment.
        deadline::within(Duration::from_secs(2), || {
            let parents = leftover::cgroups(&self.namespace);
            parents.iter().all(|parent| std::fs::remove_dir(parent).is_ok())
        });
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The daemon of the configuration in `scratch`.
fn spawn(scratch: &Scratch) -> Child {
    let log = File::options().append(true).create(true).open(scratch.join("log")).unwrap();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs::shim().parent().unwrap().display());
    Command::new(programs::installed("containerd"))
        .arg("--config")
        .arg(scratch.join("config.toml"))
        .env("PATH", path)
        .env("LAZARET_TEST_ROOT", scratch.tag())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// `ctr events`, killed when dropped.
#[derive(Debug)]
pub struct Listener {
    scratch: Scratch,
    child: Child,
}

impl Listener {
    /// What it has printed so far.
    #[must_use]
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.scratch.join("events")).unwrap_or_default()
    }

    /// The topics of the events so far that are about tasks and in which `id` stands.
    #[must_use]
    pub fn topics(&self, id: &str) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(id));
        let topics = lines.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("/tasks/")));
        topics.map(str::to_owned).collect()
    }

    /// Waits for an event of that topic about `id`, and returns the topics until then.
    #[track_caller]
    #[must_use]
    pub fn until(&self, topic: &str, id: &str) -> Vec<String> {
        deadline::until(topic, || self.topics(id).iter().any(|seen| seen == topic));
        self.topics(id)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
