//! Unit tests of `record`.

use super::*;
use crate::admission::{CLASS, Verdict};

fn record(what: &'static str, verdict: Outcome) -> Record<'static> {
    Record {
        version: VERSION,
        time: "2026-01-01T00:00:00.000000000Z".into(),
        level: Level::Request,
        container: "c1".into(),
        pid: 7,
        exe: "/bin/sh".into(),
        syscall: "mount".into(),
        args: Arguments(vec![("source".into(), "none".into()), ("flags".into(), "0".into())]),
        what: what.into(),
        verdict,
        errno: Some("EPERM".into()),
        value: None,
        rule: "emulated".into(),
        technique: Some("escape.mount".into()),
        why: Some("why".into()),
        allow: Some("allow".into()),
        error: None,
    }
}

fn line(line: &Line<'_>) -> String {
    serde_json::to_string(line).unwrap() + "\n"
}

fn refused(what: &'static str) -> String {
    line(&Line::Decision(record(what, Outcome::Refused)))
}

fn admission() -> String {
    line(&Line::Admission(Admission {
        version: VERSION,
        time: "t".into(),
        level: Level::RequestResponse,
        container: "c1".into(),
        user: 0,
        namespace: Some("shop".into()),
        pod: Some("web".into()),
        verdict: Verdict::Refused,
        rule: CLASS.into(),
        code: Some(1305),
        field: Some("mounts[7].source".into()),
        asked: Some("x".into()),
        why: Some("why".into()),
        allow: Some("allow".into()),
        answer: Some("error".into()),
    }))
}

fn summary(entries: &[(&'static str, u64)]) -> String {
    let entries = entries
        .iter()
        .map(|(what, count)| Entry {
            container: "c1".into(),
            what: (*what).into(),
            verdict: Outcome::Refused,
            technique: Some("escape.mount".into()),
            count: *count,
            why: Some("why".into()),
            allow: Some("allow".into()),
        })
        .collect();
    line(&Line::Summary(Summary { version: VERSION, time: "t".into(), dropped: 0, unsent: 0, entries }))
}

fn counts(file: &str) -> Vec<(String, u64)> {
    summarise(file.as_bytes()).unwrap().into_iter().map(|distinct| (distinct.what, distinct.count)).collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect()
}

#[test]
fn record_is_one_line_with_its_documented_fields() {
    let text = refused("mount x");
    assert_eq!(text.matches('\n').count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for field in [
        "kind",
        "version",
        "time",
        "container",
        "pid",
        "exe",
        "syscall",
        "args",
        "what",
        "verdict",
        "errno",
        "rule",
        "technique",
        "why",
        "allow",
        "level",
        "value",
    ] {
        assert!(value.get(field).is_some(), "{field}");
    }
    assert_eq!(value["kind"], "decision");
    assert_eq!(value["verdict"], "refused");
    assert_eq!(value["args"]["source"], "none");
}

#[test]
fn every_line_survives_a_round_trip() {
    let lines = [
        Line::Decision(record("a\u{1b}\"\n", Outcome::Answered)),
        Line::Dropped(Dropped { version: VERSION, time: "t".into(), count: 3 }),
        serde_json::from_str(&summary(&[("a", 1)])).unwrap(),
        serde_json::from_str(&admission()).unwrap(),
    ];
    for original in lines {
        let back: Line<'_> = serde_json::from_str(&line(&original)).unwrap();
        assert_eq!(back, original);
    }
}

#[test]
fn records_are_counted_when_there_is_no_summary() {
    let file = [refused("a"), refused("b"), refused("a"), line(&Line::Decision(record("c", Outcome::Answered)))];
    assert_eq!(counts(&file.concat()), pairs(&[("a", 2), ("b", 1)]));
}

#[test]
fn summary_takes_the_place_of_the_records_before_it_and_not_of_those_after() {
    let file = [refused("a"), refused("b"), summary(&[("a", 50), ("b", 1)]), refused("a"), refused("c")];
    assert_eq!(counts(&file.concat()), pairs(&[("a", 51), ("b", 1), ("c", 1)]));
    assert_eq!(counts(&[summary(&[("a", 2)]), summary(&[("a", 3)])].concat()), pairs(&[("a", 5)]));
}

#[test]
fn what_is_lost_is_listed() {
    let dropped = line(&Line::Dropped(Dropped { version: VERSION, time: "t".into(), count: 4 }));
    let cut_line = refused("a").get(..20).unwrap().to_owned();
    let file = [refused("a"), dropped, "\n".to_owned(), cut_line];
    assert_eq!(
        counts(&file.concat()),
        pairs(&[("a", 1), ("decisions without a record", 4), ("unreadable audit lines", 2)])
    );
}

#[test]
fn guest_text_cannot_move_the_terminal() {
    let file = refused("mount \u{1b}[2J\u{202e}");
    assert_eq!(counts(&file), pairs(&[("mount \\u{1b}[2J\\u{202e}", 1)]));
}

#[test]
fn hostile_file_is_read_within_bounds() {
    let mut file = String::new();
    for number in 0..limits::SUMMARISED + 5 {
        file.push_str(&refused("@@@").replace("@@@", &number.to_string()));
    }
    file.push_str(&"x".repeat(usize::try_from(limits::AUDIT_LINE).unwrap() + 10));
    let distinct = summarise(file.as_bytes()).unwrap();
    assert_eq!(distinct.len(), limits::SUMMARISED + 2);
    assert_eq!(distinct[limits::SUMMARISED].count, 5);
    assert_eq!(distinct[limits::SUMMARISED + 1].count, 2);
}

#[test]
fn empty_file_has_no_refusals() {
    assert_eq!(counts(""), Vec::new());
}

/// The rows of docs/audit.md hold the fields of each kind of line, all of them and no others.
#[test]
fn document_names_every_field_of_every_kind() {
    let document = include_str!("../../docs/audit.md");
    let fields_in = |row: &str| -> Vec<String> {
        let line = document.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
        let cell = line.trim_end_matches('|').rsplit('|').next().unwrap();
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let fields_of = |value: &serde_json::Value| -> Vec<String> {
        let mut names: Vec<String> = value.as_object().unwrap().keys().filter(|key| *key != "kind").cloned().collect();
        names.sort();
        names
    };
    let time = "2026-01-01T00:00:00.000000000Z";
    let dropped = line(&Line::Dropped(Dropped { version: VERSION, time: time.into(), count: 1 }));
    let summary = summary(&[("mount", 1)]);
    let kinds = [
        ("`decision`", refused("mount")),
        ("`admission`", admission()),
        ("`dropped`", dropped),
        ("`summary`", summary.clone()),
    ];
    for (row, text) in kinds {
        let mut documented = fields_in(row);
        documented.sort();
        assert_eq!(documented, fields_of(&serde_json::from_str(&text).unwrap()), "{row}");
    }
    let mut documented = fields_in("(an entry)");
    documented.sort();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(documented, fields_of(&summary["entries"][0]), "an entry");
    for field in ["`decision`", "`admission`", "`summary`", "`dropped`"].into_iter().flat_map(fields_in) {
        let is_told = document
            .lines()
            .any(|line| line.starts_with("| `") && line.split('|').nth(1).unwrap().contains(&format!("`{field}`")));
        assert!(is_told, "{field} has a row of its own");
    }
}

#[test]
fn verdict_at_create_holds_what_its_level_says() {
    let Ok(Line::Admission(whole)) = serde_json::from_str(admission().trim_end()) else { panic!("an admission") };
    let at = |level| Admission { level, ..whole.clone() }.cut_to_level();
    let request = at(Level::Request);
    assert!(request.answer.is_none() && request.why.is_some() && request.asked.is_some());
    let metadata = at(Level::Metadata);
    assert!(
        metadata.asked.is_none() && metadata.why.is_none() && metadata.allow.is_none() && metadata.answer.is_none()
    );
    assert_eq!((metadata.code, metadata.field.as_deref()), (Some(1305), Some("mounts[7].source")));
    assert_eq!(counts(&admission()), Vec::new(), "it is no refused call");
}

#[test]
fn line_that_is_not_finished_is_kept_until_it_is() {
    let mut line = Vec::new();
    let next = |text: &str, line: &mut Vec<u8>| read_line(&mut text.as_bytes(), line).unwrap();
    assert!(!next("ab", &mut line));
    assert!(!next("", &mut line));
    assert!(next("c\nd\n", &mut line));
    assert_eq!(line, b"abc");
}
