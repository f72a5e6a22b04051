//! The decision: a pure function of a copied request and of facts.
//!
//! Called by `court`. Must not see `tracee`, `copyin`, `notify` or `sys`: what is decided on here can no longer be
//! changed by anybody.

use lazaret_profiles::class::{Errno, Event};

use crate::nested::{self, Fault, Order, Refusal};
use crate::request::{AddressFault, NameFault, Reason, Request, Subject};

/// What is known beside the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The container may name itself.
    pub(crate) may_set_hostname: bool,
    /// Its root may mount.
    pub(crate) may_mount: bool,
    /// The caller's effective user id in the pod's user namespace; `None` where nothing hangs on it.
    pub(crate) effective_uid: Option<u32>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Refuse, and say why.
    Refuse(Errno, Reason),
    /// The call itself is wrong: the errno that the kernel would give.
    Fail(Errno),
    /// Ask the monitor to set this name.
    SetName {
        /// The domain name rather than the host name.
        domain: bool,
        /// The name.
        name: Vec<u8>,
    },
    /// Ask the monitor to have this mounted or unmounted.
    Mount(Order),
    /// Ask the monitor to connect.
    Connect {
        /// The caller's descriptor.
        fd: i32,
        /// The address.
        address: Vec<u8>,
    },
    /// Write the container's view of the system to this address.
    WriteSysinfo {
        /// Where.
        address: u64,
    },
}

/// `EFAULT`: what the call points to cannot be read or written.
pub(crate) const EFAULT: Errno = Errno(14);

/// Decides.
pub(crate) fn decide(request: &Request, facts: Facts) -> Decision {
    match &request.subject {
        Subject::Refused { errno, reason } => Decision::Refuse(*errno, *reason),
        Subject::Mount(call) => mount(facts, || nested::mount(call)),
        Subject::Unmount { target, flags } => mount(facts, || nested::unmount(target, *flags)),
        Subject::Sysinfo { address } => Decision::WriteSysinfo { address: *address },
        Subject::Name { domain, name } => set_name(*domain, name, facts),
        Subject::Connect { fd, address } => match address {
            Ok(address) => Decision::Connect { fd: *fd, address: address.clone() },
            Err(AddressFault::TooLong) => Decision::Fail(Errno::EINVAL),
            Err(AddressFault::Unreadable) => Decision::Fail(EFAULT),
        },
    }
}

/// Right first: who may not mount learns nothing of what could be.
fn mount(facts: Facts, order: impl FnOnce() -> Result<Order, Fault>) -> Decision {
    if !facts.may_mount {
        return Decision::Refuse(Errno::EPERM, Event::Mount.into());
    }
    if facts.effective_uid != Some(0) {
        return Decision::Refuse(Errno::EPERM, Refusal::Caller.reason());
    }
    match order() {
        Ok(order) => Decision::Mount(order),
        Err(Fault::Refused(refusal)) => Decision::Refuse(Errno::EPERM, refusal.reason()),
        Err(Fault::Wrong(errno)) => Decision::Fail(errno),
    }
}

/// The order of sethostname(2): right first, then length, then memory.
fn set_name(domain: bool, name: &Result<Vec<u8>, NameFault>, facts: Facts) -> Decision {
    if !facts.may_set_hostname || facts.effective_uid != Some(0) {
        return Decision::Refuse(Errno::EPERM, Event::Hostname.into());
    }
    match name {
        Ok(name) => Decision::SetName { domain, name: name.clone() },
        Err(NameFault::TooLong) => Decision::Fail(Errno::EINVAL),
        Err(NameFault::Unreadable) => Decision::Fail(EFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Text;

    const ROOT: Facts = Facts { may_set_hostname: true, may_mount: false, effective_uid: Some(0) };

    fn request(subject: Subject) -> Request {
        Request { number: 0, syscall: "x".to_owned(), rule: "", arguments: Vec::new(), subject, is_copied: false }
    }

    fn named(name: Result<Vec<u8>, NameFault>) -> Request {
        request(Subject::Name { domain: false, name })
    }

    #[test]
    fn mount_of_who_may_not_and_what_the_table_refuses_are_refused_whatever_it_is() {
        for unmount in [b"/mnt".to_vec(), Vec::new()] {
            let unmount = request(Subject::Unmount { target: Text::Bytes(unmount), flags: 0 });
            assert_eq!(decide(&unmount, ROOT), Decision::Refuse(Errno::EPERM, Event::Mount.into()));
            for effective_uid in [Some(1), None] {
                let facts = Facts { may_mount: true, effective_uid, ..ROOT };
                let refused = Decision::Refuse(Errno::EPERM, Refusal::Caller.reason());
                assert_eq!(decide(&unmount, facts), refused);
            }
        }
        let refused = Subject::Refused { errno: Errno::ENOSYS, reason: Reason::UNEXPECTED };
        assert_eq!(decide(&request(refused), ROOT), Decision::Refuse(Errno::ENOSYS, Reason::UNEXPECTED));
    }

    #[test]
    fn root_of_a_container_that_may_mounts() {
        let facts = Facts { may_mount: true, ..ROOT };
        let unmount = |target: &[u8], flags| request(Subject::Unmount { target: Text::Bytes(target.into()), flags });
        let order = Order::Unmount { target: b"/mnt".into(), detach: false, follow: true };
        assert_eq!(decide(&unmount(b"/mnt", 0), facts), Decision::Mount(order));
        assert_eq!(decide(&unmount(b"", 0), facts), Decision::Fail(Errno(2)));
        let refused = Decision::Refuse(Errno::EPERM, Refusal::Flag.reason());
        assert_eq!(decide(&unmount(b"/mnt", 1), facts), refused);
    }

    #[test]
    fn root_of_a_container_that_may_sets_the_name() {
        assert_eq!(decide(&named(Ok(b"x".to_vec())), ROOT), Decision::SetName { domain: false, name: b"x".to_vec() });
    }

    #[test]
    fn name_of_anybody_else_is_refused_whatever_it_is() {
        let refused = Decision::Refuse(Errno::EPERM, Event::Hostname.into());
        for facts in [
            Facts { may_set_hostname: false, ..ROOT },
            Facts { effective_uid: Some(1000), ..ROOT },
            Facts { effective_uid: None, ..ROOT },
        ] {
            assert_eq!(decide(&named(Ok(b"x".to_vec())), facts), refused);
            assert_eq!(decide(&named(Err(NameFault::TooLong)), facts), refused);
        }
    }

    #[test]
    fn wrong_names_fail_as_in_the_kernel() {
        assert_eq!(decide(&named(Err(NameFault::TooLong)), ROOT), Decision::Fail(Errno::EINVAL));
        assert_eq!(decide(&named(Err(NameFault::Unreadable)), ROOT), Decision::Fail(EFAULT));
    }
}
