//! sethostname(2) and setdomainname(2): the monitor sets the name in the container's UTS namespace, where the sentry
//! has no right.
//!
//! Called by `court` with a name that `decide` has let through. Must not look at the caller.

use crate::handoff::Answer;
use crate::monitor::{Monitor, MonitorError};
use crate::verdict::Verdict;

/// Asks for the name to be set.
pub(crate) fn set(monitor: &Monitor, container: &str, name: &[u8], domain: bool) -> Result<Verdict, MonitorError> {
    let errno = match monitor.set_hostname(container, name, domain)? {
        Answer::Errno(errno) => errno,
        // Not an answer to this question.
        Answer::Refused(_) | Answer::Forbidden => -1,
    };
    Ok(Verdict::done(errno))
}
