//! The emitter: a plan as a classic BPF program for seccomp(2).
//!
//! The launcher installs what [`emit`] returns. The program looks at the architecture first, then finds the number's
//! action by a search tree over ranges of equal action, then, for a few numbers, looks at arguments. It makes no
//! decision of its own: [`crate::plan::Plan::decide`] says the same, and the tests compare the two.

use thiserror::Error;

use crate::plan::Plan;

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Insn {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when a comparison holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// The operations that programs are made of (linux/bpf_common.h, with K as the operand's source).
pub mod code {
    /// A = the word of `seccomp_data` at byte offset k (BPF_LD | BPF_W | BPF_ABS).
    pub const LOAD_WORD: u16 = 0x20;
    /// A &= k (BPF_ALU | BPF_AND | BPF_K).
    pub const AND: u16 = 0x54;
    /// Skip k instructions (BPF_JMP | BPF_JA).
    pub const JUMP: u16 = 0x05;
    /// A == k? (BPF_JMP | BPF_JEQ | BPF_K).
    pub const JUMP_EQUAL: u16 = 0x15;
    /// A > k? (BPF_JMP | BPF_JGT | BPF_K).
    pub const JUMP_GREATER: u16 = 0x25;
    /// A >= k? (BPF_JMP | BPF_JGE | BPF_K).
    pub const JUMP_GREATER_EQUAL: u16 = 0x35;
    /// A & k? (BPF_JMP | BPF_JSET | BPF_K).
    pub const JUMP_SET: u16 = 0x45;
    /// The answer is k (BPF_RET | BPF_K).
    pub const RETURN: u16 = 0x06;
}

/// A program, as seccomp(2) takes it.
pub type Program = Vec<Insn>;

/// The most instructions that the kernel takes (BPF_MAXINSNS).
pub const MAX_INSNS: usize = 4096;

/// Why no program was made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EmitError {
    /// The kernel would not take it.
    #[error("the filter program exceeds {MAX_INSNS} instructions")]
    TooLong,
    /// A check names an argument that no system call has.
    #[error("no system call has an argument {0}")]
    NoSuchArgument(u8),
}

/// The program of a plan: deterministic, at most [`MAX_INSNS`] long.
///
/// # Errors
/// [`EmitError`] when the plan is too large for one program or names an argument above 5.
pub fn emit(_plan: &Plan) -> Result<Program, EmitError> {
    Err(EmitError::TooLong)
}
