//! Annotations `lazaret.dev/...` of a bundle: what whoever writes a pod may say about its confinement.
//!
//! One rule: an annotation may tighten, and loosens only where the node's configuration lists it (`annotations.allow`). One
//! that is refused or that nobody knows is an error of `create`, since a pod that believes to be strict and is not is worse
//! off than one that does not start. `lifecycle::create` asks; `features` lists [`ANNOTATIONS`].

use std::collections::BTreeMap;

use lazaret_profiles::builtin::PROFILES;
use lazaret_profiles::schema::nearest;
use lazaret_sentry::kubernetes::NAMESPACE_ANNOTATIONS;
use lazaret_sentry::record;
use lazaret_sentry::record_policy::Policy;

use crate::bundle::field::Field;
use crate::config::{self, ConfigError};
use crate::options::{Mode, Options};
use crate::policy::pod_security::{Enforcement, Enforcements, Level, Standard, Version};
use crate::policy::profile::Profile;

/// What the names of all begin with.
pub const PREFIX: &str = "lazaret.dev/";

/// Takes a value over; the last argument is every annotation of the container.
type Apply = fn(&mut Options, &str, &BTreeMap<String, String>) -> Result<Option<String>, Refused>;

/// One annotation.
#[derive(Debug, Clone, Copy)]
pub struct Annotation {
    /// Its name, without [`PREFIX`]: also its word in `annotations.allow`.
    pub name: &'static str,
    /// The key of the configuration that it stands for.
    pub key: &'static str,
    /// What it means.
    pub about: &'static str,
    /// Takes the value over, and says what held before when that was stricter.
    apply: Apply,
}

/// Why a value is refused.
enum Refused {
    /// It names a profile that cannot be used.
    Profile(Box<ConfigError>),
    /// It is none of these.
    Unknown(Vec<&'static str>),
}

/// All of them.
pub const ANNOTATIONS: &[Annotation] = &[
    Annotation { name: "mode", key: "mode", about: "sandbox or strict", apply: mode },
    Annotation { name: "profile", key: "profile", about: "a profile by its name", apply: profile },
    Annotation {
        name: "level",
        key: "pod_security.enforce",
        about: "the Pod Security level that is enforced",
        apply: level,
    },
    Annotation {
        name: "record-level",
        key: "records",
        about: "how much of each refused or answered call is recorded",
        apply: record_level,
    },
];

/// Why an annotation is refused.
#[derive(Debug, thiserror::Error)]
pub enum AnnotationError {
    /// Nobody knows it.
    #[error("{field}: lazaret knows no such annotation{}", meant(*nearest))]
    Unknown {
        /// The annotation with its value.
        field: Field,
        /// The nearest that exists.
        nearest: Option<&'static str>,
    },
    /// Its value is none that it takes.
    #[error("{field}: {} is wanted{}", known.join(" or "), meant(*nearest))]
    Value {
        /// The annotation with its value.
        field: Field,
        /// What it takes.
        known: Vec<&'static str>,
        /// The nearest of that.
        nearest: Option<&'static str>,
    },
    /// It names a profile that cannot be used.
    #[error("{field}: this profile cannot be used")]
    Profile {
        /// The annotation with its value.
        field: Field,
        /// Why.
        #[source]
        source: Box<ConfigError>,
    },
    /// It would loosen.
    #[error("{field}: looser than {key} = {holds}, which holds on this node, and an annotation may only tighten")]
    Loosens {
        /// The annotation with its value.
        field: Field,
        /// Its name without the prefix.
        name: &'static str,
        /// The key of the configuration.
        key: &'static str,
        /// What holds.
        holds: String,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}

impl AnnotationError {
    /// The annotation with its value.
    #[must_use]
    pub fn field(&self) -> &Field {
        match self {
            Self::Unknown { field, .. }
            | Self::Value { field, .. }
            | Self::Loosens { field, .. }
            | Self::Profile { field, .. } => field,
        }
    }

    /// Stable number of this error, 1760-1766.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Unknown { .. } => 1760,
            Self::Value { .. } => 1761,
            Self::Loosens { .. } => 1762,
            Self::Profile { .. } => 1766,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { .. } => {
                let names: Vec<_> = ANNOTATIONS.iter().map(|one| format!("{PREFIX}{}", one.name)).collect();
                format!("known: {}", names.join(", "))
            }
            Self::Profile { source, .. } => return source.hint(),
            Self::Value { .. } => "docs/configuration.md has the annotations and their values".to_owned(),
            Self::Loosens { name, .. } => {
                format!("leave it out, or list it in the node's configuration: annotations.allow = [{name:?}]")
            }
        })
    }
}

/// The options that hold for a container with these annotations.
///
/// # Errors
/// The first annotation of ours, by name, that is refused.
pub fn apply(options: &Options, annotations: &BTreeMap<String, String>) -> Result<Options, AnnotationError> {
    let mut options = options.clone();
    let ours = annotations.range(PREFIX.to_owned()..).take_while(|(name, _)| name.starts_with(PREFIX));
    for (full, value) in ours {
        let field = || Field::text(&format!("annotations[{full:?}]"), value);
        let name = full.strip_prefix(PREFIX).unwrap_or(full);
        let Some(annotation) = ANNOTATIONS.iter().find(|annotation| annotation.name == name) else {
            let names: Vec<_> = ANNOTATIONS.iter().map(|one| one.name).collect();
            return Err(AnnotationError::Unknown { field: field(), nearest: nearest(name, &names) });
        };
        match (annotation.apply)(&mut options, value, annotations) {
            Ok(None) => {}
            Ok(Some(_)) if options.rules.allows_annotation(name) => {}
            Ok(Some(holds)) => {
                let Annotation { name, key, .. } = *annotation;
                return Err(AnnotationError::Loosens { field: field(), name, key, holds });
            }
            Err(Refused::Profile(source)) => return Err(AnnotationError::Profile { field: field(), source }),
            Err(Refused::Unknown(known)) => {
                let nearest = nearest(value, &known);
                return Err(AnnotationError::Value { field: field(), known, nearest });
            }
        }
    }
    Ok(options)
}

fn mode(options: &mut Options, value: &str, _: &BTreeMap<String, String>) -> Result<Option<String>, Refused> {
    let known = || Refused::Unknown(Mode::ALL.iter().map(|mode| mode.name()).collect());
    let asked = Mode::ALL.iter().copied().find(|mode| mode.name() == value).ok_or_else(known)?;
    let held = std::mem::replace(&mut options.mode, asked);
    Ok(asked.is_looser_than(held).then(|| format!("{:?}", held.name())))
}

/// A profile by its name: a path would be the pod's own.
fn profile(options: &mut Options, value: &str, _: &BTreeMap<String, String>) -> Result<Option<String>, Refused> {
    let is_name = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name {
        return Err(Refused::Unknown(PROFILES.iter().map(|(name, _)| *name).collect()));
    }
    let asked = config::profile(value).map_err(|error| Refused::Profile(Box::new(error)))?;
    let held = options.rules.profile.take();
    let own = held.unwrap_or_else(|| Profile::of_mode(options.mode.name(), options.mode));
    let held = Profile { mode: own.mode.stricter(options.mode), ..own };
    let looser = held.loosened_by(&asked);
    options.mode = if options.rules.allows_annotation("profile") { asked.mode } else { asked.mode.stricter(held.mode) };
    options.rules.profile = Some(asked);
    Ok((!looser.is_empty()).then(|| format!("{:?} ({})", held.name, looser.join("; "))))
}

/// What is enforced on this container alone: whatever its namespace has is replaced.
fn level(
    options: &mut Options,
    value: &str,
    annotations: &BTreeMap<String, String>,
) -> Result<Option<String>, Refused> {
    let known = || Refused::Unknown(Level::ALL.iter().map(|level| level.name()).collect());
    let asked = Level::ALL.iter().copied().find(|level| level.name() == value).ok_or_else(known)?;
    let held =
        options.pod_security.of(NAMESPACE_ANNOTATIONS.iter().find_map(|key| annotations.get(*key)).map(String::as_str));
    let held_level = held.enforce.map_or(Level::Privileged, |standard| standard.level);
    let version = held.enforce.map_or(Version::Latest, |standard| standard.version);
    let general = Enforcement { enforce: Some(Standard { level: asked, version }), ..held };
    options.pod_security = Enforcements { general, ..Enforcements::default() };
    Ok((asked < held_level).then(|| format!("{:?}", held_level.name())))
}

fn record_level(options: &mut Options, value: &str, _: &BTreeMap<String, String>) -> Result<Option<String>, Refused> {
    let known = || Refused::Unknown(record::Level::ALL.iter().map(|level| level.name()).collect());
    let asked = record::Level::ALL.iter().copied().find(|level| level.name() == value).ok_or_else(known)?;
    let asked = Policy::of(asked);
    let is_looser = !asked.covers(&options.records);
    let held = std::mem::replace(&mut options.records, asked);
    Ok(is_looser.then(|| held.said()))
}

#[cfg(test)]
mod tests;
