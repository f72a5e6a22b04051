//! The emitted program against the plan: the same answer for every number, and for the arguments where it could differ.

mod xorshift;

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use lazaret_profiles::bpf::{Insn, Program, answer, code, emit};
    use lazaret_profiles::check::{Arguments, Check};
    use lazaret_profiles::interpret::{SeccompData, Verified, run, verify};
    use lazaret_profiles::plan::{Action, Arm, Decision, Plan, Witness, of_column, sandbox, strict};
    use lazaret_profiles::syscalls::{AUDIT_ARCH, Column, X32_BIT};

    use crate::xorshift::Xorshift;

    fn data(arch: u32, nr: u32, args: Arguments) -> SeccompData {
        SeccompData { nr, arch, instruction_pointer: 0x7fff_1234_5678, args }
    }

    /// Turns random arguments into ones that a path through the decision asks for, or that are just beside it.
    fn aim(decision: &Decision, args: &mut Arguments, random: &mut Xorshift) {
        if decision.arms.is_empty() {
            return;
        }
        // An arm with many values is asked more often: each of its borders is to be seen.
        let borders = |arm: &Arm| arm.checks.iter().map(|check| check.spans.as_slice().len()).sum::<usize>().max(1);
        let arms: Vec<_> = decision.arms.iter().flat_map(|arm| std::iter::repeat_n(arm, borders(arm))).collect();
        let arm = random.pick(&arms);
        for Check { arg, mask, spans } in arm.checks.iter() {
            let Some(span) = (!spans.as_slice().is_empty()).then(|| random.pick(spans.as_slice())) else { continue };
            let inside = [span.first, span.last];
            let beside = [span.first.wrapping_sub(1), span.last.wrapping_add(1)];
            let value = if random.next().is_multiple_of(3) { random.pick(&beside) } else { random.pick(&inside) };
            // The bits that the check ignores: clear, set, or anything; with an upper half set, the attacker's trick.
            let ignored = random.pick(&[0, u64::MAX, u64::MAX << 32, args[usize::from(*arg)]]) & !mask;
            args[usize::from(*arg)] = value & mask | ignored;
        }
        aim(&arm.then, args, random);
    }

    /// The first call on which the two differ.
    fn difference(plan: &Plan, program: Verified<'_>, numbers: Range<u32>, rounds: usize) -> Option<(u32, Arguments)> {
        let mut random = Xorshift::new(0x5eed);
        let unknown = [X32_BIT - 1, X32_BIT, X32_BIT + 1, X32_BIT | 512, 1 << 31, u32::MAX];
        for nr in numbers.chain(unknown) {
            let decision = plan.decision(nr).filter(|decision| !decision.arms.is_empty());
            for round in 0..if decision.is_some() { rounds } else { 1 } {
                let mut args: Arguments = std::array::from_fn(|_| random.next());
                if let Some(decision) = decision.filter(|_| round % 8 != 7) {
                    aim(decision, &mut args, &mut random);
                }
                let expected = answer(plan.decide(nr, &args));
                if program.run(&data(AUDIT_ARCH, nr, args)) != Ok(expected) {
                    return Some((nr, args));
                }
            }
        }
        None
    }

    /// The plan of every mode and witness.
    fn plans() -> Vec<(Column, Witness, Plan)> {
        let of =
            |column: &Column| Witness::ALL.iter().map(|w| (*column, *w, of_column(*column, *w))).collect::<Vec<_>>();
        Column::ALL.iter().flat_map(of).collect()
    }

    #[test]
    fn programs_say_what_the_plans_say() {
        for (column, witness, plan) in plans() {
            let program = emit(&plan).unwrap();
            let found = difference(&plan, Verified::new(&program).unwrap(), 0..1024, 3000);
            assert_eq!(found, None, "{column:?} {witness:?}");
        }
    }

    #[test]
    fn programs_are_valid_and_small() {
        for (column, witness, plan) in plans() {
            let program = emit(&plan).unwrap();
            assert_eq!(verify(&program), Ok(()));
            assert!(program.len() <= 400, "{column:?} {witness:?}: {} instructions", program.len());
            assert_eq!(program, emit(&plan).unwrap(), "emitting is deterministic");
        }
    }

    /// Strict mode takes away and gives nothing: for no call and no arguments does it answer more leniently.
    #[test]
    fn strict_mode_lets_nothing_through_that_the_sandbox_refuses() {
        let mut random = Xorshift::new(0x57a1c7);
        let (sandbox, strict) = (sandbox(Witness::None), strict(Witness::None));
        let mut tighter = 0;
        for nr in 0..512 {
            for round in 0..4000 {
                let mut args: Arguments = std::array::from_fn(|_| random.next());
                for plan in [&sandbox, &strict] {
                    if let Some(decision) = plan.decision(nr).filter(|decision| !decision.arms.is_empty()) {
                        aim(decision, &mut args, &mut random);
                    } else if round > 0 {
                        continue;
                    }
                }
                let (loose, tight) = (sandbox.decide(nr, &args), strict.decide(nr, &args));
                assert!(loose == Action::Allow || tight != Action::Allow, "{nr} {args:#x?}");
                tighter += usize::from(loose == Action::Allow && tight != Action::Allow);
            }
        }
        assert!(tighter > 1000, "{tighter}");
    }

    #[test]
    fn foreign_architectures_die_and_x32_does_not_exist() {
        for (column, witness, plan) in plans() {
            let program = emit(&plan).unwrap();
            for arch in [0x4000_0003, 0xc000_00b7, 0, u32::MAX, AUDIT_ARCH ^ 1] {
                for nr in [0, 1, 5, 39, 11] {
                    let answered = run(&program, &data(arch, nr, [0; 6]));
                    assert_eq!(answered, Ok(answer(Action::KillProcess)), "{column:?} {witness:?} {arch:#x}");
                }
            }
            for nr in [X32_BIT, X32_BIT | 2, X32_BIT | 520, u32::MAX] {
                let answered = run(&program, &data(AUDIT_ARCH, nr, [0; 6]));
                assert_eq!(answered, Ok(answer(Action::Errno(38))), "{column:?} {witness:?} {nr:#x}");
            }
        }
    }

    #[test]
    fn constant_decisions_never_look_at_arguments() {
        // The kernel answers a number from its bitmap only where the program reads nothing but number and architecture.
        for plan in [sandbox(Witness::Notify), strict(Witness::Notify)] {
            let program = emit(&plan).unwrap();
            for (nr, decision) in plan.decisions() {
                if decision.arms.is_empty() {
                    assert!(!reads_arguments(&program, *nr), "{nr}");
                }
            }
        }
    }

    fn reads_arguments(program: &[Insn], nr: u32) -> bool {
        let mut at = 0;
        let mut accumulator = 0;
        loop {
            let insn = program[at];
            at += 1;
            at += match insn.code {
                code::LOAD_WORD if insn.k >= 8 => return true,
                code::LOAD_WORD => {
                    accumulator = if insn.k == 0 { nr } else { AUDIT_ARCH };
                    0
                }
                code::RETURN => return false,
                code::JUMP => usize::try_from(insn.k).unwrap(),
                other => {
                    let holds = match other {
                        code::JUMP_EQUAL => accumulator == insn.k,
                        code::JUMP_GREATER_EQUAL => accumulator >= insn.k,
                        unexpected => panic!("operation {unexpected:#x} before the arguments"),
                    };
                    usize::from(if holds { insn.jt } else { insn.jf })
                }
            };
        }
    }

    /// The comparison is worth what it finds: nearly every program with one instruction changed must be found out.
    #[test]
    fn a_changed_program_is_found_out() {
        for plan in [sandbox(Witness::Notify), strict(Witness::Notify)] {
            found_out(&plan);
        }
    }

    fn found_out(plan: &Plan) {
        let program = emit(plan).unwrap();
        let mut survivors = Vec::new();
        let mut mutants = 0_usize;
        for at in 0..program.len() {
            for mutant in mutate(&program, at) {
                mutants += 1;
                let Ok(verified) = Verified::new(&mutant) else { continue };
                if difference(plan, verified, 0..471, 600).is_none() {
                    survivors.push((at, mutant[at]));
                }
            }
        }
        // What survives lets through what another check catches, or needs a rarer argument than these rounds try.
        println!("{} of {mutants} live: {survivors:?}", survivors.len());
        assert!(survivors.len() * 20 <= mutants, "{} of {mutants} live: {survivors:?}", survivors.len());
    }

    fn mutate(program: &Program, at: usize) -> Vec<Program> {
        let insn = program[at];
        let mut changed = vec![Insn { k: insn.k ^ 1, ..insn }];
        if insn.jt != insn.jf {
            changed.push(Insn { jt: insn.jf, jf: insn.jt, ..insn });
        }
        let with = |insn| {
            let mut mutant = program.clone();
            mutant[at] = insn;
            mutant
        };
        changed.into_iter().map(with).collect()
    }
}
