//! `bench-policy`: what the node's own rules cost a create: the Pod Security Standards, and policies in CEL.
//!
//! A command for people; docs/performance.md says how to run it. Needs no root. Each round reads and checks a
//! configuration, which every create does, and judges it by both, in random order.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use lazaret::bundle::{Bundle, BundleError};
use lazaret::policy::PolicyError;
use lazaret::policy::cel::{self, CelError, Input, document};
use lazaret::policy::host::OwnNamespaces;
use lazaret::policy::pod_security::facts::Facts;
use lazaret::policy::pod_security::{Enforcement, PodSecurityError};
use lazaret_benches::machine::{self, Machine};
use lazaret_benches::pin;
use lazaret_benches::random::Random;
use lazaret_benches::report::{self, Table};
use lazaret_benches::statistics::Summary;
use thiserror::Error;

/// Times the policy of a create.
#[derive(Debug, Parser)]
struct Cli {
    /// Rounds
    #[arg(long, default_value_t = 300)]
    rounds: u32,
    /// The configuration
    #[arg(long, default_value = "config.json")]
    config: PathBuf,
    /// Policies
    #[arg(long, default_values = [
        "docs/policies/allowed-registries.yaml",
        "docs/policies/no-latest-tag.yaml",
        "docs/policies/limits-required.yaml",
        "docs/policies/read-only-root.yaml",
        "docs/policies/labels-required.yaml",
    ])]
    policy: Vec<PathBuf>,
}

#[derive(Debug, Error)]
enum BenchError {
    #[error("cannot read the configuration")]
    Read(#[source] io::Error),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    PodSecurity(#[from] PodSecurityError),
    #[error(transparent)]
    Cel(#[from] CelError),
    #[error("cannot stay on one CPU")]
    Pin(#[source] rustix::io::Errno),
    #[error("cannot print the result")]
    Print(#[source] io::Error),
}

/// What is timed.
const WORK: [&str; 3] = ["reading the configuration", "Pod Security, three modes", "policies in CEL"];

fn main() -> ExitCode {
    report::ended(measure(&Cli::parse()))
}

fn measure(cli: &Cli) -> Result<(), BenchError> {
    let machine = Machine::observe();
    pin::to_one_cpu().map_err(BenchError::Pin)?;
    let text = std::fs::read_to_string(&cli.config).map_err(BenchError::Read)?;
    let mut samples = [const { Vec::new() }; WORK.len()];
    let mut random = Random::new();
    for round in 0..cli.rounds.saturating_add(1) {
        let mut order: Vec<(usize, &mut Vec<Duration>)> = samples.iter_mut().enumerate().collect();
        random.shuffle(&mut order);
        for (work, samples) in order {
            let time = timed(work, &text, cli)?;
            // The first round warms up.
            if round > 0 {
                samples.push(time);
            }
        }
    }
    let mut table = Table::new(&["work", "us", "MAD", "min"]);
    for (name, samples) in WORK.iter().zip(&samples) {
        let summary = Summary::of(samples).map(|found| report::summary(&found, report::micros));
        table.row(std::iter::once((*name).to_owned()).chain(summary.into_iter().flatten()).collect());
    }
    let mut lines = machine.lines();
    lines.push(format!("configuration of {} bytes, {} files of policies", text.len(), cli.policy.len()));
    lines.extend(table.lines());
    lines.push(format!("load at the end {}", machine::load()));
    report::print(&lines).map_err(BenchError::Print)
}

/// How long it takes, once.
fn timed(work: usize, text: &str, cli: &Cli) -> Result<Duration, BenchError> {
    let bundle = Bundle::parse(Path::new("/bundle").to_owned(), text.to_owned())?;
    let start = Instant::now();
    match work {
        0 => drop(Bundle::parse(Path::new("/bundle").to_owned(), text.to_owned())?),
        1 => by_standards(&bundle)?,
        _ => by_policies(&bundle, cli)?,
    }
    Ok(start.elapsed())
}

/// As `create` does it. What is found is no matter: the work is the same, but for the refusal.
fn by_standards(bundle: &Bundle) -> Result<(), BenchError> {
    let hardened = Some("hardened:latest".parse()?);
    let enforcement = Enforcement { enforce: None, warn: hardened, audit: hardened };
    let own = OwnNamespaces::gather()?;
    let facts = Facts::of(bundle.raw(), Some("bench"), &|kind, path| own.is_at(kind, path))?;
    drop(Enforcement { enforce: Some("baseline:latest".parse()?), ..enforcement }.judge(&facts).unwrap_or_default());
    drop(enforcement.judge(&facts)?);
    Ok(())
}

/// The same of the policies, read anew as every create reads them.
fn by_policies(bundle: &Bundle, cli: &Cli) -> Result<(), BenchError> {
    let mut policies = Vec::new();
    for file in &cli.policy {
        policies.extend(document::load(file)?);
    }
    match cel::judge(&policies, &Input::new("bench", bundle.raw(), "sandbox")) {
        Err(error) if !error.is_refusal() => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}
