//! Running a program to its end: with a deadline, its output in files, so that a process left behind cannot hold it up.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::deadline;
use crate::scratch::Scratch;

/// How a program ended and what it said.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit status, or 1000 + N when signal N killed it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The outcome, if the status is `expected`.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    #[must_use = "an outcome that nobody looks at proves nothing; drop it explicitly"]
    pub fn expect(self, expected: i32) -> Self {
        assert_eq!(self.status, expected, "unexpected exit status\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that the program succeeded.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        assert_eq!(self.status, 0, "the command failed\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error has all of `words`.
    #[track_caller]
    pub fn explains(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "standard error does not say {word:?}:\n{}", self.stderr);
        }
        self
    }
}

/// Runs `command` to its end, with nothing on standard input unless the caller has set it.
///
/// # Panics
/// When it does not end in time; it is killed first.
#[track_caller]
pub fn run(command: &mut Command) -> Outcome {
    command.stdin(Stdio::null());
    run_with_input(command)
}

/// As [`run`], with the standard input that the command has.
///
/// # Panics
/// When it cannot be started or does not end in time.
#[track_caller]
pub fn run_with_input(command: &mut Command) -> Outcome {
    let (outcome, has_ended) = run_until_deadline(command);
    assert!(has_ended, "{command:?} does not end: {outcome:?}");
    outcome
}

/// As [`run`] for a clean-up: a command that does not end is killed, and that is all.
pub fn clean_up(command: &mut Command) -> Outcome {
    run_until_deadline(command.stdin(Stdio::null())).0
}

/// The outcome, and whether the command ended by itself.
#[track_caller]
fn run_until_deadline(command: &mut Command) -> (Outcome, bool) {
    let scratch = Scratch::new();
    let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let has_ended = deadline::ended(i32::try_from(child.id()).unwrap(), deadline::PATIENCE * 2);
    if !has_ended {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let status = status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or(0));
    (Outcome { status, stdout: read(&out), stderr: read(&err) }, has_ended)
}
