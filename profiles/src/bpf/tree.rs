//! Finds a number's node: a balanced search over ranges of equal nodes.
//!
//! Only the emitter uses it. Numbers lie in ranges that share an action, with single exceptions in between (a run of
//! allowed calls with one refused). A range takes its few exceptions along as comparisons for equality, which costs
//! one instruction an exception; a boundary on each side would cost two.

use super::EmitError;
use super::graph::{Graph, Node, NodeId, Test};

/// Numbers from `start` to the next range's start, and the node that all of them lead to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) node: NodeId,
}

/// A range with single numbers inside that lead elsewhere.
#[derive(Debug)]
struct Segment {
    start: u32,
    node: NodeId,
    exceptions: Vec<Range>,
}

/// More exceptions in one segment would make the path to its other numbers longer than the tree is deep.
const MAX_EXCEPTIONS: usize = 4;

/// The node that searches the ranges, which are sorted, start with 0 and cover everything.
pub(super) fn search(graph: &mut Graph, ranges: &[Range]) -> Result<Option<NodeId>, EmitError> {
    split(graph, &segments(ranges))
}

fn segments(ranges: &[Range]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut rest = ranges;
    while let Some((range, after)) = rest.split_first() {
        let mut segment = Segment { start: range.start, node: range.node, exceptions: Vec::new() };
        rest = after;
        while let [single, back, ..] = rest {
            let alone = back.start - single.start == 1 && back.node == segment.node;
            if !alone || segment.exceptions.len() == MAX_EXCEPTIONS {
                break;
            }
            segment.exceptions.push(*single);
            rest = rest.get(2..).unwrap_or_default();
        }
        segments.push(segment);
    }
    segments
}

fn split(graph: &mut Graph, segments: &[Segment]) -> Result<Option<NodeId>, EmitError> {
    let (left, right) = segments.split_at(segments.len() / 2);
    match (left, right) {
        ([], [only]) => leaf(graph, only).map(Some),
        (_, [middle, ..]) => {
            let (Some(yes), Some(no)) = (split(graph, right)?, split(graph, left)?) else { return Ok(None) };
            graph.add(Node::Branch { test: Test::GreaterEqual(middle.start), yes, no }).map(Some)
        }
        (_, []) => Ok(None),
    }
}

fn leaf(graph: &mut Graph, segment: &Segment) -> Result<NodeId, EmitError> {
    let mut node = segment.node;
    for exception in segment.exceptions.iter().rev() {
        node = graph.add(Node::Branch { test: Test::Equal(exception.start), yes: exception.node, no: node })?;
    }
    Ok(node)
}
