//! A key of `config.json` with its value and its line: how every refusal says where it is. Made by `bundle`, `spec` and
//! `policy`; only text, no judgement.

use std::fmt::{Display, Formatter};

use serde_json::Value;

/// Longest value shown in a message, in characters.
const VALUE_WIDTH: usize = 100;

/// One key of `config.json`. Boxed, so that the errors that carry one stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    path: String,
    value: Option<String>,
    line: Option<usize>,
}

impl Field {
    /// The key at `path` with its raw value (`None`: the key is absent).
    #[must_use]
    pub fn new(path: &str, value: Option<&Value>) -> Self {
        let value = value.map(|value| cut(value.to_string()));
        Self(Box::new(Parts { path: path.to_owned(), value, line: None }))
    }

    /// The key at `path` with a value that is text.
    #[must_use]
    pub fn text(path: &str, value: &str) -> Self {
        Self::new(path, Some(&Value::from(value)))
    }

    /// The same key, standing on `line` of the file.
    #[must_use]
    pub fn with_line(mut self, line: Option<usize>) -> Self {
        self.0.line = line;
        self
    }

    /// Path of the key: `mounts[3].source`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The value as JSON, cut when long; `None` when the key is absent.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// Line of `config.json`, from 1, when known.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }
}

impl Display for Field {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0.path)?;
        if let Some(value) = &self.0.value {
            write!(formatter, " = {value}")?;
        }
        if let Some(line) = self.0.line {
            write!(formatter, " (config.json:{line})")?;
        }
        Ok(())
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= VALUE_WIDTH {
        return text;
    }
    let mut short: String = text.chars().take(VALUE_WIDTH).collect();
    short.push('…');
    short
}

/// Appends a member's name to a key's path: `.name`, or `["odd.name"]` where a dot would mislead.
pub(crate) fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if !plain {
        path.push('[');
        path.push_str(&Value::from(key).to_string());
        path.push(']');
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Appends a list index to a key's path.
pub(crate) fn push_index(path: &mut String, index: usize) {
    path.push_str(&format!("[{index}]"));
}

/// `path` and a member of it.
pub(crate) fn member(path: &str, key: &str) -> String {
    let mut full = path.to_owned();
    push_key(&mut full, key);
    full
}

/// `path` and an element of it.
pub(crate) fn element(path: &str, index: usize) -> String {
    let mut full = path.to_owned();
    push_index(&mut full, index);
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_are_quoted() {
        assert_eq!(member("linux.sysctl", "net.core.somaxconn"), r#"linux.sysctl["net.core.somaxconn"]"#);
        assert_eq!(member("", "linux"), "linux");
        assert_eq!(element("mounts", 3), "mounts[3]");
    }

    #[test]
    fn long_values_are_cut_and_control_characters_escaped() {
        let field = Field::text("a", &format!("\u{1b}[31m{}", "x".repeat(1000)));
        let shown = field.to_string();
        assert!(shown.len() < 200 && !shown.contains('\u{1b}') && shown.ends_with('…'), "{shown}");
    }
}
