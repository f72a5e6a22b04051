//! Source files as the gates see them: with comments, literals and tests blanked out, line numbers kept.

use std::path::{Path, PathBuf};

/// One source file.
#[derive(Debug, Clone)]
pub struct File {
    /// Path from the workspace's root.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its production code: comments, literals and test modules replaced by blanks, line for line.
    pub code: String,
}

impl File {
    /// A file from its path and text.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: without_tests(&without_comments(text)) }
    }

    /// Whether the whole file is tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.ends_with("testing.rs") || self.path.contains("/tests/")
    }

    /// Lines outside of test modules that are not blank; comments count.
    #[must_use]
    pub fn production_lines(&self) -> usize {
        let tests = test_lines(&without_comments(&self.text));
        self.text.lines().enumerate().filter(|(index, line)| !line.trim().is_empty() && !tests.contains(index)).count()
    }

    /// Lines of code with this word, as `path:line`.
    #[must_use]
    pub fn lines_with_word(&self, word: &str) -> Vec<String> {
        self.lines_where(|candidate| candidate == word)
    }

    /// Lines of code with a word that `matches`.
    #[must_use]
    pub fn lines_where(&self, matches: impl Fn(&str) -> bool) -> Vec<String> {
        let has = |line: &str| line.split(|byte: char| !(byte.is_alphanumeric() || byte == '_')).any(&matches);
        let lines = self.code.lines().enumerate().filter(|(_, line)| has(line));
        lines.map(|(index, _)| format!("{}:{}", self.path, index + 1)).collect()
    }
}

/// The workspace's root directory.
///
/// # Panics
/// When this crate does not stand in a workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below these directories of the workspace.
///
/// # Panics
/// When one cannot be read.
#[must_use]
pub fn files(directories: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    for directory in directories {
        collect(&workspace(), &workspace().join(directory), &mut found);
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<File>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(File::new(&path.strip_prefix(root).unwrap().display().to_string(), &text));
        }
    }
}

/// What the scanner is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// Replaces comments and the contents of literals by blanks.
fn without_comments(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let (mut within, mut at, mut code) = (Within::Code, 0, String::with_capacity(text.len()));
    while at < bytes.len() {
        let (next, length, keep) = step(within, &bytes[at..]);
        for &letter in &bytes[at..at + length] {
            code.push(if keep || letter == '\n' { letter } else { ' ' });
        }
        (within, at) = (next, at + length);
    }
    code
}

/// What comes after the next piece of source, how long the piece is, and whether it is code.
fn step(within: Within, rest: &[char]) -> (Within, usize, bool) {
    let starts = |text: &str| text.chars().enumerate().all(|(index, letter)| rest.get(index) == Some(&letter));
    match within {
        Within::Code if starts("//") => (Within::LineComment, 2, false),
        Within::Code if starts("/*") => (Within::BlockComment(1), 2, false),
        Within::Code if starts("\"") => (Within::Text, 1, false),
        Within::Code => code_step(rest),
        Within::LineComment if starts("\n") => (Within::Code, 1, true),
        Within::BlockComment(depth) if starts("/*") => (Within::BlockComment(depth + 1), 2, false),
        Within::BlockComment(1) if starts("*/") => (Within::Code, 2, false),
        Within::BlockComment(depth) if starts("*/") => (Within::BlockComment(depth - 1), 2, false),
        Within::Text if starts("\\") && rest.len() > 1 => (Within::Text, 2, false),
        Within::Text if starts("\"") => (Within::Code, 1, false),
        Within::RawText(hashes) if starts(&format!("\"{}", "#".repeat(hashes))) => (Within::Code, 1 + hashes, false),
        Within::LineComment | Within::BlockComment(_) | Within::Text | Within::RawText(_) => (within, 1, false),
    }
}

/// In code: a word, a raw literal, a character literal, or a single sign.
fn code_step(rest: &[char]) -> (Within, usize, bool) {
    let is_word = |letter: &&char| letter.is_alphanumeric() || **letter == '_';
    let word = rest.iter().take_while(is_word).count();
    let hashes = rest.iter().skip(word).take_while(|letter| **letter == '#').count();
    let is_raw = word > 0 && matches!(rest[..word].iter().collect::<String>().as_str(), "r" | "br" | "cr");
    if is_raw && rest.get(word + hashes) == Some(&'"') {
        return (Within::RawText(hashes), word + hashes + 1, false);
    }
    if word > 0 {
        return (Within::Code, word, true);
    }
    match rest {
        ['\'', '\\', _, tail @ ..] => {
            let end = tail.iter().position(|letter| *letter == '\'').map_or(3, |end| end + 4);
            (Within::Code, end.min(rest.len()), false)
        }
        ['\'', _, '\'', ..] => (Within::Code, 3, false),
        _ => (Within::Code, 1, true),
    }
}

/// Line numbers (from 0) of modules under `#[cfg(test)]`.
fn test_lines(code: &str) -> std::collections::BTreeSet<usize> {
    let mut lines = std::collections::BTreeSet::new();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = block_end(&code[start..]).map_or(code.len(), |length| start + length);
        let first = code[..start].matches('\n').count();
        lines.extend(first..=first + code[start..end].matches('\n').count());
        from = end.max(start + 1);
    }
    lines
}

/// Where the item that begins here ends: at its closing brace, or at a semicolon before any brace.
fn block_end(item: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (index, letter) in item.char_indices() {
        match letter {
            ';' if depth == 0 => return Some(index + 1),
            '{' => depth += 1,
            '}' if depth == 1 => return Some(index + 1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn without_tests(code: &str) -> String {
    let tests = test_lines(code);
    let keep = |(index, line): (usize, &str)| if tests.contains(&index) { String::new() } else { line.to_owned() };
    code.lines().enumerate().map(keep).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "let a = \"unsafe\"; // unsafe\n/* unsafe /* nested */ unsafe */ let b = 'x'; let c: &'static str = r#\"unsafe\"#;";
        let file = File::new("x/src/lib.rs", text);
        assert!(file.lines_with_word("unsafe").is_empty(), "{}", file.code);
        assert_eq!(file.code.lines().count(), 2);
        assert!(file.code.contains("'static str"));
    }

    #[test]
    fn test_modules_are_not_production() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() { if x {} }\n}\nfn c() {}\n";
        let file = File::new("x/src/lib.rs", text);
        assert_eq!(file.production_lines(), 2);
        assert!(file.code.contains("fn c"));
        assert!(!file.code.contains("fn b"));
    }

    #[test]
    fn a_quote_that_is_escaped_ends_nothing() {
        let file = File::new("x/src/lib.rs", "let q = '\\''; let t = \"\\\"unsafe\"; unsafe {}");
        assert_eq!(file.lines_with_word("unsafe").len(), 1);
    }
}
