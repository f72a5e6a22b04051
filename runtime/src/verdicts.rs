//! What policy says of a create, written down in the stream of the sentry's records (docs/audit.md).
//!
//! A container that is made has its own file, where its warnings stand. One that is refused has nothing, so its refusal
//! goes to a file of the state directory, `refusals.jsonl`, which is bounded (`file`). Called by `lifecycle::create`. A
//! record that cannot be written changes no verdict; the log says so.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lazaret_sentry::admission::{Admission, CLASS, Verdict};
use lazaret_sentry::kubernetes::Pod;
use lazaret_sentry::record::{Level, Line, VERSION};
use lazaret_sentry::{clock, record_line};
use rustix::net::SendFlags;

use crate::error::{Error, Kind};
use crate::options::Options;
use crate::policy::Warning;
use crate::policy::finding::{Action, Finding};
use crate::record_sink;
use crate::rootless;
use crate::state::AUDIT_FILE;

/// Longest text of a record, in characters. What a bundle asks for is cut shorter already.
const LONGEST: usize = 2048;

/// Whom a verdict is about.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    id: String,
    pod: Pod,
}

/// Something that policy admitted, and has a word to say about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warned {
    /// Whether somebody is told, or it is only on record.
    verdict: Verdict,
    /// The key of `config.json`, where there is one.
    field: Option<String>,
    /// What is done instead, or which rule is violated.
    why: String,
}

impl From<&Warning> for Warned {
    fn from(warning: &Warning) -> Self {
        Self { verdict: Verdict::Warned, field: Some(warning.path.to_owned()), why: warning.text.clone() }
    }
}

impl From<&Finding> for Warned {
    fn from(finding: &Finding) -> Self {
        let verdict = match finding.action {
            Action::Warn => Verdict::Warned,
            Action::Audit => Verdict::Audited,
        };
        Self { verdict, field: None, why: finding.message.clone() }
    }
}

impl Subject {
    /// The container `id` with its annotations.
    pub(crate) fn of(id: &str, annotations: &BTreeMap<String, String>) -> Self {
        Self { id: id.to_owned(), pod: pod_of(annotations) }
    }
}

/// The pod that annotations of an engine name.
pub(crate) fn pod_of(annotations: &BTreeMap<String, String>) -> Pod {
    Pod::of(|key| annotations.get(key).map(String::as_str))
}

/// Where the refusals of a state directory stand.
pub(crate) fn refusals_file(root: &Path) -> PathBuf {
    root.join(file::NAME)
}

/// The file before that, which it took the place of when it was full.
pub(crate) fn earlier_refusals_file(root: &Path) -> PathBuf {
    root.join(file::EARLIER)
}

/// Writes down that policy refused `subject`, if it was policy that did.
pub(crate) fn refused(options: &Options, subject: &Subject, error: &Error) {
    let level = options.records.level_of_admission(Verdict::Refused);
    if level == Level::None || error.kind() != Kind::Denied {
        return;
    }
    let (field, hint) = (error.field(), error.hint());
    let chain = error.chain();
    let answer = format!("error[lazaret-{}]: {chain}", error.code());
    let admission = Admission {
        code: Some(error.code()),
        field: field.map(|field| cut(field.path())),
        asked: field.and_then(|field| field.value()).map(cut),
        why: Some(cut(&chain)),
        allow: hint.as_deref().map(cut),
        answer: Some(cut(&answer)),
        ..base(level, subject, Verdict::Refused)
    };
    let line = line(admission);
    if let Err(error) = file::append_bounded(&options.root, &line) {
        tracing::warn!(%error, "a refusal is not on record");
    }
    tell_collector(options, &line);
}

/// Gives the same lines to the node's collector of records, if there is one. Nothing waits for it.
fn tell_collector(options: &Options, lines: &[u8]) {
    let Some(path) = &options.record_socket else { return };
    let tell = || -> std::io::Result<()> {
        let socket = record_sink::connect(path).map_err(|error| error.source)?;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            rustix::net::send(&socket, line, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        }
        Ok(())
    };
    if let Err(error) = tell() {
        tracing::warn!(%error, path = %path.display(), "the collector of records did not get verdicts of policy");
    }
}

/// Writes down what policy had to say about `subject`, which was made.
pub(crate) fn warned(options: &Options, subject: &Subject, warnings: &[Warned]) {
    let of_one = |warning: &Warned| {
        let level = options.records.level_of_admission(warning.verdict);
        let admission = Admission {
            field: warning.field.as_deref().map(cut),
            why: Some(cut(&warning.why)),
            ..base(level, subject, warning.verdict)
        };
        if level == Level::None { Vec::new() } else { line(admission) }
    };
    let lines: Vec<u8> = warnings.iter().flat_map(of_one).collect();
    if lines.is_empty() {
        return;
    }
    let path = options.root.join(&subject.id).join(AUDIT_FILE);
    if let Err(error) = file::append(&path, &lines) {
        tracing::warn!(%error, "warnings of policy are not on record");
    }
    tell_collector(options, &lines);
}

fn base<'s>(level: Level, subject: &'s Subject, verdict: Verdict) -> Admission<'s> {
    Admission {
        version: VERSION,
        time: clock::now().into(),
        level,
        container: subject.id.as_str().into(),
        user: rootless::user(),
        namespace: subject.pod.namespace.as_deref().map(cut),
        pod: subject.pod.name.as_deref().map(cut),
        verdict,
        rule: CLASS.into(),
        code: None,
        field: None,
        asked: None,
        why: None,
        allow: None,
        answer: None,
    }
}

/// One line with its end. What cannot be written as JSON cannot happen to texts and numbers; then there is none.
fn line(admission: Admission<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Line::Admission(admission.cut_to_level())).unwrap_or_default();
    if !line.is_empty() {
        line.push(b'\n');
    }
    line
}

fn cut<'t>(text: &str) -> std::borrow::Cow<'t, str> {
    record_line::cut(text.as_bytes(), LONGEST).into()
}
