//! `policy check`: prints the verdicts. Called by `main`; the verdicts are the library's.

use std::io::{self, Write as _};

use lazaret::error::Error;
use lazaret::policy::pod_security::report::{self, Checked, Report};

use crate::cli::Format;
use crate::cli::policy::Check;
use crate::log;
use crate::table;

/// Exit status when something is not allowed.
const VIOLATED: u8 = 1;

/// Prints the report; the exit status says whether all is allowed.
pub(crate) fn check(arguments: &Check) -> Result<io::Result<u8>, Error> {
    let report = report::check(&arguments.file, arguments.standard())?;
    let text = match arguments.output {
        Format::Json => serde_json::to_string_pretty(&report).map(|json| format!("{json}\n")).map_err(io::Error::from),
        Format::Table => Ok(table_of(&report)),
    };
    let printed = text.and_then(|text| io::stdout().lock().write_all(text.as_bytes()));
    Ok(printed.map(|()| if report.allowed { 0 } else { VIOLATED }))
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
