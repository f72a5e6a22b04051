//! Lets the fuzz targets into the rooms between a trapped call and its record, with the calling process in the place of
//! the guest.
//!
//! Compiled with the feature `fuzz-door` alone, which the test command turns on for the fuzz targets. Must not be in a
//! shipped binary: a gate sees that no manifest of one turns it on.

use std::time::Duration;

use lazaret_profiles::syscalls::{self, Column};

use crate::decide::{self, Facts};
use crate::request::{Subject, Text};
use crate::signature::{self, Kind};
use crate::trace::line::Call;
use crate::verdict::Registers;
use crate::{copyin, limits};

/// A call of the process itself.
#[derive(Debug, Clone, Copy)]
pub struct Trap {
    /// The number of the system call.
    pub number: u32,
    /// `AUDIT_ARCH_*`.
    pub architecture: u32,
    /// The argument registers.
    pub arguments: [u64; 6],
}

/// What `copyin` makes of a call.
#[derive(Debug)]
pub struct Copied {
    /// The line that tells this attempt from others.
    pub what: String,
    /// The arguments in their order.
    pub arguments: Vec<Argument>,
    /// The bytes that sethostname(2) or setdomainname(2) is decided on; `Some(None)` where they cannot be had.
    pub name: Option<Option<Vec<u8>>>,
    /// The strings that mount(2) or umount2(2) is decided on: the argument's place, the bound that its end must stand
    /// within, and the bytes; `None` where it is null, unreadable or too long.
    pub strings: Vec<(usize, usize, Option<Vec<u8>>)>,
    /// What is decided for root of a container that may do everything, in words.
    pub decision: String,
}

/// One argument.
#[derive(Debug)]
pub struct Argument {
    /// As it is recorded.
    pub text: String,
    /// For a C string in the guest: how many bytes of it are looked at.
    pub string: Option<usize>,
}

/// Copies a call in.
#[must_use]
pub fn copied(trap: Trap) -> Copied {
    let row = if trap.architecture == syscalls::AUDIT_ARCH { syscalls::by_number(trap.number) } else { None };
    let parameters = row.map_or(&[][..], |row| signature::of(row.name));
    let request = copyin::request(Registers::trapped(own_pid(), trap.number, trap.architecture, trap.arguments));
    let string = |kind: Kind| {
        let path = matches!(kind, Kind::Path).then_some(limits::GUEST_PATH);
        path.or(matches!(kind, Kind::Name).then_some(limits::GUEST_NAME))
    };
    let strings = parameters.iter().map(|parameter| string(parameter.kind));
    let facts = Facts { may_set_hostname: true, may_mount: true, effective_uid: Some(0) };
    Copied {
        what: request.what(),
        strings: strings_of(&request.subject),
        decision: format!("{:?}", decide::decide(&request, facts)),
        name: if let Subject::Name { name, .. } = &request.subject { Some(name.clone().ok()) } else { None },
        arguments: request
            .arguments
            .into_iter()
            .zip(strings)
            .map(|(argument, string)| Argument { text: argument.text, string })
            .collect(),
    }
}

fn strings_of(subject: &Subject) -> Vec<(usize, usize, Option<Vec<u8>>)> {
    if let Subject::Mount(call) = subject {
        return vec![
            told(0, limits::GUEST_PATH, &call.source),
            told(1, limits::GUEST_PATH, &call.target),
            told(2, limits::GUEST_NAME, &call.fstype),
            told(4, limits::GUEST_DATA, &call.data),
        ];
    }
    if let Subject::Unmount { target, .. } = subject { vec![told(0, limits::GUEST_PATH, target)] } else { Vec::new() }
}

fn told(place: usize, limit: usize, text: &Text) -> (usize, usize, Option<Vec<u8>>) {
    (place, limit, if let Text::Bytes(bytes) = text { Some(bytes.clone()) } else { None })
}

/// The line of `lazaret trace` for a call and what the kernel returned for it.
#[must_use]
pub fn traced(trap: Trap, mode: Option<Column>, result: i64, is_error: bool) -> String {
    let number = (u64::from(trap.number), trap.architecture);
    let call = Call::entered(own_pid(), number, trap.arguments, mode, true);
    call.line(own_pid(), Some((result, is_error)), Duration::ZERO)
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}
