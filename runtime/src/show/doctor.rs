//! `doctor`: the report for people. A gap has its consequence on a line of its own.

use lazaret::doctor::{Finding, Need, Report, Status};

/// Widest name of a feature, in characters.
fn widest(report: &Report) -> usize {
    report.features.iter().map(|found| found.name.chars().count()).max().unwrap_or_default()
}

/// The report as text.
pub(crate) fn text(report: &Report) -> String {
    let width = widest(report);
    let mut lines = format!("kernel {} {}, as {}\n", report.kernel, report.architecture, report.caller);
    let mut group = "";
    for found in &report.features {
        if found.group != group {
            group = found.group;
            lines.push_str(&format!("\n{group}\n"));
        }
        lines.push_str(&line(found, width));
    }
    let can = |holds: bool| if holds { "can run here" } else { "cannot run here" };
    lines.push_str(&format!("\nsandbox mode {}, strict mode {}\n", can(report.sandbox), can(report.strict)));
    lines
}

fn line(found: &Finding, width: usize) -> String {
    let (mark, name, detail) = (mark(found.status), found.name, &found.detail);
    let mut line = format!("  {mark} {name:<width$}   {detail}\n");
    // What nobody uses here costs nothing; what could not be tried may cost what a gap does.
    let is_gap = found.status == Status::Absent || (found.status == Status::Unknown && found.need != Need::Option);
    if is_gap {
        let needed = match found.need {
            Need::Sandbox => "needed by sandbox mode: ",
            Need::Strict => "needed by strict mode: ",
            Need::Option => "",
        };
        line.push_str(&format!("      -> {needed}{}\n", found.consequence));
    }
    line
}

fn mark(status: Status) -> char {
    match status {
        Status::Present => '✓',
        Status::Absent => '✗',
        Status::Unknown => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(name: &'static str, need: Need, status: Status) -> Finding {
        let detail = "x: ENOSYS".to_owned();
        Finding { id: name, group: "mounts", name, need, status, detail, consequence: "nothing runs" }
    }

    #[test]
    fn a_gap_has_its_consequence_below_it_and_what_is_there_has_none() {
        let report = Report {
            version: 1,
            kernel: "6.1".to_owned(),
            architecture: "x86_64".to_owned(),
            caller: "root",
            sandbox: false,
            strict: false,
            features: vec![
                finding("one", Need::Sandbox, Status::Absent),
                finding("another", Need::Sandbox, Status::Present),
                finding("third", Need::Option, Status::Unknown),
            ],
        };
        let wanted = "kernel 6.1 x86_64, as root\n\nmounts\n\
                      \x20 ✗ one       x: ENOSYS\n\
                      \x20     -> needed by sandbox mode: nothing runs\n\
                      \x20 ✓ another   x: ENOSYS\n\
                      \x20 ? third     x: ENOSYS\n\
                      \nsandbox mode cannot run here, strict mode cannot run here\n";
        assert_eq!(text(&report), wanted);
    }
}
