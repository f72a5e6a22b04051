//! Any OCI seccomp profile is enforced as planned, or refused by planner and compiler alike.

use lazaret_profiles::bpf::EmitError;
use lazaret_profiles::oci::{self, ArgCheck, OciError, OciRule, Op, Profile};
use lazaret_profiles::syscalls::TABLE;

use super::plans::{agree, any_action, any_value};
use crate::draw::Draw;

const NAMES: &[&str] =
    &["read", "mount", "clone", "socket", "newer-than-the-table", "socketcall", "", "READ", "read\0"];

const ARCHITECTURES: &[&str] =
    &["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_NONE"];

/// Runs it.
pub fn run(input: &[u8]) {
    let draw = &mut Draw::new(input);
    let profile = Profile {
        default: any_action(draw),
        architectures: (0..draw.below(3)).map(|_| draw.pick(ARCHITECTURES).to_owned()).collect(),
        rules: (0..draw.below(30)).map(|_| any_rule(draw)).collect(),
    };
    match (oci::plan(&profile), oci::compile(&profile)) {
        (Ok(planned), Ok(program)) => agree(&planned.plan, &program, draw),
        (Err(planned), Err(compiled)) => assert_eq!(planned, compiled),
        (planned, compiled) => {
            assert!(matches!(compiled, Err(OciError::Emit(EmitError::TooLong))), "{planned:?} {compiled:?}");
        }
    }
}

fn any_rule(draw: &mut Draw<'_>) -> OciRule {
    let of_table = TABLE[draw.below(TABLE.len())].name;
    let arg = |draw: &mut Draw<'_>| ArgCheck {
        index: if draw.byte() == 0xee { 6 } else { u8::try_from(draw.below(6)).unwrap() },
        op: draw.pick(&[Op::Ne, Op::Lt, Op::Le, Op::Eq, Op::Ge, Op::Gt, Op::MaskedEq]),
        value: any_value(draw),
        value_two: any_value(draw),
    };
    OciRule {
        names: vec![of_table.to_owned(), draw.pick(NAMES).to_owned()],
        action: any_action(draw),
        args: (0..draw.below(4)).map(|_| arg(draw)).collect(),
    }
}
