//! Any BPF program is refused, or returns for any call.

use lazaret_profiles::bpf::{Insn, code};
use lazaret_profiles::interpret::{SeccompData, Verified};
use lazaret_profiles::syscalls::AUDIT_ARCH;

use super::plans::{any_number, any_value};
use crate::draw::Draw;

const KNOWN: &[u16] = &[
    code::LOAD_WORD,
    code::AND,
    code::JUMP,
    code::JUMP_EQUAL,
    code::JUMP_GREATER,
    code::JUMP_GREATER_EQUAL,
    code::JUMP_SET,
    code::RETURN,
];

/// Runs it.
pub fn run(input: &[u8]) {
    let draw = &mut Draw::new(input);
    let mut program: Vec<Insn> = (0..draw.below(24)).map(|_| any_instruction(draw)).collect();
    if draw.below(8) > 0 {
        program.push(Insn { code: code::RETURN, jt: 0, jf: 0, k: 1 });
    }
    if let Ok(verified) = Verified::new(&program) {
        let args = std::array::from_fn(|_| any_value(draw));
        let data = SeccompData { nr: any_number(draw), arch: AUDIT_ARCH, instruction_pointer: 0, args };
        assert!(verified.run(&data).is_ok(), "{program:?}");
    }
}

fn any_instruction(draw: &mut Draw<'_>) -> Insn {
    let code = if draw.byte() == 0xee { u16::from_le_bytes([draw.byte(), draw.byte()]) } else { draw.pick(KNOWN) };
    let k = match draw.below(4) {
        0 => draw.half(),
        1 => u32::from(draw.byte()),
        _ => u32::from(draw.byte() % 16) * 4,
    };
    Insn { code, jt: draw.byte() % 5, jf: draw.byte() % 5, k }
}
