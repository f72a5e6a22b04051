//! Text for people: aligned tables on stdout, warnings on stderr.
//!
//! Called by the commands; the only place of this crate that prints a report.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::statistics::{Ratio, Summary};

/// Rows of cells, padded to columns. The first column stands left, the others right, the last one left.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, without an end of line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            // A remark is as long as it is; only the name before it takes part.
            let taking_part = self.rows.iter().filter(|row| column == 0 || row.len() == columns);
            taking_part.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

/// A row shorter than the table is a name and a remark; the remark is not padded.
fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate() {
        let width = widths.get(column).copied().unwrap_or(0);
        let is_left = column == 0 || column + 1 == widths.len() || row.len() < widths.len();
        let padded = if is_left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
        line.push_str(if column == 0 { "" } else { "  " });
        line.push_str(&padded);
    }
    line.trim_end().to_owned()
}

/// Milliseconds with two places.
#[must_use]
pub fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// Microseconds with one place.
#[must_use]
pub fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// Median, deviation, minimum, in this unit.
#[must_use]
pub fn summary(summary: &Summary, unit: fn(Duration) -> String) -> Vec<String> {
    vec![unit(summary.median), unit(summary.deviation), unit(summary.minimum)]
}

/// A ratio and its interval.
#[must_use]
pub fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{:.2} [{:.2}, {:.2}]", ratio.value, ratio.low, ratio.high))
}

/// Writes lines to stdout.
///
/// # Errors
/// As write(2).
pub fn print<'a>(lines: impl IntoIterator<Item = &'a String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Says something that is not a result.
#[expect(clippy::print_stderr, reason = "the one place that warns")]
pub fn warn(message: &str) {
    eprintln!("warning: {message}");
}

/// How a program ends: where there is no result, it says why on stderr.
#[must_use]
#[expect(clippy::print_stderr, reason = "the one place that says so")]
pub fn ended(result: Result<(), impl Into<Box<dyn Error>>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_one_line(&*error.into()));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes.
#[must_use]
pub fn in_one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_remarks_are_not() {
        let mut table = Table::new(&["who", "ms", "note"]);
        table.row(vec!["a".into(), "10.00".into(), "x".into()]);
        table.row(vec!["bbbb".into(), "not installed".into()]);
        assert_eq!(table.lines(), ["who      ms  note", "a     10.00  x", "bbbb  not installed"]);
    }

    #[test]
    fn units_are_those_of_the_tables() {
        assert_eq!(millis(Duration::from_micros(3456)), "3.46");
        assert_eq!(micros(Duration::from_nanos(3456)), "3.5");
    }
}
