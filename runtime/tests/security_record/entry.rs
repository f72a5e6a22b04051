//! What a vulnerability is here: its number, what it is, and the surface that an attacker inside needs for it, as data.
//!
//! `data` holds the entries, `probe` decides about them, `document` writes them down. Nothing is decided here.

use serde_json::Value;

/// A chapter of the record.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    /// Its heading.
    pub(crate) title: &'static str,
    /// Its entries.
    pub(crate) entries: &'static [Entry],
}

/// One vulnerability.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Its number in the CVE list.
    pub(crate) id: &'static str,
    /// What it is, in one line.
    pub(crate) what: &'static str,
    /// What an attacker inside needs, all of it.
    pub(crate) needs: &'static [Need],
}

pub(crate) const fn entry(id: &'static str, what: &'static str, needs: &'static [Need]) -> Entry {
    Entry { id, what, needs }
}

/// One piece of surface.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// A system call with these arguments. What is not named is the attacker's to choose.
    Call {
        /// As a reader would write it.
        text: &'static str,
        /// The kernel's name.
        name: &'static str,
        /// The arguments that count.
        arguments: &'static [Argument],
    },
    /// One of several ways to the same thing.
    Any(&'static str, &'static [Need]),
    /// A capability in the user namespace of the sandbox.
    Capability(&'static str),
    /// A character device of the host.
    Device {
        /// Its usual path.
        path: &'static str,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A file of procfs or sysfs that can be written to.
    Write(&'static str),
    /// A bundle that asks for this; the mode must refuse it for the field of this name.
    Bundle {
        /// What it asks for.
        what: &'static str,
        /// The change of an admissible configuration.
        change: fn(&mut Value),
        /// The beginning of the field that the refusal names.
        field: &'static str,
    },
    /// A weakness of a runtime that lazaret has not, as these tests of the host lane show (`file::test`).
    Weakness {
        /// The weakness.
        what: &'static str,
        /// Its proofs.
        proofs: &'static [&'static str],
    },
    /// Something outside of the runtime, which it cannot close.
    Outside(&'static str),
}

/// What an argument must be: `value` under `mask`; other bits are the attacker's to choose.
#[derive(Clone, Copy)]
pub(crate) struct Argument {
    /// Which, 0 to 5.
    pub(crate) index: usize,
    /// The bits that the kernel looks at for this.
    pub(crate) mask: u64,
    /// Their value.
    pub(crate) value: u64,
}

/// `call!("text", name, index: mask => value, …)`; without a text it is the name.
macro_rules! call {
    ($name:ident) => { call!(stringify!($name), $name,) };
    ($text:expr, $name:ident, $($index:literal: $mask:expr => $value:expr),*) => {
        $crate::entry::Need::Call {
            text: $text,
            name: stringify!($name),
            arguments: &[$($crate::entry::Argument { index: $index, mask: $mask, value: $value }),*],
        }
    };
}
pub(crate) use call;

impl Need {
    /// As a reader would write it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Call { text, .. } | Self::Any(text, _) => (*text).to_owned(),
            Self::Capability(name) => format!("{name} in the sandbox's user namespace"),
            Self::Device { path, .. } => format!("the device {path}"),
            Self::Write(path) => format!("{path}, open for writing"),
            Self::Bundle { what, .. } => format!("a bundle with {what}"),
            Self::Weakness { what, .. } | Self::Outside(what) => (*what).to_owned(),
        }
    }

    /// The tests of the host lane that the verdict rests on beside the probe.
    pub(crate) fn proofs(&self) -> &'static [&'static str] {
        if let Self::Weakness { proofs, .. } = self { proofs } else { &[] }
    }
}
