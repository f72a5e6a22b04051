//! The rules of what the sentry records, as an administrator writes them: a file of the shape of Kubernetes' audit policy.
//!
//! Called by the command line before anything is made. Only the caller of `create`, `run` and their like chooses it: no
//! bundle and no annotation can, since whoever writes those is whom the records are about.

use std::path::{Path, PathBuf};

use lazaret_sentry::record_policy::{Policy, PolicyError, Rule};
use serde::Deserialize;

use crate::bundle::{self, BundleError};

/// `apiVersion` of the file.
pub const API_VERSION: &str = "audit.lazaret.dev/v1";
/// `kind` of the file.
pub const KIND: &str = "Policy";

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordPolicyError {
    /// It cannot be read, or is no JSON of the right shape.
    #[error("cannot use the record policy")]
    File(#[source] BundleError),
    /// It is of another kind or version.
    #[error("{path}: {field} is {found:?}; lazaret knows {known:?}")]
    Kind {
        /// The file.
        path: PathBuf,
        /// `apiVersion` or `kind`.
        field: &'static str,
        /// What it says.
        found: String,
        /// What it has to say.
        known: &'static str,
    },
    /// Its rules are wrong.
    #[error("{path}: these rules cannot be used")]
    Rules {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PolicyError,
    },
}

impl RecordPolicyError {
    /// Stable number of this error, 1680-1689.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::File(_) => 1680,
            Self::Kind { .. } => 1681,
            Self::Rules { .. } => 1682,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(BundleError::Malformed { snippet, .. } | BundleError::WrongType { snippet, .. }) => {
                Some(snippet.clone())
            }
            Self::File(_) | Self::Kind { .. } | Self::Rules { .. } => Some("docs/audit.md has an example".to_owned()),
        }
    }
}

/// The file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    rules: Vec<Rule>,
}

/// The rules of the file at `path`, checked.
///
/// # Errors
/// See [`RecordPolicyError`].
pub fn read(path: &Path) -> Result<Policy, RecordPolicyError> {
    let file: File = bundle::read_json(path).map_err(RecordPolicyError::File)?;
    let marks = [("apiVersion", file.api_version, API_VERSION), ("kind", file.kind, KIND)];
    for (field, found, known) in marks {
        if found != known {
            return Err(RecordPolicyError::Kind { path: path.to_owned(), field, found, known });
        }
    }
    let policy = Policy::new(file.rules);
    policy.check().map_err(|source| RecordPolicyError::Rules { path: path.to_owned(), source })?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Policy, RecordPolicyError> {
        let path = std::env::temp_dir().join(format!("lazaret-records-{}-{}", std::process::id(), text.len()));
        std::fs::write(&path, text).unwrap();
        let read = read(&path);
        std::fs::remove_file(path).unwrap();
        read
    }

    #[test]
    fn the_example_of_the_document_can_be_used() {
        let document = include_str!("../../docs/audit.md");
        let example = document.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        let policy = of(example).unwrap();
        assert_eq!((policy.count(), policy.single()), (4, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let file = |rules: &str| format!(r#"{{"apiVersion":"{API_VERSION}","kind":"Policy","rules":{rules}}}"#);
        assert!(of(&file(r#"[{"level":"None"}]"#)).is_ok());
        for (text, code, words) in [
            (file(r#"[{"level":"Loud"}]"#), 1680, "rules[0].level"),
            (file(r#"[{"level":"None","users":["x"]}]"#), 1680, "users"),
            (file("[]"), 1682, "no rule"),
            (file(r#"[{"level":"None","syscalls":["moutn"]}]"#), 1682, "moutn"),
            (file(r#"[{"level":"None"}]"#).replace("Policy", "Pod"), 1681, "Pod"),
            ("{".to_owned(), 1680, ":1:"),
        ] {
            let error = of(&text).unwrap_err();
            let said = crate::causes::chain(&error);
            assert!(error.code() == code && said.contains(words) && error.hint().is_some(), "{text}: {said}");
        }
    }
}
