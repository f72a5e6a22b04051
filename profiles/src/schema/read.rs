//! The reader: from text to settings, or the first thing that is wrong with it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::{Key, Kind, LIST_MAX, STRING_MAX, Setting, TEXT_MAX, Value, dotted, nearest};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {fault}")]
pub struct Wrong {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What it is.
    pub fault: Fault,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No TOML.
    #[error("this is no TOML: {0}")]
    Syntax(String),
    /// A key that nobody knows.
    #[error("unknown key {key:?}{}", meant(.nearest.as_deref()))]
    UnknownKey {
        /// The key, with dots.
        key: String,
        /// The nearest that exists.
        nearest: Option<String>,
        /// All that exist at this place.
        known: String,
    },
    /// A value of another type, or out of its bounds.
    #[error("{key} = {found}: {wanted} is wanted")]
    Type {
        /// The key, with dots.
        key: String,
        /// What was found.
        found: String,
        /// What has to stand there.
        wanted: String,
    },
    /// A word that is none of the known ones.
    #[error("{key} = {word:?}: {known} is wanted{}", meant(.nearest.as_deref()))]
    UnknownWord {
        /// The key, with dots.
        key: String,
        /// The word.
        word: String,
        /// The nearest that exists.
        nearest: Option<String>,
        /// All that exist.
        known: String,
    },
    /// More than can be meant.
    #[error("{0}")]
    TooMuch(String),
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}

/// The settings of `text` by the table `keys`, in the order of their keys.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(text: &str, keys: &'static [Key]) -> Result<Vec<Setting>, Wrong> {
    if text.len() > TEXT_MAX {
        let fault = Fault::TooMuch(format!("{} bytes; at most {TEXT_MAX} are read", text.len()));
        return Err(Wrong { line: 1, column: 1, fault });
    }
    let table = DeTable::parse(text).map_err(|error| {
        let (line, column) = position(text, error.span().unwrap_or(0..0));
        Wrong { line, column, fault: Fault::Syntax(error.message().replace('\n', ", ")) }
    })?;
    let mut reader = Reader { text, settings: Vec::new() };
    reader.table(table.get_ref(), keys, &mut Vec::new())?;
    Ok(reader.settings)
}

fn position(text: &str, span: Range<usize>) -> (usize, usize) {
    let before = text.as_bytes().get(..span.start.min(text.len())).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

struct Reader<'t> {
    text: &'t str,
    settings: Vec<Setting>,
}

impl Reader<'_> {
    fn wrong(&self, span: Range<usize>, fault: Fault) -> Wrong {
        let (line, column) = position(self.text, span);
        Wrong { line, column, fault }
    }

    fn table(&mut self, table: &DeTable<'_>, keys: &'static [Key], path: &mut Vec<String>) -> Result<(), Wrong> {
        for (name, value) in table {
            path.push(name.get_ref().to_string());
            let Some(key) = keys.iter().find(|key| key.name == name.get_ref().as_ref()) else {
                let known: Vec<_> = keys.iter().map(|key| key.name).collect();
                let fault = Fault::UnknownKey {
                    key: dotted(path),
                    nearest: nearest(name.get_ref(), &known).map(str::to_owned),
                    known: known.join(", "),
                };
                return Err(self.wrong(name.span(), fault));
            };
            self.value(key.kind, value, path)?;
            path.pop();
        }
        Ok(())
    }

    fn value(&mut self, kind: Kind, value: &Spanned<DeValue<'_>>, path: &mut Vec<String>) -> Result<(), Wrong> {
        let read = match (kind, value.get_ref()) {
            (Kind::Bool, DeValue::Boolean(value)) => Value::Bool(*value),
            (Kind::Count(least, most), DeValue::Integer(number)) => match integer(number) {
                Some(number) if (least..=most).contains(&number) => Value::Count(number),
                _ => return Err(self.other_type(kind, value, path)),
            },
            (Kind::Word(_) | Kind::WordOrPath(_) | Kind::Text, DeValue::String(text)) => {
                Value::Text(self.word(kind, text, value.span(), path)?)
            }
            (Kind::Texts | Kind::Words(_), DeValue::Array(list)) => Value::Texts(self.list(kind, list, value, path)?),
            (Kind::Table(keys), DeValue::Table(table)) => return self.table(table, keys, path),
            (Kind::Named(_, keys), DeValue::Table(table)) => return self.named(keys, table, value, path),
            _ => return Err(self.other_type(kind, value, path)),
        };
        self.keep(read, value, path);
        Ok(())
    }

    fn keep(&mut self, read: Value, value: &Spanned<DeValue<'_>>, path: &[String]) {
        let (line, _) = position(self.text, value.span());
        self.settings.push(Setting { path: path.to_vec(), value: read, line });
    }

    fn named(
        &mut self,
        keys: &'static [Key],
        tables: &DeTable<'_>,
        value: &Spanned<DeValue<'_>>,
        path: &mut Vec<String>,
    ) -> Result<(), Wrong> {
        if tables.len() > LIST_MAX {
            let fault = Fault::TooMuch(format!("{}: more than {LIST_MAX} tables", dotted(path)));
            return Err(self.wrong(value.span(), fault));
        }
        for (name, value) in tables {
            let text = self.word(Kind::Text, name.get_ref(), name.span(), path)?;
            path.push(text);
            let DeValue::Table(table) = value.get_ref() else {
                return Err(self.other_type(Kind::Table(keys), value, path));
            };
            let (line, _) = position(self.text, name.span());
            self.settings.push(Setting { path: path.clone(), value: Value::Named, line });
            self.table(table, keys, path)?;
            path.pop();
        }
        Ok(())
    }

    fn list(
        &self,
        kind: Kind,
        list: &DeArray<'_>,
        value: &Spanned<DeValue<'_>>,
        path: &[String],
    ) -> Result<Vec<String>, Wrong> {
        if list.len() > LIST_MAX {
            let fault = Fault::TooMuch(format!("{}: more than {LIST_MAX} elements", dotted(path)));
            return Err(self.wrong(value.span(), fault));
        }
        let of_element = if let Kind::Words(words) = kind { Kind::Word(words) } else { Kind::Text };
        list.iter()
            .map(|element| match element.get_ref().as_str() {
                Some(text) => self.word(of_element, text, element.span(), path),
                None => Err(self.other_type(kind, element, path)),
            })
            .collect()
    }

    fn word(&self, kind: Kind, text: &str, span: Range<usize>, path: &[String]) -> Result<String, Wrong> {
        if text.len() > STRING_MAX || text.chars().any(char::is_control) {
            let fault = Fault::TooMuch(format!(
                "{}: a text has at most {STRING_MAX} bytes, and no control characters",
                dotted(path)
            ));
            return Err(self.wrong(span, fault));
        }
        let known = if let Kind::Word(words) | Kind::WordOrPath(words) = kind { words } else { &[] };
        let is_path = matches!(kind, Kind::WordOrPath(_)) && text.starts_with('/');
        if known.is_empty() || is_path || known.contains(&text) {
            return Ok(text.to_owned());
        }
        let fault = Fault::UnknownWord {
            key: dotted(path),
            word: text.to_owned(),
            nearest: nearest(text, known).map(str::to_owned),
            known: wanted(kind),
        };
        Err(self.wrong(span, fault))
    }

    fn other_type(&self, kind: Kind, value: &Spanned<DeValue<'_>>, path: &[String]) -> Wrong {
        let written = self.text.get(value.span()).unwrap_or_default();
        let is_short = written.len() <= 40 && !written.chars().any(char::is_control);
        let found = if is_short { written.to_owned() } else { format!("({})", value.get_ref().type_str()) };
        self.wrong(value.span(), Fault::Type { key: dotted(path), found, wanted: wanted(kind) })
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// What has to stand there, in words.
fn wanted(kind: Kind) -> String {
    let one_of = |words: &[&str]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Count(least, most) => format!("a number from {least} to {most}"),
        Kind::Word(words) => one_of(words),
        Kind::WordOrPath(words) => format!("{} or an absolute path", one_of(words)),
        Kind::Text => "a text in quotes".to_owned(),
        Kind::Texts => "a list of texts in quotes".to_owned(),
        Kind::Words(words) => format!("a list of {}", one_of(words)),
        Kind::Table(_) => "a table".to_owned(),
        Kind::Named(names, _) => format!("a table whose keys are {names}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key { name: "mode", kind: Kind::Word(&["native", "sandbox"]), default: "\"sandbox\"", about: "" },
        Key { name: "nested", kind: Kind::Bool, default: "false", about: "" },
        Key { name: "records", kind: Kind::WordOrPath(&["None"]), default: "", about: "" },
        Key { name: "list", kind: Kind::Words(&["a", "b"]), default: "", about: "" },
        Key { name: "texts", kind: Kind::Texts, default: "", about: "" },
        Key {
            name: "limits",
            kind: Kind::Table(&[Key { name: "pids", kind: Kind::Count(1, 100), default: "4", about: "" }]),
            default: "",
            about: "",
        },
        Key {
            name: "paths",
            kind: Kind::Named("paths", &[Key { name: "access", kind: Kind::Word(&["ro"]), default: "", about: "" }]),
            default: "",
            about: "",
        },
    ];

    #[test]
    fn settings_are_read_with_their_lines() {
        let text = "mode = \"native\"\nnested = true\nlist = [\"a\"]\n\n[limits]\npids = 0x10\n[paths.\"/a b\"]\naccess = \"ro\"\n";
        let read = read(text, KEYS).unwrap();
        let shown: Vec<_> =
            read.iter().map(|one| format!("{}:{}={}", one.line, dotted(&one.path), one.value)).collect();
        assert_eq!(
            shown,
            [
                "6:limits.pids=16",
                "3:list=[\"a\"]",
                "1:mode=\"native\"",
                "2:nested=true",
                "7:paths.\"/a b\"={}",
                "8:paths.\"/a b\".access=\"ro\""
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, expected) in [
            ("mode = \"sandbx\"", r#"1:8: mode = "sandbx": "native" or "sandbox" is wanted; did you mean "sandbox"?"#),
            ("\n moed = 1", r#"2:2: unknown key "moed"; did you mean "mode"?"#),
            ("colour = 1", r#"1:1: unknown key "colour""#),
            ("nested = 1", "1:10: nested = 1: true or false is wanted"),
            ("records = \"Loud\"", r#"1:11: records = "Loud": "None" or an absolute path is wanted"#),
            ("list = [\"a\", 1]", r#"1:14: list = 1: a list of "a" or "b" is wanted"#),
            ("list = [\"c\"]", r#"1:9: list = "c": "a" or "b" is wanted"#),
            ("[limits]\npids = 0", "2:8: limits.pids = 0: a number from 1 to 100 is wanted"),
            ("limits.pids = 1.5", "1:15: limits.pids = 1.5: a number from 1 to 100 is wanted"),
            ("[limits]\npid = 1", r#"2:1: unknown key "limits.pid"; did you mean "pids"?"#),
            ("paths = 1", "1:9: paths = 1: a table whose keys are paths is wanted"),
            ("[[mode]]", "1:1: mode = [[mode]]: \"native\" or \"sandbox\" is wanted"),
            ("[paths.\"/a\"]\nacces = \"ro\"", r#"2:1: unknown key "paths.\"/a\".acces"; did you mean "access"?"#),
            ("mode = \"native\"\nmode = \"native\"", "2:1: this is no TOML: duplicate key"),
        ] {
            assert_eq!(read(text, KEYS).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let many = format!("texts = [{}]", "\"x\",".repeat(LIST_MAX + 1));
        let long = format!("texts = [\"{}\"]", "x".repeat(STRING_MAX + 1));
        let deep = format!("texts = {}{}", "[".repeat(10_000), "]".repeat(10_000));
        let large = " ".repeat(TEXT_MAX + 1);
        let control = "texts = [\"\\u0007\"]".to_owned();
        for text in [many, long, deep, large, control] {
            assert!(read(&text, KEYS).is_err(), "{}", text.len());
        }
    }
}
