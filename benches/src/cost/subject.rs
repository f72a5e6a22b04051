//! One container that does a row's work whenever it is asked: this program again, as the workload of `lazaret do`.
//!
//! A line with the row's name goes in, a line of JSON comes out. All modes wait in their containers the whole time, so
//! that rounds can go from one to the other without a start between.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cost::row::Row;
use crate::cost::sentry::Sentry;
use crate::report;

/// The word by which `bench-cost` knows that it is the workload.
pub const WORD: &str = "workload";

/// Why a subject does not work.
#[derive(Debug, Error)]
pub enum SubjectError {
    /// Its container did not start.
    #[error("cannot run lazaret for {0}")]
    Spawn(&'static str, #[source] io::Error),
    /// It does not answer any more.
    #[error("{0} has ended; its stderr says why")]
    Ended(&'static str, #[source] io::Error),
    /// What it says is no answer.
    #[error("{0} answers what makes no sense")]
    Answer(&'static str, #[source] serde_json::Error),
    /// lazaret does not know it.
    #[error("the state of {0} names no sentry")]
    Sentry(&'static str),
}

/// How its container is made.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Its name in the table.
    pub name: &'static str,
    /// lazaret's options before the verb.
    pub options: &'static [&'static str],
    /// Whether there is a sentry.
    pub has_sentry: bool,
}

/// Native first: ratios are to it.
pub const MODES: &[Mode] = &[
    Mode { name: "native", options: &["--mode", "native"], has_sentry: false },
    Mode { name: "sandbox", options: &["--interceptor", "notify"], has_sentry: true },
    Mode { name: "sandbox, ptrace", options: &["--interceptor", "ptrace"], has_sentry: true },
];

/// What a workload answers.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Took(Duration),
    Failed(String),
}

/// A running container.
#[derive(Debug)]
pub struct Subject {
    /// Its mode.
    pub mode: Mode,
    /// Its sentry, if the mode has one.
    pub sentry: Option<Sentry>,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Subject {
    /// Starts it with `lazaret`'s command; `own` is this program.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub fn start(mode: Mode, lazaret: &Path, own: &Path) -> Result<Self, SubjectError> {
        let spawn = |error| SubjectError::Spawn(mode.name, error);
        let mut command = Command::new(lazaret);
        // `do` changes into our directory; one that everybody may enter.
        command.args(mode.options).args(["do", "--"]).arg(own).arg(WORD).current_dir("/");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(spawn)?;
        let requests = child.stdin.take();
        let answers = child.stdout.take().ok_or_else(|| spawn(io::ErrorKind::BrokenPipe.into()))?;
        let mut subject = Self { mode, sentry: None, child, requests, answers: BufReader::new(answers) };
        // The first answer shows that the container runs, so that its state is written.
        subject
            .take(&Row::named("getppid").copied().ok_or(SubjectError::Sentry(mode.name))?)?
            .map_err(|text| SubjectError::Ended(mode.name, io::Error::other(text)))?;
        if mode.has_sentry {
            let id = format!("do-{}", subject.child.id());
            subject.sentry = Some(sentry(lazaret, &id).ok_or(SubjectError::Sentry(mode.name))?);
        }
        Ok(subject)
    }

    /// Has it do the row's work once. The inner error is the work's own: it cannot be done there.
    ///
    /// # Errors
    /// [`SubjectError`] when the container is gone.
    pub fn take(&mut self, row: &Row) -> Result<Result<Duration, String>, SubjectError> {
        let ended = |error| SubjectError::Ended(self.mode.name, error);
        let requests = self.requests.as_mut().ok_or_else(|| ended(io::ErrorKind::BrokenPipe.into()))?;
        writeln!(requests, "{}", row.name).map_err(ended)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line).map_err(ended)? == 0 {
            return Err(ended(io::ErrorKind::UnexpectedEof.into()));
        }
        match serde_json::from_str(&line).map_err(|error| SubjectError::Answer(self.mode.name, error))? {
            Answer::Took(time) => Ok(Ok(time)),
            Answer::Failed(text) => Ok(Err(text)),
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // The end of its stdin ends it.
        self.requests = None;
        if let Err(error) = self.child.wait() {
            report::warn(&format!("{} was not waited for: {error}", self.mode.name));
        }
    }
}

/// The sentry that `lazaret state` names.
fn sentry(lazaret: &Path, id: &str) -> Option<Sentry> {
    let output = Command::new(lazaret).args(["state", id]).output().ok()?;
    let state: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let pid = state.get("annotations")?.get("dev.lazaret.sentry.pid")?.as_str()?;
    pid.parse().ok().map(Sentry::new)
}

/// Inside: does what the lines on stdin ask for, until they end.
///
/// # Errors
/// As reading stdin and writing stdout.
pub fn serve() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        let work = Row::named(&line).map_or_else(|| Err(format!("no row {line:?}")), |row| (row.work)());
        let answer = work.map_or_else(Answer::Failed, Answer::Took);
        report::print([&serde_json::to_string(&answer)?])?;
    }
    Ok(())
}
