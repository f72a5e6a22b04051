//! Any plan is enforced as it is by the running kernel: a forked process is put under the emitted filter and makes calls
//! that do nothing, with arguments near the borders of the plan.
//!
//! Actions that the kernel would log (`Log`, `Kill*`) are left to the interpreter.

use lazaret_profiles::bpf::{EmitError, emit};
use lazaret_profiles::plan::{Action, Plan};
use lazaret_profiles::syscalls::{AUDIT_ARCH, X32_BIT, by_name};

use super::plans::{any_arguments, any_errno, any_plan};
use crate::draw::Draw;
use crate::sys::{self, Probe};

/// Calls without arguments, which only look.
const HARMLESS: &[&str] = &["getpid", "getppid", "getuid", "geteuid", "getgid", "getegid", "gettid", "getpgrp"];

/// Calls for each filter.
const PROBES: usize = 12;

/// `ENOSYS`, as a call returns it.
const ENOSYS: i64 = -38;

fn harmless(draw: &mut Draw<'_>) -> u32 {
    by_name(draw.pick(HARMLESS)).unwrap().number
}

fn quiet_action(draw: &mut Draw<'_>) -> Action {
    match draw.below(5) {
        0 => Action::Allow,
        1 => Action::Notify,
        2 => Action::Trace(any_errno(draw)),
        3 => Action::Trap,
        _ => Action::Errno(any_errno(draw)),
    }
}

/// Runs it.
pub fn run(input: &[u8]) {
    let draw = &mut Draw::new(input);
    let plan = any_plan(draw, harmless, quiet_action);
    let program = match emit(&plan) {
        Ok(program) => program,
        Err(EmitError::TooLong | EmitError::NoSuchArgument(6)) => return,
        Err(other) => panic!("{other}"),
    };
    let mut probes: Vec<Probe> = (0..PROBES).map(|_| probe(&plan, draw)).collect();
    sys::run_under(&program, &mut probes);
    for probe in &probes {
        judge(&plan, probe);
    }
}

fn probe(plan: &Plan, draw: &mut Draw<'_>) -> Probe {
    let number = harmless(draw) | if draw.below(8) == 7 { X32_BIT } else { 0 };
    Probe::new(number, any_arguments(plan, number, draw))
}

fn judge(plan: &Plan, probe: &Probe) {
    let action = plan.decide_on(AUDIT_ARCH, probe.number, &probe.args);
    let is_as_planned = match action {
        // Nobody listens and nobody traces.
        Action::Notify | Action::Trace(_) => probe.result == Some(ENOSYS),
        Action::Errno(errno) => probe.result == Some(-i64::from(errno)),
        Action::Trap | Action::KillThread | Action::KillProcess => probe.result.is_none(),
        // Most kernels know no x32 calls.
        Action::Allow | Action::Log => {
            probe.result.is_some_and(|value| value >= 0 || value == ENOSYS && probe.number & X32_BIT != 0)
        }
    };
    assert!(is_as_planned, "{action:?}: {probe:#x?}");
}
