//! Log lines in the two forms that callers of an OCI runtime read: `time level msg` as logfmt text, or JSON.
//!
//! A subscriber for `tracing` of its own, because the command lives for milliseconds and writes a handful of lines.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::cli::LogFormat;

/// Opens `path` and sends everything that is logged there; without a path, warnings go to standard error.
///
/// The file's descriptor is none below `first`: those are the caller's, and a container may get them.
pub(crate) fn start(path: Option<&Path>, format: LogFormat, debug: bool, first: u32) -> io::Result<()> {
    let sink = match path {
        Some(path) => Sink::File(from(first, &File::options().append(true).create(true).open(path)?)?),
        None => Sink::Stderr,
    };
    let most = match (&sink, debug) {
        (_, true) => Level::DEBUG,
        (Sink::File(_), false) => Level::INFO,
        (Sink::Stderr, false) => Level::WARN,
    };
    // Only the first call in a process can succeed, and there is one.
    tracing::subscriber::set_global_default(Lines { sink, format, most }).map_err(io::Error::other)
}

/// `file` by a descriptor that is not below `first`.
fn from(first: u32, file: &File) -> io::Result<File> {
    let first = i32::try_from(first).map_err(io::Error::other)?;
    Ok(rustix::io::fcntl_dupfd_cloexec(file, first)?.into())
}

enum Sink {
    File(File),
    Stderr,
}

struct Lines {
    sink: Sink,
    format: LogFormat,
    most: Level,
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        let text = printable(&message.text());
        let level = *event.metadata().level();
        // `main` prints the error itself; on standard error it would stand there twice.
        if matches!(self.sink, Sink::Stderr) && level == Level::ERROR && message.fields.is_empty() {
            return;
        }
        let level = level.as_str().to_ascii_lowercase();
        let line = match (&self.sink, self.format) {
            (Sink::Stderr, _) => format!("lazaret: {level}: {text}\n"),
            (Sink::File(_), LogFormat::Json) => {
                let time = lazaret::now();
                format!("{}\n", serde_json::json!({ "level": level, "msg": text, "time": time }))
            }
            (Sink::File(_), LogFormat::Text) => format!("time={:?} level={level} msg={text:?}\n", lazaret::now()),
        };
        let written = match &self.sink {
            Sink::File(file) => (&*file).write_all(line.as_bytes()),
            Sink::Stderr => io::stderr().write_all(line.as_bytes()),
        };
        // A log that cannot be written has nowhere to say so; the command's own outcome does not depend on it.
        drop(written);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message and the fields of one event.
#[derive(Default)]
struct Message {
    message: String,
    fields: String,
}

impl Message {
    fn text(&self) -> String {
        if self.fields.is_empty() { self.message.clone() } else { format!("{}:{}", self.message, self.fields) }
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
}

/// `text` as a terminal may have it: names from bundles and images can hold escape sequences.
pub(crate) fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}]0;x\u{7}\nb\u{9b}1m"), "a\\u{1b}]0;x\\u{7}\nb\\u{9b}1m");
    }
}
