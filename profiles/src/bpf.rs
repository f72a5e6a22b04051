//! The emitter: a plan as a classic BPF program for seccomp(2).
//!
//! The launcher installs what [`emit`] returns. The program looks at the architecture first, then finds the number's
//! action by a search tree over ranges of equal action, then, for a few numbers, looks at arguments. It makes no
//! decision of its own: [`crate::plan::Plan::decide`] says the same, and the tests compare the two.

mod arguments;
mod assemble;
mod graph;
mod tree;

use thiserror::Error;

use crate::plan::{Action, Plan};
use crate::syscalls::{AUDIT_ARCH, X32_BIT};
use graph::{Graph, Node, NodeId, Test};
use tree::Range;

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
pub fn emit(plan: &Plan) -> Result<Program, EmitError> {
    let mut graph = Graph::new();
    let number = numbers(&mut graph, plan)?;
    let root = architectures(&mut graph, plan, number)?;
    assemble::assemble(&graph, root)
}

/// Offsets in `struct seccomp_data`.
const NR: u32 = 0;
const ARCH: u32 = 4;

/// Another architecture's numbers mean other calls: it is looked at before anything else.
fn architectures(graph: &mut Graph, plan: &Plan, number: NodeId) -> Result<NodeId, EmitError> {
    let mut node = graph.add(Node::Return(answer(Action::KillProcess)))?;
    for (arch, action) in plan.foreign().iter().rev() {
        let yes = graph.add(Node::Return(answer(*action)))?;
        node = graph.add(Node::Branch { test: Test::Equal(*arch), yes, no: node })?;
    }
    let native = graph.add(Node::Branch { test: Test::Equal(AUDIT_ARCH), yes: number, no: node })?;
    graph.add(Node::Load { offset: ARCH, next: native })
}

fn numbers(graph: &mut Graph, plan: &Plan) -> Result<NodeId, EmitError> {
    let unknown = graph.add(Node::Return(answer(plan.unknown())))?;
    let x32 = graph.add(Node::Return(answer(plan.x32())))?;
    let mut ranges = vec![Range { start: 0, node: unknown }];
    for (number, decision) in plan.decisions() {
        let node = arguments::decision(graph, decision)?;
        append(&mut ranges, Range { start: *number, node });
        append(&mut ranges, Range { start: *number + 1, node: unknown });
    }
    append(&mut ranges, Range { start: X32_BIT, node: x32 });
    let search = tree::search(graph, &merged(&ranges))?.unwrap_or(unknown);
    graph.add(Node::Load { offset: NR, next: search })
}

/// A range that starts where the last one does takes its place.
fn append(ranges: &mut Vec<Range>, range: Range) {
    if ranges.last().is_some_and(|last| last.start == range.start) {
        ranges.pop();
    }
    ranges.push(range);
}

/// Neighbours that lead to the same node are one range.
fn merged(ranges: &[Range]) -> Vec<Range> {
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        if merged.last().is_none_or(|last| last.node != range.node) {
            merged.push(*range);
        }
    }
    merged
}

/// The value that a program returns for an action (linux/seccomp.h).
#[must_use]
pub fn answer(action: Action) -> u32 {
    match action {
        Action::KillProcess => 0x8000_0000,
        Action::KillThread => 0x0000_0000,
        Action::Trap => 0x0003_0000,
        Action::Errno(errno) => 0x0005_0000 | u32::from(errno),
        Action::Notify => 0x7fc0_0000,
        Action::Trace(data) => 0x7ff0_0000 | u32::from(data),
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    }
}
