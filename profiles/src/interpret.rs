//! A plain interpreter of the classic BPF that seccomp accepts, as strict as the kernel's own checker.
//!
//! The tests run emitted programs here against [`crate::plan::Plan::decide`]; a debugging command may run them to
//! explain an answer. It is not fast and installs nothing. The instructions are those that filters are made of:
//! load a word of `seccomp_data`, mask it, compare it with a constant, jump, return. Others are refused by name.

use thiserror::Error;

use crate::bpf::{Insn, MAX_INSNS, code};
use crate::word::{high, low};

/// What a filter sees of a call (`struct seccomp_data`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeccompData {
    /// System call number.
    pub nr: u32,
    /// AUDIT_ARCH value.
    pub arch: u32,
    /// Address of the instruction after the call.
    pub instruction_pointer: u64,
    /// Arguments.
    pub args: [u64; 6],
}

/// What is wrong with a program. The number is that of the instruction.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InterpretError {
    /// No instruction, or more than the kernel takes.
    #[error("a program has 1 to {MAX_INSNS} instructions, not {0}")]
    Length(usize),
    /// An operation that filters are not made of.
    #[error("instruction {at}: unknown operation {code:#06x}")]
    UnknownOperation {
        /// Where.
        at: usize,
        /// The operation.
        code: u16,
    },
    /// A load that is not one aligned word of `seccomp_data`.
    #[error("instruction {at}: no word of seccomp_data at offset {offset}")]
    BadLoad {
        /// Where.
        at: usize,
        /// The offset.
        offset: u32,
    },
    /// A jump past the end.
    #[error("instruction {0}: jump past the end")]
    BadJump(usize),
    /// The last instruction is no return.
    #[error("the program falls off its end")]
    NoReturn,
}

/// The size of `struct seccomp_data`, in bytes.
const DATA_SIZE: u32 = 64;

/// Checks a whole program, also what never runs, as the kernel does at installation.
///
/// # Errors
/// The first fault found, by position.
pub fn verify(program: &[Insn]) -> Result<(), InterpretError> {
    if program.is_empty() || program.len() > MAX_INSNS {
        return Err(InterpretError::Length(program.len()));
    }
    for (at, insn) in program.iter().enumerate() {
        let inside = |skip: u32| usize::try_from(skip).is_ok_and(|skip| skip < program.len() - at - 1);
        match insn.code {
            code::LOAD_WORD if insn.k % 4 == 0 && insn.k < DATA_SIZE => {}
            code::LOAD_WORD => return Err(InterpretError::BadLoad { at, offset: insn.k }),
            code::AND | code::RETURN => {}
            code::JUMP if inside(insn.k) => {}
            code::JUMP_EQUAL | code::JUMP_GREATER | code::JUMP_GREATER_EQUAL | code::JUMP_SET
                if inside(insn.jt.into()) && inside(insn.jf.into()) => {}
            code::JUMP | code::JUMP_EQUAL | code::JUMP_GREATER | code::JUMP_GREATER_EQUAL | code::JUMP_SET => {
                return Err(InterpretError::BadJump(at));
            }
            other => return Err(InterpretError::UnknownOperation { at, code: other }),
        }
    }
    match program.last() {
        Some(last) if last.code == code::RETURN => Ok(()),
        _ => Err(InterpretError::NoReturn),
    }
}

/// A program without faults, ready to run often.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'p>(&'p [Insn]);

impl<'p> Verified<'p> {
    /// Takes a program that passes [`verify`].
    ///
    /// # Errors
    /// What [`verify`] finds.
    pub fn new(program: &'p [Insn]) -> Result<Self, InterpretError> {
        verify(program).map(|()| Self(program))
    }

    /// Runs the program on one call; the result is a SECCOMP_RET value.
    ///
    /// # Errors
    /// None in practice: a verified program returns, because it jumps forward only and ends with a return.
    pub fn run(&self, data: &SeccompData) -> Result<u32, InterpretError> {
        let mut accumulator = 0;
        let mut at = 0;
        while let Some(insn) = self.0.get(at) {
            at += 1;
            let skip = match insn.code {
                code::RETURN => return Ok(insn.k),
                code::LOAD_WORD => {
                    accumulator = word(data, insn.k);
                    0
                }
                code::AND => {
                    accumulator &= insn.k;
                    0
                }
                code::JUMP => usize::try_from(insn.k).unwrap_or(usize::MAX),
                other => branch(insn, compare(other, accumulator, insn.k)),
            };
            at = at.saturating_add(skip);
        }
        Err(InterpretError::NoReturn)
    }
}

/// Verifies a program and runs it on one call; the result is a SECCOMP_RET value.
///
/// # Errors
/// What [`verify`] finds: a faulty program is not run.
pub fn run(program: &[Insn], data: &SeccompData) -> Result<u32, InterpretError> {
    Verified::new(program)?.run(data)
}

fn compare(operation: u16, accumulator: u32, operand: u32) -> bool {
    match operation {
        code::JUMP_EQUAL => accumulator == operand,
        code::JUMP_GREATER => accumulator > operand,
        code::JUMP_GREATER_EQUAL => accumulator >= operand,
        _ => accumulator & operand != 0, // JUMP_SET: verify has refused every other operation
    }
}

fn branch(insn: &Insn, holds: bool) -> usize {
    usize::from(if holds { insn.jt } else { insn.jf })
}

/// The word at a byte offset of `seccomp_data`, little endian.
fn word(data: &SeccompData, offset: u32) -> u32 {
    match offset {
        0 => data.nr,
        4 => data.arch,
        8 => low(data.instruction_pointer),
        12 => high(data.instruction_pointer),
        _ => {
            let index = usize::try_from((offset - 16) / 8).unwrap_or(usize::MAX);
            let value = data.args.get(index).copied().unwrap_or(0); // verify has bounded the offset
            if offset.is_multiple_of(8) { low(value) } else { high(value) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InterpretError, SeccompData, run, verify};
    use crate::bpf::{Insn, MAX_INSNS, code};

    const DATA: SeccompData = SeccompData {
        nr: 7,
        arch: 9,
        instruction_pointer: 0x1111_1111_2222_2222,
        args: [0x3333_3333_4444_4444, 0, 0, 0, 0, 0x5555_5555_6666_6666],
    };

    fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
        Insn { code, jt, jf, k }
    }

    fn ret(k: u32) -> Insn {
        insn(code::RETURN, 0, 0, k)
    }

    #[test]
    fn every_word_is_readable() {
        let expected = [
            7,
            9,
            0x2222_2222,
            0x1111_1111,
            0x4444_4444,
            0x3333_3333,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0x6666_6666,
            0x5555_5555,
        ];
        for (index, value) in (0..).zip(expected) {
            let program = [insn(code::LOAD_WORD, 0, 0, index * 4), insn(code::JUMP_EQUAL, 0, 1, value), ret(1), ret(2)];
            assert_eq!(run(&program, &DATA), Ok(1), "word {index}");
        }
    }

    #[test]
    fn comparisons_and_jumps_do_what_the_kernel_does() {
        let on_seven = |operation, k| {
            run(&[insn(code::LOAD_WORD, 0, 0, 0), insn(operation, 1, 0, k), ret(0), ret(1)], &DATA).unwrap() == 1
        };
        assert!(on_seven(code::JUMP_EQUAL, 7) && !on_seven(code::JUMP_EQUAL, 8));
        assert!(on_seven(code::JUMP_GREATER, 6) && !on_seven(code::JUMP_GREATER, 7));
        assert!(on_seven(code::JUMP_GREATER_EQUAL, 7) && !on_seven(code::JUMP_GREATER_EQUAL, 8));
        assert!(on_seven(code::JUMP_SET, 4) && !on_seven(code::JUMP_SET, 8));
        assert_eq!(run(&[insn(code::JUMP, 0, 0, 1), ret(0), ret(1)], &DATA), Ok(1));
        let masked =
            [insn(code::LOAD_WORD, 0, 0, 0), insn(code::AND, 0, 0, 3), insn(code::JUMP_EQUAL, 0, 1, 3), ret(1), ret(0)];
        assert_eq!(run(&masked, &DATA), Ok(1));
    }

    #[test]
    fn faulty_programs_are_refused_whole() {
        assert_eq!(verify(&[]), Err(InterpretError::Length(0)));
        assert_eq!(verify(&vec![ret(0); MAX_INSNS + 1]), Err(InterpretError::Length(MAX_INSNS + 1)));
        assert_eq!(verify(&[insn(code::LOAD_WORD, 0, 0, 0)]), Err(InterpretError::NoReturn));
        assert_eq!(verify(&[ret(0), insn(code::JUMP_EQUAL, 1, 0, 0), ret(0)]), Err(InterpretError::BadJump(1)));
        assert_eq!(verify(&[ret(0), insn(code::JUMP, 0, 0, u32::MAX), ret(0)]), Err(InterpretError::BadJump(1)));
        for offset in [1, 2, 64, u32::MAX - 3] {
            let program = [insn(code::LOAD_WORD, 0, 0, offset), ret(0)];
            assert_eq!(verify(&program), Err(InterpretError::BadLoad { at: 0, offset }));
        }
        let unknown = [insn(0x30, 0, 0, 0), ret(0)];
        assert_eq!(verify(&unknown), Err(InterpretError::UnknownOperation { at: 0, code: 0x30 }));
    }
}
