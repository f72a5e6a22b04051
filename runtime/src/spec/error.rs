//! Why a configuration is refused. Every variant names the key, its value and its line; the caller prints the chain.

use std::path::PathBuf;

use lazaret_profiles::oci::OciError;
use thiserror::Error;

use crate::bundle::codes;
use crate::bundle::field::Field;

/// Why [`super::check`] refused a bundle.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The runtime specification knows the key, lazaret does not implement it (or the value asks for what it does not
    /// implement). Nothing is dropped silently.
    #[error("{field}: not supported: {why}")]
    Unsupported {
        /// The key.
        field: Field,
        /// What is missing.
        why: &'static str,
    },
    /// The key differs from a known one in upper and lower case only. runc would read it, others would ignore it.
    #[error("{field}: unknown key; the specification writes it {known:?}")]
    Misspelled {
        /// The key.
        field: Field,
        /// As the specification writes it.
        known: &'static str,
    },
    /// A required key is absent or empty.
    #[error("{field}: missing: {why}")]
    Missing {
        /// The key.
        field: Field,
        /// What it is needed for.
        why: &'static str,
    },
    /// `ociVersion` is no 1.x version.
    #[error("{field}: not a version of the runtime specification that lazaret implements (1.x)")]
    Version {
        /// The key.
        field: Field,
    },
    /// A value that the specification or the kernel does not allow.
    #[error("{field}: {rule}")]
    Invalid {
        /// The key.
        field: Field,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A value that may stand once stands twice.
    #[error("{field}: {what} stands twice")]
    Duplicate {
        /// The second one.
        field: Field,
        /// What is repeated.
        what: &'static str,
    },
    /// The key needs another one.
    #[error("{field}: {rule}")]
    Needs {
        /// The key.
        field: Field,
        /// The rule, naming what it needs.
        rule: &'static str,
    },
    /// `root.path` names nothing. The words are runc's: callers tell the case by them.
    #[error("invalid rootfs: stat {}: no such file or directory: {field}", path.display())]
    RootfsMissing {
        /// The key.
        field: Field,
        /// Absolute path.
        path: PathBuf,
    },
    /// `root.path` names something else than a directory.
    #[error("invalid rootfs: {} is not a directory: {field}", path.display())]
    RootfsNotDirectory {
        /// The key.
        field: Field,
        /// Absolute path.
        path: PathBuf,
    },
    /// `root.path` cannot be looked at.
    #[error("invalid rootfs: stat {}: {field}", path.display())]
    RootfsUnreadable {
        /// The key.
        field: Field,
        /// Absolute path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A mount option that cannot be obeyed.
    #[error("{field}: mount option refused: {why}")]
    MountOption {
        /// The option.
        field: Field,
        /// Why.
        why: &'static str,
    },
    /// A sysctl that is not the container's own.
    #[error("{field}: sysctl {key:?} {rule}")]
    Sysctl {
        /// The key of `linux.sysctl`.
        field: Field,
        /// Name of the sysctl in dotted form.
        key: String,
        /// The rule it breaks, in runc's words.
        rule: &'static str,
    },
    /// A seccomp profile that cannot be compiled.
    #[error("{field}: seccomp profile cannot be compiled")]
    Seccomp {
        /// `linux.seccomp`, without its value: profiles are long.
        field: Field,
        /// What the compiler said.
        source: OciError,
    },
}

impl SpecError {
    /// Stable number of the error, shown as `error[lazaret-NNNN]`.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Unsupported { .. } => codes::SPEC_UNSUPPORTED,
            Self::Misspelled { .. } => codes::SPEC_MISSPELLED,
            Self::Missing { .. } => codes::SPEC_MISSING,
            Self::Version { .. } => codes::SPEC_VERSION,
            Self::Invalid { .. } => codes::SPEC_INVALID,
            Self::Duplicate { .. } => codes::SPEC_DUPLICATE,
            Self::Needs { .. } => codes::SPEC_NEEDS,
            Self::RootfsMissing { .. } => codes::SPEC_ROOTFS_MISSING,
            Self::RootfsNotDirectory { .. } => codes::SPEC_ROOTFS_NOT_DIRECTORY,
            Self::RootfsUnreadable { .. } => codes::SPEC_ROOTFS_UNREADABLE,
            Self::MountOption { .. } => codes::SPEC_MOUNT_OPTION,
            Self::Sysctl { .. } => codes::SPEC_SYSCTL,
            Self::Seccomp { .. } => codes::SPEC_SECCOMP,
        }
    }

    /// The key of `config.json` that the error is about.
    #[must_use]
    pub fn field(&self) -> &Field {
        match self {
            Self::Unsupported { field, .. }
            | Self::Misspelled { field, .. }
            | Self::Missing { field, .. }
            | Self::Version { field }
            | Self::Invalid { field, .. }
            | Self::Duplicate { field, .. }
            | Self::Needs { field, .. }
            | Self::RootfsMissing { field, .. }
            | Self::RootfsNotDirectory { field, .. }
            | Self::RootfsUnreadable { field, .. }
            | Self::MountOption { field, .. }
            | Self::Sysctl { field, .. }
            | Self::Seccomp { field, .. } => field,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { field, .. } | Self::MountOption { field, .. } => {
                Some(format!("remove {} if the container does not depend on it", field.path()))
            }
            Self::Misspelled { field, known } => Some(format!("rename {} to {known:?}, or remove it", field.path())),
            Self::Missing { field, .. } => Some(format!("add {} to config.json", field.path())),
            Self::RootfsMissing { .. } | Self::RootfsNotDirectory { .. } => {
                Some("root.path is taken relative to the bundle's directory; unpack the image there".to_owned())
            }
            Self::Sysctl { .. } => {
                Some("a container may set the sysctls of its own ipc and network namespaces".to_owned())
            }
            Self::Version { .. } => Some("lazaret speaks version 1 of the OCI runtime specification".to_owned()),
            Self::Invalid { field, .. } | Self::Seccomp { field, .. } => Some(format!("change {}", field.path())),
            Self::Duplicate { field, .. } => Some(format!("leave one of the two at {} out", field.path())),
            Self::Needs { field, .. } => Some(format!("add what it needs, or leave {} out", field.path())),
            Self::RootfsUnreadable { .. } => Some("lazaret must be able to open root.path".to_owned()),
        }
    }
}
