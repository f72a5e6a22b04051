//! Any call of any row, and any answer of the kernel, becomes one bounded line of `lazaret trace` that moves no terminal.

use lazaret_profiles::syscalls::{AUDIT_ARCH, Column, TABLE};
use lazaret_sentry::fuzz_door::{self, Trap};

use super::plans::any_value;
use crate::draw::Draw;

/// Characters of a line at most: six arguments and what stands around them.
const LINE: usize = 20 * 1024;

/// Runs it.
pub fn run(input: &[u8]) {
    let draw = &mut Draw::new(input);
    let number = if draw.byte() == 0xee { draw.half() } else { TABLE[draw.below(TABLE.len())].number };
    let architecture = if draw.byte() == 0xee { draw.half() } else { AUDIT_ARCH };
    let mode = draw.pick(&[None, Some(Column::Sandbox), Some(Column::Strict)]);
    let result = draw.word().cast_signed() >> draw.below(64);
    let is_error = draw.below(2) == 0;
    let pointers: [bool; 6] = std::array::from_fn(|_| draw.below(2) == 0);
    let values: [u64; 6] = std::array::from_fn(|_| any_value(draw));
    // What is pointed to is the rest of the input, and an end.
    let mut text = std::mem::replace(draw, Draw::new(&[])).rest().to_vec();
    text.push(0);
    let address = u64::try_from(text.as_ptr().addr()).unwrap();
    let arguments = std::array::from_fn(|at| if pointers[at] { address } else { values[at] });
    let line = fuzz_door::traced(Trap { number, architecture, arguments }, mode, result, is_error);
    assert!(line.chars().count() <= LINE, "{} characters", line.chars().count());
    assert!(
        !line.contains(|character: char| character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')),
        "{line:?}"
    );
}
