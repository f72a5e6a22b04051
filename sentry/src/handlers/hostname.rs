//! sethostname(2) and setdomainname(2): the monitor sets the name in the container's UTS namespace, where the sentry
//! has no right.
//!
//! Called by `supervisor` with a name that `decide` has let through. Must not look at the caller.

use crate::handoff::Answer;
use crate::monitor::{Monitor, MonitorError};
use crate::verdict::Verdict;

/// Asks for the name to be set.
pub(crate) fn set(monitor: &Monitor, container: &str, name: &[u8], domain: bool) -> Result<Verdict, MonitorError> {
    let Answer::Errno(errno) = monitor.set_hostname(container, name, domain)?;
    Ok(Verdict::done(errno))
}
