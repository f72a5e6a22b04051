//! The verbs that print the configuration: `config check`, `config show`, `schema`. Called by `main`.

use std::io::{self, Write as _};

use lazaret::config::{self, Effective, Loaded, Sources};
use lazaret::error::Error;

use crate::cli::configuration::{Config, Schema, SchemaName};

/// What a verb printed, or why that was not possible.
type Printed = Result<io::Result<()>, Error>;

/// `config check` and `config show`.
pub(crate) fn config(sources: &Sources, arguments: Config) -> Printed {
    match arguments {
        Config::Check { file } => {
            let sources = Sources { file: file.or_else(|| sources.file.clone()), body: None };
            Ok(text(&checked(&config::load(&sources)?)))
        }
        Config::Show { origin } => Ok(text(&shown(&config::effective(&config::load(sources)?), origin))),
    }
}

/// One line for each file that counts.
fn checked(loaded: &Loaded) -> String {
    if loaded.files.is_empty() {
        return format!("{}: not there, so the defaults hold\n", config::DEFAULT_FILE);
    }
    loaded.files.iter().map(|file| format!("{}: ok\n", file.display())).collect()
}

fn shown(values: &[Effective], origin: bool) -> String {
    let mut shown = String::new();
    for value in values {
        let set = if origin { format!("{}\t", value.origin) } else { String::new() };
        shown.push_str(&format!("{set}{} = {}\n", value.key, value.value));
    }
    shown
}

/// `schema`.
pub(crate) fn schema(arguments: &Schema) -> io::Result<()> {
    let schema = match arguments.of {
        SchemaName::Config => config::json_schema(),
        SchemaName::Profile => config::profile_json_schema(),
    };
    serde_json::to_string_pretty(&schema).map_err(io::Error::from).and_then(|json| text(&format!("{json}\n")))
}

fn text(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}
