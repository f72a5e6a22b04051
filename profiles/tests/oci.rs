//! OCI profiles against a naive reading of the rules, and the cases that runc and libseccomp decided long ago.

mod xorshift;

#[cfg(test)]
mod tests {
    use lazaret_profiles::bpf::{EmitError, answer};
    use lazaret_profiles::check::Arguments;
    use lazaret_profiles::interpret::{SeccompData, run};
    use lazaret_profiles::oci::{ArgCheck, OciError, OciRule, Op, Profile, compile, plan};
    use lazaret_profiles::plan::Action;
    use lazaret_profiles::syscalls::{AUDIT_ARCH, TABLE, X32_BIT, by_name};

    use crate::xorshift::Xorshift;

    const EPERM: Action = Action::Errno(1);
    const I386: u32 = 0x4000_0003;

    fn rule(names: &[&str], action: Action, args: &[ArgCheck]) -> OciRule {
        OciRule { names: names.iter().map(|name| (*name).to_owned()).collect(), action, args: args.to_vec() }
    }

    fn arg(index: u8, op: Op, value: u64, value_two: u64) -> ArgCheck {
        ArgCheck { index, op, value, value_two }
    }

    fn profile(default: Action, rules: Vec<OciRule>) -> Profile {
        Profile { default, architectures: Vec::new(), rules }
    }

    fn asked(profile: &Profile, arch: u32, nr: u32, args: Arguments) -> u32 {
        let program = compile(profile).unwrap();
        run(&program, &SeccompData { nr, arch, instruction_pointer: 0, args }).unwrap()
    }

    #[track_caller]
    fn gives(profile: &Profile, name: &str, args: &[u64], expected: Action) {
        let args = std::array::from_fn(|at| args.get(at).copied().unwrap_or(0));
        let nr = by_name(name).unwrap().number;
        assert_eq!(plan(profile).unwrap().plan.decide(nr, &args), expected);
        assert_eq!(asked(profile, AUDIT_ARCH, nr, args), answer(expected));
    }

    #[test]
    fn every_operator_compares_all_64_bits() {
        let high = 7 << 32;
        for (op, value, two, matches, others) in [
            (Op::Eq, 5, 0, &[5][..], &[4, 6, high | 5][..]),
            (Op::Ne, 5, 0, &[4, 6, high | 5], &[5]),
            (Op::Lt, high | 5, 0, &[0, 5, high | 4, (7 << 32) - 1], &[high | 5, 8 << 32]),
            (Op::Le, high | 5, 0, &[0, high | 5], &[high | 6, u64::MAX]),
            (Op::Gt, high | 5, 0, &[high | 6, 8 << 32], &[0, high | 5, 6 << 32 | 9]),
            (Op::Ge, high | 5, 0, &[high | 5, 8 << 32], &[high | 4, 6 << 32 | 9]),
            (Op::MaskedEq, high | 0xf, high | 0x35, &[high | 5, high | 0xf5, u64::MAX << 32 | 5], &[5, high | 6]),
            (Op::Lt, 0, 0, &[], &[0, u64::MAX]),
            (Op::Gt, u64::MAX, 0, &[], &[0, u64::MAX]),
            (Op::Ne, 0, 0, &[1, u64::MAX], &[0]),
            (Op::Ne, u64::MAX, 0, &[0, 1], &[u64::MAX]),
            (Op::Ge, 0, 0, &[0, u64::MAX], &[]),
            (Op::MaskedEq, 0, 9, &[0, u64::MAX], &[]),
        ] {
            let profile = profile(EPERM, vec![rule(&["personality"], Action::Allow, &[arg(0, op, value, two)])]);
            for value in matches {
                gives(&profile, "personality", &[*value], Action::Allow);
            }
            for value in others {
                gives(&profile, "personality", &[*value], EPERM);
            }
        }
    }

    #[test]
    fn every_action_is_given_as_it_is() {
        let actions = [
            Action::Allow,
            Action::Errno(38),
            Action::Errno(4095),
            Action::Notify,
            Action::Trace(7),
            Action::Trap,
            Action::Log,
            Action::KillThread,
            Action::KillProcess,
        ];
        for action in actions {
            gives(&profile(EPERM, vec![rule(&["read"], action, &[])]), "read", &[], action);
            if action != Action::Notify {
                gives(&profile(action, vec![rule(&["write"], EPERM, &[])]), "read", &[], action);
            }
        }
    }

    #[test]
    fn rules_of_one_call_are_alternatives_and_conditions_of_one_rule_are_not() {
        let families = |family| arg(0, Op::Eq, family, 0);
        let kinds = |kind| arg(1, Op::MaskedEq, 0xf, kind);
        let rules = vec![
            rule(&["socket"], Action::Allow, &[families(1)]),
            rule(&["socket"], Action::Allow, &[families(2), kinds(1)]),
        ];
        let profile = profile(EPERM, rules);
        gives(&profile, "socket", &[1, 3], Action::Allow);
        gives(&profile, "socket", &[2, 1], Action::Allow);
        gives(&profile, "socket", &[2, 0o2_000_001], Action::Allow);
        gives(&profile, "socket", &[2, 3], EPERM);
        gives(&profile, "socket", &[3, 1], EPERM);
    }

    #[test]
    fn one_argument_named_twice_makes_alternatives_as_in_runc() {
        let two = [arg(0, Op::Eq, 1, 0), arg(0, Op::Eq, 2, 0)];
        let profile = profile(EPERM, vec![rule(&["personality"], Action::Allow, &two)]);
        gives(&profile, "personality", &[1], Action::Allow);
        gives(&profile, "personality", &[2], Action::Allow);
        gives(&profile, "personality", &[3], EPERM);
    }

    #[test]
    fn the_first_unconditional_rule_decides() {
        let conditional = rule(&["socket"], Action::Errno(97), &[arg(0, Op::Eq, 40, 0)]);
        let (allow, kill) = (rule(&["socket"], Action::Allow, &[]), rule(&["socket"], Action::KillProcess, &[]));
        gives(&profile(EPERM, vec![conditional.clone(), allow.clone()]), "socket", &[40], Action::Allow);
        gives(&profile(EPERM, vec![allow.clone(), kill.clone()]), "socket", &[1], Action::Allow);
        gives(&profile(EPERM, vec![kill, allow.clone()]), "socket", &[1], Action::KillProcess);
        // A rule with the default action is no rule.
        gives(&profile(EPERM, vec![rule(&["socket"], EPERM, &[]), allow]), "socket", &[1], Action::Allow);
    }

    #[test]
    fn of_conditional_rules_the_strictest_counts() {
        let rules = vec![
            rule(&["socket"], Action::Allow, &[arg(0, Op::Lt, 10, 0)]),
            rule(&["socket"], Action::Errno(97), &[arg(1, Op::Eq, 3, 0)]),
        ];
        let profile = profile(EPERM, rules);
        gives(&profile, "socket", &[2, 3], Action::Errno(97));
        gives(&profile, "socket", &[2, 1], Action::Allow);
        gives(&profile, "socket", &[12, 1], EPERM);
    }

    #[test]
    fn calls_newer_than_the_profile_are_not_implemented() {
        let allow = profile(EPERM, vec![rule(&["read", "openat2"], Action::Allow, &[])]);
        for (nr, expected) in
            [(1, EPERM), (400, EPERM), (436, EPERM), (438, Action::Errno(38)), (9999, Action::Errno(38))]
        {
            assert_eq!(asked(&allow, AUDIT_ARCH, nr, [0; 6]), answer(expected), "{nr}");
        }
        let deny = profile(Action::Allow, vec![rule(&["read"], EPERM, &[])]);
        assert_eq!(asked(&deny, AUDIT_ARCH, 9999, [0; 6]), answer(Action::Allow));
        let nothing = profile(Action::KillThread, Vec::new());
        assert_eq!(asked(&nothing, AUDIT_ARCH, 0, [0; 6]), answer(Action::KillThread));
    }

    #[test]
    fn relatives_of_the_architecture_get_a_refusing_default_or_are_an_error() {
        let mut some = profile(EPERM, vec![rule(&["read"], Action::Allow, &[])]);
        assert_eq!(asked(&some, I386, 3, [0; 6]), answer(Action::KillProcess));
        assert_eq!(asked(&some, AUDIT_ARCH, X32_BIT, [0; 6]), answer(Action::Errno(38)));
        some.architectures =
            ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"].map(str::to_owned).to_vec();
        assert_eq!(asked(&some, I386, 3, [0; 6]), answer(EPERM));
        assert_eq!(asked(&some, AUDIT_ARCH, X32_BIT, [0; 6]), answer(EPERM));
        assert_eq!(asked(&some, AUDIT_ARCH, 0, [0; 6]), answer(Action::Allow));
        assert_eq!(asked(&some, 0xc000_00b7, 0, [0; 6]), answer(Action::KillProcess));
        some.default = Action::Log;
        assert_eq!(compile(&some), Err(OciError::UnsupportedArchitecture("SCMP_ARCH_X86".to_owned())));
        some.architectures = vec!["SCMP_ARCH_VAX".to_owned()];
        assert_eq!(compile(&some), Err(OciError::UnknownArchitecture("SCMP_ARCH_VAX".to_owned())));
    }

    #[test]
    fn unknown_names_are_dropped_only_where_that_refuses() {
        let names = &["read", "socketcall", "listns", "socketcall"];
        let allow = plan(&profile(EPERM, vec![rule(names, Action::Allow, &[])])).unwrap();
        assert_eq!(allow.ignored, ["socketcall", "listns"]);
        let deny = |names: &[&str]| plan(&profile(Action::Allow, vec![rule(names, EPERM, &[])]));
        assert_eq!(deny(&["socketcall"]).unwrap().ignored, ["socketcall"]);
        assert_eq!(deny(&["listns"]), Err(OciError::UnknownSyscall("listns".to_owned())));
    }

    #[test]
    fn what_cannot_be_enforced_is_an_error() {
        let of = |action, args: &[ArgCheck]| compile(&profile(EPERM, vec![rule(&["read"], action, args)]));
        assert_eq!(of(Action::Allow, &[arg(6, Op::Eq, 0, 0)]), Err(OciError::NoSuchArgument(6)));
        assert_eq!(of(Action::Errno(4096), &[]), Err(OciError::NoSuchErrno(4096)));
        assert_eq!(compile(&profile(Action::Notify, Vec::new())), Err(OciError::NotifyDefault));
        assert_eq!(compile(&profile(Action::Errno(5000), Vec::new())), Err(OciError::NoSuchErrno(5000)));
    }

    /// `count` alternatives that share no instruction.
    fn long(count: u64) -> Profile {
        let rules =
            (0..count).map(|value| rule(&["ioctl"], Action::Allow, &[arg(1, Op::Eq, (value * 3) << 30 | value, 0)]));
        profile(EPERM, rules.collect())
    }

    #[test]
    fn long_programs_jump_far_and_too_long_ones_are_an_error() {
        let program = compile(&long(900)).unwrap();
        assert!(program.len() > 1800, "{}", program.len());
        for value in [0, 1, 450, 899_u64] {
            gives(&long(900), "ioctl", &[0, (value * 3) << 30 | value], Action::Allow);
            gives(&long(900), "ioctl", &[0, (value * 3) << 30 | value | 1 << 50], EPERM);
        }
        for count in [3000, 200_000] {
            assert_eq!(compile(&long(count)), Err(OciError::Emit(EmitError::TooLong)));
        }
    }

    /// Random profiles, judged by a reading of the rules that shares no code with the planner.
    #[test]
    fn random_profiles_mean_what_they_say() {
        let mut random = Xorshift::new(11);
        for _ in 0..120 {
            let profile = any_profile(&mut random);
            let planned = plan(&profile).unwrap().plan;
            let program = compile(&profile).unwrap();
            let largest =
                profile.rules.iter().flat_map(|rule| &rule.names).map(|name| by_name(name).unwrap().number).max();
            for row in TABLE {
                for _ in 0..6 {
                    let args: Arguments = std::array::from_fn(|_| any_value(&mut random));
                    let data = SeccompData { nr: row.number, arch: AUDIT_ARCH, instruction_pointer: 0, args };
                    let expected = naive(&profile, row.name, row.number, largest, &args);
                    assert_eq!(planned.decide(row.number, &args), expected, "{} {args:?} {profile:?}", row.name);
                    assert_eq!(run(&program, &data), Ok(answer(expected)), "{} {args:?} {profile:?}", row.name);
                }
            }
        }
    }

    fn naive(profile: &Profile, name: &str, nr: u32, largest: Option<u32>, args: &Arguments) -> Action {
        let mine = || {
            let rules = profile.rules.iter().filter(|rule| rule.names.iter().any(|known| known == name));
            rules.filter(|rule| rule.action != profile.default)
        };
        if let Some(rule) = mine().find(|rule| rule.args.is_empty()) {
            return rule.action;
        }
        if largest.is_some_and(|largest| nr > largest) && profile.default.refuses() {
            return Action::Errno(38);
        }
        let strictest = [Action::KillProcess, Action::KillThread, Action::Trap, EPERM, Action::Log, Action::Allow];
        let matching = mine().filter(|rule| matches(&rule.args, args));
        let first = matching.min_by_key(|rule| strictest.iter().position(|action| *action == rule.action));
        first.map_or(profile.default, |rule| rule.action)
    }

    fn matches(conditions: &[ArgCheck], args: &Arguments) -> bool {
        let holds = |check: &ArgCheck| {
            let value = args[usize::from(check.index)];
            match check.op {
                Op::Ne => value != check.value,
                Op::Lt => value < check.value,
                Op::Le => value <= check.value,
                Op::Eq => value == check.value,
                Op::Ge => value >= check.value,
                Op::Gt => value > check.value,
                Op::MaskedEq => value & check.value == check.value_two & check.value,
            }
        };
        let twice = (0..6).any(|index| conditions.iter().filter(|check| check.index == index).count() > 1);
        if twice { conditions.iter().any(holds) } else { conditions.iter().all(holds) }
    }

    fn any_profile(random: &mut Xorshift) -> Profile {
        let names = ["read", "write", "socket", "ioctl", "clone", "prctl", "openat2", "mseal"];
        let actions = [Action::Allow, EPERM, Action::Log, Action::Trap, Action::KillThread, Action::KillProcess];
        let mut rules = Vec::new();
        for _ in 0..random.next() % 12 {
            let count = random.next() % 4;
            let args: Vec<ArgCheck> = (0..count)
                .map(|_| {
                    let op = random.pick(&[Op::Ne, Op::Lt, Op::Le, Op::Eq, Op::Ge, Op::Gt, Op::MaskedEq]);
                    arg(random.pick(&[0, 1, 2]), op, any_value(random), any_value(random))
                })
                .collect();
            rules.push(rule(&[random.pick(&names), random.pick(&names)], random.pick(&actions), &args));
        }
        profile(random.pick(&actions), rules)
    }

    fn any_value(random: &mut Xorshift) -> u64 {
        let low = random.pick(&[0, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]);
        low | random.pick(&[0, 0, 0, 1, 0x8000_0000, 0xffff_ffff]) << 32
    }
}
