//! The Pod Security levels of a configuration: six keys for the node, and the same for each namespace.

use std::collections::BTreeMap;

use lazaret_profiles::schema::dotted;

use super::ConfigError;
use super::settings::Look;
use crate::policy::pod_security::{Enforcement, Enforcements, Level, Standard, Version};

/// Names of the table and of that of the namespaces.
const TABLE: &str = "pod_security";
const NAMESPACES: &str = "namespaces";

/// The levels that `look` sees, each namespace's already over the general ones.
///
/// # Errors
/// [`ConfigError::Value`] for a version that does not exist, or without a level.
pub(super) fn of(look: &Look<'_>) -> Result<Enforcements, ConfigError> {
    let general = enforcement(look, &[TABLE], Enforcement::default())?;
    let mut namespaces = BTreeMap::new();
    for path in look.layers.keys() {
        if let [table, list, name] = path.as_slice()
            && table == TABLE
            && list == NAMESPACES
        {
            namespaces.insert(name.clone(), enforcement(look, &[TABLE, NAMESPACES, name], general)?);
        }
    }
    Ok(Enforcements { general, namespaces })
}

fn enforcement(look: &Look<'_>, table: &[&str], over: Enforcement) -> Result<Enforcement, ConfigError> {
    Ok(Enforcement {
        enforce: standard(look, table, ("enforce", "enforce_version"), over.enforce)?,
        warn: standard(look, table, ("warn", "warn_version"), over.warn)?,
        audit: standard(look, table, ("audit", "audit_version"), over.audit)?,
    })
}

fn standard(
    look: &Look<'_>,
    table: &[&str],
    (level, version): (&str, &str),
    over: Option<Standard>,
) -> Result<Option<Standard>, ConfigError> {
    let level = look.word(&[table, &[level]].concat(), |word| word.parse::<Level>().ok())?;
    let at = [table, &[version]].concat();
    let version = look.word(&at, |word| word.parse::<Version>().ok())?;
    match (level.or(over.map(|over| over.level)), version) {
        (Some(level), version) => {
            let version = version.or(over.map(|over| over.version)).unwrap_or(Version::Latest);
            Ok(Some(Standard { level, version }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => {
            let path: Vec<String> = at.iter().map(|part| (*part).to_owned()).collect();
            let set = look.layers.get(&path);
            Err(ConfigError::Value {
                origin: Box::new(set.map_or(super::Origin::Default, |set| set.origin.clone())),
                key: dotted(&path),
                value: set.map_or_else(String::new, |set| set.value.to_string()),
                why: "a version without a level".to_owned(),
            })
        }
    }
}
