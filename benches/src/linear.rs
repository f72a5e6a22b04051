//! The filter that lazaret's is compared with: an allow-list in the shape of container engines' default profiles, in
//! the linear order that seccompiler (and libseccomp without its binary tree) gives it.
//!
//! Called by `bench-filter`. It is a yardstick and confines nobody.

use std::collections::BTreeMap;

use lazaret_profiles::bpf::{Insn, Program};
use lazaret_profiles::class::Class;
use lazaret_profiles::syscalls::{self, Row};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Calls that the allow-list names, as many as Docker's default profile does.
const ALLOWED: usize = 312;

/// The calls whose arguments are looked at, as in that profile: (name, mask, values of the first argument).
const CHECKED: &[(&str, u64, &[u64])] = &[
    // No new namespaces.
    ("clone", 0x7e02_0000, &[0]),
    // The plain Linux personality, two 32-bit ones, and the question which it is.
    ("personality", 0xffff_ffff, &[0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff]),
];

/// The program.
///
/// # Errors
/// What seccompiler says; it does not for this list.
pub fn program() -> Result<Program, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = allowed().map(|row| (i64::from(row.number), Vec::new())).collect();
    for (name, mask, values) in CHECKED {
        if let Some(row) = syscalls::by_name(name) {
            rules.insert(
                i64::from(row.number),
                values.iter().map(|value| rule(*mask, *value)).collect::<Result<_, _>>()?,
            );
        }
    }
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Errno(1), SeccompAction::Allow, architecture)?;
    let program = BpfProgram::try_from(filter)?;
    Ok(program.iter().map(|insn| Insn { code: insn.code, jt: insn.jt, jf: insn.jf, k: insn.k }).collect())
}

/// First what lazaret allows in some way, then more rows of the table until the list is as long.
fn allowed() -> impl Iterator<Item = &'static Row> {
    let is_allowed = |row: &&Row| matches!(row.class, Class::Native | Class::Arg(_));
    let first = syscalls::TABLE.iter().filter(is_allowed);
    let then = syscalls::TABLE.iter().filter(move |row| !is_allowed(row));
    first.chain(then).take(ALLOWED)
}

fn rule(mask: u64, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_is_as_long_as_those_of_container_engines() {
        let length = program().unwrap().len();
        assert!((1500..=1700).contains(&length), "{length}");
    }

    #[test]
    fn checked_calls_exist() {
        for (name, _, _) in CHECKED {
            assert!(syscalls::by_name(name).is_some(), "{name}");
        }
    }
}
