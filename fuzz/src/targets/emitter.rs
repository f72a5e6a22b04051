//! Any plan is emitted as it is, by the interpreter's word, or is an error of a plan that no program can hold.

use lazaret_profiles::bpf::{EmitError, emit};

use super::plans::{agree, any_action, any_number, any_plan};
use crate::draw::Draw;

/// Runs it.
pub fn run(input: &[u8]) {
    let draw = &mut Draw::new(input);
    let plan = any_plan(draw, any_number, any_action);
    match emit(&plan) {
        Ok(program) => agree(&plan, &program, draw),
        Err(EmitError::TooLong | EmitError::NoSuchArgument(6)) => {}
        Err(other) => panic!("{other}"),
    }
}
