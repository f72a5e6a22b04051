//! Any text of a node's configuration is read, or one error with a number and a bounded text; what `config show` prints of
//! one that is read means the same when it is read again.

use std::path::Path;

use lazaret::config::{self, ConfigError, Loaded};

/// Words of a configuration.
pub const WORDS: &[&str] = &[
    "mode",
    " = ",
    "\"strict\"",
    "\"native\"",
    "interceptor",
    "privileged",
    "\"refuse\"",
    "nested",
    "true",
    "false",
    "records",
    "\"Metadata\"",
    "\"/no/rules\"",
    "command_line",
    "\"tighten\"",
    "[limits]",
    "limits.pids",
    "0x10",
    "4096",
    "-1",
    "1e9",
    "[annotations]",
    "allow",
    "[\"mode\"]",
    "SystemdCgroup",
    "\n",
    "#",
    "\"\"\"",
    "'''",
    "{",
    "}",
    "[[",
    "]]",
    "\\u0000",
    "\u{202e}",
    "1979-05-27T07:32:00Z",
];

/// Bytes of an error's text and hint at most.
const ERROR: usize = 16 * 1024;

/// Runs it.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match parse(text) {
        Ok(loaded) => shown_again(&loaded),
        Err(error) => {
            assert!((1750..1820).contains(&error.code()), "{}", error.code());
            let said = lazaret::causes::chain(&error).len() + error.hint().map_or(0, |hint| hint.len());
            assert!(said <= ERROR, "{said} bytes of error");
        }
    }
}

fn parse(text: &str) -> Result<Loaded, ConfigError> {
    config::parse(Path::new("/etc/lazaret/config.toml"), text)
}

fn shown_again(loaded: &Loaded) {
    let values = |loaded: &Loaded| -> Vec<_> {
        config::effective(loaded).into_iter().map(|value| format!("{} = {}\n", value.key, value.value)).collect()
    };
    let shown = values(loaded);
    let again = parse(&shown.concat()).expect("what is shown can be read");
    assert_eq!(values(&again), shown);
}
