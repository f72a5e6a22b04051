//! Random input for the emitter, the checker and the profile planner: no panic, and the program says what the plan says.
//!
//! A smoke run of a second or two by default; `LAZARET_FUZZ_SECONDS=600` and `LAZARET_FUZZ_SEED=N` go on for longer, from
//! elsewhere. A finding prints its seed.

mod xorshift;

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::time::{Duration, Instant};

    use lazaret_profiles::bpf::{EmitError, Insn, answer, code, emit};
    use lazaret_profiles::check::{Arguments, Check, Span, Spans};
    use lazaret_profiles::interpret::{SeccompData, Verified};
    use lazaret_profiles::oci::{self, ArgCheck, OciRule, Op, Profile};
    use lazaret_profiles::plan::{Action, Arm, Decision, Plan};
    use lazaret_profiles::syscalls::{AUDIT_ARCH, TABLE, X32_BIT};

    use crate::xorshift::Xorshift;

    /// Calls `round` with a generator of its own each time, until the time is up.
    fn rounds(least: u64, mut round: impl FnMut(&mut Xorshift)) {
        let number =
            |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
        let (seconds, first) = (number("LAZARET_FUZZ_SECONDS", 0), number("LAZARET_FUZZ_SEED", 1));
        let end = Instant::now() + Duration::from_secs(seconds);
        for seed in first.. {
            if seed - first >= least && Instant::now() >= end {
                return;
            }
            let told = Told(seed);
            round(&mut Xorshift::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
            std::mem::forget(told);
        }
    }

    /// Says which seed it was when a round panics.
    struct Told(u64);

    impl Drop for Told {
        fn drop(&mut self) {
            println!("again with LAZARET_FUZZ_SEED={}", self.0);
        }
    }

    fn below(random: &mut Xorshift, end: u64) -> u64 {
        (random.next() >> 3) % end
    }

    fn any_value(random: &mut Xorshift) -> u64 {
        let wild = random.next();
        random.pick(&[0, 1, 2, 0xff, 0xffff_ffff, 0x1_0000_0000, u64::MAX, wild, wild >> 32, 1 << (wild % 64), !wild])
    }

    fn any_action(random: &mut Xorshift) -> Action {
        let errno = u16::try_from(below(random, 4096)).unwrap();
        random.pick(&[
            Action::Allow,
            Action::Errno(errno),
            Action::Notify,
            Action::Trace(errno),
            Action::Trap,
            Action::Log,
            Action::KillThread,
            Action::KillProcess,
        ])
    }

    fn any_check(random: &mut Xorshift) -> Check {
        let mut bounds: Vec<u64> = (0..4).map(|_| any_value(random)).collect();
        bounds.sort_unstable();
        let one = Span { first: bounds[0], last: bounds[1] };
        let spans = match below(random, 4) {
            0 => Spans::Listed(&[]),
            1 if bounds[1] < bounds[2] => Spans::Two([one, Span { first: bounds[2], last: bounds[3] }]),
            2 => Spans::One([Span { first: bounds[0], last: bounds[0] }]),
            _ => Spans::One([one]),
        };
        let arg = if below(random, 200) == 0 { 6 } else { u8::try_from(below(random, 6)).unwrap() };
        Check { arg, mask: any_value(random), spans }
    }

    fn any_decision(random: &mut Xorshift, depth: u64) -> Decision {
        let arms = if depth == 0 { 0 } else { below(random, 4) };
        let arm = |random: &mut Xorshift| Arm {
            checks: Cow::Owned((0..below(random, 4)).map(|_| any_check(random)).collect()),
            then: any_decision(random, depth - 1),
        };
        Decision { arms: (0..arms).map(|_| arm(random)).collect(), otherwise: any_action(random) }
    }

    fn any_number(random: &mut Xorshift) -> u32 {
        let wild = u32::try_from(random.next() >> 32).unwrap();
        let near = wild % 600;
        random.pick(&[near, near, near, wild, X32_BIT, X32_BIT - 1, u32::MAX])
    }

    /// The numbers and values that stand in a plan, and their neighbours.
    fn aimed(decision: &Decision, args: &mut Arguments, random: &mut Xorshift) {
        for arm in &decision.arms {
            for check in arm.checks.iter().filter(|check| check.arg < 6) {
                if let Some(span) = check.spans.as_slice().first().filter(|_| below(random, 3) > 0) {
                    let value =
                        random.pick(&[span.first, span.last, span.first.wrapping_sub(1), span.last.wrapping_add(1)]);
                    let rest = any_value(random) & !check.mask;
                    args[usize::from(check.arg)] = value & check.mask | rest;
                }
            }
            aimed(&arm.then, args, random);
        }
    }

    fn agrees(plan: &Plan, program: &[Insn], random: &mut Xorshift) {
        let program = Verified::new(program).expect("the kernel takes what is emitted");
        for _ in 0..40 {
            let known = plan.decisions();
            let nr = if known.is_empty() || below(random, 3) == 0 {
                any_number(random)
            } else {
                known[usize::try_from(below(random, known.len() as u64)).unwrap()].0
            };
            let mut args: Arguments = std::array::from_fn(|_| any_value(random));
            if let Some(decision) = plan.decision(nr) {
                aimed(decision, &mut args, random);
            }
            let arch = random.pick(&[AUDIT_ARCH, AUDIT_ARCH, AUDIT_ARCH, 0x4000_0003, 7]);
            let data = SeccompData { nr, arch, instruction_pointer: random.next(), args };
            assert_eq!(program.run(&data), Ok(answer(plan.decide_on(arch, nr, &args))), "{nr} {args:#x?}");
        }
    }

    #[test]
    fn any_plan_is_emitted_as_it_is_or_is_an_error() {
        let mut emitted = 0;
        rounds(400, |random| {
            let decisions =
                (0..below(random, 40)).map(|_| (any_number(random), any_decision(random, 3))).collect::<Vec<_>>();
            let plan = Plan::new(decisions, any_action(random)).with_x32(any_action(random));
            let plan = if below(random, 3) == 0 { plan.with_foreign(0x4000_0003, any_action(random)) } else { plan };
            match emit(&plan) {
                Ok(program) => {
                    emitted += 1;
                    agrees(&plan, &program, random);
                }
                Err(EmitError::TooLong | EmitError::NoSuchArgument(6)) => {}
                Err(other) => panic!("{other}"),
            }
        });
        assert!(emitted > 100, "{emitted}");
    }

    #[test]
    fn any_profile_is_enforced_as_planned_or_is_an_error() {
        let mut enforced = 0;
        rounds(400, |random| {
            let names =
                ["read", "mount", "clone", "socket", "newer-than-the-table", "socketcall", "", "READ", "read\0"];
            let rule = |random: &mut Xorshift| {
                let of_table = TABLE[usize::try_from(below(random, TABLE.len() as u64)).unwrap()].name;
                let other = random.pick(&names);
                let arg = |random: &mut Xorshift| ArgCheck {
                    index: if below(random, 50) == 0 { 6 } else { u8::try_from(below(random, 6)).unwrap() },
                    op: random.pick(&[Op::Ne, Op::Lt, Op::Le, Op::Eq, Op::Ge, Op::Gt, Op::MaskedEq]),
                    value: any_value(random),
                    value_two: any_value(random),
                };
                OciRule {
                    names: vec![of_table.to_owned(), other.to_owned()],
                    action: any_action(random),
                    args: (0..below(random, 4)).map(|_| arg(random)).collect(),
                }
            };
            let architectures =
                ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_NONE"];
            let profile = Profile {
                default: any_action(random),
                architectures: (0..below(random, 3)).map(|_| random.pick(&architectures).to_owned()).collect(),
                rules: (0..below(random, 30)).map(|_| rule(random)).collect(),
            };
            let (planned, compiled) = (oci::plan(&profile), oci::compile(&profile));
            match (planned, compiled) {
                (Ok(planned), Ok(program)) => {
                    enforced += 1;
                    agrees(&planned.plan, &program, random);
                }
                (Err(planned), Err(compiled)) => assert_eq!(planned, compiled),
                (planned, compiled) => assert!(
                    matches!(compiled, Err(oci::OciError::Emit(EmitError::TooLong))),
                    "{planned:?} {compiled:?}"
                ),
            }
        });
        assert!(enforced > 20, "{enforced}");
    }

    #[test]
    fn any_program_is_refused_or_returns() {
        let mut verified = 0;
        let known = [
            code::LOAD_WORD,
            code::AND,
            code::JUMP,
            code::JUMP_EQUAL,
            code::JUMP_GREATER,
            code::JUMP_GREATER_EQUAL,
            code::JUMP_SET,
            code::RETURN,
        ];
        rounds(20_000, |random| {
            let insn = |random: &mut Xorshift| {
                let wild = random.next().to_le_bytes();
                let code = if wild[0] == 0 { u16::from_le_bytes([wild[1], wild[2]]) } else { random.pick(&known) };
                let small = u32::from(wild[3] % 8);
                let k = random.pick(&[small, small, small * 4, u32::MAX]);
                Insn { code, jt: wild[4] % 4, jf: wild[5] % 4, k }
            };
            let mut program: Vec<Insn> = (0..below(random, 12)).map(|_| insn(random)).collect();
            program.push(Insn { code: code::RETURN, jt: 0, jf: 0, k: 1 });
            if let Ok(verified_program) = Verified::new(&program) {
                verified += 1;
                let args = std::array::from_fn(|_| any_value(random));
                let data = SeccompData { nr: any_number(random), arch: AUDIT_ARCH, instruction_pointer: 0, args };
                assert!(verified_program.run(&data).is_ok(), "{program:?}");
            }
        });
        assert!(verified > 100, "{verified}");
    }
}
