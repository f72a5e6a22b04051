//! No processes of a Windows host.

use crate::policy::pod_security::pod::Pod;
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{Setters, containers_where};

/// `windowsHostProcess`.
pub const CHECK: Check = Check {
    id: "windowsHostProcess",
    level: Level::Baseline,
    exactness: Exactness::Invisible("it is about Windows, and a configuration for Windows is refused as a whole"),
    revisions: &[Revision::new(0, of_pod)],
};

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad = containers_where(pod, |container| container.security_context.windows_options.host_process == Some(true));
    let setters = Setters::new(pod.context().windows_options.host_process == Some(true), &bad);
    let who = setters.describe()?;
    Finding::new("hostProcess", format!("{who} must not set securityContext.windowsOptions.hostProcess=true"))
}
