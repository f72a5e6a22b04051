//! What the kernel is told about a trapped call.
//!
//! Made by `decide` and the handlers, sent by `notify`. There is no verdict that lets the call run as it stands:
//! the kernel would read again what its arguments point to, and the workload can change that in between. A later
//! verdict that injects a descriptor or kills the caller is a variant here and an arm in `notify`.

use lazaret_profiles::class::Errno;

/// The answer to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The call fails.
    Errno(Errno),
    /// The call returns this; its effect, if any, has been brought about by the sentry or the monitor.
    Value(i64),
}
