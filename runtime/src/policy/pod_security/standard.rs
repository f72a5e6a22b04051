//! What to check for: a level and a version of it, written `restricted:v1.30`.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use super::PodSecurityError;

/// The newest minor version of Kubernetes 1 whose standards are known here. A later one, and `latest`, mean this one, as
/// in Kubernetes.
pub const NEWEST: u32 = 37;

/// How much a pod may ask for. Each level forbids what those before it forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Privileged,
    /// Nothing with a known way to more privileges.
    Baseline,
    /// Today's practice of hardening a pod.
    Restricted,
    /// lazaret's own: restricted, with a read-only root, never root, no raw sockets, and limits.
    Hardened,
}

impl Level {
    /// Every level, the looser first.
    pub const ALL: [Self; 4] = [Self::Privileged, Self::Baseline, Self::Restricted, Self::Hardened];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
            Self::Hardened => "hardened",
        }
    }
}

impl Display for Level {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = PodSecurityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|level| level.name() == text);
        known.ok_or_else(|| PodSecurityError::Level { value: text.to_owned() })
    }
}

/// Whose standards: those of a version of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    /// `v1.MINOR`.
    Minor(u32),
    /// The newest that is known.
    #[default]
    Latest,
}

impl Version {
    /// The minor version that counts.
    #[must_use]
    pub fn minor(self) -> u32 {
        match self {
            Self::Minor(minor) => minor.min(NEWEST),
            Self::Latest => NEWEST,
        }
    }
}

impl Display for Version {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Minor(minor) => write!(formatter, "v1.{minor}"),
            Self::Latest => formatter.write_str("latest"),
        }
    }
}

impl FromStr for Version {
    type Err = PodSecurityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || PodSecurityError::Version { value: text.to_owned() };
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let minor = text.strip_prefix("v1.").ok_or_else(wrong)?;
        let is_plain = minor.bytes().all(|byte| byte.is_ascii_digit()) && (minor.len() == 1 || !minor.starts_with('0'));
        if !is_plain {
            return Err(wrong());
        }
        minor.parse().map(Self::Minor).map_err(|_too_large| wrong())
    }
}

/// A level at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standard {
    /// The level.
    pub level: Level,
    /// The version.
    pub version: Version,
}

impl Display for Standard {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.level, self.version)
    }
}

impl FromStr for Standard {
    type Err = PodSecurityError;

    /// `LEVEL` or `LEVEL:VERSION`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (level, version) = text.split_once(':').unwrap_or((text, "latest"));
        Ok(Self { level: level.parse()?, version: version.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standards_are_read_as_they_are_written() {
        for text in ["privileged:latest", "baseline:v1.0", "restricted:v1.37", "hardened:v1.123"] {
            assert_eq!(text.parse::<Standard>().unwrap().to_string(), text);
        }
        assert_eq!("restricted".parse::<Standard>().unwrap().to_string(), "restricted:latest");
        assert_eq!("v1.123".parse::<Version>().unwrap().minor(), NEWEST);
    }

    #[test]
    fn what_is_no_standard_is_refused() {
        for text in ["", "Restricted", "restricted:", "restricted:1.3", "restricted:v2.0", "baseline:v1.", ":latest"] {
            assert!(text.parse::<Standard>().is_err(), "{text}");
        }
        for text in ["v1.01", "v1.+1", "v1.4294967296", "v1.-1", "latest ", "v1.30.1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
