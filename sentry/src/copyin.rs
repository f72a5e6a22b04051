//! From guest memory to a [`Request`]: bounded before anything is allocated, and each byte copied once.
//!
//! Called by `crew`; `court` asks afterwards whether the caller still waits: until then what stands here may have
//! come from another process with the same id. Must not decide, and nothing after it reads guest memory again.

use lazaret_profiles::syscalls::Row;

use crate::dispatch::{self, Route};
use crate::limits;
use crate::request::{AddressFault, Argument, HIDDEN, MountCall, NULL, NameFault, Request, Subject, Text, UNREADABLE};
use crate::signature::{self, Kind, Parameter};
#[cfg(any(test, feature = "fuzz-door"))]
use crate::verdict::Registers;
use crate::verdict::{Outline, Pointers};
use crate::{socket_address, text};

/// The smallest page of any architecture: a string is read up to such a border and no further, since the page behind
/// it may be missing.
const PAGE: u64 = 4096;

/// What the tables say of a call: looked up once, and known before anything of its memory is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described {
    row: Option<&'static Row>,
    /// Who looks at it.
    pub(crate) route: Route,
    parameters: &'static [Parameter],
    has_pointers: bool,
}

impl Described {
    /// A call with these registers.
    pub(crate) fn of(call: &Outline) -> Self {
        let (row, route) = dispatch::route(call);
        let parameters = row.map_or(&[][..], |row| signature::of(row.name));
        let has_pointers = parameters.iter().any(|parameter| parameter.kind.is_pointer());
        Self { row, route, parameters, has_pointers }
    }

    /// Whether something of its memory is copied, or written to.
    pub(crate) fn looks_at_memory(&self) -> bool {
        self.route == Route::Sysinfo || self.has_pointers
    }

    /// Copies what it says and points to. Of one that may not be looked at (`Outline::blind`): as if nothing could be read.
    pub(crate) fn request(&self, call: &Pointers) -> Request {
        let is_copied = !call.is_blind() && self.has_pointers;
        let mut arguments = arguments(call, self.parameters);
        let subject = match self.route {
            Route::Refuse(errno, reason) => Subject::Refused { errno, reason },
            Route::Mount => {
                let call = mount(call);
                let strings = [&call.source, &call.target, &call.fstype].map(Text::shown);
                let flags = arguments.get(3).map(|flags| flags.text.clone()).unwrap_or_default();
                let data = if call.may_be_shown() { call.data.shown() } else { HIDDEN.to_owned() };
                // One copy serves both: the record names the very bytes that are decided on.
                for (argument, shown) in arguments.iter_mut().zip(strings.into_iter().chain([flags, data])) {
                    argument.text = shown;
                }
                Subject::Mount(Box::new(call))
            }
            Route::Unmount => {
                let [target, flags, ..] = *call.arguments();
                let target = guest_text(call, target, limits::GUEST_PATH);
                if let Some(argument) = arguments.first_mut() {
                    argument.text = target.shown();
                }
                // An int to the kernel.
                Subject::Unmount { target, flags: flags & 0xffff_ffff }
            }
            Route::Name { domain } => {
                let name = name(call);
                if let (Ok(bytes), Some(argument)) = (&name, arguments.first_mut()) {
                    // One copy serves both: the record names the very bytes that are decided on.
                    argument.text = text::cut(bytes, limits::RECORDED_TEXT);
                }
                Subject::Name { domain, name }
            }
            Route::Sysinfo => Subject::Sysinfo { address: call.arguments()[0] },
            Route::Connect => {
                let [fd, ..] = *call.arguments();
                let address = peer(call);
                if let (Ok(bytes), Some(argument)) = (&address, arguments.get_mut(1)) {
                    argument.text = text::cut(socket_address::text(bytes).as_bytes(), limits::RECORDED_TEXT);
                }
                // The kernel looks at the low half.
                Subject::Connect { fd: u32::try_from(fd & 0xffff_ffff).unwrap_or_default().cast_signed(), address }
            }
        };
        Request {
            number: call.number(),
            syscall: self.row.map_or_else(|| format!("#{}", call.number()), |row| row.name.to_owned()),
            rule: self.row.map_or("unknown", |row| row.decided_by(call.arguments()).class.label()),
            arguments,
            subject,
            is_copied,
        }
    }
}

/// Copies what `registers` say and point to.
#[cfg(any(test, feature = "fuzz-door"))]
pub(crate) fn request(registers: Registers) -> Request {
    Described::of(&registers.outline()).request(&registers.follow())
}

/// The arguments as text; what they point to is copied within the bounds of [`limits`].
pub(crate) fn arguments(call: &Pointers, parameters: &[Parameter]) -> Vec<Argument> {
    parameters
        .iter()
        .zip(*call.arguments())
        .map(|(parameter, value)| Argument {
            name: parameter.name,
            text: parameter.kind.text(value).unwrap_or_else(|| pointed_to(call, parameter.kind, value)),
            telling: parameter.telling,
        })
        .collect()
}

fn pointed_to(call: &Pointers, kind: Kind, address: u64) -> String {
    let limit = match kind {
        Kind::Path => limits::GUEST_PATH,
        Kind::Name => limits::GUEST_NAME,
        // What is counted is copied where it is decided upon; a record alone is no reason to copy it.
        Kind::Counted => return UNREADABLE.to_owned(),
        Kind::Int | Kind::Word | Kind::Device | Kind::FileMode | Kind::OneOf(_) | Kind::Bits(_) | Kind::Masked(..) => {
            return kind.text(address).unwrap_or_default();
        }
    };
    if address == 0 {
        return NULL.to_owned();
    }
    match string(call, address, limit) {
        Some(bytes) => text::cut(&bytes, limits::RECORDED_TEXT),
        None => UNREADABLE.to_owned(),
    }
}

/// The arguments of mount(2).
fn mount(call: &Pointers) -> MountCall {
    let [source, target, fstype, flags, data, _] = *call.arguments();
    MountCall {
        source: guest_text(call, source, limits::GUEST_PATH),
        target: guest_text(call, target, limits::GUEST_PATH),
        fstype: guest_text(call, fstype, limits::GUEST_NAME),
        flags,
        data: guest_text(call, data, limits::GUEST_DATA),
    }
}

/// The C string at `address`, of fewer than `limit` bytes.
fn guest_text(call: &Pointers, address: u64, limit: usize) -> Text {
    if address == 0 {
        return Text::Null;
    }
    match string(call, address, limit) {
        None => Text::Unreadable,
        Some(bytes) if bytes.len() >= limit => Text::TooLong,
        Some(bytes) => Text::Bytes(bytes),
    }
}

/// The C string at `address` without its end, or its first `limit` bytes. `None` when its first part cannot be read, or
/// when it runs into memory that cannot.
fn string(call: &Pointers, address: u64, limit: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit);
    while bytes.len() < limit {
        let from = address.checked_add(u64::try_from(bytes.len()).ok()?)?;
        let to_border = usize::try_from(PAGE - from % PAGE).ok()?;
        let start = bytes.len();
        bytes.resize(limit.min(start.checked_add(to_border)?), 0);
        let wanted = bytes.len() - start;
        let read = call.read(from, bytes.get_mut(start..)?).ok()?;
        if let Some(end) = bytes.get(start..)?.iter().take(read).position(|byte| *byte == 0) {
            bytes.truncate(start + end);
            return Some(bytes);
        }
        if read < wanted {
            return None;
        }
    }
    Some(bytes)
}

/// The bytes of sethostname(2): argument 0 points to as many as argument 1 (an int) says.
fn name(call: &Pointers) -> Result<Vec<u8>, NameFault> {
    let [address, len, ..] = *call.arguments();
    let len = usize::try_from(len & 0xffff_ffff).map_err(|_beyond_memory| NameFault::TooLong)?;
    if len > limits::HOSTNAME {
        return Err(NameFault::TooLong);
    }
    exactly(call, address, len).ok_or(NameFault::Unreadable)
}

/// The address of connect(2): argument 1 points to as many bytes as argument 2 (an int) says.
fn peer(call: &Pointers) -> Result<Vec<u8>, AddressFault> {
    let [_, address, length, ..] = *call.arguments();
    let length = usize::try_from(length & 0xffff_ffff).map_err(|_beyond_memory| AddressFault::TooLong)?;
    if length > limits::SOCKET_ADDRESS {
        return Err(AddressFault::TooLong);
    }
    exactly(call, address, length).ok_or(AddressFault::Unreadable)
}

/// So many bytes at `address`, or none.
fn exactly(call: &Pointers, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = if length > 0 { call.read(address, &mut bytes).ok()? } else { 0 };
    (read == length).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use lazaret_profiles::syscalls;

    use super::*;

    fn own_pid() -> i32 {
        i32::try_from(std::process::id()).unwrap()
    }

    fn own() -> Pointers {
        Registers::trapped(own_pid(), 0, 0, [0; 6]).follow()
    }

    fn address(bytes: &[u8]) -> u64 {
        u64::try_from(bytes.as_ptr().addr()).unwrap()
    }

    fn call(name: &str, arguments: [u64; 6]) -> Registers {
        Registers::trapped(own_pid(), syscalls::by_name(name).unwrap().number, syscalls::AUDIT_ARCH, arguments)
    }

    #[test]
    fn strings_end_at_their_nul_or_at_the_limit() {
        let text = b"/some/where\0beyond\0";
        assert_eq!(string(&own(), address(text), 4096).unwrap(), b"/some/where");
        assert_eq!(string(&own(), address(text), 5).unwrap(), b"/some");
        assert_eq!(string(&own(), 8, 4096), None);
        assert_eq!(string(&own(), u64::MAX, 4096), None);
    }

    #[test]
    fn strings_go_on_over_page_borders() {
        let mut long = vec![b'x'; 9000];
        long.push(0);
        assert_eq!(string(&own(), address(&long), limits::GUEST_PATH).unwrap().len(), limits::GUEST_PATH);
        assert_eq!(string(&own(), address(&long), 10_000).unwrap().len(), 9000);
    }

    #[test]
    fn mount_is_decoded_whole() {
        let (source, target, kind) = (b"none\0", b"/mnt\0", b"tmpfs\0");
        let request = request(call("mount", [address(source), address(target), address(kind), 0x1006, 0, 0]));
        assert_eq!(request.what(), "mount -o MS_NOSUID|MS_NODEV|MS_BIND none on /mnt");
        assert_eq!(request.argument("flags"), Some("MS_NOSUID|MS_NODEV|MS_BIND"));
        assert_eq!(request.argument("data"), Some(NULL));
        let Subject::Mount(call) = request.subject else { panic!("not a mount") };
        assert_eq!((call.source, call.target), (Text::Bytes(b"none".into()), Text::Bytes(b"/mnt".into())));
        assert_eq!((call.fstype, call.flags, call.data), (Text::Bytes(b"tmpfs".into()), 0x1006, Text::Null));
    }

    #[test]
    fn options_are_shown_of_file_systems_that_have_no_passwords() {
        let (data, known, other) = (b"size=1k\0", b"tmpfs\0", b"cifs\0");
        let shown = |kind: &[u8]| {
            let request = request(call("mount", [0, address(b"/mnt\0"), address(kind), 0, address(data), 0]));
            request.argument("data").unwrap().to_owned()
        };
        assert_eq!((shown(known).as_str(), shown(other).as_str()), ("size=1k", "…"));
    }

    #[test]
    fn null_and_wild_pointers_are_written_as_such() {
        let request = request(call("mount", [0, 8, 0, 0, 0, 0]));
        assert_eq!(request.argument("source"), Some(NULL));
        assert_eq!(request.argument("target"), Some(UNREADABLE));
    }

    #[test]
    fn name_is_copied_only_within_its_bound() {
        let name = b"quarantine-and-more";
        let of = |len: u64, at: u64| {
            let request = request(call("sethostname", [at, len, 0, 0, 0, 0]));
            let Subject::Name { domain: false, name } = request.subject else { panic!("{request:?}") };
            name
        };
        assert_eq!(of(10, address(name)), Ok(b"quarantine".to_vec()));
        assert_eq!(of(0, 0), Ok(Vec::new()));
        assert_eq!(of(65, address(name)), Err(NameFault::TooLong));
        assert_eq!(of(0xffff_ffff, address(name)), Err(NameFault::TooLong));
        assert_eq!(of(10, 8), Err(NameFault::Unreadable));
    }

    #[test]
    fn rule_is_that_of_the_mode_that_refused() {
        assert_eq!(request(call("setns", [0; 6])).rule, "refused and recorded");
        assert_eq!(request(call("unshare", [0x1000_0000, 0, 0, 0, 0, 0])).rule, "argument-checked");
        assert_eq!(request(call("shmget", [0; 6])).rule, "refused and recorded");
        assert_eq!(request(call("sendto", [0, 0, 0, 1, 0, 0])).rule, "argument-checked");
    }

    #[test]
    fn unknown_number_is_named_by_its_number() {
        let request = request(Registers::trapped(own_pid(), 9999, syscalls::AUDIT_ARCH, [0; 6]));
        assert_eq!((request.syscall.as_str(), request.arguments.len()), ("#9999", 0));
    }
}
