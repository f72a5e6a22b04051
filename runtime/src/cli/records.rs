//! The options that say how much is recorded. Called by `cli`; what they mean stands in the library.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lazaret::record_policy::{self, RecordPolicyError};
use lazaret_sentry::record::Level;
use lazaret_sentry::record_policy::Policy;

/// For the verbs that make a container.
#[derive(Debug, Args)]
pub(crate) struct Records {
    /// How much of each refused or answered call is recorded [default: Request]
    #[arg(long, global = true, value_enum, ignore_case = true, value_name = "LEVEL", conflicts_with = "record_policy")]
    record_level: Option<LevelName>,
    /// Rules that choose the level, first match, in a JSON file (docs/audit.md)
    #[arg(long, global = true, value_name = "FILE")]
    record_policy: Option<PathBuf>,
    /// Unix socket of a collector that gets the records beside the audit file; somebody has to listen
    #[arg(long, global = true, value_name = "PATH")]
    record_socket: Option<PathBuf>,
}

impl Records {
    /// The collector's socket, whole.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        self.record_socket.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_gone| path.clone()))
    }

    /// The rules, if any are chosen.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(crate) fn policy(&self) -> Result<Option<Policy>, RecordPolicyError> {
        match (&self.record_policy, self.record_level) {
            (Some(path), _) => record_policy::read(path).map(Some),
            (None, level) => Ok(level.map(|level| Policy::of(level.level()))),
        }
    }
}

/// The words of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum LevelName {
    None,
    Metadata,
    Request,
    RequestResponse,
}

impl LevelName {
    fn level(self) -> Level {
        match self {
            Self::None => Level::None,
            Self::Metadata => Level::Metadata,
            Self::Request => Level::Request,
            Self::RequestResponse => Level::RequestResponse,
        }
    }
}
