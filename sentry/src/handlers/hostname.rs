//! sethostname(2) and setdomainname(2): the monitor sets the name in the container's UTS namespace, where the sentry
//! has no right.
//!
//! Called by `supervisor` with a name that `decide` has let through. Must not look at the caller.

use lazaret_profiles::class::Errno;

use crate::monitor::{Monitor, MonitorError};
use crate::verdict::Verdict;

/// `EIO`: the monitor answered with something that is no errno.
const EIO: Errno = Errno(5);

/// The largest errno of the kernel (`MAX_ERRNO` of `include/linux/err.h`).
const LAST_ERRNO: u16 = 4095;

/// Asks for the name to be set.
pub(crate) fn set(monitor: &Monitor, container: &str, name: &[u8], domain: bool) -> Result<Verdict, MonitorError> {
    Ok(verdict(monitor.set_hostname(container, name, domain)?))
}

fn verdict(errno: i32) -> Verdict {
    match u16::try_from(errno) {
        Ok(0) => Verdict::Value(0),
        Ok(errno) if errno <= LAST_ERRNO => Verdict::Errno(Errno(errno)),
        Ok(_) | Err(_) => Verdict::Errno(EIO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_is_success() {
        assert!(matches!(verdict(0), Verdict::Value(0)));
        assert!(matches!(verdict(1), Verdict::Errno(Errno::EPERM)));
        for nonsense in [-1, i32::MIN, 4096, i32::MAX] {
            assert!(matches!(verdict(nonsense), Verdict::Errno(EIO)));
        }
    }
}
