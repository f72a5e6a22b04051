//! `bench-filter`: what the sandbox's filter costs, to install and at each call, beside a linear allow-list.
//!
//! A command for people; docs/performance.md says how to run it. Needs no root. Every install is made by a new thread,
//! since a filter cannot be removed; the thread takes it along at its end.

use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lazaret::sys::seccomp;
use lazaret_benches::machine::{self, Machine};
use lazaret_benches::random::Random;
use lazaret_benches::report::{self, Table};
use lazaret_benches::statistics::{Ratio, Summary, median};
use lazaret_benches::{linear, pin};
use lazaret_profiles::bpf::{self, Insn};
use lazaret_profiles::plan::{self, Witness};
use thiserror::Error;

/// Times the sandbox's filter beside a linear one.
#[derive(Debug, Parser)]
struct Cli {
    /// Rounds; each installs both filters once, and makes calls without a filter and under both
    #[arg(long, default_value_t = 200)]
    rounds: u32,
}

#[derive(Debug, Error)]
enum FilterError {
    #[error("cannot emit the sandbox's filter")]
    Emit(#[from] bpf::EmitError),
    #[error("cannot compile the linear filter")]
    Linear(#[from] seccompiler::BackendError),
    #[error("cannot stay on one CPU")]
    Pin(#[source] rustix::io::Errno),
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    #[error("a measuring thread died")]
    Died,
    #[error("cannot install a filter")]
    Install(#[source] io::Error),
    #[error("cannot print the result")]
    Print(#[source] io::Error),
}

/// A filter and how it is installed.
#[derive(Debug)]
struct Filter {
    name: &'static str,
    program: Option<Vec<Insn>>,
    has_listener: bool,
}

/// What one thread found.
#[derive(Debug, Clone, Copy)]
struct Sample {
    install: Duration,
    plain: Duration,
    checked: Duration,
}

/// Calls for one sample of a call's cost.
const CALLS: u32 = 2000;

fn main() -> ExitCode {
    report::ended(measure(&Cli::parse()))
}

fn measure(cli: &Cli) -> Result<(), FilterError> {
    let machine = Machine::observe();
    pin::to_one_cpu().map_err(FilterError::Pin)?;
    let mut lines = machine.lines();
    lines.push(made()?);
    let filters: Vec<Arc<Filter>> = filters()?.into_iter().map(Arc::new).collect();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); filters.len()];
    let mut random = Random::new();
    for round in 0..cli.rounds.saturating_add(1) {
        let mut order: Vec<(&Arc<Filter>, &mut Vec<Sample>)> = filters.iter().zip(&mut samples).collect();
        random.shuffle(&mut order);
        for (filter, samples) in order {
            let sample = in_a_thread(filter)?;
            // The first round warms up.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    lines.extend(table(&filters, &samples).lines());
    lines.push(format!("load at the end {}", machine::load()));
    report::print(&lines).map_err(FilterError::Print)
}

/// Without a filter, lazaret's, lazaret's without the sentry's listener, the linear one. Ratios are to the last.
fn filters() -> Result<Vec<Filter>, FilterError> {
    let sandbox = bpf::emit(&plan::sandbox(Witness::Notify))?;
    let alone = bpf::emit(&plan::sandbox(Witness::None))?;
    let linear = linear::program()?;
    Ok(vec![
        Filter { name: "no filter", program: None, has_listener: false },
        Filter { name: "lazaret sandbox, with listener", program: Some(sandbox), has_listener: true },
        Filter { name: "lazaret sandbox, no listener", program: Some(alone), has_listener: false },
        Filter { name: "linear allow-list", program: Some(linear), has_listener: false },
    ])
}

/// How long it takes to make the two programs.
fn made() -> Result<String, FilterError> {
    let (mut tree, mut chain) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let start = Instant::now();
        black_box(bpf::emit(&plan::sandbox(Witness::Notify))?);
        tree.push(start.elapsed());
        let start = Instant::now();
        black_box(linear::program()?);
        chain.push(start.elapsed());
    }
    let time = |samples| median(samples).map_or_else(String::new, report::micros);
    Ok(format!("made in (median, us): lazaret {}, linear {}", time(tree), time(chain)))
}

fn in_a_thread(filter: &Arc<Filter>) -> Result<Sample, FilterError> {
    let filter = Arc::clone(filter);
    let thread = std::thread::Builder::new().spawn(move || sample(&filter)).map_err(FilterError::Thread)?;
    thread.join().map_err(|_panic| FilterError::Died)?
}

fn sample(filter: &Filter) -> Result<Sample, FilterError> {
    rustix::thread::set_no_new_privs(true).map_err(|errno| FilterError::Install(errno.into()))?;
    let start = Instant::now();
    // The listener stays open to the end: the calls below are all allowed, so nobody has to answer.
    let listener = match &filter.program {
        Some(program) if filter.has_listener => seccomp::install_with_listener(program).map(Some),
        Some(program) => seccomp::install(program, 0).map(|()| None),
        None => Ok(None),
    };
    let install = start.elapsed();
    let listener = listener.map_err(FilterError::Install)?;
    let plain = per_call(|| {
        black_box(rustix::process::getppid());
    });
    let checked = per_call(|| {
        black_box(nix::sys::personality::get().is_ok());
    });
    drop(listener);
    Ok(Sample { install, plain, checked })
}

fn per_call(call: impl Fn()) -> Duration {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    start.elapsed() / CALLS
}

fn table(filters: &[Arc<Filter>], samples: &[Vec<Sample>]) -> Table {
    let headings = [
        "filter",
        "instructions",
        "install us",
        "MAD",
        "min",
        "getppid ns",
        "personality ns",
        "install to linear [95 %]",
    ];
    let mut table = Table::new(&headings);
    let installs = |samples: &[Sample]| samples.iter().map(|sample| sample.install).collect::<Vec<_>>();
    let linear = samples.last().map(|samples| installs(samples)).unwrap_or_default();
    for (filter, samples) in filters.iter().zip(samples) {
        let mut cells = vec![filter.name.to_owned()];
        let times = installs(samples);
        let summary = Summary::of(&times).filter(|_| filter.program.is_some());
        cells.push(filter.program.as_ref().map_or_else(String::new, |program| program.len().to_string()));
        cells.extend(summary.map_or_else(|| vec![String::new(); 3], |found| report::summary(&found, report::micros)));
        cells.push(nanos(samples.iter().map(|sample| sample.plain).collect()));
        cells.push(nanos(samples.iter().map(|sample| sample.checked).collect()));
        let ratio = summary.and_then(|_| Ratio::of(&times, &linear, &mut Random::new()));
        cells.push(report::ratio(ratio));
        table.row(cells);
    }
    table
}

fn nanos(samples: Vec<Duration>) -> String {
    median(samples).map_or_else(String::new, |time| time.as_nanos().to_string())
}
