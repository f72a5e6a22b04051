//! Interleaved runs: every round starts each contender once, in an order of its own.
//!
//! Called by `bench-start`. What the machine does beside (its clock, its other load) meets all contenders alike, and
//! no contender always runs after the same other. One that fails once is out, with its own words as the reason.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rustix::io::Errno;
use rustix::process::WaitOptions;
use thiserror::Error;

use crate::cgroups;
use crate::contender::{Contender, Setting};
use crate::random::Random;
use crate::report::in_one_line;

/// Why a contender has no time.
#[derive(Debug, Error)]
pub enum RunError {
    /// The file for its stderr could not be used.
    #[error("cannot keep what it says")]
    Stderr(#[source] io::Error),
    /// It could not be started.
    #[error("cannot be started")]
    Spawn(#[source] io::Error),
    /// What it left running could not be waited for.
    #[error("cannot wait for what it left running")]
    Orphans(#[source] Errno),
    /// Its CPU time is not known.
    #[error("cannot tell its processor time")]
    Usage(#[source] nix::errno::Errno),
    /// It was started and failed.
    #[error("{status}: {said}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The end of its stderr.
        said: String,
    },
}

/// One contender's runs.
#[derive(Debug)]
pub struct Lane {
    /// Who.
    pub contender: Contender,
    /// What it says of itself.
    pub version: String,
    /// The time of each counted round, from start to end.
    pub times: Vec<Duration>,
    /// The CPU time of each counted round, of the command and of everything it started.
    pub processor: Vec<Duration>,
    /// Why it is out, if it is.
    pub failure: Option<String>,
}

/// How often.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// Rounds that are not counted: caches fill, and the CPU's clock rises.
    pub warm_up: u32,
    /// Rounds that are.
    pub counted: u32,
    /// Rest before each run. Without it, runs share costs that a start alone pays in full (RCU grace periods).
    pub rest: Duration,
}

/// Runs everyone and returns a lane for each, in the contenders' order.
///
/// # Errors
/// As `prctl(2)` with `PR_SET_CHILD_SUBREAPER`.
pub fn run(contenders: &[Contender], setting: &Setting, rounds: Rounds) -> Result<Vec<Lane>, Errno> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut lanes: Vec<Lane> = contenders.iter().map(|contender| Lane::new(*contender, setting)).collect();
    let mut random = Random::new();
    for round in 0..rounds.warm_up.saturating_add(rounds.counted) {
        let mut order: Vec<&mut Lane> = lanes.iter_mut().filter(|lane| lane.failure.is_none()).collect();
        random.shuffle(&mut order);
        for lane in order {
            std::thread::sleep(rounds.rest);
            lane.go(setting, round, round >= rounds.warm_up);
        }
    }
    Ok(lanes)
}

impl Lane {
    fn new(contender: Contender, setting: &Setting) -> Self {
        let (version, failure) = match contender.version(setting) {
            Ok(version) => (version, None),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        Self { contender, version, times: Vec::new(), processor: Vec::new(), failure }
    }

    fn go(&mut self, setting: &Setting, round: u32, is_counted: bool) {
        let id = format!("bench-{}-{}-{round}", std::process::id(), self.contender.name.replace(' ', "-"));
        match time(self.contender.launch(setting, &id), &setting.states.join("stderr")) {
            Ok(cost) if is_counted => {
                self.times.push(cost.time);
                self.processor.push(cost.processor);
            }
            Ok(_warm_up) => {}
            Err(error) => {
                self.failure = Some(in_one_line(&error));
                self.tidy(setting, &id);
            }
        }
    }

    fn tidy(&self, setting: &Setting, id: &str) {
        // Most failed runs leave nothing, and then this fails too; that is not worth a word.
        let ended = self.contender.tidy(setting, id).stdin(Stdio::null()).output();
        if let Err(error) = ended {
            crate::report::warn(&format!("cannot tidy up after {}: {error}", self.contender.name));
        }
        cgroups::remove_left(id);
    }
}

/// What one run cost.
struct Cost {
    time: Duration,
    processor: Duration,
}

/// From before the fork to the end of the process. Its stderr goes to a file: reading a pipe to its end would also
/// wait for whatever the process leaves behind.
fn time(mut command: Command, stderr: &PathBuf) -> Result<Cost, RunError> {
    let file = File::create(stderr).map_err(RunError::Stderr)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let before = processor_time().map_err(RunError::Usage)?;
    let start = Instant::now();
    let status = command.status().map_err(RunError::Spawn)?;
    let time = start.elapsed();
    reap_orphans().map_err(RunError::Orphans)?;
    let processor = processor_time().map_err(RunError::Usage)?.saturating_sub(before);
    if status.success() {
        return Ok(Cost { time, processor });
    }
    let said = fs::read_to_string(stderr).map_err(RunError::Stderr)?;
    Err(RunError::Failed { status, said: tail(&said) })
}

/// Waits for what the command left running: its CPU time counts too, and the next run does not pay for it. Orphans come
/// to us since [`run`] made us their reaper.
fn reap_orphans() -> Result<(), Errno> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

/// What our ended children have used so far, and theirs (getrusage(2), `RUSAGE_CHILDREN`).
fn processor_time() -> nix::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros: i64 = [usage.user_time(), usage.system_time()].iter().map(TimeValLike::num_microseconds).sum();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// The last lines, where programs say what went wrong.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\n\nc\nd\n"), "b / c / d");
        assert_eq!(tail("only\n"), "only");
        assert_eq!(tail(""), "");
    }
}
