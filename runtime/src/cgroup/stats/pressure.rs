//! How long the tasks of a container waited for a resource: pressure stall information (psi.rst of the kernel), which v2
//! counts by cgroup. Used by `stats` alone.

use serde::Serialize;

use super::files::Files;
use crate::cgroup::error::CgroupError;

/// The pressure on one resource, with the keys of runc.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Pressure {
    /// At least one task waited.
    pub some: Waits,
    /// Every task waited.
    pub full: Waits,
}

/// Shares of time in percent, and their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Waits {
    /// Of the last 10 seconds, in percent.
    pub avg10: f64,
    /// Of the last 60 seconds, in percent.
    pub avg60: f64,
    /// Of the last 300 seconds, in percent.
    pub avg300: f64,
    /// All of it, in microseconds.
    pub total: u64,
}

/// The pressure in the file `name`; `None` where the kernel does not count.
pub(super) fn read(files: &Files<'_>, name: &str) -> Result<Option<Pressure>, CgroupError> {
    Ok(files.text(name)?.as_deref().and_then(parse))
}

/// `some avg10=0.12 avg60=0.00 avg300=0.00 total=42`, and the same for `full`, which older kernels leave out for the
/// processor.
fn parse(text: &str) -> Option<Pressure> {
    let mut pressure = Pressure { some: waits(text, "some")?, full: Waits::default() };
    if let Some(full) = waits(text, "full") {
        pressure.full = full;
    }
    Some(pressure)
}

fn waits(text: &str, kind: &str) -> Option<Waits> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    let value = |key: &str| line.split_ascii_whitespace().find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let share = |key: &str| value(key)?.parse().ok();
    let total = value("total")?.parse().ok()?;
    Some(Waits { avg10: share("avg10")?, avg60: share("avg60")?, avg300: share("avg300")?, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_with_and_without_its_second_line() {
        let some = "some avg10=0.12 avg60=0.50 avg300=1.00 total=42\n";
        let pressure = parse(some).unwrap();
        assert_eq!(pressure.some, Waits { avg10: 0.12, avg60: 0.5, avg300: 1.0, total: 42 });
        assert_eq!(pressure.full, Waits::default());
        let both = format!("{some}full avg10=0.01 avg60=0.00 avg300=0.00 total=7\n");
        assert_eq!(parse(&both).unwrap().full.total, 7);
        assert_eq!(parse(""), None);
        assert_eq!(parse("some avg10=x"), None);
    }
}
