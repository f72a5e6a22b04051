//! The paths that a source file names: every leaf of its `use` trees, and every path written out in the code.

use super::source::File;

/// A path and the line where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Segments, the first being a crate's name (`crate`, `self` and `super` are resolved).
    pub segments: Vec<String>,
    /// From 1.
    pub line: usize,
}

/// The module that a file is, as segments from its crate's name: `sentry/src/handlers/sysinfo.rs` is
/// `lazaret_sentry, handlers, sysinfo`.
#[must_use]
pub fn module_of(path: &str) -> Vec<String> {
    let (directory, inside) = path.split_once("/src/").unwrap_or((path, ""));
    let mut segments = vec![crate_name(directory).to_owned()];
    let inside = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    if inside != "lib" && inside != "main" {
        segments.extend(inside.split('/').map(str::to_owned));
    }
    segments
}

fn crate_name(directory: &str) -> &str {
    match directory {
        "profiles" => "lazaret_profiles",
        "sentry" => "lazaret_sentry",
        "runtime" => "lazaret",
        "tests" => "lazaret_tests",
        "benches" => "lazaret_benches",
        "shim" => "containerd_shim_lazaret",
        other => other,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
    Colons,
}

fn tokens(code: &str) -> Vec<(Token, usize)> {
    let (mut found, mut line) = (Vec::new(), 1);
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '\n' {
            line += 1;
        } else if letter.is_alphanumeric() || letter == '_' {
            let mut word = String::from(letter);
            while let Some(more) = letters.next_if(|more| more.is_alphanumeric() || *more == '_') {
                word.push(more);
            }
            found.push((Token::Word(word), line));
        } else if letter == ':' && letters.next_if_eq(&':').is_some() {
            found.push((Token::Colons, line));
        } else if !letter.is_whitespace() {
            found.push((Token::Sign(letter), line));
        }
    }
    found
}

/// Every path that the file names.
#[must_use]
pub fn named(file: &File) -> Vec<Named> {
    let module = module_of(&file.path);
    let tokens = tokens(&file.code);
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some((token, line)) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "use" => at = tree(&tokens, at + 1, &[], &mut found),
            Token::Word(word) => {
                let mut segments = vec![word.clone()];
                while let (Some((Token::Colons, _)), Some((Token::Word(next), _))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    segments.push(next.clone());
                    at += 2;
                }
                if segments.len() > 1 {
                    found.push(Named { segments, line: *line });
                }
                at += 1;
            }
            Token::Sign(_) | Token::Colons => at += 1,
        }
    }
    for named in &mut found {
        resolve(&module, &mut named.segments);
    }
    found
}

/// Reads one `use` tree from `at`, with `prefix` before it; returns where it ends.
fn tree(tokens: &[(Token, usize)], mut at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let mut segments = prefix.to_vec();
    while let Some((token, line)) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "as" => at += 2,
            Token::Word(word) => {
                segments.push(word.clone());
                at += 1;
            }
            Token::Colons => at += 1,
            Token::Sign('*') => {
                segments.push("*".to_owned());
                at += 1;
            }
            Token::Sign('{') => {
                at += 1;
                while !matches!(tokens.get(at), None | Some((Token::Sign('}'), _))) {
                    let end = tree(tokens, at, &segments, found);
                    // A sign that no use tree has (macro code) must not hold the reader up.
                    let is_stuck = end == at || matches!(tokens.get(end), Some((Token::Sign(','), _)));
                    at = end + usize::from(is_stuck);
                }
                return at + 1;
            }
            Token::Sign(_) => {
                if segments.len() > prefix.len() {
                    found.push(Named { segments, line: *line });
                }
                return at;
            }
        }
    }
    at
}

fn resolve(module: &[String], segments: &mut Vec<String>) {
    let mut base: Vec<String> = match segments.first().map(String::as_str) {
        Some("crate") => module.iter().take(1).cloned().collect(),
        Some("self") => module.to_vec(),
        Some("super") => module.iter().take(module.len().saturating_sub(1)).cloned().collect(),
        _ => return,
    };
    let mut rest: Vec<String> = segments.drain(1..).collect();
    while rest.first().is_some_and(|segment| segment == "super") {
        rest.remove(0);
        base.pop();
    }
    base.extend(rest);
    *segments = base;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        named(&File::new(path, text)).into_iter().map(|named| named.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_unfolded() {
        let seen =
            paths("sentry/src/handlers/a.rs", "use crate::{notify::{Listener, self}, audit as log}; use super::b::*;");
        let expected = [
            "lazaret_sentry::notify::Listener",
            "lazaret_sentry::notify::self",
            "lazaret_sentry::audit",
            "lazaret_sentry::handlers::b::*",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn paths_in_code_are_seen() {
        let seen = paths("runtime/src/init/mod.rs", "fn f() { crate::state::write(self::x::Y, super::cgroup::join) }");
        assert_eq!(seen, ["lazaret::state::write", "lazaret::init::x::Y", "lazaret::cgroup::join"]);
    }
}
