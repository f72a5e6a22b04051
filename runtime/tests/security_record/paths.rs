//! Every way through a filter program for a call of which some bits are known and the others are the attacker's.
//!
//! `probe` calls it. Where a comparison hangs on an unknown bit both ways are walked, so what is found holds for every
//! value of those bits: an answer that is not in the set cannot be had.

use std::collections::BTreeSet;

use lazaret_profiles::bpf::{Insn, code};

/// A word with the bits of `mask` known to be those of `value`.
#[derive(Clone, Copy)]
struct Word {
    mask: u32,
    value: u32,
}

const UNKNOWN: Word = Word { mask: 0, value: 0 };

impl Word {
    fn set(&mut self, mask: u32, value: u32) {
        self.value = (self.value & !mask) | (value & mask);
        self.mask |= mask;
    }

    fn least(self) -> u32 {
        self.value & self.mask
    }

    fn most(self) -> u32 {
        self.least() | !self.mask
    }
}

/// `struct seccomp_data` as far as it is known: 16 words of 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Known([Word; 16]);

impl Known {
    /// A call of this architecture. The number, the instruction pointer and the arguments are open.
    pub(crate) fn of_architecture(arch: u32) -> Self {
        let mut words = [UNKNOWN; 16];
        words[1].set(u32::MAX, arch);
        Self(words)
    }

    /// The same with this number.
    pub(crate) fn numbered(mut self, nr: u32) -> Self {
        self.0[0].set(u32::MAX, nr);
        self
    }

    /// The same with these bits of an argument.
    pub(crate) fn with_argument(mut self, index: usize, mask: u64, value: u64) -> Self {
        for (half, shift) in [(0, 0), (1, 32)] {
            let part = |bits: u64| u32::try_from((bits >> shift) & u64::from(u32::MAX)).unwrap();
            self.0[4 + 2 * index + half].set(part(mask), part(value));
        }
        self
    }
}

/// Every answer (a SECCOMP_RET value) that the program gives to calls like `known`.
pub(crate) fn answers(program: &[Insn], known: Known) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    walk(program, State { at: 0, accumulator: UNKNOWN, source: 0, kept: 0, known: known.0 }, &mut found);
    found
}

#[derive(Clone, Copy)]
struct State {
    at: usize,
    accumulator: Word,
    /// The word that the accumulator came from, and the bits of it that an AND has left.
    source: usize,
    kept: u32,
    known: [Word; 16],
}

fn walk(program: &[Insn], mut state: State, found: &mut BTreeSet<u32>) {
    loop {
        let insn = program[state.at];
        state.at += 1;
        match insn.code {
            code::RETURN => {
                found.insert(insn.k);
                return;
            }
            code::LOAD_WORD => {
                state.source = usize::try_from(insn.k / 4).unwrap();
                state.accumulator = state.known[state.source];
                state.kept = u32::MAX;
            }
            code::AND => {
                state.accumulator.set(!insn.k, 0);
                state.kept &= insn.k;
            }
            code::JUMP => state.at += usize::try_from(insn.k).unwrap(),
            _ => {
                for holds in [true, false] {
                    if let Some(next) = branch(state, insn, holds) {
                        walk(program, next, found);
                    }
                }
                return;
            }
        }
    }
}

/// The state after a comparison that holds or not; `None` where it cannot be so.
fn branch(mut state: State, insn: Insn, holds: bool) -> Option<State> {
    let (word, k) = (state.accumulator, insn.k);
    let (can_hold, can_fail) = match insn.code {
        code::JUMP_EQUAL => ((word.value ^ k) & word.mask == 0, word.mask != u32::MAX || word.value != k),
        code::JUMP_GREATER => (word.most() > k, word.least() <= k),
        code::JUMP_GREATER_EQUAL => (word.most() >= k, word.least() < k),
        code::JUMP_SET => (word.most() & k != 0, word.least() & k == 0),
        other => panic!("an operation that filters are not made of: {other:#x}"),
    };
    if !(if holds { can_hold } else { can_fail }) {
        return None;
    }
    // What the outcome tells about the word is remembered for the comparisons to come.
    let learnt = match (insn.code, holds) {
        (code::JUMP_EQUAL, true) => Some((state.kept, k)),
        (code::JUMP_SET, false) => Some((k & state.kept, 0)),
        _ => None,
    };
    if let Some((mask, value)) = learnt {
        state.known[state.source].set(mask, value);
        state.accumulator.set(mask, value);
    }
    state.at += usize::from(if holds { insn.jt } else { insn.jf });
    Some(state)
}
