//! `ociVersion`: a semantic version with major number 1, as the specification promises compatibility within one.

use super::error::SpecError;
use crate::bundle::Bundle;

/// The oldest version of the specification whose bundles are read.
pub const OLDEST: &str = "1.0.0";
/// The newest version of the specification that lazaret knows; it writes this one.
pub const NEWEST: &str = "1.3.0";

/// Refuses every other version. Pre-releases (`1.0.2-dev`) and build data are accepted: they promise no less.
pub(super) fn check(bundle: &Bundle) -> Result<(), SpecError> {
    let version = bundle.spec().version();
    if version.is_empty() {
        let why = "the version of the runtime specification that the bundle follows";
        return Err(SpecError::Missing { field: bundle.field("ociVersion"), why });
    }
    if is_version_one(version) { Ok(()) } else { Err(SpecError::Version { field: bundle.field("ociVersion") }) }
}

fn is_version_one(version: &str) -> bool {
    let (version, build) = version.split_once('+').map_or((version, None), |(version, build)| (version, Some(build)));
    let (core, release) = version.split_once('-').map_or((version, None), |(core, release)| (core, Some(release)));
    let numbers: Vec<&str> = core.split('.').collect();
    let core_holds = matches!(numbers.as_slice(), ["1", minor, patch] if is_number(minor) && is_number(patch));
    core_holds && [release, build].into_iter().flatten().all(are_identifiers)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

fn are_identifiers(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_one_are_accepted_and_nothing_else() {
        for good in [OLDEST, NEWEST, "1.0.2-dev", "1.2.1", "1.3.0-rc.1+dev", "1.0.0-rc5", "1.10.0"] {
            assert!(is_version_one(good), "{good}");
        }
        for bad in ["0.9.0", "2.0.0", "1", "1.0", "1.0.0.0", "1.0.x", "v1.0.0", "1.0.0-", "1.0.0+", "1.01.0", " 1.0.0"]
        {
            assert!(!is_version_one(bad), "{bad}");
        }
    }
}
