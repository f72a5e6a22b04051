//! How the arguments of a call are written: their names, their kinds, and which of them tell one attempt from another.
//!
//! Called by `copyin` for records and by `trace` for its stream. Each call is described once, in `parameters` if the
//! filter can send it here and else in `untrapped`. A description and no policy: a wrong line here makes a record worse and changes no verdict.
//! That each call the filter can send here has a line, and no other call has one, is what
//! `every_trapped_call_has_a_signature` checks against the table.

mod parameters;
mod untrapped;
mod values;

/// One parameter of a system call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Its name in the manual page.
    pub(crate) name: &'static str,
    /// How its register is to be read.
    pub(crate) kind: Kind,
    /// Whether it stands in the line that tells one attempt from another. Addresses, ids and descriptors do not.
    pub(crate) telling: bool,
}

/// How a register is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A 32-bit signed number: ids, descriptors, sizes; the kernel ignores the upper half.
    Int,
    /// A 64-bit number or address, shown in hexadecimal.
    Word,
    /// A device number, shown as major:minor.
    Device,
    /// A file type and its permissions.
    FileMode,
    /// Where a C string of at most `limits::GUEST_PATH` bytes stands.
    Path,
    /// Where a C string of at most `limits::GUEST_NAME` bytes stands.
    Name,
    /// Where bytes stand whose number is the next argument; at most `limits::GUEST_NAME` are shown.
    Counted,
    /// One of these values; the kernel looks at 32 bits.
    OneOf(&'static [(u64, &'static str)]),
    /// These bits.
    Bits(&'static [(u64, &'static str)]),
    /// A value under `.0`, with the bits above it: the type of a socket and its flags.
    Masked(u64, &'static [(u64, &'static str)]),
}

/// The parameters of the call with this name. Empty for one that is never trapped: its record has no arguments.
pub(crate) fn of(name: &str) -> &'static [Parameter] {
    described(parameters::ALL, name).unwrap_or_default()
}

/// The parameters of the call with this name, trapped or not. `None` for one whose registers are all that can be shown.
pub(crate) fn of_any(name: &str) -> Option<&'static [Parameter]> {
    match of(name) {
        [] => described(untrapped::ALL, name),
        parameters => Some(parameters),
    }
}

fn described(table: &'static [(&str, &[Parameter])], name: &str) -> Option<&'static [Parameter]> {
    table.iter().find(|(known, _)| *known == name).map(|(_, parameters)| *parameters)
}

impl Kind {
    /// Whether it is read from guest memory.
    pub(crate) fn is_pointer(self) -> bool {
        matches!(self, Self::Path | Self::Name | Self::Counted)
    }

    /// The text of a value that needs no look at guest memory; `None` for the kinds that do.
    pub(crate) fn text(self, value: u64) -> Option<String> {
        let low = value & 0xffff_ffff;
        match self {
            Self::Int => Some(signed(low).to_string()),
            Self::Word => Some(hexadecimal(value)),
            Self::Device => Some(device(low)),
            Self::FileMode => Some(file_mode(low)),
            Self::OneOf(known) => Some(one_of(low, known)),
            Self::Bits(known) => Some(bits(value, known)),
            Self::Masked(mask, known) => Some(one_of(low & mask, known)),
            Self::Path | Self::Name | Self::Counted => None,
        }
    }
}

fn signed(low: u64) -> i32 {
    u32::try_from(low).unwrap_or_default().cast_signed()
}

fn hexadecimal(value: u64) -> String {
    if value == 0 { "0".to_owned() } else { format!("{value:#x}") }
}

/// The encoding of `new_decode_dev` in `include/linux/kdev_t.h`: minor 0-7, major 8-19, minor 20-31.
fn device(low: u64) -> String {
    format!("{}:{}", low >> 8 & 0xfff, low & 0xff | low >> 12 & 0xf_ff00)
}

/// `S_IFMT` and the rest, as in stat(2).
fn file_mode(low: u64) -> String {
    let (kind, permissions) = (low & 0o170_000, low & 0o7777);
    format!("{}|{permissions:#o}", one_of(kind, values::FILE_TYPES))
}

fn one_of(low: u64, known: &[(u64, &str)]) -> String {
    known.iter().find(|(value, _)| *value == low).map_or_else(|| hexadecimal(low), |(_, name)| (*name).to_owned())
}

fn bits(value: u64, known: &[(u64, &str)]) -> String {
    let mut rest = value;
    let mut names = Vec::new();
    for (bit, name) in known {
        if value & bit == *bit {
            rest &= !bit;
            names.push((*name).to_owned());
        }
    }
    if rest != 0 || names.is_empty() {
        names.push(hexadecimal(rest));
    }
    names.join("|")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lazaret_profiles::class::Class;
    use lazaret_profiles::syscalls::{self, Column, Row};

    use super::*;

    #[test]
    fn every_trapped_call_has_a_signature() {
        let is_trapped = |row: &&Row| {
            let choices = Column::ALL.iter().map(|column| row.choice(*column)).chain(row.guarded);
            let mut classes = choices.map(|choice| choice.class);
            classes.any(|class| matches!(class, Class::Arg(_) | Class::Emulate(_) | Class::DenyNotify(_)))
        };
        let trapped: BTreeSet<&str> = syscalls::TABLE.iter().filter(is_trapped).map(|row| row.name).collect();
        let described: BTreeSet<&str> = parameters::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(described, trapped);
        assert_eq!(described.len(), parameters::ALL.len(), "a name stands twice");
    }

    #[test]
    fn every_untrapped_signature_is_a_call_of_the_table_and_described_once() {
        let trapped = parameters::ALL.iter().map(|(name, _)| *name);
        let untrapped = untrapped::ALL.iter().map(|(name, _)| *name);
        let mut seen = BTreeSet::new();
        for name in trapped.chain(untrapped) {
            assert!(syscalls::by_name(name).is_some(), "{name}");
            assert!(seen.insert(name), "{name} stands twice");
        }
    }

    #[test]
    fn no_signature_has_more_than_six_parameters_and_counted_is_followed_by_its_count() {
        for (name, parameters) in parameters::ALL.iter().chain(untrapped::ALL) {
            assert!(parameters.len() <= 6, "{name}");
            for (at, parameter) in parameters.iter().enumerate() {
                if matches!(parameter.kind, Kind::Counted) {
                    assert!(matches!(parameters.get(at + 1), Some(Parameter { kind: Kind::Int, .. })), "{name}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_shown_as_the_kernel_reads_them() {
        assert_eq!(Kind::Int.text(0xdead_0000_ffff_ffff).unwrap(), "-1");
        assert_eq!(Kind::Word.text(0xdead_0000_ffff_ffff).unwrap(), "0xdead0000ffffffff");
        assert_eq!(Kind::Device.text(0x0801).unwrap(), "8:1");
        assert_eq!(Kind::FileMode.text(0o060_600).unwrap(), "S_IFBLK|0o600");
    }

    #[test]
    fn names_are_found_and_the_rest_is_shown_as_a_number() {
        let parameters = of("unshare");
        let [flags] = parameters else { panic!("one parameter") };
        assert_eq!(flags.kind.text(0x1002_0000).unwrap(), "CLONE_NEWNS|CLONE_NEWUSER");
        assert_eq!(flags.kind.text(0x1000_0001).unwrap(), "CLONE_NEWUSER|0x1");
        assert_eq!(flags.kind.text(0).unwrap(), "0");
        assert_eq!(Kind::OneOf(&[(1, "A")]).text(0x7_0000_0001).unwrap(), "A");
        assert_eq!(Kind::OneOf(&[(1, "A")]).text(2).unwrap(), "0x2");
        assert_eq!(Kind::Masked(0xf, &[(1, "A")]).text(0x8_0001).unwrap(), "A");
        assert!(of("read").is_empty());
        assert!(matches!(of_any("read"), Some([_, _, Parameter { kind: Kind::Int, .. }])));
        assert!(matches!(of_any("fork"), Some([])));
        assert!(of_any("no_such_call").is_none());
    }
}
