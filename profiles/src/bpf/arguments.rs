//! A decision's checks on arguments, as nodes.
//!
//! Only the emitter uses it. A check loads a word, masks it and compares it with the check's spans. Where the word is
//! in the accumulator already, because the check before looked at the same one, the load is skipped: [`Entry`] keeps
//! the places where a check can be entered. A check on all 64 bits compares two words, low half first: it is the half
//! that tells calls apart.

use super::graph::{Graph, Node, NodeId, Test};
use super::{EmitError, answer};
use crate::check::{Check, Span};
use crate::plan::{Arm, Decision};
use crate::word::{high, low};

/// What the accumulator holds: the word at an offset of `seccomp_data`, under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    offset: u32,
    mask: u32,
}

/// Where a sequence of checks can be entered.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// With anything in the accumulator.
    cold: NodeId,
    /// With these words in it.
    warm: [Option<(Word, NodeId)>; 2],
}

impl Entry {
    fn cold(node: NodeId) -> Self {
        Self { cold: node, warm: [None, None] }
    }

    fn with(self, held: Word) -> NodeId {
        self.warm.iter().flatten().find(|(word, _)| *word == held).map_or(self.cold, |(_, node)| *node)
    }
}

/// The first node of a decision.
pub(super) fn decision(graph: &mut Graph, decision: &Decision) -> Result<NodeId, EmitError> {
    enter(graph, decision).map(|entry| entry.cold)
}

fn enter(graph: &mut Graph, decision: &Decision) -> Result<Entry, EmitError> {
    let mut rest = Entry::cold(graph.add(Node::Return(answer(decision.otherwise)))?);
    for each in decision.arms.iter().rev() {
        rest = arm(graph, each, rest)?;
    }
    Ok(rest)
}

fn arm(graph: &mut Graph, arm: &Arm, rest: Entry) -> Result<Entry, EmitError> {
    let mut passed = enter(graph, &arm.then)?;
    for each in arm.checks.iter().rev() {
        passed = check(graph, each, passed, rest)?;
    }
    Ok(passed)
}

fn check(graph: &mut Graph, check: &Check, yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    if check.arg > 5 {
        return Err(EmitError::NoSuchArgument(check.arg));
    }
    let offset = 16 + 8 * u32::from(check.arg);
    let words = Words {
        low: Word { offset, mask: low(check.mask) },
        high: Word { offset: offset + 4, mask: high(check.mask) },
    };
    let spans = check.spans.as_slice();
    if words.high.mask == 0 { narrow(graph, words.low, spans, yes, no) } else { wide(graph, words, spans, yes, no) }
}

/// A check on the low word alone.
fn narrow(graph: &mut Graph, word: Word, spans: &[Span], yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    let largest = u64::from(word.mask);
    if let ([Span { first: 0, last: 0 }], true) = (spans, word.mask != u32::MAX) {
        return no_bit(graph, word, yes, no);
    }
    let (inside, outside) = (yes.with(word), no.with(word));
    let mut node = outside;
    for span in spans.iter().rev().filter(|span| span.first <= largest) {
        let (first, last) = (low(span.first), low(span.last.min(largest)));
        if first == last {
            node = graph.add(Node::Branch { test: Test::Equal(first), yes: inside, no: node })?;
            continue;
        }
        let mut upper = inside;
        if last < word.mask {
            upper = graph.add(Node::Branch { test: Test::Greater(last), yes: node, no: inside })?;
        }
        // Spans ascend: what is below this one is outside all that follow.
        node = if first == 0 {
            upper
        } else {
            graph.add(Node::Branch { test: Test::GreaterEqual(first), yes: upper, no: outside })?
        };
    }
    load(graph, word, node)
}

/// "None of these bits" leaves the whole word in the accumulator, for the next check.
fn no_bit(graph: &mut Graph, word: Word, yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    let whole = Word { mask: u32::MAX, ..word };
    let node = graph.add(Node::Branch { test: Test::AnyBit(word.mask), yes: no.with(whole), no: yes.with(whole) })?;
    load(graph, whole, node)
}

/// The ways into a node that expects this word.
fn load(graph: &mut Graph, word: Word, node: NodeId) -> Result<Entry, EmitError> {
    let whole = Word { mask: u32::MAX, ..word };
    if word == whole {
        let cold = graph.add(Node::Load { offset: word.offset, next: node })?;
        return Ok(Entry { cold, warm: [Some((word, node)), None] });
    }
    let masked = graph.add(Node::And { mask: word.mask, next: node })?;
    let cold = graph.add(Node::Load { offset: word.offset, next: masked })?;
    Ok(Entry { cold, warm: [Some((word, node)), Some((whole, masked))] })
}

#[derive(Debug, Clone, Copy)]
struct Words {
    low: Word,
    high: Word,
}

impl Words {
    fn largest(self) -> u64 {
        u64::from(self.high.mask) << 32 | u64::from(self.low.mask)
    }
}

/// A check on both words.
fn wide(graph: &mut Graph, words: Words, spans: &[Span], yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    let largest = words.largest();
    let mut next = no;
    for span in spans.iter().rev().filter(|span| span.first <= largest) {
        next = if span.first == span.last {
            let upper = equal(graph, words.high, high(span.first), yes, next)?;
            equal(graph, words.low, low(span.first), upper, next)?
        } else {
            between(graph, words, *span, yes, next)?
        };
    }
    Ok(next)
}

fn equal(graph: &mut Graph, word: Word, value: u32, yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    let span = Span { first: value.into(), last: value.into() };
    narrow(graph, word, &[span], yes, no)
}

fn between(graph: &mut Graph, words: Words, span: Span, yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    let mut inside = yes;
    if span.last < words.largest() {
        inside = above(graph, words, Test::Greater(low(span.last)), high(span.last), no, inside)?;
    }
    if span.first > 0 {
        inside = above(graph, words, Test::GreaterEqual(low(span.first)), high(span.first), inside, no)?;
    }
    Ok(inside)
}

/// Whether the value's high word is above `bound`, or equal to it and the low word passes `test`.
fn above(graph: &mut Graph, words: Words, test: Test, bound: u32, yes: Entry, no: Entry) -> Result<Entry, EmitError> {
    let lower = graph.add(Node::Branch { test, yes: yes.with(words.low), no: no.with(words.low) })?;
    let lower = load(graph, words.low, lower)?.cold;
    let (over, under) = (yes.with(words.high), no.with(words.high));
    let equal = graph.add(Node::Branch { test: Test::Equal(bound), yes: lower, no: under })?;
    let node = graph.add(Node::Branch { test: Test::Greater(bound), yes: over, no: equal })?;
    load(graph, words.high, node)
}
