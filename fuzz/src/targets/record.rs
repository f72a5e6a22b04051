//! Any audit file is read within its bounds: each line is shown as text that moves no terminal and as JSON of the same
//! value, and the summary loses nothing silently.

use lazaret_sentry::kubernetes::{self, Pod};
use lazaret_sentry::{limits, record, record_line};
use serde_json::Value;

/// Words of the records.
pub const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\n",
    "\\u001b",
    "\\u202e",
    "\u{202e}",
    "\u{9b}",
    "\u{1b}[2J",
    "\\ud800",
    "{\"kind\":\"decision\",",
    "{\"kind\":\"dropped\",",
    "{\"kind\":\"admission\",",
    "{\"kind\":\"summary\",",
    "\"version\":1,",
    "\"entries\":[",
    "\"count\":18446744073709551615",
    "\"verdict\":\"refused\",",
    "\"args\":{",
    "null",
    "-1",
    "1e400",
];

/// Runs it.
pub fn run(input: &[u8]) {
    let mut reader = input;
    let mut line = Vec::new();
    loop {
        let is_whole = record::read_line(&mut reader, &mut line).expect("memory can be read");
        assert!(u64::try_from(line.len()).unwrap() <= limits::AUDIT_LINE);
        show(&line);
        if !is_whole {
            break;
        }
        line.clear();
    }
    let distinct = record::summarise(input).expect("memory can be read");
    // The list, and an entry each for decisions without a record and lines that cannot be read.
    assert!(distinct.len() <= limits::SUMMARISED + 2, "{}", distinct.len());
    for entry in distinct {
        for text in [entry.what, entry.why, entry.allow] {
            assert_harmless(&text);
        }
    }
}

fn show(line: &[u8]) {
    assert_harmless(&record_line::for_people(line));
    let json = record_line::as_json(line);
    assert_harmless(&json);
    let shown: Value = serde_json::from_str(&json).expect("JSON");
    if let Some(event) = kubernetes::event(line, &Pod::default()) {
        assert_harmless(&event);
        let event: Value = serde_json::from_str(&event).expect("JSON");
        assert_eq!((&event["kind"], &event["apiVersion"]), (&"Event".into(), &"audit.k8s.io/v1".into()));
    }
    if let Ok(value) = serde_json::from_slice::<Value>(line) {
        assert_eq!(without_fractions(shown), without_fractions(value));
    }
}

/// Records have whole numbers alone; the last digit of others is lost when they are read, which is no finding.
fn without_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(values) => values.into_iter().map(without_fractions).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, without_fractions(value))).collect(),
        whole @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => whole,
    }
}

/// No control character, and none that reorders or hides others. As the Unicode standard has them: the sentry's own list
/// is not asked.
fn assert_harmless(text: &str) {
    let moves = |character: char| {
        character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!text.contains(moves), "{text:?}");
}
