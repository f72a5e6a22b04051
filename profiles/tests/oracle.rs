//! A second opinion: seccompiler compiles what it can express, and both programs must answer alike.
//!
//! seccompiler knows one action for matches and one for the rest, so plans are taken apart into that shape: an
//! allow-list with one errno.

mod xorshift;

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;

    use lazaret_profiles::bpf::{Insn, emit};
    use lazaret_profiles::check::{Arguments, Check, INT, LONG, Span, Spans};
    use lazaret_profiles::class::Class;
    use lazaret_profiles::interpret::{SeccompData, Verified};
    use lazaret_profiles::plan::{Action, Arm, Decision, Plan, Witness, strict};
    use lazaret_profiles::syscalls::{AUDIT_ARCH, Column, Row, TABLE, X32_BIT, by_name};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch,
    };

    use crate::xorshift::Xorshift;

    /// One condition in both languages.
    #[derive(Debug, Clone, Copy)]
    struct Condition {
        arg: u8,
        op: Op,
        value: u64,
        int: bool,
    }

    #[derive(Debug, Clone, Copy)]
    enum Op {
        Eq,
        Ne,
        Lt,
        Le,
        Gt,
        Ge,
        Masked(u64),
    }

    impl Condition {
        fn ours(self) -> Check {
            let v = self.value;
            let top = if self.int { INT } else { LONG };
            let one = |first, last| Spans::One([Span { first, last }]);
            let spans = match self.op {
                Op::Eq => one(v, v),
                Op::Le => one(0, v),
                Op::Ge => one(v, top),
                Op::Lt => v.checked_sub(1).map_or(Spans::Listed(&[]), |last| one(0, last)),
                Op::Gt => v.checked_add(1).map_or(Spans::Listed(&[]), |first| one(first, top)),
                Op::Ne if v == 0 => one(1, top),
                Op::Ne if v == top => one(0, v - 1),
                Op::Ne => Spans::Two([Span { first: 0, last: v - 1 }, Span { first: v + 1, last: top }]),
                Op::Masked(mask) => one(v & mask, v & mask),
            };
            let mask = if let Op::Masked(mask) = self.op { mask & top } else { top };
            Check { arg: self.arg, mask, spans }
        }

        fn theirs(self) -> SeccompCondition {
            let length = if self.int { SeccompCmpArgLen::Dword } else { SeccompCmpArgLen::Qword };
            let op = match self.op {
                Op::Eq => SeccompCmpOp::Eq,
                Op::Ne => SeccompCmpOp::Ne,
                Op::Lt => SeccompCmpOp::Lt,
                Op::Le => SeccompCmpOp::Le,
                Op::Gt => SeccompCmpOp::Gt,
                Op::Ge => SeccompCmpOp::Ge,
                Op::Masked(mask) => SeccompCmpOp::MaskedEq(mask),
            };
            SeccompCondition::new(self.arg, length, op, self.value).unwrap()
        }
    }

    /// Rules by number: alternatives of conditions; none means always.
    type Rules = BTreeMap<u32, Vec<Vec<Condition>>>;

    fn ours(rules: &Rules) -> Vec<Insn> {
        let arm = |conditions: &Vec<Condition>| Arm {
            checks: Cow::Owned(conditions.iter().map(|condition| condition.ours()).collect()),
            then: Decision::always(Action::Allow),
        };
        let decision = |alternatives: &Vec<Vec<Condition>>| match alternatives.as_slice() {
            [] => Decision::always(Action::Allow),
            some => Decision { arms: some.iter().map(arm).collect(), otherwise: Action::Errno(1) },
        };
        let decisions = rules.iter().map(|(nr, alternatives)| (*nr, decision(alternatives))).collect();
        emit(&Plan::new(decisions, Action::Errno(1)).with_x32(Action::Errno(1))).unwrap()
    }

    fn theirs(rules: &Rules) -> Vec<Insn> {
        let rule = |conditions: &Vec<Condition>| {
            SeccompRule::new(conditions.iter().map(|condition| condition.theirs()).collect()).unwrap()
        };
        let rules =
            rules.iter().map(|(nr, alternatives)| (i64::from(*nr), alternatives.iter().map(rule).collect())).collect();
        let (mismatch, matched) = (SeccompAction::Errno(1), SeccompAction::Allow);
        let filter = SeccompFilter::new(rules, mismatch, matched, TargetArch::x86_64).unwrap();
        let program: BpfProgram = filter.try_into().unwrap();
        program.iter().map(|insn| Insn { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k }).collect()
    }

    /// Arguments at the borders of the conditions, or just beside them, with and without an upper half.
    fn near(alternatives: &[Vec<Condition>], random: &mut Xorshift) -> Arguments {
        let mut args: Arguments = std::array::from_fn(|_| random.next());
        for condition in alternatives.iter().flatten() {
            if !random.next().is_multiple_of(4) {
                let near = condition.value.wrapping_add(random.next() % 3).wrapping_sub(1);
                let high = random.next() << 32;
                let garbage = random.pick(&[0, 0, high, u64::MAX << 32]);
                args[usize::from(condition.arg)] = near ^ garbage;
            }
        }
        args
    }

    fn compare(rules: &Rules, random: &mut Xorshift, rounds: usize) {
        let (ours, theirs) = (ours(rules), theirs(rules));
        let (ours, theirs) = (Verified::new(&ours).unwrap(), Verified::new(&theirs).unwrap());
        let numbers = (0..=512).chain([1023, X32_BIT - 1, X32_BIT, X32_BIT + 1, u32::MAX]);
        for nr in numbers {
            let alternatives = rules.get(&nr).map_or(&[][..], Vec::as_slice);
            for _ in 0..if alternatives.is_empty() { 1 } else { rounds } {
                let args = near(alternatives, random);
                let data = SeccompData { nr, arch: AUDIT_ARCH, instruction_pointer: 0, args };
                assert_eq!(ours.run(&data), theirs.run(&data), "{nr} {args:#x?} {alternatives:?}");
            }
        }
        let foreign = SeccompData { nr: 1, arch: 0x4000_0003, instruction_pointer: 0, args: [0; 6] };
        assert_eq!(ours.run(&foreign), theirs.run(&foreign));
    }

    #[test]
    fn allow_lists_of_the_table_agree() {
        for column in Column::ALL {
            let native = |row: &&Row| row.choice(*column).class == Class::Native;
            let rules = TABLE.iter().filter(native).map(|row| (row.number, Vec::new()));
            compare(&rules.collect(), &mut Xorshift::new(1), 1);
        }
    }

    /// The table's own strict rules beside what they are meant to be, in the other compiler's words.
    #[test]
    fn strict_rules_agree() {
        let condition = |arg, op, value| Condition { arg, op, value, int: true };
        let none_of = |arg, mask| vec![vec![condition(arg, Op::Masked(mask), 0)]];
        let one_of = |arg, mask, values: &[u64]| -> Vec<_> {
            values.iter().map(|value| vec![condition(arg, Op::Masked(mask), *value)]).collect()
        };
        let clocks = vec![vec![condition(0, Op::Le, 1)], vec![condition(0, Op::Ge, 4), condition(0, Op::Le, 11)]];
        let meant = [
            ("futex", one_of(1, 0x7f | !0x1ff & INT, &[0, 1, 3, 4, 5, 9, 10])),
            ("madvise", vec![vec![condition(2, Op::Ne, 12)]]),
            ("timer_create", clocks.clone()),
            ("clock_nanosleep", clocks),
            ("sendto", none_of(3, 1)),
            ("sendmsg", none_of(2, 1)),
            ("sendmmsg", none_of(3, 1)),
            ("mknod", one_of(1, 0xf000, &[0, 0x1000, 0x8000, 0xc000])),
            ("mknodat", one_of(2, 0xf000, &[0, 0x1000, 0x8000, 0xc000])),
            ("shmget", vec![vec![condition(0, Op::Lt, 0)]]),
        ];
        let mut random = Xorshift::new(4);
        let plan = emit(&strict(Witness::None)).unwrap();
        let plan = Verified::new(&plan).unwrap();
        for (name, alternatives) in meant {
            let nr = by_name(name).unwrap().number;
            let program = theirs(&Rules::from([(nr, alternatives.clone())]));
            let program = Verified::new(&program).unwrap();
            for _ in 0..3000 {
                let data = SeccompData {
                    nr,
                    arch: AUDIT_ARCH,
                    instruction_pointer: 0,
                    args: near(&alternatives, &mut random),
                };
                let allows = |answer| answer == Ok(0x7fff_0000_u32);
                assert_eq!(allows(plan.run(&data)), allows(program.run(&data)), "{name} {:#x?}", data.args);
            }
        }
    }

    #[test]
    fn argument_rules_agree() {
        let condition = |arg, op, value, int| Condition { arg, op, value, int };
        let rules = Rules::from([
            (0, vec![]),
            (
                41,
                vec![
                    vec![condition(0, Op::Eq, 1, true)],
                    vec![condition(0, Op::Eq, 2, true), condition(1, Op::Ne, 3, true)],
                ],
            ),
            (56, vec![vec![condition(0, Op::Masked(0x7e02_0000), 0, false)]]),
            (16, vec![vec![condition(1, Op::Ne, 0x5412, true), condition(1, Op::Ne, 0x541c, true)]]),
            (135, [0, 8, 0x2_0000, 0xffff_ffff].map(|v| vec![condition(0, Op::Eq, v, false)]).to_vec()),
        ]);
        compare(&rules, &mut Xorshift::new(2), 2000);
    }

    #[test]
    fn random_rules_agree() {
        let mut random = Xorshift::new(3);
        for _ in 0..150 {
            let mut rules = Rules::new();
            for _ in 0..random.next() % 24 {
                let nr = u32::try_from(random.next() % 470).unwrap();
                let alternatives = random.next() % 4;
                let rule = |random: &mut Xorshift| {
                    let count = 1 + random.next() % 3;
                    (0..count).map(|_| any_condition(random)).collect()
                };
                rules.insert(nr, (0..alternatives).map(|_| rule(&mut random)).collect());
            }
            compare(&rules, &mut random, 40);
        }
    }

    fn any_condition(random: &mut Xorshift) -> Condition {
        let int = random.next().is_multiple_of(2);
        let wild = random.next();
        let value = random.pick(&[0, 1, 5, 0xffff_ffff, 0x8000_0000, wild]);
        let wide = random.pick(&[value, u64::MAX, wild, 7 << 32, value | 3 << 40]);
        let value = if int { value & 0xffff_ffff } else { wide };
        let mask = random.pick(&[0xff, 0xffff_0000, u64::MAX << 33, wild, 0]);
        let mask = if int { mask & 0xffff_ffff } else { mask };
        let op = random.pick(&[Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::Masked(mask)]);
        Condition { arg: u8::try_from(random.next() % 6).unwrap(), op, value, int }
    }
}
