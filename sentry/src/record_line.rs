//! One line of the audit file as a person reads it. Called by whoever prints records. Trusts nothing: a damaged line is
//! shown as one, and no guest text moves the terminal.

use crate::admission::Admission;
use crate::record::{Line, Outcome, Record};
use crate::{limits, text};

/// The line, without its end, in a form for people: time, verdict, errno, the call, who made it, the technique.
#[must_use]
pub fn for_people(line: &[u8]) -> String {
    text::printable(&match serde_json::from_slice(line) {
        Ok(Line::Decision(record)) => decision(&record),
        Ok(Line::Admission(admission)) => of_admission(&admission),
        Ok(Line::Dropped(dropped)) => format!("{} dropped   {} decisions have no record", dropped.time, dropped.count),
        Ok(Line::Summary(summary)) => format!(
            "{} summary   {} distinct decisions, {} without a record",
            summary.time,
            summary.entries.len(),
            summary.dropped
        ),
        Err(_not_a_record) => format!("damaged record: {}", text::cut(line, limits::RECORDED_TEXT)),
    })
}

/// The line, without its end, as JSON that a terminal can show: what is not a record becomes an object that says so.
#[must_use]
pub fn as_json(line: &[u8]) -> String {
    let whole: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    let value =
        whole.unwrap_or_else(|| serde_json::json!({"kind": "damaged", "text": text::cut(line, limits::RECORDED_TEXT)}));
    shown(&value)
}

/// `bytes` as text of at most `limit` characters, as guest text is cut: what is not UTF-8 becomes U+FFFD, and a cut ends
/// in "…".
#[must_use]
pub fn cut(bytes: &[u8], limit: usize) -> String {
    text::cut(bytes, limit)
}

/// A JSON value as text that moves no terminal.
pub(crate) fn shown(value: &serde_json::Value) -> String {
    // Inside a JSON text only: elsewhere its characters are ASCII. An escape of ours would not be JSON's, so it is made one.
    // The controls of ASCII are escaped already but for DEL, which JSON does not count among them.
    let mut shown = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii_graphic()
            || character == ' '
            || text::printable(character.encode_utf8(&mut [0; 4])).len() == character.len_utf8()
        {
            shown.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

fn decision(record: &Record<'_>) -> String {
    let verdict = match record.verdict {
        Outcome::Refused => "refused ",
        Outcome::Answered => "answered",
    };
    let errno = record.errno.as_deref().unwrap_or("-");
    let technique = record.technique.as_deref().map(|technique| format!(" [{technique}]")).unwrap_or_default();
    format!("{} {verdict}  {errno} {} (pid {}, {}){technique}", record.time, record.what, record.pid, record.exe)
}

fn of_admission(admission: &Admission<'_>) -> String {
    let code = admission.code.map(|code| format!(" [lazaret-{code}]")).unwrap_or_default();
    let field = admission.field.as_deref().unwrap_or("-");
    let why = admission.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let verdict = admission.verdict.name();
    format!(
        "{} {verdict:<8}  create {} (uid {}) {field}{why}{code}",
        admission.time, admission.container, admission.user
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"decision","version":1,"time":"T","container":"c","pid":7,"exe":"/bin/sh","syscall":"mount",
        "args":{"source":"a\u202eb"},"what":"mount \u001b[2J\u202e","verdict":"refused","errno":"EPERM","rule":"emulated",
        "technique":"escape.mount","why":null,"allow":null,"error":null}"#;

    #[test]
    fn decision_is_one_line_that_moves_no_terminal() {
        let shown = for_people(LINE.as_bytes());
        assert_eq!(shown, r"T refused   EPERM mount \u{1b}[2J\u{202e} (pid 7, /bin/sh) [escape.mount]");
    }

    #[test]
    fn json_stays_the_same_json_and_moves_no_terminal() {
        let shown = as_json(LINE.as_bytes());
        let (before, after): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(LINE).unwrap(), serde_json::from_str(&shown).unwrap());
        assert_eq!(before, after);
        assert!(shown.is_ascii(), "{shown}");
    }

    #[test]
    fn damaged_line_is_shown_as_one() {
        assert_eq!(for_people(b"{\"kind\": \x1b"), "damaged record: {\"kind\": \\u{1b}");
        let json: serde_json::Value = serde_json::from_str(&as_json(b"\xff")).unwrap();
        assert_eq!(json["kind"], "damaged");
        assert_eq!(as_json(b"\"\x7f\""), r#""\u007f""#);
    }
}
