//! The form of what `check` finds: names and nesting are those of kube-bench, whose readers read this too.

use serde::Serialize;

/// The verdict of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It could not be carried out, or wants a person's look.
    Warn,
    /// Nothing to judge.
    Info,
}

/// What was found, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It holds: what was found.
    Pass(String),
    /// It does not: what was found instead.
    Fail(String),
    /// Why it could not be carried out, or what wants a look.
    Warn(String),
    /// What there is to know.
    Info(String),
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Its number, such as `2.1.3`.
    pub test_number: String,
    /// What shall hold.
    pub test_desc: String,
    /// What was looked at.
    pub audit: String,
    /// Always empty: every check is carried out by itself.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What to do about it.
    pub remediation: String,
    /// The same, as kube-bench has it.
    pub test_info: Vec<String>,
    /// The verdict.
    pub status: Status,
    /// What was found.
    pub actual_value: String,
    /// Whether it counts: all but those that only inform.
    pub scored: bool,
    /// What had to be found.
    pub expected_result: String,
    /// Why the verdict is not a pass.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Checks of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its number, such as `2.1`.
    pub section: String,
    /// Always empty.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How many passed.
    pub pass: usize,
    /// How many failed.
    pub fail: usize,
    /// How many warn.
    pub warn: usize,
    /// How many inform.
    pub info: usize,
    /// What they are about.
    pub desc: String,
    /// The checks.
    pub results: Vec<Item>,
}

/// One of the five parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Its number.
    pub id: &'static str,
    /// Version of the checks: lazaret's own.
    pub version: &'static str,
    /// The release of the running kernel.
    pub detected_version: String,
    /// What it is about.
    pub text: &'static str,
    /// Always `node`.
    pub node_type: &'static str,
    /// The groups.
    pub tests: Vec<Group>,
    /// Counts.
    #[serde(flatten)]
    pub totals: Totals,
}

/// How many checks have which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// How many passed.
    pub total_pass: usize,
    /// How many failed.
    pub total_fail: usize,
    /// How many warn.
    pub total_warn: usize,
    /// How many inform.
    pub total_info: usize,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The parts.
    #[serde(rename = "Controls")]
    pub controls: Vec<Control>,
    /// Counts over all of them.
    #[serde(rename = "Totals")]
    pub totals: Totals,
}

/// What a check says beside its verdict.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    pub(super) desc: String,
    pub(super) audit: String,
    pub(super) expected: String,
    pub(super) remediation: String,
}

impl Words {
    /// In this order: what shall hold, where it was looked, what had to be found, what to do about it.
    pub(super) fn new(desc: &str, audit: &str, expected: &str, remediation: &str) -> Self {
        let [desc, audit, expected, remediation] = [desc, audit, expected, remediation].map(str::to_owned);
        Self { desc, audit, expected, remediation }
    }
}

impl Group {
    pub(super) fn new(section: &str, desc: &str) -> Self {
        Self {
            section: section.to_owned(),
            kind: "",
            pass: 0,
            fail: 0,
            warn: 0,
            info: 0,
            desc: desc.to_owned(),
            results: Vec::new(),
        }
    }

    /// Adds the verdict of the next check. What passed needs no remediation.
    pub(super) fn judge(&mut self, words: Words, verdict: Verdict) {
        let (status, found) = match verdict {
            Verdict::Pass(found) => (Status::Pass, found),
            Verdict::Fail(found) => (Status::Fail, found),
            Verdict::Warn(found) => (Status::Warn, found),
            Verdict::Info(found) => (Status::Info, found),
        };
        *match status {
            Status::Pass => &mut self.pass,
            Status::Fail => &mut self.fail,
            Status::Warn => &mut self.warn,
            Status::Info => &mut self.info,
        } += 1;
        let reason = if status == Status::Pass { String::new() } else { found.clone() };
        self.results.push(Item {
            test_number: format!("{}.{}", self.section, self.results.len() + 1),
            test_desc: words.desc,
            audit: words.audit,
            kind: "",
            test_info: vec![words.remediation.clone()],
            remediation: words.remediation,
            status,
            actual_value: found,
            scored: status != Status::Info,
            expected_result: words.expected,
            reason,
        });
    }
}

impl Control {
    pub(super) fn of(id: &'static str, text: &'static str, tests: Vec<Group>) -> Self {
        let sum = |of: fn(&Group) -> usize| tests.iter().map(of).sum();
        let totals = Totals {
            total_pass: sum(|group| group.pass),
            total_fail: sum(|group| group.fail),
            total_warn: sum(|group| group.warn),
            total_info: sum(|group| group.info),
        };
        let version = concat!("lazaret-", env!("CARGO_PKG_VERSION"));
        Self { id, version, detected_version: String::new(), text, node_type: "node", tests, totals }
    }
}

impl Report {
    pub(super) fn of(mut controls: Vec<Control>, release: &str) -> Self {
        let mut totals = Totals::default();
        for control in &mut controls {
            release.clone_into(&mut control.detected_version);
            totals.total_pass += control.totals.total_pass;
            totals.total_fail += control.totals.total_fail;
            totals.total_warn += control.totals.total_warn;
            totals.total_info += control.totals.total_info;
        }
        Self { controls, totals }
    }

    /// Whether nothing fails.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.totals.total_fail == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_has_the_names_of_kube_bench() {
        let mut group = Group::new("1.1", "files");
        group.judge(Words::new("a", "ls", "600", "chmod 600"), Verdict::Fail("644".to_owned()));
        group.judge(Words::new("b", "ls", "600", "chmod 600"), Verdict::Pass("600".to_owned()));
        let report = Report::of(vec![Control::of("1", "all", vec![group])], "6.1");
        assert!(!report.holds());
        let wanted = serde_json::json!({
            "Controls": [{
                "id": "1", "version": concat!("lazaret-", env!("CARGO_PKG_VERSION")), "detected_version": "6.1",
                "text": "all", "node_type": "node",
                "tests": [{
                    "section": "1.1", "type": "", "pass": 1, "fail": 1, "warn": 0, "info": 0, "desc": "files",
                    "results": [{
                        "test_number": "1.1.1", "test_desc": "a", "audit": "ls", "type": "",
                        "remediation": "chmod 600", "test_info": ["chmod 600"], "status": "FAIL",
                        "actual_value": "644", "scored": true, "expected_result": "600", "reason": "644",
                    }, {
                        "test_number": "1.1.2", "test_desc": "b", "audit": "ls", "type": "",
                        "remediation": "chmod 600", "test_info": ["chmod 600"], "status": "PASS",
                        "actual_value": "600", "scored": true, "expected_result": "600",
                    }],
                }],
                "total_pass": 1, "total_fail": 1, "total_warn": 0, "total_info": 0,
            }],
            "Totals": { "total_pass": 1, "total_fail": 1, "total_warn": 0, "total_info": 0 },
        });
        assert_eq!(serde_json::to_value(&report).unwrap(), wanted);
    }
}
