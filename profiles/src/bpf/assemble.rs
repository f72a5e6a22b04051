//! Gives the nodes of a graph positions and jumps.
//!
//! Only the emitter uses it. Classic BPF jumps forward only, and a comparison jumps at most 255 instructions far. So
//! the program is laid out from its end: when a node is placed, everything it leads to has a place already. A target
//! that is too far gets a relay next to the comparison: a long jump, or a copy where the target is a return.

use super::graph::{Graph, Node, NodeId, Test};
use super::{EmitError, Insn, MAX_INSNS, Program, code};

/// The program that starts at `root`.
pub(super) fn assemble(graph: &Graph, root: NodeId) -> Result<Program, EmitError> {
    let reached = reached(graph, root);
    let mut layout = Layout { graph, reversed: Vec::new(), places: vec![None; graph.len()] };
    // Ids ascend from the returns to the root, which comes last and so is the first instruction.
    for id in (0..=root.0).map(NodeId).filter(|id| reached.get(id.0).copied().unwrap_or(false)) {
        layout.place(id)?;
        if layout.reversed.len() > MAX_INSNS {
            return Err(EmitError::TooLong);
        }
    }
    let mut program = layout.reversed;
    program.reverse();
    Ok(program)
}

fn reached(graph: &Graph, root: NodeId) -> Vec<bool> {
    let mut reached = vec![false; graph.len()];
    let mark = |reached: &mut Vec<bool>, id: NodeId| {
        if let Some(flag) = reached.get_mut(id.0) {
            *flag = true;
        }
    };
    mark(&mut reached, root);
    for id in (0..=root.0).rev().map(NodeId) {
        if !reached.get(id.0).copied().unwrap_or(false) {
            continue;
        }
        match graph.node(id) {
            Some(Node::Load { next, .. } | Node::And { next, .. }) => mark(&mut reached, next),
            Some(Node::Branch { yes, no, .. }) => {
                mark(&mut reached, yes);
                mark(&mut reached, no);
            }
            Some(Node::Return(_)) | None => {}
        }
    }
    reached
}

struct Layout<'g> {
    graph: &'g Graph,
    /// The program from its end.
    reversed: Program,
    /// Where each node was last made reachable, as an index into `reversed`.
    places: Vec<Option<usize>>,
}

impl Layout<'_> {
    fn place(&mut self, id: NodeId) -> Result<(), EmitError> {
        let insn = match self.graph.node(id).ok_or(EmitError::TooLong)? {
            Node::Return(answer) => insn(code::RETURN, answer),
            Node::Load { offset, next } => {
                self.fall_into(next)?;
                insn(code::LOAD_WORD, offset)
            }
            Node::And { mask, next } => {
                self.fall_into(next)?;
                insn(code::AND, mask)
            }
            Node::Branch { test, yes, no } => self.branch(test, yes, no)?,
        };
        self.push(id, insn);
        Ok(())
    }

    fn branch(&mut self, test: Test, yes: NodeId, no: NodeId) -> Result<Insn, EmitError> {
        self.bring_near(yes)?;
        self.bring_near(no)?;
        let (code, k) = match test {
            Test::Equal(k) => (code::JUMP_EQUAL, k),
            Test::Greater(k) => (code::JUMP_GREATER, k),
            Test::GreaterEqual(k) => (code::JUMP_GREATER_EQUAL, k),
            Test::AnyBit(k) => (code::JUMP_SET, k),
        };
        let short = |skip: usize| u8::try_from(skip).or(Err(EmitError::TooLong));
        Ok(Insn { code, jt: short(self.skip(yes)?)?, jf: short(self.skip(no)?)?, k })
    }

    /// How many instructions the next one would skip to get to a node.
    fn skip(&self, to: NodeId) -> Result<usize, EmitError> {
        let place = self.places.get(to.0).copied().flatten().ok_or(EmitError::TooLong)?;
        Ok(self.reversed.len() - 1 - place)
    }

    /// Makes sure that a comparison reaches the node, even with one more relay in between.
    fn bring_near(&mut self, to: NodeId) -> Result<(), EmitError> {
        if self.skip(to)? < usize::from(u8::MAX) { Ok(()) } else { self.relay(to) }
    }

    /// Makes sure that the node is what follows.
    fn fall_into(&mut self, next: NodeId) -> Result<(), EmitError> {
        if self.skip(next)? == 0 { Ok(()) } else { self.relay(next) }
    }

    fn relay(&mut self, to: NodeId) -> Result<(), EmitError> {
        let relay = match self.graph.node(to) {
            Some(Node::Return(answer)) => insn(code::RETURN, answer),
            _ => insn(code::JUMP, u32::try_from(self.skip(to)?).or(Err(EmitError::TooLong))?),
        };
        self.push(to, relay);
        Ok(())
    }

    fn push(&mut self, id: NodeId, insn: Insn) {
        if let Some(place) = self.places.get_mut(id.0) {
            *place = Some(self.reversed.len());
        }
        self.reversed.push(insn);
    }
}

fn insn(code: u16, k: u32) -> Insn {
    Insn { code, jt: 0, jf: 0, k }
}
