//! The table of `trace -c`: calls, errors and time of each call and verdict, the dearest first.
//!
//! Called by `trace`. Bounded: numbers that are no calls are a guest's to choose, so further lines count together.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::line::Call;
use crate::limits;

/// What is counted of one call with one verdict.
#[derive(Debug, Default)]
struct Count {
    calls: u64,
    errors: u64,
    spent: Duration,
}

/// The counts so far.
#[derive(Debug, Default)]
pub(super) struct Summary {
    counts: BTreeMap<(String, String), Count>,
}

impl Summary {
    /// Counts a call that has ended.
    pub(super) fn add(&mut self, call: Call, is_error: bool, spent: Duration) {
        let key = (call.name, call.verdict);
        let is_full = self.counts.len() >= limits::SUMMARISED && !self.counts.contains_key(&key);
        let key = if is_full { ("(others)".to_owned(), String::new()) } else { key };
        let count = self.counts.entry(key).or_default();
        count.calls += 1;
        count.errors += u64::from(is_error);
        count.spent += spent;
    }

    /// The table, with a line for the whole.
    pub(super) fn table(&self) -> String {
        let mut rows: Vec<_> = self.counts.iter().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.spent));
        let mut table = format!(
            "{:>12} {:>12} {:>9} {:>9}  {:<20} {}\n",
            "seconds", "us/call", "calls", "errors", "call", "verdict"
        );
        let mut whole = Count::default();
        for ((name, verdict), count) in rows {
            push(&mut table, name, verdict, count);
            whole.calls += count.calls;
            whole.errors += count.errors;
            whole.spent += count.spent;
        }
        push(&mut table, "total", "", &whole);
        table
    }
}

fn push(table: &mut String, name: &str, verdict: &str, count: &Count) {
    let each = u32::try_from(count.calls).ok().and_then(|calls| count.spent.checked_div(calls)).unwrap_or_default();
    let (seconds, micros) = (count.spent.as_secs_f64(), each.as_secs_f64() * 1e6);
    let line = format!("{seconds:>12.6} {micros:>12.1} {:>9} {:>9}  {name:<20} {verdict}", count.calls, count.errors);
    // Writing to a string cannot fail.
    writeln!(table, "{}", line.trim_end()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Call {
        Call { name: name.to_owned(), arguments: String::new(), verdict: "native".to_owned() }
    }

    #[test]
    fn dearest_call_stands_first_and_the_whole_last() {
        let mut summary = Summary::default();
        summary.add(call("read"), false, Duration::from_micros(5));
        summary.add(call("write"), true, Duration::from_micros(10));
        summary.add(call("write"), false, Duration::from_micros(20));
        let table = summary.table();
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["0.000030", "15.0", "2", "1", "write", "native"]);
        assert_eq!(lines[2], ["0.000005", "5.0", "1", "0", "read", "native"]);
        assert_eq!(lines[3], ["0.000035", "11.7", "3", "1", "total"]);
    }

    #[test]
    fn numbers_that_a_guest_makes_up_fill_no_memory() {
        let mut summary = Summary::default();
        for number in 0..3000 {
            summary.add(call(&format!("#{number}")), true, Duration::ZERO);
        }
        assert!(summary.counts.len() <= limits::SUMMARISED + 1);
        assert!(summary.table().contains("3000      3000  total"), "{}", summary.table());
    }
}
