//! `check` and `verify`: the report as kube-bench prints it: a line for each check, then what to do, then the counts.

use lazaret::check::{Item, Report, Status, Totals};

/// The report as text.
pub(crate) fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    for control in &report.controls {
        lines.push(format!("[INFO] {} {}", control.id, control.text));
        for group in &control.tests {
            lines.push(format!("[INFO] {} {}", group.section, group.desc));
            lines.extend(group.results.iter().map(line));
        }
    }
    let items = || report.controls.iter().flat_map(|control| &control.tests).flat_map(|group| &group.results);
    let open: Vec<String> = items().filter_map(remediation).collect();
    if !open.is_empty() {
        lines.push("\n== Remediations ==".to_owned());
        lines.extend(open);
    }
    lines.push("\n== Summary ==".to_owned());
    lines.push(summary(&report.totals));
    lines.push(String::new());
    lines.join("\n")
}

fn line(item: &Item) -> String {
    let found = if item.actual_value.is_empty() { String::new() } else { format!(": {}", item.actual_value) };
    crate::log::printable(&format!("[{}] {} {}{found}", word(item.status), item.test_number, item.test_desc))
}

/// What to do, for what needs it.
fn remediation(item: &Item) -> Option<String> {
    let is_open = matches!(item.status, Status::Fail | Status::Warn) && !item.remediation.is_empty();
    is_open.then(|| crate::log::printable(&format!("{} {}", item.test_number, item.remediation)))
}

fn summary(totals: &Totals) -> String {
    let Totals { total_pass, total_fail, total_warn, total_info } = totals;
    format!("{total_pass} checks PASS\n{total_fail} checks FAIL\n{total_warn} checks WARN\n{total_info} checks INFO")
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "PASS",
        Status::Fail => "FAIL",
        Status::Warn => "WARN",
        Status::Info => "INFO",
    }
}
