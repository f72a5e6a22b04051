//! Reads a bundle: its directory and its `config.json`, once.
//!
//! The command line and the shim call [`Bundle::load`]; `spec` takes the result. The text is kept in three forms that
//! come from the same bytes: the typed `oci_spec` value, the raw JSON (so that `spec` can find keys that nobody reads)
//! and the text itself (so that an error can name the line). Later edits of the file have no effect: it is never opened
//! again. Nothing here judges what the configuration asks for.

pub mod codes;
mod config_file;
pub mod field;
mod locate;
mod process_file;
mod profile_file;
mod resources_file;
mod spelling;

use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

pub(crate) use config_file::snippet;
use field::Field;

/// Name of the configuration inside the bundle's directory (runtime-spec, bundle.md).
pub const CONFIG_NAME: &str = "config.json";

/// Largest `config.json` that is read, in bytes. The largest real ones (privileged pods that list every host device
/// and carry a seccomp profile) stay below 1 MiB.
pub const CONFIG_LIMIT: u64 = 16 << 20;

/// The JSON file at `path`, which belongs to no bundle and is read with the same care.
///
/// # Errors
/// Those of [`Bundle::load`] about the file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, BundleError> {
    let text = config_file::read(path)?;
    config_file::parse_raw(path, &text)?;
    config_file::parse_typed(path, &text)
}

/// A bundle whose `config.json` is well-formed JSON of the right types. What it asks for is still unchecked.
#[derive(Debug, Clone)]
pub struct Bundle {
    directory: PathBuf,
    text: String,
    raw: Value,
    spec: Spec,
}

/// Why a bundle could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle's path cannot be made absolute (it is empty, or the working directory is gone).
    #[error("bundle path {path:?} is not usable")]
    Path {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing is at the bundle's path.
    #[error("bundle directory {} does not exist", path.display())]
    DirectoryMissing {
        /// Absolute path of the bundle.
        path: PathBuf,
    },
    /// The bundle's path names something else than a directory.
    #[error("bundle {} is not a directory", path.display())]
    NotDirectory {
        /// Absolute path of the bundle.
        path: PathBuf,
    },
    /// The directory has no `config.json`. runc's words, which callers show.
    #[error("JSON specification file {} not found: no such file or directory", path.display())]
    ConfigMissing {
        /// Absolute path of the file.
        path: PathBuf,
    },
    /// The directory or `config.json` exists and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Absolute path of what could not be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `config.json` is a directory, FIFO or device: reading it could block or never end.
    #[error("{} is not a regular file", path.display())]
    NotRegular {
        /// Absolute path of the file.
        path: PathBuf,
    },
    /// `config.json` is larger than [`CONFIG_LIMIT`].
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// Absolute path of the file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// `config.json` is not UTF-8 (RFC 8259 asks for it).
    #[error("{} is not UTF-8 text at byte {offset}", path.display())]
    NotText {
        /// Absolute path of the file.
        path: PathBuf,
        /// Where the first wrong byte stands.
        offset: usize,
    },
    /// `config.json` is not JSON.
    #[error("{}:{line}:{column}: malformed JSON", path.display())]
    Malformed {
        /// Absolute path of the file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The offending line with a caret below it.
        snippet: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A key has a value of the wrong type, an unknown name, or lacks a required member.
    #[error("{}:{line}:{column}: wrong value at {key}", path.display())]
    WrongType {
        /// Absolute path of the file.
        path: PathBuf,
        /// Path of the key, such as `process.args[2]`.
        key: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The offending line with a caret below it.
        snippet: String,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl BundleError {
    /// Stable number of the error, shown as `error[lazaret-NNNN]`.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Path { .. } => codes::BUNDLE_PATH,
            Self::DirectoryMissing { .. } => codes::BUNDLE_MISSING,
            Self::NotDirectory { .. } => codes::BUNDLE_NOT_DIRECTORY,
            Self::ConfigMissing { .. } => codes::CONFIG_MISSING,
            Self::Unreadable { .. } => codes::CONFIG_UNREADABLE,
            Self::NotRegular { .. } => codes::CONFIG_NOT_REGULAR,
            Self::TooLarge { .. } => codes::CONFIG_TOO_LARGE,
            Self::NotText { .. } => codes::CONFIG_NOT_TEXT,
            Self::Malformed { .. } => codes::CONFIG_MALFORMED,
            Self::WrongType { .. } => codes::CONFIG_WRONG_TYPE,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Path { .. } | Self::DirectoryMissing { .. } => Some("name the bundle with --bundle DIR".to_owned()),
            Self::NotDirectory { .. } => Some("--bundle takes the directory that holds config.json".to_owned()),
            Self::ConfigMissing { .. } => Some(
                "a bundle is a directory with config.json and the root file system; `lazaret spec` writes a first one"
                    .to_owned(),
            ),
            Self::Malformed { snippet, .. } | Self::WrongType { snippet, .. } => Some(snippet.clone()),
            Self::Unreadable { .. } | Self::NotRegular { .. } | Self::TooLarge { .. } | Self::NotText { .. } => None,
        }
    }
}

impl Bundle {
    /// Reads `config.json` of the bundle in `directory` (made absolute against the working directory; symbolic links are
    /// left as they are, because callers compare the path with the one they gave).
    ///
    /// # Errors
    /// See [`BundleError`]: a missing directory or file, an unreadable or malformed file, a value of the wrong type.
    pub fn load(directory: &Path) -> Result<Self, BundleError> {
        let directory = config_file::absolute_directory(directory)?;
        let text = config_file::read(&directory.join(CONFIG_NAME))?;
        Self::parse(directory, text)
    }

    /// A bundle whose configuration is in memory: what [`Bundle::load`] does after reading, and what `lazaret do` uses
    /// for the configuration it writes itself. `directory` must be absolute.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] or [`BundleError::WrongType`].
    pub fn parse(directory: PathBuf, text: String) -> Result<Self, BundleError> {
        let path = directory.join(CONFIG_NAME);
        Self::read(directory, &path, text)
    }

    /// The bundle `directory` with the configuration that was kept of it at `path`. The directory need not exist any more.
    ///
    /// # Errors
    /// Those of [`Bundle::load`] about the file.
    pub fn restore(path: &Path, directory: &Path) -> Result<Self, BundleError> {
        let text = config_file::read(path)?;
        Self::read(directory.to_owned(), path, text)
    }

    fn read(directory: PathBuf, path: &Path, text: String) -> Result<Self, BundleError> {
        let raw = config_file::parse_raw(path, &text)?;
        let spec = config_file::parse_typed(path, &spelling::of_the_library(&text, &raw))?;
        Ok(Self { directory, text, raw, spec })
    }

    /// The configuration, byte by byte, to be kept and [restored](Self::restore).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Absolute path of the bundle.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The configuration as `oci_spec` types. Only `spec` may look at them.
    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The configuration as written.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    /// The key at `path` (`mounts[3].source`), its value and its line, for an error message.
    #[must_use]
    pub fn field(&self, path: &str) -> Field {
        Field::new(path, locate::find(&self.raw, path)).with_line(locate::line(&self.text, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = r#"{"ociVersion":"1.0.2","root":{"path":"rootfs"},
"process":{"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"}}"#;

    fn parse(text: &str) -> Result<Bundle, BundleError> {
        Bundle::parse(PathBuf::from("/b"), text.to_owned())
    }

    #[test]
    fn a_minimal_bundle_is_read() {
        let bundle = parse(MINIMAL).unwrap();
        assert_eq!(bundle.directory(), Path::new("/b"));
        assert_eq!(bundle.spec().version(), "1.0.2");
        assert_eq!(bundle.field("process.args[0]").to_string(), r#"process.args[0] = "sh" (config.json:2)"#);
    }

    #[test]
    fn malformed_json_names_line_column_and_shows_a_caret() {
        let error = parse("{\n  bad: 1\n}").unwrap_err();
        assert_eq!(error.code(), codes::CONFIG_MALFORMED);
        assert_eq!(error.to_string(), "/b/config.json:2:3: malformed JSON");
        assert_eq!(error.hint().unwrap(), "2 |   bad: 1\n  |   ^");
    }

    #[test]
    fn a_wrong_type_names_the_key() {
        let text = MINIMAL.replace(r#"["sh"]"#, r#"["sh","-c",7]"#);
        let error = parse(&text).unwrap_err();
        assert_eq!(error.code(), codes::CONFIG_WRONG_TYPE);
        assert!(error.to_string().contains("wrong value at process.args[2]"), "{error}");
        let error = parse(&MINIMAL.replace(r#""cwd":"/""#, r#""env":[]"#)).unwrap_err();
        assert!(error.to_string().contains("wrong value at process"), "{error}");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("missing field `cwd`"));
    }

    #[test]
    fn a_value_nested_too_deep_is_an_error() {
        let error = parse(&"[".repeat(100_000)).unwrap_err();
        assert_eq!(error.code(), codes::CONFIG_MALFORMED);
    }

    #[test]
    fn missing_and_odd_files_have_errors_of_their_own() {
        let directory = std::env::temp_dir().join(format!("lazaret-bundle-{}", std::process::id()));
        let code = |path: &Path| Bundle::load(path).unwrap_err().code();
        assert_eq!(code(&directory), codes::BUNDLE_MISSING);
        std::fs::create_dir(&directory).unwrap();
        assert_eq!(code(&directory), codes::CONFIG_MISSING);
        let config = directory.join(CONFIG_NAME);
        std::fs::create_dir(&config).unwrap();
        assert_eq!(code(&directory), codes::CONFIG_NOT_REGULAR);
        std::fs::remove_dir(&config).unwrap();
        std::fs::write(&config, b"{\"a\": \"\xff\"}").unwrap();
        assert_eq!(code(&directory), codes::CONFIG_NOT_TEXT);
        std::fs::write(&config, MINIMAL).unwrap();
        assert_eq!(code(&config), codes::BUNDLE_NOT_DIRECTORY);
        assert!(Bundle::load(&directory).is_ok());
        std::fs::File::create(&config).unwrap().set_len(CONFIG_LIMIT + 1).unwrap();
        assert_eq!(code(&directory), codes::CONFIG_TOO_LARGE);
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(code(Path::new("")), codes::BUNDLE_PATH);
    }
}
