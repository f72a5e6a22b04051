//! The verdict of policies on a configuration, for `lazaret policy check --cel`.

use std::path::Path;

use serde::Serialize;

use super::document::{self, Policy};
use super::{CelError, Input, judge};
use crate::policy::finding::Finding;
use crate::policy::pod_security::manifest::text_of;
use crate::policy::pod_security::yaml;

/// The report. Its form is stable: others read it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The container.
    pub container: String,
    /// Whether no policy refuses it.
    pub allowed: bool,
    /// Each policy, in the order of the file.
    pub policies: Vec<Judged>,
}

/// What one policy says.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Its name.
    pub policy: String,
    /// Whether it lets the container be created.
    pub allowed: bool,
    /// Why it does not.
    pub message: Option<String>,
    /// What it says all the same.
    pub findings: Vec<Finding>,
}

/// What the policies in `policies` say of the configuration in `file`.
///
/// # Errors
/// [`CelError`] where that cannot be told: a wrong file, an expression that is none.
pub fn check(policies: &Path, file: &Path) -> Result<Report, CelError> {
    let policies = document::load(policies)?;
    let place = || file.display().to_string();
    let mut documents = yaml::documents(&text_of(file)?).map_err(|what| CelError::Form { place: place(), what })?;
    let is_one = documents.len() == 1;
    let config = documents.pop().filter(|config| is_one && config.get("ociVersion").is_some());
    let Some(config) = config else {
        return Err(CelError::NotConfiguration { found: format!("{} has no ociVersion", place()) });
    };
    let name = config.pointer("/annotations/io.kubernetes.cri.container-name").and_then(|name| name.as_str());
    let input = Input::new(name.unwrap_or("container"), &config, "");
    let judged = policies.iter().map(|policy| judged(policy, &input)).collect::<Result<Vec<_>, _>>()?;
    Ok(Report { container: input.container, allowed: judged.iter().all(|one| one.allowed), policies: judged })
}

fn judged(policy: &Policy, input: &Input) -> Result<Judged, CelError> {
    let (message, findings) = match judge(std::slice::from_ref(policy), input) {
        Ok(findings) => (None, findings),
        Err(error) if error.is_refusal() => (Some(error.to_string()), Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(Judged { policy: policy.name.clone(), allowed: message.is_none(), message, findings })
}
