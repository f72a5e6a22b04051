//! Plans out of bytes, calls that come near their borders, and the comparison of a program with its plan.

use std::borrow::Cow;

use lazaret_profiles::bpf::{Insn, answer};
use lazaret_profiles::check::{Arguments, Check, Span, Spans};
use lazaret_profiles::interpret::{SeccompData, Verified};
use lazaret_profiles::plan::{Action, Arm, Decision, Plan};
use lazaret_profiles::syscalls::{AUDIT_ARCH, X32_BIT};

use crate::draw::Draw;

/// Calls that are compared for each program.
const CALLS: usize = 40;

/// A number at a border, or any.
pub(super) fn any_value(draw: &mut Draw<'_>) -> u64 {
    match draw.below(12) {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 0xff,
        4 => 0xffff_ffff,
        5 => 0x1_0000_0000,
        6 => u64::MAX,
        7 => u64::from(draw.byte()),
        8 => u64::from(draw.half()),
        9 => 1 << draw.below(64),
        10 => !draw.word(),
        _ => draw.word(),
    }
}

pub(super) fn any_errno(draw: &mut Draw<'_>) -> u16 {
    u16::try_from(draw.below(4096)).unwrap()
}

/// Any action.
pub(super) fn any_action(draw: &mut Draw<'_>) -> Action {
    match draw.below(8) {
        0 => Action::Allow,
        1 => Action::Errno(any_errno(draw)),
        2 => Action::Notify,
        3 => Action::Trace(any_errno(draw)),
        4 => Action::Trap,
        5 => Action::Log,
        6 => Action::KillThread,
        _ => Action::KillProcess,
    }
}

fn any_check(draw: &mut Draw<'_>) -> Check {
    let mut bounds: [u64; 4] = std::array::from_fn(|_| any_value(draw));
    bounds.sort_unstable();
    let one = Span { first: bounds[0], last: bounds[1] };
    let spans = match draw.below(4) {
        0 => Spans::Listed(&[]),
        1 if bounds[1] < bounds[2] => Spans::Two([one, Span { first: bounds[2], last: bounds[3] }]),
        2 => Spans::One([Span { first: bounds[0], last: bounds[0] }]),
        _ => Spans::One([one]),
    };
    let arg = if draw.byte() == 0xee { 6 } else { u8::try_from(draw.below(6)).unwrap() };
    Check { arg, mask: any_value(draw), spans }
}

fn any_decision(draw: &mut Draw<'_>, depth: usize, action: fn(&mut Draw<'_>) -> Action) -> Decision {
    let arms = if depth == 0 { 0 } else { draw.below(4) };
    let arm = |draw: &mut Draw<'_>| Arm {
        checks: Cow::Owned((0..draw.below(4)).map(|_| any_check(draw)).collect()),
        then: any_decision(draw, depth - 1, action),
    };
    Decision { arms: (0..arms).map(|_| arm(draw)).collect(), otherwise: action(draw) }
}

/// A number that a plan may name, or any.
pub(super) fn any_number(draw: &mut Draw<'_>) -> u32 {
    match draw.below(8) {
        0 => draw.half(),
        1 => X32_BIT,
        2 => X32_BIT - 1,
        3 => u32::MAX,
        _ => u32::try_from(draw.below(600)).unwrap(),
    }
}

/// Any plan of numbers and actions of these kinds.
pub(super) fn any_plan(
    draw: &mut Draw<'_>,
    number: fn(&mut Draw<'_>) -> u32,
    action: fn(&mut Draw<'_>) -> Action,
) -> Plan {
    let decisions = (0..draw.below(40)).map(|_| (number(draw), any_decision(draw, 3, action))).collect();
    let plan = Plan::new(decisions, action(draw)).with_x32(action(draw));
    if draw.below(3) == 0 { plan.with_foreign(0x4000_0003, action(draw)) } else { plan }
}

/// The numbers and values that stand in a plan, and their neighbours.
fn aim(decision: &Decision, args: &mut Arguments, draw: &mut Draw<'_>) {
    for arm in &decision.arms {
        for check in arm.checks.iter().filter(|check| check.arg < 6) {
            if let Some(span) = check.spans.as_slice().first().filter(|_| draw.below(3) > 0) {
                let value = draw.pick(&[span.first, span.last, span.first.wrapping_sub(1), span.last.wrapping_add(1)]);
                let rest = any_value(draw) & !check.mask;
                args[usize::from(check.arg)] = value & check.mask | rest;
            }
        }
        aim(&arm.then, args, draw);
    }
}

/// Arguments of a call with this number, most often near the borders of its checks.
pub(super) fn any_arguments(plan: &Plan, number: u32, draw: &mut Draw<'_>) -> Arguments {
    let mut args: Arguments = std::array::from_fn(|_| any_value(draw));
    if let Some(decision) = plan.decision(number) {
        aim(decision, &mut args, draw);
    }
    args
}

/// Whatever the call, the program answers what the plan says, and the kernel's rules of a program are kept.
pub(super) fn agree(plan: &Plan, program: &[Insn], draw: &mut Draw<'_>) {
    let program = Verified::new(program).expect("the kernel takes what is emitted");
    for _ in 0..CALLS {
        let known = plan.decisions();
        let nr =
            if known.is_empty() || draw.below(3) == 1 { any_number(draw) } else { known[draw.below(known.len())].0 };
        let args = any_arguments(plan, nr, draw);
        let arch = draw.pick(&[AUDIT_ARCH, AUDIT_ARCH, AUDIT_ARCH, 0x4000_0003, 7]);
        let data = SeccompData { nr, arch, instruction_pointer: draw.word(), args };
        assert_eq!(program.run(&data), Ok(answer(plan.decide_on(arch, nr, &args))), "{nr} {args:#x?}");
        if draw.is_empty() {
            return;
        }
    }
}
