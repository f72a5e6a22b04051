//! The audit file: JSON, one record a line. What a record holds, and the summary of a whole file.
//!
//! Written by `audit`, read by the runtime with [`summarise`], which trusts nothing it reads: the file is bounded on both
//! ends, and what is printed cannot move a terminal. Must not do anything but translate.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, Read};

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::admission::Admission;
pub use crate::level::Level;
use crate::{limits, text};

/// Version of the records.
pub const VERSION: u32 = 1;

/// One line of the audit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line<'a> {
    /// One decision.
    Decision(Record<'a>),
    /// What policy said of the container's creation.
    Admission(Admission<'a>),
    /// Decisions that have no record.
    Dropped(Dropped<'a>),
    /// The exact counts of all decisions since the sentry began; its last line.
    Summary(Summary<'a>),
}

/// One decision. Guest text in it is cut to [`limits::RECORDED_TEXT`] characters and is otherwise as the guest gave it;
/// whoever prints it escapes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// When: RFC 3339, UTC, nanoseconds.
    pub time: Cow<'a, str>,
    /// How much of the decision is in here.
    #[serde(default)]
    pub level: Level,
    /// The container's id.
    pub container: Cow<'a, str>,
    /// The calling thread, as the sentry sees it.
    pub pid: i32,
    /// The caller's executable, or `?`.
    pub exe: Cow<'a, str>,
    /// The system call by the name in the table.
    pub syscall: Cow<'a, str>,
    /// Its arguments, decoded, by their names in the manual page; none below [`Level::Request`].
    pub args: Arguments<'a>,
    /// The call in one line, without what differs from attempt to attempt; its name alone below [`Level::Request`].
    pub what: Cow<'a, str>,
    /// What came of it.
    pub verdict: Outcome,
    /// The name of the errno that the caller got, where it got one.
    pub errno: Option<Cow<'a, str>>,
    /// What the call returned, where it did and from [`Level::RequestResponse`] on.
    pub value: Option<i64>,
    /// The class of the table's row that decided.
    pub rule: Cow<'a, str>,
    /// The technique that was refused, a stable id.
    pub technique: Option<Cow<'a, str>>,
    /// Why it is refused.
    pub why: Option<Cow<'a, str>>,
    /// What would allow it, or why nothing does.
    pub allow: Option<Cow<'a, str>>,
    /// Our own failure that made it a refusal.
    pub error: Option<Cow<'a, str>>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The sandbox said no.
    Refused,
    /// The sentry did the call, or failed it as the kernel would have.
    Answered,
}

/// The arguments of a call, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments<'a>(pub Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// Decisions without a record, because the queue or the file was full or because there were too many of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// When this line was written.
    pub time: Cow<'a, str>,
    /// How many since the line of this kind before.
    pub count: u64,
}

/// The exact counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// When this line was written.
    pub time: Cow<'a, str>,
    /// Decisions that have no record.
    pub dropped: u64,
    /// Lines that readers beside the audit file did not take.
    #[serde(default)]
    pub unsent: u64,
    /// One entry for each distinct decision.
    pub entries: Vec<Entry<'a>>,
}

/// How often one decision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// As in [`Record::container`].
    pub container: Cow<'a, str>,
    /// As in [`Record::what`], or "other" for all that came after [`limits::DISTINCT`] distinct ones.
    pub what: Cow<'a, str>,
    /// As in [`Record::verdict`].
    pub verdict: Outcome,
    /// As in [`Record::technique`].
    pub technique: Option<Cow<'a, str>>,
    /// How often.
    pub count: u64,
    /// As in [`Record::why`].
    pub why: Option<Cow<'a, str>>,
    /// As in [`Record::allow`].
    pub allow: Option<Cow<'a, str>>,
}

/// One distinct refusal of an audit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct {
    /// What was refused, such as `mount -t tmpfs none on /mnt`; safe to print on a terminal, like the other texts.
    pub what: String,
    /// How often.
    pub count: u64,
    /// Why it is refused, one line.
    pub why: String,
    /// What would allow it, or why nothing does, one line.
    pub allow: String,
}

/// Why an audit file could not be summed up.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// Reading failed.
    #[error("cannot read the audit file")]
    Read(#[source] std::io::Error),
}

/// Reads an audit file and returns each distinct refusal once, in the order in which the file names them first.
///
/// The counts are those of the summary line; where a sentry died before it wrote one, its records are counted. Lines
/// that are lost or cannot be read come as entries of their own, so that nothing is missing silently.
pub fn summarise(mut reader: impl BufRead) -> Result<Vec<Distinct>, SummaryError> {
    let mut total = Tally::default();
    let mut since_summary = Tally::default();
    let mut unreadable = 0;
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line).map_err(SummaryError::Read)? || !line.is_empty() {
        match serde_json::from_slice(&line) {
            Ok(Line::Decision(record)) => since_summary.count_record(&record),
            // It is about the container as a whole, and was told to whoever created it.
            Ok(Line::Admission(_)) => {}
            Ok(Line::Dropped(dropped)) => since_summary.lost = since_summary.lost.saturating_add(dropped.count),
            Ok(Line::Summary(summary)) => {
                since_summary = Tally::default();
                for entry in &summary.entries {
                    total.count_entry(entry);
                }
            }
            Err(_not_a_record) => unreadable += 1,
        }
        line.clear();
    }
    total.add(since_summary);
    total.note_lost(unreadable);
    Ok(total.distinct)
}

/// Adds to `line` what comes next of a line, and says whether that is the whole of it: up to its end, which is left out,
/// or [`limits::AUDIT_LINE`] bytes. If not, the file has no more yet, and `line` holds a beginning or nothing.
///
/// # Errors
/// As reading.
pub fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    let kept = u64::try_from(line.len()).unwrap_or(u64::MAX);
    let room = limits::AUDIT_LINE.saturating_sub(kept);
    let read = u64::try_from(reader.by_ref().take(room).read_until(b'\n', line)?).unwrap_or(u64::MAX);
    let has_end = read > 0 && line.last() == Some(&b'\n');
    if has_end {
        line.pop();
    }
    Ok(has_end || read == room)
}

/// The refusals so far.
#[derive(Default)]
struct Tally {
    distinct: Vec<Distinct>,
    places: BTreeMap<(String, String), usize>,
    lost: u64,
}

impl Tally {
    fn count_record(&mut self, record: &Record<'_>) {
        if record.verdict == Outcome::Refused {
            let technique = record.technique.as_deref();
            self.count(&record.what, technique, 1, record.why.as_deref(), record.allow.as_deref());
        }
    }

    fn count_entry(&mut self, entry: &Entry<'_>) {
        if entry.verdict == Outcome::Refused {
            let technique = entry.technique.as_deref();
            self.count(&entry.what, technique, entry.count, entry.why.as_deref(), entry.allow.as_deref());
        }
    }

    fn count(&mut self, what: &str, technique: Option<&str>, count: u64, why: Option<&str>, allow: Option<&str>) {
        let key = (what.to_owned(), technique.unwrap_or_default().to_owned());
        if let Some(known) = self.places.get(&key).and_then(|at| self.distinct.get_mut(*at)) {
            known.count = known.count.saturating_add(count);
        } else if self.distinct.len() < limits::SUMMARISED {
            self.places.insert(key, self.distinct.len());
            self.distinct.push(Distinct {
                what: text::printable(what),
                count,
                why: text::printable(why.unwrap_or_default()),
                allow: text::printable(allow.unwrap_or_default()),
            });
        } else {
            self.lost = self.lost.saturating_add(count);
        }
    }

    fn add(&mut self, more: Self) {
        self.lost = self.lost.saturating_add(more.lost);
        for ((what, technique), at) in more.places {
            if let Some(entry) = more.distinct.get(at) {
                self.count(&what, Some(&technique), entry.count, Some(&entry.why), Some(&entry.allow));
            }
        }
    }

    /// Adds the entries that say what is not in the list.
    fn note_lost(&mut self, unreadable: u64) {
        let notes = [
            (self.lost, "decisions without a record", "they came faster than they could be written"),
            (unreadable, "unreadable audit lines", "the sentry ended while it wrote, or the file was changed"),
        ];
        for (count, what, why) in notes {
            if count > 0 {
                self.distinct.push(Distinct {
                    what: what.to_owned(),
                    count,
                    why: why.to_owned(),
                    allow: "nothing was let through: refusing does not depend on recording".to_owned(),
                });
            }
        }
    }
}

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, text) in &self.0 {
            map.serialize_entry(name, text)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Arguments<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ArgumentsVisitor)
    }
}

struct ArgumentsVisitor;

impl<'de> Visitor<'de> for ArgumentsVisitor {
    type Value = Arguments<'static>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut arguments = Vec::new();
        while let Some((name, text)) = map.next_entry::<String, String>()? {
            arguments.push((Cow::Owned(name), Cow::Owned(text)));
        }
        Ok(Arguments(arguments))
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
