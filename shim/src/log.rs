//! The shim's log: one JSON line an event into the fifo `log` of the bundle, which containerd copies to its own.
//!
//! Set up once by the daemon and inherited by the launcher. It never blocks and never fails: when nobody reads, lines
//! are dropped.

use std::fmt::Debug;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::launcher;

/// A line that is not longer is written to a pipe whole or not at all (`PIPE_BUF` of pipe(7)).
const LINE_BYTES: usize = 4096;

struct Fifo {
    file: File,
    level: Level,
}

/// Sends what is logged from now on to the fifo at `path`. Without that fifo nothing is logged.
pub(crate) fn init(path: &Path, debug: bool) {
    // For reading too: opening waits for no reader, and writing survives a restart of containerd.
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let Ok(fifo) = rustix::fs::open(path, flags, Mode::empty()) else { return };
    let level = if debug { Level::DEBUG } else { Level::INFO };
    if tracing::subscriber::set_global_default(Fifo { file: fifo.into(), level }).is_err() {
        // One is set already, and logs.
    }
}

impl Subscriber for Fifo {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { message: String::new(), fields: serde_json::Map::new() };
        event.record(&mut line);
        let text = line.finish(event.metadata().level());
        // Nobody could be told of a failure.
        drop((&self.file).write(&text));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A line in the making.
struct Line {
    message: String,
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Line {
    fn finish(mut self, level: &Level) -> Vec<u8> {
        self.fields.insert("time".to_owned(), launcher::now().into());
        self.fields.insert("level".to_owned(), level.as_str().to_ascii_lowercase().replace("warn", "warning").into());
        self.fields.insert("msg".to_owned(), self.message.clone().into());
        let mut text = serde_json::Value::Object(self.fields).to_string();
        if text.len() >= LINE_BYTES {
            let message: String = self.message.chars().take(LINE_BYTES / 8).collect();
            text = serde_json::json!({"time": launcher::now(), "level": "warning", "msg": message, "cut": true})
                .to_string();
        }
        text.push('\n');
        text.into_bytes()
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            self.fields.insert(field.name().to_owned(), value.into());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_with_time_level_and_msg() {
        let line = Line { message: "x\n".into(), fields: serde_json::Map::new() }.finish(&Level::WARN);
        let (newline, json) = line.split_last().unwrap();
        assert_eq!(*newline, b'\n');
        let value: serde_json::Value = serde_json::from_slice(json).unwrap();
        assert_eq!((&value["level"], &value["msg"]), (&"warning".into(), &"x\n".into()));
        assert!(value["time"].is_string());
    }

    #[test]
    fn a_long_line_is_cut_and_stays_json() {
        let line = Line { message: "\u{1}".repeat(LINE_BYTES), fields: serde_json::Map::new() };
        let line = line.finish(&Level::INFO);
        assert!(line.len() <= LINE_BYTES);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap()["cut"], true);
    }
}
