//! The command line under test, with a state directory of its own. When it goes out of scope every container left is
//! deleted, and nothing of them may be left on the host.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::bundle::Bundle;
use crate::outcome::{self, Outcome};
use crate::scratch::Scratch;
use crate::{deadline, leftover, programs};

/// The two ways in which trapped calls reach the sentry. What is proven of one has to be proven of the other.
pub const INTERCEPTORS: [&str; 2] = ["notify", "ptrace"];

/// Names the interceptor of every test that does not choose one: the whole lane runs on either.
pub const INTERCEPTOR_VARIABLE: &str = "LAZARET_TEST_INTERCEPTOR";

/// lazaret with a `--root` of its own.
#[derive(Debug)]
pub struct Lazaret {
    state: Scratch,
    options: Vec<String>,
    /// The program and its arguments before, which run it.
    command: Vec<String>,
}

impl Lazaret {
    /// In its default mode.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(&[])
    }

    /// With further global options, such as `--mode native`. The environment may choose the interceptor of those that do
    /// not name one ([`INTERCEPTOR_VARIABLE`]).
    #[must_use]
    pub fn with_options(options: &[&str]) -> Self {
        let chosen = std::env::var(INTERCEPTOR_VARIABLE).ok().filter(|_| !options.contains(&"--interceptor"));
        let chosen = chosen.into_iter().flat_map(|interceptor| ["--interceptor".to_owned(), interceptor]);
        let options = options.iter().map(|option| (*option).to_owned()).chain(chosen).collect();
        Self { state: Scratch::new(), options, command: vec![programs::lazaret().display().to_string()] }
    }

    /// In its default mode, with one of [`INTERCEPTORS`].
    #[must_use]
    pub fn by(interceptor: &str) -> Self {
        Self::with_options(&["--interceptor", interceptor])
    }

    /// A copy of the program, which an attack may spoil.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn of_a_copy(copy: &Path) -> Self {
        std::fs::copy(programs::lazaret(), copy).unwrap();
        let mut lazaret = Self::new();
        lazaret.command = vec![copy.display().to_string()];
        lazaret
    }

    /// Run by another program, which gets it as the last of its arguments.
    #[must_use]
    pub fn run_by(mut self, runner: &[&str]) -> Self {
        self.command = runner.iter().map(|word| (*word).to_owned()).chain(std::mem::take(&mut self.command)).collect();
        self
    }

    /// The state directory.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.state.join("root")
    }

    /// A word that every process started by this one carries in its environment.
    #[must_use]
    pub fn tag(&self) -> &str {
        self.state.tag()
    }

    /// `lazaret --root DIR ...`, to be completed by the test.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let (program, before) = self.command.split_first().expect("a program");
        let mut command = Command::new(program);
        command
            .args(before)
            .arg("--root")
            .arg(self.root())
            .args(&self.options)
            .args(arguments)
            .env("LAZARET_TEST_ROOT", self.tag());
        command
    }

    /// Runs a verb to its end.
    #[track_caller]
    #[must_use]
    pub fn verb(&self, arguments: &[&str]) -> Outcome {
        outcome::run(&mut self.command(arguments))
    }

    /// `do -- COMMAND`.
    #[track_caller]
    #[must_use]
    pub fn run_command(&self, words: &[&str]) -> Outcome {
        self.verb(&[&["do", "--"], words].concat())
    }

    /// `run --bundle DIR ID`: the whole life of a container; nothing may be left of it.
    #[track_caller]
    #[must_use]
    pub fn run(&self, bundle: &Bundle) -> Outcome {
        bundle.write();
        let outcome = self.verb(&["run", "--bundle", &bundle.path().display().to_string(), bundle.id()]);
        self.nothing_left(bundle.id());
        outcome
    }

    /// `create --bundle DIR ID`. The container's output goes to files in the bundle.
    #[track_caller]
    #[must_use]
    pub fn create(&self, bundle: &Bundle) -> Outcome {
        self.create_as(bundle, bundle.id())
    }

    /// As [`Lazaret::create`], with another id.
    #[track_caller]
    #[must_use]
    pub fn create_as(&self, bundle: &Bundle, id: &str) -> Outcome {
        bundle.write();
        let path = bundle.path().display().to_string();
        let mut command = self.command(&["create", "--bundle", &path, id]);
        outcome::run(&mut command)
    }

    /// Creates and starts, with the container's output in a file of the bundle.
    ///
    /// # Panics
    /// When either verb fails.
    #[track_caller]
    #[must_use]
    pub fn launch<'a>(&'a self, bundle: &'a Bundle) -> Running<'a> {
        bundle.write();
        let output = bundle.path().join("output");
        let path = bundle.path().display().to_string();
        let mut command = self.command(&["create", "--bundle", &path, bundle.id()]);
        let errors = bundle.path().join("errors");
        command.stdin(Stdio::null()).stdout(File::create(&output).unwrap()).stderr(File::create(&errors).unwrap());
        let mut child = command.spawn().unwrap();
        let has_ended = deadline::ended(i32::try_from(child.id()).unwrap(), deadline::PATIENCE);
        if !has_ended {
            child.kill().unwrap();
        }
        assert!(
            child.wait().unwrap().success() && has_ended,
            "create failed: {}",
            std::fs::read_to_string(&errors).unwrap_or_default()
        );
        self.verb(&["start", bundle.id()]).succeeds();
        Running { lazaret: self, bundle, output }
    }

    /// `state ID`, parsed.
    ///
    /// # Panics
    /// When it fails or is no JSON.
    #[track_caller]
    #[must_use]
    pub fn state(&self, id: &str) -> Value {
        let outcome = self.verb(&["state", id]).expect(0);
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("no JSON: {error}: {}", outcome.stdout))
    }

    /// Every line of the container's audit record.
    #[must_use]
    pub fn audit(&self, id: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root().join(id).join("audit.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Every line of the state directory's record of refusals.
    #[must_use]
    pub fn refusals(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root().join("refusals.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Names of the containers that have a directory in the state directory.
    #[must_use]
    pub fn states(&self) -> Vec<String> {
        names(&self.root())
    }

    /// Asserts that nothing of container `id` is left: no state, mount, cgroup or process.
    #[track_caller]
    pub fn nothing_left(&self, id: &str) {
        assert!(!self.root().join(id).exists(), "the state of {id} is still there");
        leftover::none(id);
        if self.states().is_empty() {
            leftover::none(self.tag());
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

impl Default for Lazaret {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lazaret {
    fn drop(&mut self) {
        for id in self.states() {
            let outcome = outcome::clean_up(&mut self.command(&["delete", "--force", &id]));
            if !std::thread::panicking() {
                outcome.succeeds();
                leftover::none(&id);
            }
        }
        if !std::thread::panicking() {
            leftover::none(self.tag());
        }
    }
}

/// A container that was started and not yet deleted.
#[derive(Debug)]
pub struct Running<'a> {
    lazaret: &'a Lazaret,
    bundle: &'a Bundle,
    output: PathBuf,
}

impl Running<'_> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.bundle.id()
    }

    /// What it has printed so far, both streams.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until its output has `text`.
    #[track_caller]
    pub fn says(&self, text: &str) {
        deadline::until(&format!("the container to say {text:?}"), || self.output().contains(text));
    }

    /// The pid of its init on the host.
    ///
    /// # Panics
    /// When the state has none.
    #[track_caller]
    #[must_use]
    pub fn pid(&self) -> i32 {
        let state = self.lazaret.state(self.id());
        i32::try_from(state["pid"].as_i64().unwrap_or(0)).unwrap()
    }

    /// Waits until the state is `stopped`.
    #[track_caller]
    pub fn wait(&self) {
        deadline::until("the container to stop", || self.lazaret.state(self.id())["status"] == "stopped");
    }

    /// Deletes it by force and asserts that nothing is left.
    #[track_caller]
    pub fn delete(self) {
        self.lazaret.verb(&["delete", "--force", self.id()]).succeeds();
        self.lazaret.nothing_left(self.id());
    }

    /// Whether an audit record of the system call `name` arrives.
    #[must_use]
    pub fn witnessed(&self, name: &str) -> bool {
        deadline::within(Duration::from_secs(5), || {
            self.lazaret.audit(self.id()).iter().any(|record| record["syscall"] == name)
        })
    }
}
