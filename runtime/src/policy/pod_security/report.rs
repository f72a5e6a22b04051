//! The verdicts on everything in a file, for `lazaret policy check`.

use std::path::Path;

use serde::Serialize;

use super::manifest::{self, Content, Object};
use super::registry::{Exactness, applicable};
use super::{PodSecurityError, Standard, Verdict, Violation, of_facts, of_pod};

/// The report. Its form is stable: others read it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The level that was checked for.
    pub level: &'static str,
    /// The version, as it was asked for.
    pub version: String,
    /// Whether every object that was checked is allowed.
    pub allowed: bool,
    /// Every object of the file, in its order.
    pub objects: Vec<Checked>,
}

/// One object.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// `Pod`, `Deployment`, …; `config.json` for what an engine wrote.
    pub kind: String,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it is allowed; `None` for what makes no pods.
    pub allowed: Option<bool>,
    /// What Kubernetes' admission would say of a violation.
    pub message: Option<String>,
    /// The checks that it violates.
    pub violations: Vec<Violation>,
    /// Checks of the level that were not made, or that do not see all, because this is an OCI configuration.
    pub unseen: Vec<Unseen>,
}

/// A check with a gap.
#[derive(Debug, Clone, Serialize)]
pub struct Unseen {
    /// Its id.
    pub check: &'static str,
    /// `partial` or `invisible`.
    pub exactness: &'static str,
    /// What is not seen.
    pub gap: &'static str,
}

/// Checks everything in the file at `path`, `-` for standard input.
///
/// # Errors
/// Those of [`manifest::load`].
pub fn check(path: &Path, standard: Standard) -> Result<Report, PodSecurityError> {
    Ok(of_objects(manifest::load(path)?, standard))
}

/// The report on `objects`.
#[must_use]
pub fn of_objects(objects: Vec<Object>, standard: Standard) -> Report {
    let objects: Vec<Checked> = objects.into_iter().map(|object| checked(object, standard)).collect();
    let allowed = objects.iter().all(|object| object.allowed != Some(false));
    Report { level: standard.level.name(), version: standard.version.to_string(), allowed, objects }
}

fn checked(object: Object, standard: Standard) -> Checked {
    let Object { kind, namespace, name, content } = object;
    let (verdict, unseen) = match &content {
        Content::Pod(pod) => (Some(of_pod(standard, pod)), Vec::new()),
        Content::Oci(facts) => (Some(of_facts(standard, facts)), unseen(standard)),
        Content::Other => (None, Vec::new()),
    };
    Checked {
        kind,
        namespace,
        name,
        allowed: verdict.as_ref().map(Verdict::is_allowed),
        message: verdict
            .as_ref()
            .filter(|verdict| !verdict.is_allowed())
            .map(|verdict| verdict.message("would violate")),
        violations: verdict.map(|verdict| verdict.violations).unwrap_or_default(),
        unseen,
    }
}

/// The checks of `standard` of which an OCI configuration does not show all.
#[must_use]
pub fn unseen(standard: Standard) -> Vec<Unseen> {
    let gap = |exactness: Exactness| exactness.gap().map(|gap| (exactness.name(), gap));
    let checks = applicable(standard).filter_map(|(check, _)| Some((check.id, gap(check.exactness)?)));
    checks.map(|(check, (exactness, gap))| Unseen { check, exactness, gap }).collect()
}
