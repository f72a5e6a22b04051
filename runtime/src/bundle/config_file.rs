//! The I/O and the parsing behind [`super::Bundle::load`]: bounded, never blocking, one error for each way to fail.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{BundleError, CONFIG_LIMIT};
use crate::bounded_text::{self, TextError};

/// Longest piece of a line that a snippet shows, in characters; a configuration is often one line.
const SNIPPET_WIDTH: usize = 100;

/// `directory` as an absolute path that names an existing directory.
pub(super) fn absolute_directory(directory: &Path) -> Result<PathBuf, BundleError> {
    let path =
        std::path::absolute(directory).map_err(|source| BundleError::Path { path: directory.to_path_buf(), source })?;
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err(BundleError::NotDirectory { path }),
        Err(source) if source.kind() == ErrorKind::NotFound => Err(BundleError::DirectoryMissing { path }),
        Err(source) => Err(BundleError::Unreadable { path, source }),
    }
}

/// The text of the configuration at `path`.
pub(super) fn read(path: &Path) -> Result<String, BundleError> {
    let unreadable = |source| BundleError::Unreadable { path: path.to_path_buf(), source };
    // O_NONBLOCK: a FIFO in place of the file must not hang the runtime; for a regular file it means nothing.
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(|source| {
            if source.kind() == ErrorKind::NotFound {
                return BundleError::ConfigMissing { path: path.to_path_buf() };
            }
            unreadable(source)
        })?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(BundleError::NotRegular { path: path.to_path_buf() });
    }
    bounded_text::read(file, metadata.len(), CONFIG_LIMIT).map_err(|error| match error {
        TextError::Io(source) => unreadable(source),
        TextError::TooLarge => BundleError::TooLarge { path: path.to_path_buf(), limit: CONFIG_LIMIT },
        TextError::NotText { offset } => BundleError::NotText { path: path.to_path_buf(), offset },
    })
}

/// `text` as raw JSON.
pub(super) fn parse_raw(path: &Path, text: &str) -> Result<Value, BundleError> {
    serde_json::from_str(text).map_err(|source| {
        let (line, column) = (source.line(), source.column());
        BundleError::Malformed { path: path.to_path_buf(), line, column, snippet: snippet(text, line, column), source }
    })
}

/// `text` as `oci_spec` types. A key that stands twice in one object is an error here, so that the raw and the typed
/// form cannot disagree about which of the two counts.
pub(super) fn parse_typed<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, BundleError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let key = key_path(error.path());
        let source = error.into_inner();
        let (line, column) = (source.line(), source.column());
        let snippet = snippet(text, line, column);
        BundleError::WrongType { path: path.to_path_buf(), key, line, column, snippet, source }
    })
}

/// The path of a key in the notation that every message of lazaret uses.
fn key_path(path: &serde_path_to_error::Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            serde_path_to_error::Segment::Seq { index } => super::field::push_index(&mut text, *index),
            serde_path_to_error::Segment::Map { key } => super::field::push_key(&mut text, key),
            serde_path_to_error::Segment::Enum { variant } => super::field::push_key(&mut text, variant),
            serde_path_to_error::Segment::Unknown => text.push('?'),
        }
    }
    if text.is_empty() { "the top level".to_owned() } else { text }
}

/// The line `line` (from 1) of `text` with a caret under `column` (from 1), cut around the column when it is long.
pub(crate) fn snippet(text: &str, line: usize, column: usize) -> String {
    // The parser's column counts bytes; a snippet counts characters.
    let content = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
    let at = content.char_indices().take_while(|(offset, _)| offset + 1 < column).count();
    let from = at.saturating_sub(SNIPPET_WIDTH / 2);
    let shown: String =
        content.chars().skip(from).take(SNIPPET_WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let number = line.to_string();
    let blank = " ".repeat(number.len());
    format!("{number} | {shown}\n{blank} | {}^", " ".repeat(at - from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_column() {
        let line = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let text = snippet(&line, 1, 501);
        let (shown, caret) = text.split_once('\n').unwrap();
        assert_eq!(shown.chars().count(), SNIPPET_WIDTH + 4);
        assert_eq!(shown.chars().position(|c| c == 'X'), caret.chars().position(|c| c == '^'));
    }

    #[test]
    fn a_duplicate_key_is_refused() {
        let text = r#"{"ociVersion":"1.0.2","hostname":"a","hostname":"b"}"#;
        assert!(parse_raw(Path::new("c"), text).is_ok());
        let error = parse_typed::<oci_spec::runtime::Spec>(Path::new("c"), text).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("duplicate field `hostname`"));
    }
}
