//! What the node's own rules say of a configuration, before anything of it is made: the Pod Security Standards, and the
//! node's policies.

use crate::bundle::Bundle;
use crate::error::Error;
use crate::options::Options;
use crate::policy::cel::{self, Input, document};
use crate::policy::finding::{Action, Finding};
use crate::policy::host::OwnNamespaces;
use crate::policy::pod_security::facts::Facts;

/// Judges `bundle`, of the container `id`: by the standards of its namespace, then by every policy.
///
/// # Errors
/// When it violates what is enforced, or that cannot be told.
pub(super) fn judge(options: &Options, bundle: &Bundle, id: &str) -> Result<Vec<Finding>, Error> {
    let mut findings = by_standards(options, bundle, id)?;
    findings.extend(by_policies(options, bundle, id)?);
    if let Some(warning) = Finding::joined(&findings, Action::Warn) {
        tracing::warn!("container {id:?} {warning}");
    }
    Ok(findings)
}

fn by_standards(options: &Options, bundle: &Bundle, id: &str) -> Result<Vec<Finding>, Error> {
    if options.pod_security.is_idle() {
        return Ok(Vec::new());
    }
    let own = OwnNamespaces::gather()?;
    let facts = Facts::of(bundle.raw(), Some(id), &|kind, path| own.is_at(kind, path))?;
    Ok(options.pod_security.of(facts.namespace.as_deref()).judge(&facts)?)
}

fn by_policies(options: &Options, bundle: &Bundle, id: &str) -> Result<Vec<Finding>, Error> {
    let mut policies = Vec::new();
    for file in &options.policies {
        policies.extend(document::load(file)?);
    }
    if policies.is_empty() {
        return Ok(Vec::new());
    }
    Ok(cel::judge(&policies, &Input::new(id, bundle.raw(), options.mode.name()))?)
}
