//! What the node's own rules say of a configuration, before anything of it is made: the Pod Security Standards.

use crate::bundle::Bundle;
use crate::error::Error;
use crate::options::Options;
use crate::policy::finding::{Action, Finding};
use crate::policy::host::OwnNamespaces;
use crate::policy::pod_security::facts::Facts;

/// Judges `bundle`, of the container `id`, by the standards of its namespace.
///
/// # Errors
/// When it violates what is enforced, or that cannot be told.
pub(super) fn judge(options: &Options, bundle: &Bundle, id: &str) -> Result<Vec<Finding>, Error> {
    if options.pod_security.is_idle() {
        return Ok(Vec::new());
    }
    let own = OwnNamespaces::gather()?;
    let facts = Facts::of(bundle.raw(), Some(id), &|kind, path| own.is_at(kind, path))?;
    let findings = options.pod_security.of(facts.namespace.as_deref()).judge(&facts)?;
    if let Some(warning) = Finding::joined(&findings, Action::Warn) {
        tracing::warn!("container {:?} {warning}", facts.name);
    }
    Ok(findings)
}
