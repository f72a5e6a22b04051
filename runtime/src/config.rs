//! The node's configuration: what whoever runs the machine has decided for every container, from files in which every
//! key is known ([`KEYS`]) and every value knows its line.
//!
//! Read once by each `create`, `run`, `do` and `trace`, and by the shim for each container, so that a changed file holds
//! for the next container without a restart. `exec`, `kill` and `delete` never read it: a wrong file must not stand in
//! their way. What holds in the end, with the command line and annotations, is decided in [`crate::options`] and
//! [`Overrides`]; docs/adr/0015 has the order.

mod effective;
mod error;
mod file;
mod keys;
mod levels;
mod overrides;
mod profile;
mod settings;

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

pub use effective::{Effective, effective};
pub use error::ConfigError;
pub use keys::KEYS;
use lazaret_profiles::schema::{self, Setting, Value};
pub use overrides::Overrides;
pub use profile::{DIRECTORY as PROFILE_DIRECTORY, PROFILE_KEYS, parse_profile, profile};
pub use settings::{Configuration, Freedom};

/// The file of a node.
pub const DEFAULT_FILE: &str = "/etc/lazaret/config.toml";
/// Drop-ins at most.
const FILES_MAX: usize = 64;

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sources {
    /// The file (`--config`, `ConfigPath`). Without it [`DEFAULT_FILE`], which may be missing.
    pub file: Option<PathBuf>,
    /// Text that stands over the files: what an engine's own configuration holds for this runtime (`ConfigBody`).
    pub body: Option<String>,
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is what lazaret does by itself.
    Default,
    /// In a file, at a line.
    File(PathBuf, usize),
    /// In the runtime options of the engine, at a line.
    Body(usize),
}

impl Display for Origin {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => write!(formatter, "default"),
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Body(line) => write!(formatter, "runtime options:{line}"),
        }
    }
}

/// A value and where it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// The value.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// Every value that was set, by its key; of several the last.
pub type Layers = BTreeMap<Vec<String>, Set>;

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// What it means.
    pub configuration: Configuration,
    /// What was set, where.
    pub layers: Layers,
    /// The files, in the order in which they were read.
    pub files: Vec<PathBuf>,
}

/// Reads the configuration: the file, its drop-ins in the order of their names, then the body. Of one key the last
/// counts; a list is taken as a whole.
///
/// # Errors
/// See [`ConfigError`].
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    let main = sources.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    match file::read(main) {
        Ok(text) => loaded.add(main, &text)?,
        Err(ConfigError::Missing { .. }) if sources.file.is_none() => {}
        Err(error) => return Err(error),
    }
    for path in file::drop_ins(&drop_in_directory(main), FILES_MAX)? {
        let text = file::read(&path)?;
        loaded.add(&path, &text)?;
    }
    if let Some(body) = &sources.body {
        let settings = schema::read(body, KEYS).map_err(|wrong| ConfigError::body(wrong, body))?;
        loaded.layer(settings, Origin::Body);
    }
    loaded.configuration = Configuration::of(&loaded.layers)?;
    Ok(loaded)
}

/// The JSON schema of the file.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    crate::json_schema::of_keys(KEYS, "The node's configuration of lazaret")
}

/// The JSON schema of a profile.
#[must_use]
pub fn profile_json_schema() -> serde_json::Value {
    crate::json_schema::of_keys(PROFILE_KEYS, "A profile of lazaret")
}

/// Where the drop-ins of a file stand: `conf.d` beside `config.toml`, `NAME.d` beside any other `NAME.toml`, so that two
/// configurations of one node share none by accident.
#[must_use]
pub fn drop_in_directory(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default();
    if stem == "config" {
        return file.with_file_name("conf.d");
    }
    let mut name = stem.to_owned();
    name.push(".d");
    file.with_file_name(name)
}

/// What the keys of `text` mean, as if it were the only file.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    loaded.add(path, text)?;
    loaded.configuration = Configuration::of(&loaded.layers)?;
    Ok(loaded)
}

impl Loaded {
    fn add(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let settings = schema::read(text, KEYS).map_err(|wrong| ConfigError::wrong(path, wrong, text))?;
        self.layer(settings, |line| Origin::File(path.to_owned(), line));
        self.files.push(path.to_owned());
        Ok(())
    }

    fn layer(&mut self, settings: Vec<Setting>, origin: impl Fn(usize) -> Origin) {
        for Setting { path, value, line } in settings {
            self.layers.insert(path, Set { value, origin: origin(line) });
        }
    }
}

#[cfg(test)]
mod tests;
