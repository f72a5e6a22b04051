//! `bench-refusal`: what an intercepted refusal costs the one who tries, beside the kernel's own refusal; and what the
//! interceptor costs those who try nothing. With a listener and with a tracer.
//!
//! A command for people; docs/performance.md says how to run it. It runs itself as the workload: natively, and under
//! `lazaret do`, on one CPU and on all.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use lazaret_benches::machine::{self, Machine};
use lazaret_benches::pin;
use lazaret_benches::refused::{self, Attempt, Times};
use lazaret_benches::report::{self, Table};
use lazaret_benches::untrapped::{self, Cost, Work};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Times refused calls natively and under lazaret.
#[derive(Debug, Parser)]
struct Cli {
    /// lazaret's command [default: beside this program]
    #[arg(long, value_name = "PATH")]
    lazaret: Option<PathBuf>,
}

#[derive(Debug, Error)]
enum RefusalError {
    #[error("cannot find this program")]
    Own(#[source] io::Error),
    #[error("no lazaret at {0}; build it with cargo build --release, or name one with --lazaret")]
    NoLazaret(PathBuf),
    #[error("a call that has to be refused was not: {0}")]
    NotRefused(&'static str),
    #[error("what is always allowed could not be done: {0}")]
    NotDone(&'static str),
    #[error("cannot stay on one CPU")]
    Pin(#[source] rustix::io::Errno),
    #[error("cannot run the workload {0}")]
    Spawn(&'static str, #[source] io::Error),
    #[error("the workload failed {place}: {said}")]
    Failed {
        /// Where it ran.
        place: &'static str,
        /// Its stderr.
        said: String,
    },
    #[error("the workload's answer makes no sense")]
    Answer(#[source] serde_json::Error),
    #[error("cannot print the result")]
    Print(#[source] io::Error),
}

/// The word by which this program knows that it is to be the workload, and what it does about CPUs.
const WORKLOAD_WORD: &str = "workload";

fn main() -> ExitCode {
    let is_workload = std::env::args().nth(1).is_some_and(|argument| argument == WORKLOAD_WORD);
    let result = if is_workload { workload() } else { measure(&Cli::parse()) };
    report::ended(result)
}

/// What a workload has found.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Findings {
    refused: Vec<Times>,
    untrapped: Vec<Cost>,
}

fn workload() -> Result<(), RefusalError> {
    let mut findings = Findings::default();
    for attempt in Attempt::ALL {
        findings.refused.push(refused::measure(*attempt).ok_or(RefusalError::NotRefused(attempt.name()))?);
    }
    for work in Work::ALL {
        findings.untrapped.push(untrapped::measure(*work).ok_or(RefusalError::NotDone(work.name()))?);
    }
    let line = serde_json::to_string(&findings).map_err(RefusalError::Answer)?;
    report::print([&line]).map_err(RefusalError::Print)
}

fn measure(cli: &Cli) -> Result<(), RefusalError> {
    let machine = Machine::observe();
    let own = std::env::current_exe().map_err(RefusalError::Own)?;
    let lazaret = cli.lazaret.clone().unwrap_or_else(|| own.with_file_name("lazaret"));
    if !lazaret.is_file() {
        return Err(RefusalError::NoLazaret(lazaret));
    }
    let native = |place| find(place, &mut Command::new(Path::new(&own)));
    let sandbox = |place, interceptor| {
        find(place, Command::new(&lazaret).args(["--interceptor", interceptor, "do", "--"]).arg(&own))
    };
    // What is started inherits the CPUs, so what uses all comes before the pinning.
    let mut found = vec![
        native("native, on all CPUs")?,
        sandbox("notify, on all CPUs", "notify")?,
        sandbox("ptrace, on all CPUs", "ptrace")?,
    ];
    pin::to_one_cpu().map_err(RefusalError::Pin)?;
    found.push(native("native, on one CPU")?);
    found.push(sandbox("notify, on one CPU", "notify")?);
    found.push(sandbox("ptrace, on one CPU", "ptrace")?);
    let mut table = Table::new(&["refused call", "recorded us", "min", "counted us", "min", "where"]);
    let mut others = Table::new(&["what is not trapped", "us", "min", "where"]);
    for (place, findings) in found {
        findings.refused.iter().for_each(|times| table.row(cells(place, times)));
        findings.untrapped.iter().for_each(|cost| others.row(cost_cells(place, cost)));
    }
    let mut lines = machine.lines();
    lines.extend(table.lines());
    lines.extend(others.lines());
    lines.push(format!("load at the end {}", machine::load()));
    report::print(&lines).map_err(RefusalError::Print)
}

fn find(place: &'static str, command: &mut Command) -> Result<(&'static str, Findings), RefusalError> {
    let command = command.arg(WORKLOAD_WORD).stdin(Stdio::null());
    let output = command.output().map_err(|error| RefusalError::Spawn(place, error))?;
    if !output.status.success() {
        return Err(RefusalError::Failed { place, said: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    Ok((place, serde_json::from_slice(&output.stdout).map_err(RefusalError::Answer)?))
}

fn cells(place: &str, times: &Times) -> Vec<String> {
    let Times { call, recorded, counted } = times;
    let numbers = [recorded.0, recorded.1, counted.0, counted.1].map(report::micros);
    let mut cells = vec![call.clone()];
    cells.extend(numbers);
    cells.push(place.to_owned());
    cells
}

fn cost_cells(place: &str, cost: &Cost) -> Vec<String> {
    vec![cost.work.clone(), report::micros(cost.time.0), report::micros(cost.time.1), place.to_owned()]
}
