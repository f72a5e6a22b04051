//! From a trapped call to the room that knows it: the one match over the table's classes and handlers.
//!
//! Called by `copyin`. A new class, handler or event without an arm here does not compile. Must not read a guest or
//! decide: what it returns says who decides.

use lazaret_profiles::class::{Class, Errno, Handler};
use lazaret_profiles::syscalls::{self, Choice, Row};

use crate::request::Reason;
use crate::verdict::Outline;

/// Who looks at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Nobody: the table has refused it.
    Refuse(Errno, Reason),
    /// mount(2).
    Mount,
    /// umount2(2).
    Unmount,
    /// sethostname(2), or setdomainname(2) where the flag is set.
    Name {
        /// The domain name.
        domain: bool,
    },
    /// sysinfo(2).
    Sysinfo,
    /// connect(2).
    Connect,
}

/// The row of a call, where the table has one, and who looks at it.
pub(crate) fn route(call: &Outline) -> (Option<&'static Row>, Route) {
    let known = if call.architecture == syscalls::AUDIT_ARCH { syscalls::by_number(call.number) } else { None };
    let route = match known {
        Some(row) => by_class(row, &call.arguments),
        None => Route::Refuse(Errno::ENOSYS, Reason::UNEXPECTED),
    };
    (known, route)
}

fn by_class(row: &Row, arguments: &[u64; 6]) -> Route {
    // Trapped in neither mode but for a container with a directory of the host.
    if let Some(Choice { class: Class::Emulate(handler), .. }) = row.guarded {
        return by_handler(handler);
    }
    match row.class {
        Class::Emulate(handler) => by_handler(handler),
        Class::DenyNotify(event) => Route::Refuse(row.errno, event.into()),
        // BPF has decided on these registers already; asking the same rule again names the case. What the sandbox lets
        // through comes here in strict mode alone, whose choice names it then.
        Class::Arg(_) | Class::Native => match row.refusal(arguments) {
            Some(refusal) => Route::Refuse(refusal.errno, refusal.event.into()),
            None => Route::Refuse(row.errno, Reason::UNEXPECTED),
        },
        Class::Deny(_) => Route::Refuse(row.errno, Reason::UNEXPECTED),
    }
}

fn by_handler(handler: Handler) -> Route {
    match handler {
        Handler::Mount => Route::Mount,
        Handler::Umount2 => Route::Unmount,
        Handler::Sysinfo => Route::Sysinfo,
        Handler::Sethostname => Route::Name { domain: false },
        Handler::Setdomainname => Route::Name { domain: true },
        Handler::Connect => Route::Connect,
    }
}

#[cfg(test)]
mod tests {
    use lazaret_profiles::class::Event;

    use super::*;

    fn call(number: u32, architecture: u32, arguments: [u64; 6]) -> Outline {
        Outline { number, architecture, arguments }
    }

    #[test]
    fn every_row_has_a_route_and_none_lets_the_call_run() {
        for row in syscalls::TABLE {
            let (found, route) = route(&call(row.number, syscalls::AUDIT_ARCH, [0; 6]));
            assert_eq!(found.map(|row| row.name), Some(row.name));
            if row.guarded.is_some() {
                assert_eq!(route, Route::Connect, "{}", row.name);
                continue;
            }
            match (row.class, route) {
                (Class::DenyNotify(event), Route::Refuse(errno, why)) => {
                    assert_eq!((errno, why.technique), (row.errno, event.technique()), "{}", row.name);
                }
                (Class::Native | Class::Deny(_) | Class::Arg(_), Route::Refuse(errno, _)) => {
                    assert_ne!(errno, Errno(0), "{}", row.name);
                }
                (Class::Emulate(_), Route::Mount | Route::Unmount | Route::Name { .. } | Route::Sysinfo) => {}
                (class, route) => panic!("{}: {class:?} goes to {route:?}", row.name),
            }
        }
    }

    #[test]
    fn refused_arguments_are_named_by_the_rule() {
        let unshare = syscalls::by_name("unshare").unwrap();
        let (_, route) = route(&call(unshare.number, syscalls::AUDIT_ARCH, [0x1000_0000, 0, 0, 0, 0, 0]));
        assert_eq!(route, Route::Refuse(Errno::EPERM, Event::NewNamespace.into()));
    }

    #[test]
    fn what_strict_mode_alone_refuses_is_named_too() {
        let of = |name: &str, arguments| {
            route(&call(syscalls::by_name(name).unwrap().number, syscalls::AUDIT_ARCH, arguments)).1
        };
        let refused = |errno| Route::Refuse(errno, Event::SmallerTable.into());
        assert_eq!(of("shmget", [0; 6]), refused(Errno::ENOSYS));
        assert_eq!(of("sendto", [0, 0, 0, 1, 0, 0]), refused(Errno::EOPNOTSUPP));
        assert_eq!(of("setsockopt", [0, 1, 26, 0, 0, 0]), Route::Refuse(Errno::EPERM, Event::BpfAttach.into()));
        assert_eq!(of("read", [0; 6]), Route::Refuse(Errno::EPERM, Reason::UNEXPECTED));
    }

    #[test]
    fn unknown_numbers_and_foreign_architectures_get_enosys() {
        let read = syscalls::by_name("read").unwrap();
        for call in [call(9999, syscalls::AUDIT_ARCH, [0; 6]), call(read.number, 0x4000_0003, [0; 6])] {
            assert_eq!(route(&call), (None, Route::Refuse(Errno::ENOSYS, Reason::UNEXPECTED)));
        }
    }
}
