//! Why a container's state could not be had or kept.

use std::io;
use std::path::{Path, PathBuf};

use super::{ID_BYTES, Phase};

/// Why the state could not be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not a usable id.
    #[error("invalid container id {id:?}: it must be 1 to {ID_BYTES} characters of A-Z a-z 0-9 _ + - .")]
    InvalidId {
        /// As given.
        id: String,
    },
    /// No such container.
    #[error("container {id:?} does not exist")]
    NotFound {
        /// Its id.
        id: String,
        /// Ids that do exist.
        known: Vec<String>,
        /// Where was looked.
        root: PathBuf,
    },
    /// The id is taken.
    #[error("container with id {id:?} already exists: file exists")]
    Exists {
        /// Its id.
        id: String,
    },
    /// The directory or a file in it.
    #[error("could not {operation} {path}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not a state.
    #[error("{path} does not hold a container's state")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// Another verb holds the container, and does not let go of it.
    #[error("another lazaret process is at work on the container in {path}")]
    Busy {
        /// Its directory.
        path: PathBuf,
    },
    /// There is a directory and no state in it.
    #[error("there is no state in {path}: the container's creation has only begun, or was interrupted there")]
    Unwritten {
        /// Its directory.
        path: PathBuf,
    },
    /// Not a step that the container can take.
    #[error("a container that is {from:?} cannot become {to:?}")]
    Transition {
        /// How far it has come.
        from: Phase,
        /// What was to be stored.
        to: Phase,
    },
}

impl StateError {
    /// An operation on `path` that failed.
    pub(super) fn io(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { operation, path: path.to_owned(), source: source.into() }
    }

    /// Stable number of this error, 1000-1007.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::InvalidId { .. } => 1000,
            Self::NotFound { .. } => 1001,
            Self::Exists { .. } => 1002,
            Self::Io { .. } => 1003,
            Self::Malformed { .. } => 1004,
            Self::Busy { .. } => 1005,
            Self::Unwritten { .. } => 1006,
            Self::Transition { .. } => 1007,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidId { .. } => "choose another id".to_owned(),
            Self::NotFound { known, root, .. } if known.is_empty() => {
                format!("no container has its state in {}; engines keep theirs elsewhere, see --root", root.display())
            }
            Self::NotFound { known, root, .. } => format!("known in {}: {}", root.display(), known.join(", ")),
            Self::Exists { id } => format!("delete it first (lazaret delete {id}), or choose another id"),
            Self::Io { source, .. } => io_hint(source).to_owned(),
            Self::Malformed { .. } | Self::Unwritten { .. } => {
                "lazaret delete --force removes what can be found of it".to_owned()
            }
            Self::Busy { .. } => "wait for its end, or end it; then try again".to_owned(),
            Self::Transition { .. } => return None,
        })
    }
}

/// What would help where a file of a state directory cannot be had.
pub(crate) fn io_hint(cause: &io::Error) -> &'static str {
    match cause.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "make room on the file system of the state directory (--root)",
        Some(libc::EROFS) => "the state directory (--root) must be on a file system that can be written",
        _ => "lazaret must run as root with a writable state directory (--root)",
    }
}
