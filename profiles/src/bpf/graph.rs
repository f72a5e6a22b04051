//! The program as a graph, before it has positions: nodes that are equal are one node.
//!
//! Only the emitter uses it. Sharing equal nodes is what keeps programs small: every path that ends in the same
//! action ends in the same node, and so do equal tails of argument checks. A node is added after the nodes it leads
//! to, so the order of ids is an order in which the program can be laid out from its end.

use std::collections::HashMap;

use super::{EmitError, MAX_INSNS};

/// A node's place in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) usize);

/// A comparison of the accumulator with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Test {
    Equal(u32),
    Greater(u32),
    GreaterEqual(u32),
    AnyBit(u32),
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Return(u32),
    Load { offset: u32, next: NodeId },
    And { mask: u32, next: NodeId },
    Branch { test: Test, yes: NodeId, no: NodeId },
}

/// More nodes than this do not become a program: a node that a path reaches is an instruction, and of the nodes that an
/// argument check adds at least one in three is reached. It bounds the work that a hostile profile can cause.
const MAX_NODES: usize = 4 * MAX_INSNS;

/// The nodes so far.
#[derive(Debug)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, NodeId>,
}

impl Graph {
    /// An empty graph, with room for an ordinary plan.
    pub(super) fn new() -> Self {
        Self { nodes: Vec::with_capacity(512), known: HashMap::with_capacity(512) }
    }

    /// The id of a node, new or known. Steps without an effect are left out.
    pub(super) fn add(&mut self, node: Node) -> Result<NodeId, EmitError> {
        if let Some(same) = self.without_effect(node) {
            return Ok(same);
        }
        if let Some(id) = self.known.get(&node) {
            return Ok(*id);
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(EmitError::TooLong);
        }
        let id = NodeId(self.nodes.len());
        self.nodes.push(node);
        self.known.insert(node, id);
        Ok(id)
    }

    pub(super) fn node(&self, id: NodeId) -> Option<Node> {
        self.nodes.get(id.0).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Where a step leads that decides nothing: a branch with one outcome, a load whose value is not looked at.
    fn without_effect(&self, node: Node) -> Option<NodeId> {
        match node {
            Node::Branch { yes, no, .. } if yes == no => Some(yes),
            Node::Load { next, .. } | Node::And { next, .. } => {
                matches!(self.node(next)?, Node::Return(_) | Node::Load { .. }).then_some(next)
            }
            Node::Return(_) | Node::Branch { .. } => None,
        }
    }
}
