//! Finds a key of `config.json` by its path: the value in the raw JSON, and the line in the text. Used for messages
//! only; the text has been parsed before, so a surprise here means "unknown", never an error.

use serde_json::Value;

/// One step of a key's path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The value at `path`.
pub(super) fn find<'v>(root: &'v Value, path: &str) -> Option<&'v Value> {
    let mut value = root;
    for step in steps(path)? {
        value = match step {
            Step::Key(key) => value.get(key)?,
            Step::Index(index) => value.get(index)?,
        };
    }
    Some(value)
}

/// The line, from 1, on which the value at `path` begins.
pub(super) fn line(text: &str, path: &str) -> Option<usize> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    for step in steps(path)? {
        match step {
            Step::Key(key) => scanner.enter_member(&key)?,
            Step::Index(index) => scanner.enter_element(index)?,
        }
    }
    scanner.skip_blank();
    let before = scanner.bytes.get(..scanner.at)?;
    Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
}

/// Splits `a.b[3]["c.d"]` into steps.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("[\"") {
            let end = tail.find("\"]")?;
            let quoted = rest.get(1..end + 3)?;
            steps.push(Step::Key(serde_json::from_str(quoted).ok()?));
            rest = tail.get(end + 2..)?;
        } else if let Some(tail) = rest.strip_prefix('[') {
            let (number, after) = tail.split_once(']')?;
            steps.push(Step::Index(number.parse().ok()?));
            rest = after;
        } else {
            let tail = rest.strip_prefix('.').unwrap_or(rest);
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let (key, after) = tail.split_at_checked(end)?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        }
    }
    Some(steps)
}

/// A cursor over JSON text known to be well formed.
struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.skip_blank();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Moves to the value of the member `key` of the object that begins here.
    fn enter_member(&mut self, key: &str) -> Option<()> {
        self.take(b'{')?;
        loop {
            self.skip_blank();
            let from = self.at;
            self.skip_string()?;
            let name: String = serde_json::from_slice(self.bytes.get(from..self.at)?).ok()?;
            self.take(b':')?;
            if name == key {
                return Some(());
            }
            self.skip_value()?;
            self.take(b',')?;
        }
    }

    /// Moves to element `index` of the array that begins here.
    fn enter_element(&mut self, index: usize) -> Option<()> {
        self.take(b'[')?;
        for _ in 0..index {
            self.skip_value()?;
            self.take(b',')?;
        }
        Some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }

    /// Moves past the value that begins here, by counting brackets outside strings.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_blank();
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' => {
                    self.at += 1;
                    continue;
                }
                _ => self.skip_scalar(),
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Moves past a number, `true`, `false` or `null`.
    fn skip_scalar(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "a": [1, {"x\"}": "]"}, [],
    {"b":
       true}],
  "odd.key": {"": null}, "n": -1.5e3,
  "z": 4
}"#;

    #[test]
    fn lines_and_values_agree_with_the_parser() {
        let value: Value = serde_json::from_str(TEXT).unwrap();
        for (path, expected_line, expected) in [
            ("a", 2, None),
            ("a[1]", 2, None),
            ("a[3].b", 4, Some(Value::Bool(true))),
            (r#"["odd.key"][""]"#, 5, Some(Value::Null)),
            ("z", 6, Some(Value::from(4))),
        ] {
            assert_eq!(line(TEXT, path), Some(expected_line), "{path}");
            if let Some(expected) = expected {
                assert_eq!(find(&value, path), Some(&expected), "{path}");
            }
        }
    }

    #[test]
    fn absent_keys_are_unknown() {
        let value: Value = serde_json::from_str(TEXT).unwrap();
        for path in ["q", "a[9]", "a.b", "z.y", "a[", "a[x]", "[\""] {
            assert_eq!(line(TEXT, path), None, "{path}");
            assert_eq!(find(&value, path), None, "{path}");
        }
    }
}
