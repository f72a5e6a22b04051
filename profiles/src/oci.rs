//! An OCI bundle's `linux.seccomp`, given as plain types, as a plan and a program.
//!
//! The runtime calls it with what it read from config.json. It follows runc and libseccomp, so that a profile means
//! the same under either; where they would leave a gap it refuses by name:
//!
//! * The first unconditional rule of a call decides it, whatever its conditional rules say.
//! * Conditional rules are alternatives; where several match, the strictest action counts. Conditions within a rule
//!   must all hold; but a rule that names one argument twice is taken as one rule for each condition, as runc does.
//! * A rule with the default action is skipped.
//! * Numbers above all that the profile names get ENOSYS in place of a refusing default, so that programs fall back
//!   from calls that are newer than the profile.
//! * Our own architecture is always in. Calls of a listed relative (i386, x32), which have no table here, get the
//!   default action where that refuses; a default that lets calls through is an error, because the rules would not
//!   hold there. Calls of an unlisted architecture end the process.

use std::borrow::Cow;
use std::collections::BTreeMap;

use thiserror::Error;

use crate::bpf::{self, EmitError, Program};
use crate::check::{Check, LONG, Span, Spans};
use crate::class::Errno;
use crate::plan::{Action, Arm, Decision, Plan};
use crate::syscalls::{self, Architecture};

/// `linux.seccomp` (config-linux.md, "Seccomp").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `defaultAction` with `defaultErrnoRet`.
    pub default: Action,
    /// `architectures`: SCMP_ARCH_* names.
    pub architectures: Vec<String>,
    /// `syscalls`.
    pub rules: Vec<OciRule>,
}

/// One entry of `syscalls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciRule {
    /// System call names, the kernel's.
    pub names: Vec<String>,
    /// `action` with `errnoRet`.
    pub action: Action,
    /// Conditions on the arguments.
    pub args: Vec<ArgCheck>,
}

/// One condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgCheck {
    /// Which argument, 0 to 5.
    pub index: u8,
    /// The comparison.
    pub op: Op,
    /// `value`; of [`Op::MaskedEq`] the mask.
    pub value: u64,
    /// `valueTwo`; of [`Op::MaskedEq`] what the masked argument must be.
    pub value_two: u64,
}

/// SCMP_CMP_*: unsigned, on all 64 bits of the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Equal.
    Eq,
    /// Greater or equal.
    Ge,
    /// Greater.
    Gt,
    /// Equal under a mask.
    MaskedEq,
}

/// Why a profile is no program.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OciError {
    /// No such name in the runtime specification.
    #[error("unknown seccomp architecture {0:?}")]
    UnknownArchitecture(String),
    /// The rules could not be enforced for this architecture's calls.
    #[error("seccomp architecture {0:?} has no system call table here, and the default action lets its calls through")]
    UnsupportedArchitecture(String),
    /// A call that the profile restricts, by a name that no architecture has: it would stay unrestricted.
    #[error("unknown system call {0:?} in a profile that lets unnamed calls through")]
    UnknownSyscall(String),
    /// A condition on an argument that does not exist.
    #[error("system calls have arguments 0 to 5, not {0}")]
    NoSuchArgument(u8),
    /// seccomp(2) takes errnos up to 4095.
    #[error("{0} is no errno")]
    NoSuchErrno(u16),
    /// The agent that answers would have to answer the calls that hand the listener to it.
    #[error("SCMP_ACT_NOTIFY cannot be the default action")]
    NotifyDefault,
    /// The program could not be made.
    #[error("the seccomp profile does not fit a filter program")]
    Emit(#[source] EmitError),
}

/// A profile as a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What happens with every number.
    pub plan: Plan,
    /// Names without a number here, each once, for a log line: other architectures' calls, and calls newer than the
    /// table, which stay refused.
    pub ignored: Vec<String>,
}

/// The program of a profile.
///
/// # Errors
/// [`OciError`] when the profile cannot be enforced as written.
pub fn compile(profile: &Profile) -> Result<Program, OciError> {
    bpf::emit(&plan(profile)?.plan).map_err(OciError::Emit)
}

/// The plan of a profile.
///
/// # Errors
/// [`OciError`] when the profile cannot be enforced as written.
pub fn plan(profile: &Profile) -> Result<Planned, OciError> {
    if profile.default == Action::Notify {
        return Err(OciError::NotifyDefault);
    }
    checked(profile.default)?;
    let mut calls: BTreeMap<u32, Call> = BTreeMap::new();
    let mut ignored = Vec::new();
    for rule in &profile.rules {
        let alternatives = alternatives(rule)?;
        for name in &rule.names {
            match syscalls::by_name(name) {
                Some(row) => calls.entry(row.number).or_default().add(rule.action, &alternatives, profile.default),
                None => ignore(name, rule.action, profile.default, &mut ignored)?,
            }
        }
    }
    let plan = architectures(profile, decisions(calls, profile.default))?;
    Ok(Planned { plan, ignored })
}

/// What the profile says to one call so far.
#[derive(Debug, Default)]
struct Call {
    unconditional: Option<Action>,
    conditional: Vec<(Action, Vec<Check>)>,
}

impl Call {
    /// `alternatives`: none for an unconditional rule.
    fn add(&mut self, action: Action, alternatives: &[Vec<Check>], default: Action) {
        if action == default {
            return;
        }
        if alternatives.is_empty() {
            self.unconditional.get_or_insert(action);
        }
        self.conditional.extend(alternatives.iter().map(|checks| (action, checks.clone())));
    }

    fn decision(mut self, default: Action) -> Decision {
        if let Some(action) = self.unconditional {
            return Decision::always(action);
        }
        self.conditional.sort_by_key(|(action, _)| leniency(*action));
        let arm = |(action, checks)| Arm { checks: Cow::Owned(checks), then: Decision::always(action) };
        Decision { arms: self.conditional.into_iter().map(arm).collect(), otherwise: default }
    }
}

/// The kernel's order among actions, strictest first (seccomp(2), "return value").
const fn leniency(action: Action) -> u8 {
    match action {
        Action::KillProcess => 0,
        Action::KillThread => 1,
        Action::Trap => 2,
        Action::Errno(_) => 3,
        Action::Notify => 4,
        Action::Trace(_) => 5,
        Action::Log => 6,
        Action::Allow => 7,
    }
}

/// A name without a number is harmless where it is another architecture's, or where unnamed calls are refused anyway.
fn ignore(name: &str, action: Action, default: Action, ignored: &mut Vec<String>) -> Result<(), OciError> {
    let loses = leniency(action) < leniency(default) && !default.refuses();
    if loses && !syscalls::exists_elsewhere(name) {
        return Err(OciError::UnknownSyscall(name.to_owned()));
    }
    if !ignored.iter().any(|known| known == name) {
        ignored.push(name.to_owned());
    }
    Ok(())
}

/// The conditions of a rule, as alternatives of checks that must all hold; none for an unconditional rule.
fn alternatives(rule: &OciRule) -> Result<Vec<Vec<Check>>, OciError> {
    checked(rule.action)?;
    let mut checks = Vec::with_capacity(rule.args.len());
    for arg in &rule.args {
        checks.push(check(*arg)?);
    }
    let twice = checks.iter().enumerate().any(|(at, check)| checks.iter().skip(at + 1).any(|c| c.arg == check.arg));
    Ok(match (twice, checks.is_empty()) {
        (_, true) => Vec::new(),
        (false, false) => vec![checks],
        (true, false) => checks.into_iter().map(|check| vec![check]).collect(),
    })
}

fn check(arg: ArgCheck) -> Result<Check, OciError> {
    if arg.index > 5 {
        return Err(OciError::NoSuchArgument(arg.index));
    }
    let value = arg.value;
    let below = value.checked_sub(1).map(|last| Span { first: 0, last });
    let above = value.checked_add(1).map(|first| Span { first, last: u64::MAX });
    let one = |span: Option<Span>| span.map_or(Spans::Listed(&[]), |span| Spans::One([span]));
    let (mask, spans) = match arg.op {
        Op::Eq => (LONG, one(Some(Span { first: value, last: value }))),
        Op::Lt => (LONG, one(below)),
        Op::Le => (LONG, one(Some(Span { first: 0, last: value }))),
        Op::Ge => (LONG, one(Some(Span { first: value, last: u64::MAX }))),
        Op::Gt => (LONG, one(above)),
        Op::Ne => match (below, above) {
            (Some(below), Some(above)) => (LONG, Spans::Two([below, above])),
            (below, above) => (LONG, one(below.or(above))),
        },
        Op::MaskedEq => {
            let wanted = arg.value_two & value;
            (value, one(Some(Span { first: wanted, last: wanted })))
        }
    };
    Ok(Check { arg: arg.index, mask, spans })
}

fn checked(action: Action) -> Result<(), OciError> {
    match action {
        Action::Errno(errno) if errno > 4095 => Err(OciError::NoSuchErrno(errno)),
        Action::Errno(_)
        | Action::Allow
        | Action::Notify
        | Action::Trace(_)
        | Action::Trap
        | Action::Log
        | Action::KillThread
        | Action::KillProcess => Ok(()),
    }
}

fn decisions(calls: BTreeMap<u32, Call>, default: Action) -> Plan {
    let named = calls.last_key_value().map(|(number, _)| *number);
    let newer = if default.refuses() && named.is_some() { Action::Errno(Errno::ENOSYS.0) } else { default };
    // Numbers up to the largest named are the profile's to refuse, also those that no call has.
    let mut decisions: Vec<_> = (0..named.map_or(0, |number| number + 1))
        .filter(|number| !calls.contains_key(number))
        .map(|number| (number, Decision::always(default)))
        .collect();
    decisions.extend(calls.into_iter().map(|(number, call)| (number, call.decision(default))));
    Plan::new(decisions, newer)
}

fn architectures(profile: &Profile, mut plan: Plan) -> Result<Plan, OciError> {
    for name in &profile.architectures {
        let architecture = syscalls::architecture(name).ok_or_else(|| OciError::UnknownArchitecture(name.clone()))?;
        let relative = matches!(architecture, Architecture::X32 | Architecture::Relative(_));
        if relative && !profile.default.refuses() {
            return Err(OciError::UnsupportedArchitecture(name.clone()));
        }
        plan = match architecture {
            Architecture::X32 => plan.with_x32(profile.default),
            Architecture::Relative(mark) => plan.with_foreign(mark, profile.default),
            Architecture::Own | Architecture::Unrelated => plan,
        };
    }
    Ok(plan)
}
