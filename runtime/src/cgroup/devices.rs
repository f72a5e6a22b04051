//! `linux.resources.devices` in the two languages of the kernel: lines for `devices.allow` and `devices.deny` (v1), and a
//! BPF_PROG_TYPE_CGROUP_DEVICE program (v2; `struct bpf_cgroup_dev_ctx` of linux/bpf.h). Pure; `create` makes them effective.
//!
//! The meaning is OCI's: everything is denied at first, then the rules hold in order, the last one that matches deciding
//! about each access letter by itself.

use crate::cgroup::error::CgroupError;
use crate::spec::resources::DeviceRule;

/// The letters of `DeviceRule::access`.
const ALL: u8 = 7;

/// The two files of the v1 controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Allow,
    Deny,
}

impl File {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allow => "devices.allow",
            Self::Deny => "devices.deny",
        }
    }
}

/// The writes that give a new v1 cgroup these rules, in order; the first denies everything.
///
/// # Errors
/// [`CgroupError::Value`] for what v1 cannot say: it keeps a list of exact exceptions from one default, so a single
/// device cannot be taken out of a wider rule, and `a` always means every access to every device.
pub(super) fn v1_lines(rules: &[DeviceRule]) -> Result<Vec<(File, String)>, CgroupError> {
    let mut lines = vec![(File::Deny, "a".to_owned())];
    let mut exceptions: Vec<DeviceRule> = Vec::with_capacity(rules.len());
    let mut default_allow = false;
    for (index, rule) in rules.iter().enumerate() {
        let line = line(rule);
        let refused = |why| {
            let key = format!("linux.resources.devices[{index}]").into();
            CgroupError::Value { key, value: line.clone(), why }
        };
        if rule.kind == 'a' {
            if rule.major.is_some() || rule.minor.is_some() || rule.access != ALL {
                return Err(refused("cgroup v1 takes type \"a\" only for every access to every device"));
            }
            exceptions.clear();
            default_allow = rule.allow;
            lines.push((if rule.allow { File::Allow } else { File::Deny }, "a".into()));
            continue;
        }
        if rule.allow == default_allow {
            // The kernel takes away the exception with exactly these numbers, and passes over any other in silence.
            if exceptions.iter().any(|exception| overlaps(exception, rule) && !same_device(exception, rule)) {
                return Err(refused(
                    "cgroup v1 cannot take single devices out of a wider rule, or the other way round",
                ));
            }
        } else {
            exceptions.push(*rule);
        }
        lines.push((if rule.allow { File::Allow } else { File::Deny }, line));
    }
    Ok(lines)
}

fn same_device(a: &DeviceRule, b: &DeviceRule) -> bool {
    (a.kind, a.major, a.minor) == (b.kind, b.major, b.minor)
}

fn overlaps(a: &DeviceRule, b: &DeviceRule) -> bool {
    let meet = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
    a.kind == b.kind && meet(a.major, b.major) && meet(a.minor, b.minor) && a.access & b.access != 0
}

fn line(rule: &DeviceRule) -> String {
    let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    let mut line = format!("{} {}:{} ", rule.kind, number(rule.major), number(rule.minor));
    for (bit, letter) in [(4, 'r'), (2, 'w'), (1, 'm')] {
        if rule.access & bit != 0 {
            line.push(letter);
        }
    }
    line
}

/// One instruction of `struct bpf_insn` in memory order for a little-endian machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Insn {
    pub(super) code: u8,
    pub(super) dst: u8,
    pub(super) src: u8,
    pub(super) offset: i16,
    pub(super) immediate: i32,
}

impl Insn {
    /// The eight bytes that bpf(2) takes.
    pub(super) fn encode(self) -> [u8; 8] {
        let [o0, o1] = self.offset.to_ne_bytes();
        let [i0, i1, i2, i3] = self.immediate.to_ne_bytes();
        // The registers are bit fields of one byte, whose order follows that of the bytes.
        let registers =
            if cfg!(target_endian = "little") { self.src << 4 | self.dst } else { self.dst << 4 | self.src };
        [self.code, registers, o0, o1, i0, i1, i2, i3]
    }
}

// linux/bpf.h and linux/bpf_common.h: class, size or source, and operation in one byte.
const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb4;
const MOVE_REGISTER: u8 = 0xbc;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_EQUAL: u8 = 0x16;
const JUMP_NOT_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

// Registers: the answer, the context, and what the program keeps of it.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const PENDING: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

fn insn(code: u8, dst: u8, immediate: i32) -> Insn {
    Insn { code, dst, src: 0, offset: 0, immediate }
}

/// The program for these rules. It answers 1 (allow) or 0 (EPERM).
///
/// Rules are tried from the last to the first. `PENDING` holds the letters asked for that no rule has decided yet: an
/// allow rule takes its letters out and ends when none is left, a deny rule that meets one of them refuses. What is left
/// at the end is refused.
pub(super) fn v2_program(rules: &[DeviceRule]) -> Vec<Insn> {
    let load = |dst, offset| Insn { code: LOAD_WORD, dst, src: CONTEXT, offset, immediate: 0 };
    let mut program = vec![
        load(PENDING, 0),
        Insn { code: MOVE_REGISTER, dst: KIND, src: PENDING, offset: 0, immediate: 0 },
        insn(AND, KIND, 0xffff),
        insn(SHIFT_RIGHT, PENDING, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    for rule in rules.iter().rev() {
        program.extend(rule_block(rule));
        // Nothing gets past a rule for every access to every device, and the verifier refuses code that nothing reaches.
        if rule.access == ALL && conditions(rule).next().is_none() {
            return program;
        }
    }
    program.extend(answer(0));
    program
}

fn answer(value: i32) -> [Insn; 2] {
    [insn(MOVE, ANSWER, value), insn(EXIT, 0, 0)]
}

/// What a device must be for the rule to hold: a register and its value.
fn conditions(rule: &DeviceRule) -> impl Iterator<Item = (u8, i32)> {
    let kind = match rule.kind {
        'b' => Some((KIND, 1)),
        'c' => Some((KIND, 2)),
        _ => None,
    };
    let major = rule.major.map(|major| (MAJOR, major.cast_signed()));
    let minor = rule.minor.map(|minor| (MINOR, minor.cast_signed()));
    [kind, major, minor].into_iter().flatten()
}

/// The part of the program that asks for one rule, and falls through when the rule does not decide.
fn rule_block(rule: &DeviceRule) -> Vec<Insn> {
    let access = kernel_access(rule.access);
    let mut block: Vec<Insn> =
        conditions(rule).map(|(register, value)| insn(JUMP_NOT_EQUAL, register, value)).collect();
    match (rule.access, rule.allow) {
        // All letters are decided: no arithmetic, and less for the verifier to tell apart.
        (ALL, allow) => block.extend(answer(i32::from(allow))),
        (_, true) => {
            block.extend([insn(AND, PENDING, !access), insn(JUMP_NOT_EQUAL, PENDING, 0)]);
            block.extend(answer(1));
        }
        (_, false) => {
            let copy = Insn { code: MOVE_REGISTER, dst: ANSWER, src: PENDING, offset: 0, immediate: 0 };
            block.extend([copy, insn(AND, ANSWER, access), insn(JUMP_EQUAL, ANSWER, 0)]);
            block.extend(answer(0));
        }
    }
    // Every jump of a block leaves it. Blocks have at most eight instructions.
    let length = block.len();
    for (index, insn) in block.iter_mut().enumerate() {
        if matches!(insn.code, JUMP_EQUAL | JUMP_NOT_EQUAL) {
            insn.offset = i16::try_from(length - index - 1).unwrap_or(0);
        }
    }
    block
}

/// OCI's letters (r 4, w 2, m 1) as the kernel's BPF_DEVCG_ACC_* (mknod 1, read 2, write 4).
fn kernel_access(access: u8) -> i32 {
    [(4, 2), (2, 4), (1, 1)].iter().filter(|(bit, _)| access & bit != 0).map(|(_, kernel)| kernel).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    struct Request {
        kind: char,
        major: u32,
        minor: u32,
        access: u8,
    }

    /// The rules as OCI words them.
    fn decide(rules: &[DeviceRule], request: Request) -> bool {
        [4, 2, 1].into_iter().filter(|bit| request.access & bit != 0).all(|bit| {
            rules
                .iter()
                .rev()
                .find(|rule| {
                    (rule.kind == 'a' || rule.kind == request.kind)
                        && rule.major.is_none_or(|major| major == request.major)
                        && rule.minor.is_none_or(|minor| minor == request.minor)
                        && rule.access & bit != 0
                })
                .is_some_and(|rule| rule.allow)
        })
    }

    /// An interpreter of the few instructions that the emitter uses; anything else, a jump out of the program and a
    /// program that falls off its end are failures.
    fn run(program: &[Insn], request: Request) -> u32 {
        let kind = if request.kind == 'b' { 1 } else { 2 };
        let access = kernel_access(request.access).cast_unsigned();
        let context = [access << 16 | kind, request.major, request.minor];
        let mut registers = [0_u32; 6];
        let mut at = 0;
        loop {
            let insn = program[at];
            let dst = usize::from(insn.dst);
            let immediate = insn.immediate.cast_unsigned();
            at += 1;
            let jump = match insn.code {
                LOAD_WORD => {
                    assert_eq!(insn.src, CONTEXT);
                    registers[dst] = context[usize::try_from(insn.offset).expect("offset") / 4];
                    false
                }
                MOVE => {
                    registers[dst] = immediate;
                    false
                }
                MOVE_REGISTER => {
                    registers[dst] = registers[usize::from(insn.src)];
                    false
                }
                AND => {
                    registers[dst] &= immediate;
                    false
                }
                SHIFT_RIGHT => {
                    registers[dst] >>= immediate;
                    false
                }
                JUMP_EQUAL => registers[dst] == immediate,
                JUMP_NOT_EQUAL => registers[dst] != immediate,
                EXIT => return registers[0],
                other => panic!("instruction {other:#x}"),
            };
            if jump {
                at += usize::try_from(insn.offset).expect("forward");
            }
        }
    }

    fn rule(allow: bool, kind: char, major: Option<u32>, minor: Option<u32>, access: u8) -> DeviceRule {
        DeviceRule { allow, kind, major, minor, access }
    }

    fn requests() -> impl Iterator<Item = Request> {
        "bc".chars().flat_map(|kind| {
            [0, 1, 5, u32::MAX].into_iter().flat_map(move |major| {
                [0, 3, 9]
                    .into_iter()
                    .flat_map(move |minor| (1..=7).map(move |access| Request { kind, major, minor, access }))
            })
        })
    }

    #[test]
    fn program_without_rules_denies_everything() {
        let program = v2_program(&[]);
        assert!(requests().all(|request| run(&program, request) == 0));
    }

    #[test]
    fn default_rules_allow_null_and_deny_disks() {
        let rules =
            [rule(false, 'a', None, None, 7), rule(true, 'c', None, None, 1), rule(true, 'c', Some(1), Some(3), 7)];
        let program = v2_program(&rules);
        let ask = |kind, major, minor, access| run(&program, Request { kind, major, minor, access });
        assert_eq!(ask('c', 1, 3, 6), 1);
        assert_eq!(ask('c', 1, 9, 4), 0);
        assert_eq!(ask('c', 1, 9, 1), 1);
        assert_eq!(ask('b', 8, 0, 4), 0);
        assert_eq!(ask('b', 1, 3, 1), 0);
    }

    #[test]
    fn letters_are_decided_one_by_one() {
        let rules =
            [rule(true, 'c', Some(1), None, 4), rule(true, 'c', Some(1), None, 2), rule(false, 'c', None, Some(3), 2)];
        let program = v2_program(&rules);
        let ask = |minor, access| run(&program, Request { kind: 'c', major: 1, minor, access });
        assert_eq!((ask(9, 6), ask(3, 4), ask(3, 6), ask(9, 7)), (1, 1, 0, 0));
    }

    /// A xorshift generator: the test must fail the same way twice.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn program_agrees_with_the_rules_for_random_rule_lists() {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..500 {
            let count = random(&mut state) % 9;
            let rules: Vec<DeviceRule> = (0..count)
                .map(|_| {
                    let bits = random(&mut state);
                    let number = |shift: u32, values: [Option<u32>; 4]| {
                        values[usize::try_from(bits >> shift & 3).expect("two bits")]
                    };
                    DeviceRule {
                        allow: bits & 1 == 0,
                        kind: ['a', 'b', 'c', 'c'][usize::try_from(bits >> 1 & 3).expect("two bits")],
                        major: number(3, [None, Some(1), Some(5), Some(u32::MAX)]),
                        minor: number(5, [None, Some(0), Some(3), Some(9)]),
                        access: u8::try_from(bits >> 7 & 7).expect("three bits"),
                    }
                })
                .collect();
            let program = v2_program(&rules);
            for request in requests() {
                assert_eq!(run(&program, request) == 1, decide(&rules, request), "{rules:?}");
            }
        }
    }

    #[test]
    fn v1_starts_with_deny_all_and_keeps_the_order() {
        let rules =
            [rule(false, 'a', None, None, 7), rule(true, 'c', Some(1), Some(3), 7), rule(true, 'b', None, None, 1)];
        let lines = v1_lines(&rules).expect("lines");
        let expected = [
            (File::Deny, "a".to_owned()),
            (File::Deny, "a".to_owned()),
            (File::Allow, "c 1:3 rwm".to_owned()),
            (File::Allow, "b *:* m".to_owned()),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn v1_refuses_what_it_cannot_say() {
        let wide = rule(true, 'c', Some(1), None, 7);
        for hole in [rule(false, 'c', Some(1), Some(3), 4), rule(false, 'c', None, None, 7)] {
            assert!(
                matches!(v1_lines(&[wide, hole]), Err(CgroupError::Value { key, .. }) if key.ends_with("devices[1]"))
            );
        }
        assert!(v1_lines(&[wide, rule(false, 'c', Some(1), None, 2)]).is_ok());
        assert!(v1_lines(&[wide, rule(false, 'b', None, None, 7)]).is_ok());
        assert!(v1_lines(&[rule(false, 'a', None, None, 4)]).is_err());
        let all = rule(true, 'a', None, None, 7);
        assert!(v1_lines(&[all, rule(false, 'c', Some(1), Some(3), 7)]).is_ok());
        assert!(v1_lines(&[all, rule(false, 'c', Some(1), Some(3), 7), rule(true, 'c', None, None, 7)]).is_err());
    }

    #[test]
    fn encoding_is_the_kernels_struct() {
        let insn = Insn { code: LOAD_WORD, dst: 4, src: 1, offset: 4, immediate: -2 };
        assert_eq!(insn.encode(), [0x61, 0x14, 4, 0, 0xfe, 0xff, 0xff, 0xff]);
    }
}
