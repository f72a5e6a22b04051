//! Why a pod could not be judged, or was judged and refused.

use std::path::PathBuf;

use thiserror::Error;

use super::standard::Level;

/// See the module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PodSecurityError {
    /// No such level.
    #[error("{value:?} is no Pod Security level")]
    Level {
        /// As given.
        value: String,
    },
    /// No version.
    #[error("{value:?} is no version of the Pod Security Standards")]
    Version {
        /// As given.
        value: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("{} is not UTF-8 text at byte {offset}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Where the first wrong byte stands.
        offset: usize,
    },
    /// Not YAML, or more than is read.
    #[error("malformed YAML or JSON: {what}")]
    Malformed {
        /// What is wrong, and where.
        what: String,
    },
    /// A value is not of its type, or a field is missing.
    #[error("{place}wrong value at {key}: {what}")]
    WrongType {
        /// Which object it is.
        place: String,
        /// The field.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// Not a mode with its standard.
    #[error("{value:?} is no mode and level")]
    Demand {
        /// As given.
        value: String,
    },
    /// A container violates what is enforced. Upstream's words, which people look for.
    #[error("container {container:?} {message}")]
    Violated {
        /// The container.
        container: String,
        /// `violates PodSecurity "restricted:latest": …`.
        message: String,
    },
    /// Nothing in the file makes pods.
    #[error("there is nothing to check: {found}")]
    Nothing {
        /// What there is.
        found: String,
    },
}

impl PodSecurityError {
    /// A value of the wrong type in the object `place`, below the field `prefix`.
    pub(super) fn wrong_type(
        place: String,
        prefix: &str,
        error: &serde_path_to_error::Error<serde_json::Error>,
    ) -> Self {
        let path = error.path().to_string();
        let key = match (prefix, path.as_str()) {
            ("", ".") => "the top level".to_owned(),
            (_, ".") => prefix.to_owned(),
            ("", _) => path,
            (_, _) => format!("{prefix}.{path}"),
        };
        Self::WrongType { place, key, what: error.inner().to_string() }
    }

    /// Stable number of the error, shown as `error[lazaret-NNNN]`.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Level { .. } => 1820,
            Self::Version { .. } => 1821,
            Self::Unreadable { .. } => 1822,
            Self::TooLarge { .. } => 1823,
            Self::NotText { .. } => 1824,
            Self::Malformed { .. } => 1825,
            Self::WrongType { .. } => 1826,
            Self::Nothing { .. } => 1827,
            Self::Demand { .. } => 1828,
            Self::Violated { .. } => 1829,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Level { .. } => {
                let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
                Some(format!("the levels are {}", names.join(", ")))
            }
            Self::Version { .. } => Some("write latest or v1.MINOR, such as v1.30".to_owned()),
            Self::Demand { .. } => {
                Some("write enforce=LEVEL[:VERSION], warn=… or audit=…, such as enforce=restricted:v1.30".to_owned())
            }
            Self::Violated { .. } => Some(
                "change these fields of the pod; the node's configuration says which level its namespace has".to_owned(),
            ),
            Self::TooLarge { .. } => Some("split it, or name fewer objects".to_owned()),
            Self::Nothing { .. } => Some(
                "give it a Pod, something that makes pods (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, \
                 PodTemplate, a List of these) or an OCI config.json"
                    .to_owned(),
            ),
            Self::Unreadable { .. } | Self::NotText { .. } | Self::Malformed { .. } | Self::WrongType { .. } => None,
        }
    }
}
