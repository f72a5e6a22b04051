//! `policy check`: prints the verdicts. Called by `main`; the verdicts are the library's.

use std::io::{self, Write as _};

use lazaret::error::Error;
use lazaret::policy::cel;
use lazaret::policy::pod_security::report::{self, Checked, Report};
use lazaret::policy::pod_security::{Level, Standard, Version};
use serde::Serialize;

use crate::cli::Format;
use crate::cli::policy::Check;
use crate::log;
use crate::table;

/// Exit status when something is not allowed.
const VIOLATED: u8 = 1;

/// Prints the report; the exit status says whether all is allowed.
pub(crate) fn check(arguments: &Check) -> Result<io::Result<u8>, Error> {
    if let Some(policies) = &arguments.cel {
        let report = cel::report::check(policies, &arguments.file)?;
        return Ok(print(arguments.output, &report, table_of_policies).map(|()| status(report.allowed)));
    }
    // The grammar has one of the two.
    let standard = arguments.standard().unwrap_or(Standard { level: Level::Hardened, version: Version::Latest });
    let report = report::check(&arguments.file, standard)?;
    Ok(print(arguments.output, &report, table_of).map(|()| status(report.allowed)))
}

fn status(allowed: bool) -> u8 {
    if allowed { 0 } else { VIOLATED }
}

fn print<Report: Serialize>(form: Format, report: &Report, table: fn(&Report) -> String) -> io::Result<()> {
    let text = match form {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Format::Table => table(report),
    };
    io::stdout().lock().write_all(text.as_bytes())
}

/// A line for each policy, then what they say.
fn table_of_policies(report: &cel::report::Report) -> String {
    let header = ["POLICY", "VERDICT"].map(str::to_owned);
    let verdict = |allowed| if allowed { "allowed" } else { "denied" }.to_owned();
    let rows = report.policies.iter().map(|judged| [printable(&judged.policy), verdict(judged.allowed)]);
    let mut text = table::aligned(&std::iter::once(header).chain(rows).collect::<Vec<_>>());
    for judged in &report.policies {
        let findings =
            judged.findings.iter().map(|finding| format!("container {:?} {}", report.container, finding.message));
        for message in judged.message.iter().cloned().chain(findings) {
            text.push_str(&format!("\n{}\n", printable(&message)));
        }
    }
    text
}

/// A line for each object, then a paragraph for each that needs words. The names are whoever's who wrote the file.
fn table_of(report: &Report) -> String {
    let header = ["KIND", "NAMESPACE", "NAME", "VERDICT"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(header).chain(report.objects.iter().map(row)).collect();
    let mut text = table::aligned(&rows);
    for object in &report.objects {
        let who = format!("{} {}", printable(&object.kind), printable(&object.name));
        if let Some(message) = &object.message {
            text.push_str(&format!("\n{who}: {}\n", printable(message)));
        }
        if !object.unseen.is_empty() {
            text.push_str(&format!("\n{who}: a configuration does not show all that the level asks for:\n"));
            for unseen in &object.unseen {
                text.push_str(&format!("  {} ({}): {}\n", unseen.check, unseen.exactness, unseen.gap));
            }
        }
    }
    text
}

fn row(object: &Checked) -> [String; 4] {
    let verdict = match object.allowed {
        Some(true) => "allowed",
        Some(false) => "violates",
        None => "not checked: makes no pods that are known",
    };
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { printable(text) };
    let namespace = object.namespace.as_deref().unwrap_or_default();
    [or_dash(&object.kind), or_dash(namespace), or_dash(&object.name), verdict.to_owned()]
}

/// One line, whatever the name holds.
fn printable(text: &str) -> String {
    log::printable(text).replace('\n', "\\n")
}
