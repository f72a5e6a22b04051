//! One look at one register: is the argument, under a mask, inside one of these spans of values?
//!
//! Rules, plans and profiles are made of checks; the emitter turns them into BPF. A check sees registers only: what a
//! pointer leads to can change after the look, and so is never looked at.

/// The six arguments of a system call, as `seccomp_data.args` holds them.
pub type Arguments = [u64; 6];

/// Mask of an argument that the kernel takes as `int` or `unsigned int`: it ignores the upper half, and so must we.
/// A check on all 64 bits would be passed by a value whose upper half is set.
pub const INT: u64 = 0xffff_ffff;

/// Mask of an argument that the kernel takes as `long` or as a pointer.
pub const LONG: u64 = u64::MAX;

/// Values from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// The lowest value.
    pub first: u64,
    /// The highest value.
    pub last: u64,
}

/// A set of values as ascending spans: listed in the source, or made from a profile's comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spans {
    /// A list in the source.
    Listed(&'static [Span]),
    /// A single span.
    One([Span; 1]),
    /// Two spans.
    Two([Span; 2]),
}

impl Spans {
    /// The spans, ascending.
    #[must_use]
    pub const fn as_slice(&self) -> &[Span] {
        match self {
            Self::Listed(list) => list,
            Self::One(list) => list,
            Self::Two(list) => list,
        }
    }
}

/// A condition on one argument. Several in a row must all hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Check {
    /// Which argument, 0 to 5.
    pub arg: u8,
    /// The bits that count.
    pub mask: u64,
    /// The accepted values of `argument & mask`, ascending, not overlapping.
    pub spans: Spans,
}

impl Check {
    /// Whether the arguments pass. An argument index that does not exist passes nothing.
    #[must_use]
    pub fn holds(&self, args: &Arguments) -> bool {
        args.get(usize::from(self.arg)).is_some_and(|value| {
            let value = value & self.mask;
            self.spans.as_slice().iter().any(|span| span.first <= value && value <= span.last)
        })
    }
}
