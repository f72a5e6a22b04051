//! Text that people write, read strictly: TOML whose keys stand in a table.
//!
//! The node's configuration and the profiles are read by it. A key that the table lacks, a value of another type and a
//! word that is none of the known ones are errors with line, column and the nearest that exists. The table is also what
//! the JSON schema and the documentation are made of, so that neither can say something else than the reader does.

mod nearest;
mod read;

pub use nearest::nearest;
pub use read::{Fault, Wrong, read};

/// Bytes of one text at most.
pub const TEXT_MAX: usize = 256 * 1024;
/// Elements of one list at most.
pub const LIST_MAX: usize = 1024;
/// Characters of one string at most.
pub const STRING_MAX: usize = 4096;

/// A key, and what may stand behind it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// What holds without it, as TOML; empty where that is nothing, or is said in `about`.
    pub default: &'static str,
    /// What it means, in one line.
    pub about: &'static str,
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A number from the first to the second.
    Count(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or an absolute path.
    WordOrPath(&'static [&'static str]),
    /// Any text on one line.
    Text,
    /// A list of any texts.
    Texts,
    /// A list of these words.
    Words(&'static [&'static str]),
    /// A table with these keys.
    Table(&'static [Key]),
    /// Tables under names that the writer chooses, each with these keys. The text says what the names are.
    Named(&'static str, &'static [Key]),
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Count(i64),
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A table under a name of the writer's choice: that it is there.
    Named,
}

impl core::fmt::Display for Value {
    /// As TOML writes it.
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Count(value) => write!(formatter, "{value}"),
            Self::Text(value) => write!(formatter, "{}", quoted(value)),
            Self::Texts(values) => {
                write!(formatter, "[{}]", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", "))
            }
            Self::Named => write!(formatter, "{{}}"),
        }
    }
}

/// A basic string of TOML: what it escapes is what a text that was read can still hold.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One value, with the key that leads to it and where the value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key, a part a table.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
    /// Its line, from 1.
    pub line: usize,
}

/// A key as TOML writes it, with dots.
#[must_use]
pub fn dotted(path: &[String]) -> String {
    let bare =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let parts: Vec<_> = path.iter().map(|part| if bare(part) { part.clone() } else { quoted(part) }).collect();
    parts.join(".")
}
