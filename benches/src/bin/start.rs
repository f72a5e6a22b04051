//! `bench-start`: the time of a whole `run /bin/true`, or of an `exec`, beside other runtimes, in interleaved runs.
//!
//! A command for people; docs/performance.md says how to run it. It needs root, and a quiet machine.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use lazaret_benches::bundle;
use lazaret_benches::cgroups::{self, CgroupsError, Mode};
use lazaret_benches::contender::{self, Setting, Work};
use lazaret_benches::hosts::Hosts;
use lazaret_benches::machine::{self, Machine};
use lazaret_benches::race::{self, Lane, Rounds};
use lazaret_benches::random::Random;
use lazaret_benches::report::{self, Table};
use lazaret_benches::scratch::Scratch;
use lazaret_benches::statistics::{Ratio, Summary};
use serde::Serialize;
use thiserror::Error;

/// Times a whole `run /bin/true` of one busybox bundle for each runtime, or `exec /bin/true` in a container of it.
#[derive(Debug, Parser)]
struct Cli {
    /// Counted rounds; each starts every runtime once
    #[arg(long, default_value_t = 60)]
    rounds: u32,
    /// Rounds before, not counted
    #[arg(long, default_value_t = 5)]
    warm_up: u32,
    /// Rest before each run, in milliseconds: starts that come alone, as most do
    #[arg(long, value_name = "MS", default_value_t = 0)]
    rest: u64,
    /// lazaret's command [default: beside this program]
    #[arg(long, value_name = "PATH")]
    lazaret: Option<PathBuf>,
    /// Name a cgroup in the bundle, as container engines do: lazaret then also joins the hierarchies of statistics
    #[arg(long)]
    cgroups_path: bool,
    /// Time `exec /bin/true` in a container that runs, instead of a whole run
    #[arg(long)]
    exec: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Error)]
enum StartError {
    #[error("cannot find this program")]
    Own(#[source] io::Error),
    #[error("no lazaret at {0}; build it with cargo build --release, or name one with --lazaret")]
    NoLazaret(PathBuf),
    #[error("cannot make a scratch directory")]
    Scratch(#[source] io::Error),
    #[error("no bundle")]
    Bundle(#[from] bundle::BundleError),
    #[error("the cgroup hierarchies do not suit")]
    Cgroups(#[from] CgroupsError),
    #[error("cannot become the reaper of what runtimes leave")]
    Reaper(#[source] rustix::io::Errno),
    #[error("cannot write the result as JSON")]
    Json(#[source] serde_json::Error),
    #[error("cannot print the result")]
    Print(#[source] io::Error),
}

/// A line of the result.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    version: String,
    failure: Option<String>,
    time: Option<Measure>,
    processor: Option<Measure>,
}

/// One quantity of a row.
#[derive(Debug, Serialize)]
struct Measure {
    summary: Summary,
    ratio: Option<Ratio>,
    samples: Vec<Duration>,
}

impl Measure {
    fn of(samples: Vec<Duration>, reference: &[Duration]) -> Option<Self> {
        let summary = Summary::of(&samples)?;
        Some(Self { summary, ratio: Ratio::of(&samples, reference, &mut Random::new()), samples })
    }
}

#[derive(Debug, Serialize)]
struct Report {
    work: &'static str,
    machine: Machine,
    load_at_end: String,
    note: Option<&'static str>,
    rows: Vec<Row>,
}

const HIDDEN: &str =
    "crun refuses hybrid hosts: all runs are made in a private mount namespace that hides the v2 hierarchy";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == contender::REFERENCE_WORD
    {
        return report::ended(run_reference(rest));
    }
    report::ended(measure(&Cli::parse()))
}

#[cfg(feature = "libcontainer")]
fn run_reference(arguments: &[String]) -> Result<(), String> {
    lazaret_benches::reference::main(arguments).map_err(|error| report::in_one_line(&error))
}

#[cfg(not(feature = "libcontainer"))]
fn run_reference(_: &[String]) -> Result<(), String> {
    Err("not built in; add --features libcontainer".to_owned())
}

fn measure(cli: &Cli) -> Result<(), StartError> {
    let machine = Machine::observe();
    let scratch = Scratch::new().map_err(StartError::Scratch)?;
    let setting = setting(cli, &scratch)?;
    let note = (cgroups::mode()? == Mode::Hybrid).then_some(HIDDEN);
    if note.is_some() {
        cgroups::hide_unified()?;
    }
    let rounds = Rounds { warm_up: cli.warm_up, counted: cli.rounds, rest: Duration::from_millis(cli.rest) };
    let hosts = cli.exec.then(|| Hosts::start(contender::ALL, &setting));
    let contenders = hosts.as_ref().map_or(contender::ALL, Hosts::contenders);
    let rows = rows(race::run(contenders, &setting, rounds).map_err(StartError::Reaper)?);
    let result = Report {
        work: if cli.exec { "exec /bin/true" } else { "run /bin/true" },
        machine,
        load_at_end: machine::load(),
        note,
        rows,
    };
    let lines = if cli.json { json(&result)? } else { text(&result) };
    report::print(&lines).map_err(StartError::Print)
}

fn setting(cli: &Cli, scratch: &Scratch) -> Result<Setting, StartError> {
    let own = std::env::current_exe().map_err(StartError::Own)?;
    let lazaret = cli.lazaret.clone().unwrap_or_else(|| own.with_file_name("lazaret"));
    let lazaret = std::path::absolute(&lazaret).unwrap_or(lazaret);
    if !lazaret.is_file() {
        return Err(StartError::NoLazaret(lazaret));
    }
    let (bundle, states) = (scratch.join("bundle"), scratch.join("states"));
    let cgroups_path = cli.cgroups_path.then(|| format!("/lazaret-bench-{}", std::process::id()));
    bundle::make(&bundle, &["/bin/true"], cgroups_path.as_deref())?;
    let sleeper = scratch.join("sleeper");
    bundle::make(&sleeper, &["/bin/sleep", "86400"], None)?;
    std::fs::create_dir(&states).map_err(StartError::Scratch)?;
    let work = if cli.exec { Work::Exec } else { Work::Run };
    Ok(Setting { work, bundle, sleeper, states, lazaret, own })
}

/// Every lane in numbers; ratios are to the first.
fn rows(lanes: Vec<Lane>) -> Vec<Row> {
    let reference = lanes.first().map(|lane| (lane.times.clone(), lane.processor.clone())).unwrap_or_default();
    let row = |lane: Lane| Row {
        name: lane.contender.name,
        version: lane.version,
        failure: lane.failure,
        time: Measure::of(lane.times, &reference.0),
        processor: Measure::of(lane.processor, &reference.1),
    };
    lanes.into_iter().map(row).collect()
}

fn json(result: &Report) -> Result<Vec<String>, StartError> {
    serde_json::to_string_pretty(result).map(|text| vec![text]).map_err(StartError::Json)
}

fn text(result: &Report) -> Vec<String> {
    let mut lines = result.machine.lines();
    lines.extend(result.note.map(|note| format!("note: {note}")));
    let mut versions: Vec<&str> =
        result.rows.iter().map(|row| row.version.as_str()).filter(|line| !line.is_empty()).collect();
    versions.dedup();
    lines.push(versions.join(", "));
    let headings =
        [result.work, "n", "median ms", "MAD", "min", "CPU ms", "time to crun's [95 %]", "CPU to crun's [95 %]"];
    let mut table = Table::new(&headings);
    for row in &result.rows {
        table.row(cells(row));
    }
    lines.extend(table.lines());
    lines.push(format!("load at the end {}", result.load_at_end));
    lines
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.name.to_owned()];
    match (&row.failure, &row.time, &row.processor) {
        (None, Some(time), Some(processor)) => {
            cells.push(time.summary.count.to_string());
            cells.extend(report::summary(&time.summary, report::millis));
            cells.push(report::millis(processor.summary.median));
            cells.extend([time, processor].map(|measure| report::ratio(measure.ratio)));
        }
        (Some(failure), _, _) => cells.push(failure.clone()),
        (None, _, _) => cells.push("no counted round".to_owned()),
    }
    cells
}
