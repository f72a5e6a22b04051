//! The verbs that print what they find: `list`, `ps`, `events`. Called by `main`; what they find is the library's.

mod doctor;
mod judgement;

use std::io::{self, Write as _};

use lazaret::check;
use lazaret::config::Sources;
use lazaret::error::Error;
use lazaret::lifecycle::{self, Listed, ListedCall, Process};
use lazaret::options::Options;
use lazaret_profiles::document;
use lazaret_sentry::kubernetes::{self, Pod};
use lazaret_sentry::record_line;
use serde::Serialize;

use crate::cli::{self, Format, RecordForm, SyscallFormat};
use crate::table;

/// What a verb printed, or why that was not possible.
type Printed = Result<io::Result<()>, Error>;

/// `list`.
pub(crate) fn list(options: &Options, arguments: &cli::List) -> Printed {
    let listed = lifecycle::list(options)?;
    Ok(match (arguments.quiet, arguments.format) {
        (true, _) => text(&listed.iter().map(|one| format!("{}\n", one.state.id)).collect::<String>()),
        (false, Format::Json) => line(&listed),
        (false, Format::Table) => {
            let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
            let rows: Vec<_> = std::iter::once(header).chain(listed.iter().map(row_of_container)).collect();
            text(&table::aligned(&rows))
        }
    })
}

fn row_of_container(listed: &Listed) -> [String; 6] {
    let state = &listed.state;
    [
        state.id.clone(),
        state.pid.to_string(),
        state.status.name().to_owned(),
        state.bundle.display().to_string(),
        state.created.clone(),
        listed.owner.clone(),
    ]
}

/// `ps`.
pub(crate) fn ps(options: &Options, arguments: &cli::Ps) -> Printed {
    if arguments.format == Format::Json {
        return Ok(line(&lifecycle::process_ids(options, &arguments.id)?));
    }
    let header = ["UID", "PID", "PPID", "STAT", "TTY", "TIME", "CMD"].map(str::to_owned);
    let processes = lifecycle::processes(options, &arguments.id)?;
    let rows: Vec<_> = std::iter::once(header).chain(processes.iter().map(row_of_process)).collect();
    Ok(text(&table::aligned(&rows)))
}

fn row_of_process(process: &Process) -> [String; 7] {
    let (hours, minutes, seconds) = (process.seconds / 3600, process.seconds / 60 % 60, process.seconds % 60);
    [
        process.user.clone(),
        process.pid.to_string(),
        process.parent.to_string(),
        process.state.to_string(),
        process.terminal.clone(),
        format!("{hours:02}:{minutes:02}:{seconds:02}"),
        process.command.clone(),
    ]
}

/// `events`.
pub(crate) fn events(options: &Options, arguments: &cli::Events) -> Printed {
    let form = if arguments.json { RecordForm::Json } else { arguments.output.unwrap_or(RecordForm::Text) };
    let Some(id) = arguments.id.as_ref() else {
        let pod = Pod::default();
        lifecycle::refusals(options, &mut |record| in_form(form, record, &pod))?;
        return Ok(Ok(()));
    };
    if arguments.records {
        let pod = lifecycle::pod(options, id)?;
        lifecycle::records(options, id, arguments.follow, &mut |record| in_form(form, record, &pod))?;
        return Ok(Ok(()));
    }
    let interval = lifecycle::parse_interval(&arguments.interval)?;
    if arguments.stats {
        return Ok(line(&lifecycle::stats(options, id)?));
    }
    lifecycle::events(options, id, interval, &mut |event| line(event))?;
    Ok(Ok(()))
}

/// A record on a line of its own; some have no line in some forms.
fn in_form(form: RecordForm, record: &[u8], pod: &Pod) -> io::Result<()> {
    let shown = match form {
        RecordForm::Text => Some(record_line::for_people(record)),
        RecordForm::Json => Some(record_line::as_json(record)),
        RecordForm::Kubernetes => kubernetes::event(record, pod),
    };
    shown.map_or(Ok(()), |shown| text(&format!("{shown}\n")))
}

/// `doctor`, and whether sandbox mode can run.
pub(crate) fn doctor(arguments: &cli::judge::Doctor) -> (io::Result<()>, bool) {
    let report = lazaret::doctor::examine();
    let printed = match arguments.output {
        Format::Json => pretty(&report),
        Format::Table => text(&doctor::text(&report)),
    };
    (printed, report.sandbox)
}

/// `check`, and whether nothing fails.
pub(crate) fn check(
    options: &Options,
    sources: &Sources,
    arguments: &cli::judge::Check,
) -> Result<(io::Result<()>, bool), Error> {
    let request = check::Request { host: arguments.host.clone(), configuration: sources.file.clone() };
    Ok(judged(&check::node(options, &request)?, arguments.json))
}

/// `verify`, and whether nothing fails.
pub(crate) fn verify(options: &Options, arguments: &cli::judge::Verify) -> Result<(io::Result<()>, bool), Error> {
    Ok(judged(&check::container(options, &arguments.id)?, arguments.json))
}

fn judged(report: &check::Report, json: bool) -> (io::Result<()>, bool) {
    let printed = if json { pretty(report) } else { text(&judgement::text(report)) };
    (printed, report.holds())
}

/// `syscalls`.
pub(crate) fn syscalls(options: &Options, arguments: &cli::Syscalls) -> Printed {
    let calls = lifecycle::syscalls(options.mode, arguments.profile.as_deref())?;
    Ok(match arguments.output {
        SyscallFormat::Json => pretty(&calls),
        SyscallFormat::Md => text(&document::section()),
        SyscallFormat::Table => {
            let header =
                ["NUMBER", "NAME", "FAMILY", "CLASS", "ANSWER", "PROFILE", "RULE", "REASON"].map(str::to_owned);
            let rows: Vec<_> = std::iter::once(header).chain(calls.iter().map(row_of_call)).collect();
            text(&table::aligned(&rows))
        }
    })
}

fn row_of_call(call: &ListedCall) -> [String; 8] {
    let or_dash = |word: &str| if word.is_empty() { "-".to_owned() } else { word.to_owned() };
    [
        call.number.to_string(),
        call.name.to_owned(),
        call.family.to_owned(),
        call.class.to_owned(),
        or_dash(call.answer),
        or_dash(call.profile.as_deref().unwrap_or_default()),
        or_dash(call.rule),
        call.reason.to_owned(),
    ]
}

/// One JSON value on a line of its own.
fn line(value: &impl Serialize) -> io::Result<()> {
    text(&format!("{}\n", serde_json::to_string(value)?))
}

/// One JSON value, for people to read too.
fn pretty(value: &impl Serialize) -> io::Result<()> {
    text(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// `metrics`.
pub(crate) fn metrics(exposition: &str) -> io::Result<()> {
    text(exposition)
}

/// Whole and at once: readers of a pipe take an event when its line is there.
fn text(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
