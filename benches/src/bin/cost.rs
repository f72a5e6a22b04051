//! `bench-cost`: what the sandbox costs a workload that does nothing forbidden, beside the same work in native mode, in
//! interleaved rounds.
//!
//! A command for people; docs/performance.md says how to run it. It needs root, and a quiet machine.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lazaret_benches::cost::row::{self, Row, Set};
use lazaret_benches::cost::subject::{self, MODES, Subject, SubjectError};
use lazaret_benches::machine::{self, Machine};
use lazaret_benches::random::Random;
use lazaret_benches::report::{self, Table};
use lazaret_benches::statistics::{Ratio, Summary};
use serde::Serialize;
use thiserror::Error;

/// Times fixed work in native and in sandbox mode by turns.
#[derive(Debug, Parser)]
struct Cli {
    /// Counted rounds; each does every row in every mode once
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Only these rows
    #[arg(long, value_enum)]
    set: Option<Set>,
    /// Only rows with this in their name
    #[arg(long, value_name = "TEXT")]
    row: Option<String>,
    /// How long to watch the idle sentry, in seconds
    #[arg(long, value_name = "S", default_value_t = 5)]
    idle: u64,
    /// lazaret's command [default: beside this program]
    #[arg(long, value_name = "PATH")]
    lazaret: Option<PathBuf>,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Error)]
enum CostError {
    #[error("cannot find this program")]
    Own(#[source] io::Error),
    #[error("no lazaret at {0}; build it with cargo build --release, or name one with --lazaret")]
    NoLazaret(PathBuf),
    #[error("no row has {0:?} in its name")]
    NoRow(String),
    #[error(transparent)]
    Subject(#[from] SubjectError),
    #[error("cannot read about the sentry")]
    Sentry(#[source] io::Error),
    #[error("cannot serve as the workload")]
    Serve(#[source] io::Error),
    #[error("cannot write the result as JSON")]
    Json(#[source] serde_json::Error),
    #[error("cannot print the result")]
    Print(#[source] io::Error),
}

/// A row in one mode.
#[derive(Debug, Serialize)]
struct Cell {
    row: &'static str,
    mode: &'static str,
    failure: Option<String>,
    summary: Option<Summary>,
    ratio: Option<Ratio>,
    limit: String,
    holds: Option<bool>,
    /// Wake-ups of the sentry in all counted rounds of this row.
    wake_ups: u64,
    samples: Vec<Duration>,
}

/// The sentry by itself.
#[derive(Debug, Serialize)]
struct Rest {
    mode: &'static str,
    private_bytes: u64,
    idle_seconds: u64,
    idle_wake_ups: u64,
}

#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    load_at_end: String,
    cells: Vec<Cell>,
    rests: Vec<Rest>,
}

fn main() -> ExitCode {
    let is_workload = std::env::args().nth(1).is_some_and(|argument| argument == subject::WORD);
    let result = if is_workload { subject::serve().map_err(CostError::Serve) } else { measure(&Cli::parse()) };
    report::ended(result)
}

fn measure(cli: &Cli) -> Result<(), CostError> {
    let machine = Machine::observe();
    let own = std::env::current_exe().map_err(CostError::Own)?;
    let lazaret = cli.lazaret.clone().unwrap_or_else(|| own.with_file_name("lazaret"));
    if !lazaret.is_file() {
        return Err(CostError::NoLazaret(lazaret));
    }
    let lazaret = std::path::absolute(&lazaret).unwrap_or(lazaret);
    let rows = rows(cli)?;
    let mut subjects = Vec::new();
    for mode in MODES {
        subjects.push(Subject::start(*mode, &lazaret, &own)?);
    }
    let mut random = Random::new();
    let mut cells = Vec::new();
    for row in rows {
        cells.extend(cells_of(row, &mut subjects, cli.rounds, &mut random)?);
    }
    let mut rests = Vec::new();
    for subject in &subjects {
        rests.extend(rest(subject, cli.idle)?);
    }
    let report = Report { machine, load_at_end: machine::load(), cells, rests };
    let lines = if cli.json { json(&report)? } else { text(&report) };
    report::print(&lines).map_err(CostError::Print)
}

fn rows(cli: &Cli) -> Result<Vec<&'static Row>, CostError> {
    let part = cli.row.as_deref().unwrap_or_default();
    let wanted = |row: &&Row| cli.set.is_none_or(|set| row.set == set) && row.name.contains(part);
    let rows: Vec<&Row> = row::ALL.iter().filter(wanted).collect();
    if rows.is_empty() { Err(CostError::NoRow(part.to_owned())) } else { Ok(rows) }
}

/// One row in all modes: a round not counted, then rounds with the modes in an order of their own.
fn cells_of(
    row: &'static Row,
    subjects: &mut [Subject],
    rounds: u32,
    random: &mut Random,
) -> Result<Vec<Cell>, CostError> {
    let mut samples: Vec<Result<Vec<Duration>, String>> = subjects.iter().map(|_| Ok(Vec::new())).collect();
    let mut wake_ups = vec![0; subjects.len()];
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        random.shuffle(&mut order);
        for place in order {
            let (Some(subject), Some(Ok(times)), Some(woken)) =
                (subjects.get_mut(place), samples.get_mut(place), wake_ups.get_mut(place))
            else {
                continue;
            };
            let before = switches(subject)?;
            let taken = subject.take(row)?;
            let after = switches(subject)?;
            match taken {
                Ok(_) if round == 0 => {}
                Ok(time) => {
                    times.push(time);
                    *woken += after - before;
                }
                Err(error) => {
                    if let Some(slot) = samples.get_mut(place) {
                        *slot = Err(error);
                    }
                }
            }
        }
    }
    let native = samples.first().and_then(|first| first.as_ref().ok()).cloned().unwrap_or_default();
    let cell = |((subject, samples), wake_ups): ((&Subject, Result<Vec<Duration>, String>), u64)| {
        let (samples, failure) = samples.map_or_else(|error| (Vec::new(), Some(error)), |samples| (samples, None));
        let summary = Summary::of(&samples);
        let medians = summary.zip(Summary::of(&native));
        Cell {
            row: row.name,
            mode: subject.mode.name,
            failure,
            summary,
            ratio: Ratio::of(&samples, &native, random),
            limit: row.limit.text(),
            holds: medians.map(|(ours, native)| row.limit.holds(ours.median, native.median)),
            wake_ups,
            samples,
        }
    };
    Ok(subjects.iter().zip(samples).zip(wake_ups).map(cell).collect())
}

fn switches(subject: &Subject) -> Result<u64, CostError> {
    subject.sentry.as_ref().map_or(Ok(0), |sentry| sentry.switches().map_err(CostError::Sentry))
}

fn rest(subject: &Subject, seconds: u64) -> Result<Option<Rest>, CostError> {
    let Some(sentry) = &subject.sentry else { return Ok(None) };
    let before = sentry.switches().map_err(CostError::Sentry)?;
    std::thread::sleep(Duration::from_secs(seconds));
    let after = sentry.switches().map_err(CostError::Sentry)?;
    let private_bytes = sentry.private_memory().map_err(CostError::Sentry)?;
    Ok(Some(Rest { mode: subject.mode.name, private_bytes, idle_seconds: seconds, idle_wake_ups: after - before }))
}

fn json(report: &Report) -> Result<Vec<String>, CostError> {
    serde_json::to_string_pretty(report).map(|text| vec![text]).map_err(CostError::Json)
}

fn text(report: &Report) -> Vec<String> {
    let mut lines = report.machine.lines();
    let headings = ["work", "mode", "median us", "MAD", "min", "to native [95 %]", "sentry woken", "limit"];
    let mut table = Table::new(&headings);
    for cell in &report.cells {
        table.row(cells(cell));
    }
    lines.extend(table.lines());
    for Rest { mode, private_bytes, idle_seconds, idle_wake_ups } in &report.rests {
        let kib = private_bytes / 1024;
        lines.push(format!("sentry of {mode}: {kib} KiB private, {idle_wake_ups} wake-ups in {idle_seconds} idle s"));
    }
    lines.push(format!("load at the end {}", report.load_at_end));
    lines
}

fn cells(cell: &Cell) -> Vec<String> {
    let name = cell.row.to_owned();
    let Some(summary) = cell.summary else {
        let why = cell.failure.clone().unwrap_or_else(|| "no counted round".to_owned());
        return vec![name, format!("{}: {why}", cell.mode)];
    };
    let mut cells = vec![name, cell.mode.to_owned()];
    cells.extend(report::summary(&summary, |time| format!("{:.3}", time.as_secs_f64() * 1e6)));
    let is_native = cell.mode == "native";
    cells.push(if is_native { String::new() } else { report::ratio(cell.ratio) });
    cells.push(cell.wake_ups.to_string());
    let verdict = match cell.holds {
        _ if is_native => String::new(),
        Some(true) => format!("{}: holds", cell.limit),
        Some(false) => format!("{}: MISSED", cell.limit),
        None => "no native time".to_owned(),
    };
    cells.push(verdict);
    cells
}
