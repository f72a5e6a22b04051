//! Why a configuration cannot be used. Every message names the file, the key, the value and what would be right.

use std::io;
use std::path::{Path, PathBuf};

use lazaret_profiles::schema::{Fault, Wrong};

use super::Origin;
use crate::bundle;
use crate::record_policy::RecordPolicyError;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("{path}: there is no such configuration file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{path}: cannot read the configuration")]
    Unreadable {
        /// The file, or the directory of drop-ins.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// Somebody else could have written it.
    #[error("{path}: not used, because {at} {why}")]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// It, or a directory or link that leads to it.
        at: PathBuf,
        /// Who may write it.
        why: String,
    },
    /// More than a configuration holds.
    #[error("{path}: {what}; at most {limit} are read")]
    TooMuch {
        /// The file, or the directory of drop-ins.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// It is no UTF-8.
    #[error("{path}: this is no text (UTF-8), from byte {offset} on")]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
    /// A key or a value is wrong.
    #[error("{path}:{wrong}")]
    Wrong {
        /// The file, or what stands for it.
        path: String,
        /// What, where.
        wrong: Box<Wrong>,
        /// The line with a mark.
        snippet: String,
    },
    /// A value that is well-formed and cannot be.
    #[error("{origin}: {key} = {value}: {why}")]
    Value {
        /// Where it was set.
        origin: Box<Origin>,
        /// The key, with dots.
        key: String,
        /// The value.
        value: String,
        /// Why not.
        why: String,
    },
    /// The file of record rules.
    #[error("{origin}: records = {path:?}")]
    Records {
        /// Where it was set.
        origin: Box<Origin>,
        /// The file of rules.
        path: PathBuf,
        /// Cause.
        #[source]
        source: Box<RecordPolicyError>,
    },
    /// There is no such profile.
    #[error("there is no profile {name:?}: {path} does not exist{}", nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default())]
    NoProfile {
        /// Its name.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The nearest of the shipped ones.
        nearest: Option<&'static str>,
    },
    /// An option of the command line would loosen.
    #[error("{option} {asked} is looser than {key} = {configured} ({origin}), and the command line may only tighten")]
    Loosens {
        /// The option.
        option: &'static str,
        /// What it asks for.
        asked: String,
        /// The key that it stands for.
        key: &'static str,
        /// What the configuration says.
        configured: String,
        /// Where.
        origin: Box<Origin>,
    },
}

impl ConfigError {
    pub(super) fn wrong(path: &Path, wrong: Wrong, text: &str) -> Self {
        let snippet = bundle::snippet(text, wrong.line, wrong.column);
        Self::Wrong { path: path.display().to_string(), wrong: Box::new(wrong), snippet }
    }

    /// The same in a body.
    pub(super) fn body(wrong: Wrong, text: &str) -> Self {
        let snippet = bundle::snippet(text, wrong.line, wrong.column);
        Self::Wrong { path: "runtime options".to_owned(), wrong: Box::new(wrong), snippet }
    }

    /// Stable number of this error, 1750-1759.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Missing { .. } => 1750,
            Self::Unreadable { .. } => 1751,
            Self::Untrusted { .. } => 1752,
            Self::TooMuch { .. } => 1753,
            Self::NotText { .. } => 1754,
            Self::Wrong { .. } => 1755,
            Self::Value { .. } => 1756,
            Self::Records { .. } => 1757,
            Self::Loosens { .. } => 1758,
            Self::NoProfile { .. } => 1759,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => "without --config and ConfigPath, lazaret runs by its defaults".to_owned(),
            Self::Wrong { wrong, snippet, .. } => match &wrong.fault {
                Fault::UnknownKey { known, .. } => format!("known here: {known}\n{snippet}"),
                Fault::Syntax(_) | Fault::Type { .. } | Fault::UnknownWord { .. } | Fault::TooMuch(_) => {
                    snippet.clone()
                }
            },
            Self::NoProfile { .. } => {
                "lazaret profile show lists the shipped ones; a file is named by a path with a slash".to_owned()
            }
            Self::Untrusted { at, .. } => format!("chown root {0} && chmod go-w {0}", at.display()),
            Self::Records { source, .. } => return source.hint(),
            Self::Loosens { .. } => {
                "leave the option out, or set command_line = \"set\" in the configuration".to_owned()
            }
            Self::Unreadable { .. } | Self::TooMuch { .. } | Self::NotText { .. } | Self::Value { .. } => {
                "docs/configuration.md has every key; lazaret config check FILE looks at a file".to_owned()
            }
        })
    }
}
