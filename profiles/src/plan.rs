//! The plan: for every system call number an action, or checks on the arguments that lead to one.
//!
//! [`sandbox`] and [`strict`] make it from the table, [`crate::oci::plan`] from a bundle's profile; [`crate::bpf::emit`] turns it
//! into a program. [`Plan::decide`] is the plain meaning that the program is tested against.

use std::borrow::Cow;

use crate::check::{Arguments, Check};
use crate::class::{Class, Errno};
use crate::rules::{self, Cases, Verdict};
use crate::syscalls::{self, Choice, Column, X32_BIT};

/// What seccomp does with a call (seccomp(2), SECCOMP_RET_*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The kernel runs it.
    Allow,
    /// Not run; the caller gets this errno, at most 4095.
    Errno(u16),
    /// The listener's owner answers.
    Notify,
    /// The tracer decides, and is told this number.
    Trace(u16),
    /// Not run; the thread gets SIGSYS.
    Trap,
    /// The kernel runs it and logs it.
    Log,
    /// The thread ends.
    KillThread,
    /// The process ends.
    KillProcess,
}

impl Action {
    /// Whether the kernel never runs the call, whoever listens or traces.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::Errno(_) | Self::Trap | Self::KillThread | Self::KillProcess => true,
            Self::Allow | Self::Notify | Self::Trace(_) | Self::Log => false,
        }
    }
}

/// Who sees the refused calls that a [`crate::class::Event`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Witness {
    /// The sentry, by seccomp user notification.
    Notify,
    /// The sentry as tracer, by SECCOMP_RET_TRACE with [`TRACE_DATA`].
    Trace,
    /// Nobody: the same calls are refused with the same errno, unseen; emulated calls get EPERM.
    None,
}

impl Witness {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Notify, Self::Trace, Self::None];

    fn sees(self, otherwise: Errno) -> Action {
        match self {
            Self::Notify => Action::Notify,
            Self::Trace => Action::Trace(TRACE_DATA),
            Self::None => Action::Errno(otherwise.0),
        }
    }
}

/// The number that the tracer finds by PTRACE_GETEVENTMSG for a call that our program handed to it.
pub const TRACE_DATA: u16 = 0x1a2a;

/// Checks that lead to a decision. All checks of an arm must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arm {
    /// The conditions; none means always.
    pub checks: Cow<'static, [Check]>,
    /// What happens when they hold: most often one action, sometimes further arms.
    pub then: Decision,
}

/// What happens with one number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The first arm that holds decides.
    pub arms: Vec<Arm>,
    /// What happens when none holds.
    pub otherwise: Action,
}

impl Decision {
    /// The same action for all arguments.
    #[must_use]
    pub const fn always(action: Action) -> Self {
        Self { arms: Vec::new(), otherwise: action }
    }

    fn decide(&self, args: &Arguments) -> Action {
        let first = self.arms.iter().find(|arm| arm.checks.iter().all(|check| check.holds(args)));
        first.map_or(self.otherwise, |arm| arm.then.decide(args))
    }
}

/// Every number's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Sorted by number, each number once.
    decisions: Vec<(u32, Decision)>,
    unknown: Action,
    x32: Action,
    foreign: Vec<(u32, Action)>,
}

impl Plan {
    /// A plan from decisions in any order; of two for one number the first counts. `unknown` is for every number that
    /// no decision names. x32 numbers get ENOSYS and foreign architectures die, unless changed below.
    #[must_use]
    pub fn new(mut decisions: Vec<(u32, Decision)>, unknown: Action) -> Self {
        decisions.sort_by_key(|(number, _)| *number);
        decisions.dedup_by_key(|(number, _)| *number);
        decisions.retain(|(number, _)| *number < X32_BIT);
        Self { decisions, unknown, x32: Action::Errno(Errno::ENOSYS.0), foreign: Vec::new() }
    }

    /// The same plan with this action for x32 numbers.
    #[must_use]
    pub fn with_x32(self, action: Action) -> Self {
        Self { x32: action, ..self }
    }

    /// The same plan with one action for every call of another architecture (an AUDIT_ARCH value).
    #[must_use]
    pub fn with_foreign(mut self, arch: u32, action: Action) -> Self {
        self.foreign.push((arch, action));
        self
    }

    /// What happens with a call of our own architecture: the plain meaning of the plan.
    #[must_use]
    pub fn decide(&self, nr: u32, args: &Arguments) -> Action {
        if nr >= X32_BIT {
            return self.x32;
        }
        self.decision(nr).map_or(self.unknown, |decision| decision.decide(args))
    }

    /// What happens with a call by its architecture mark (`seccomp_data.arch`).
    #[must_use]
    pub fn decide_on(&self, arch: u32, nr: u32, args: &Arguments) -> Action {
        if arch == syscalls::AUDIT_ARCH {
            return self.decide(nr, args);
        }
        self.foreign.iter().find(|(known, _)| *known == arch).map_or(Action::KillProcess, |(_, action)| *action)
    }

    /// The decision of one number; `None` where the number is unknown to the plan.
    #[must_use]
    pub fn decision(&self, nr: u32) -> Option<&Decision> {
        let at = self.decisions.binary_search_by_key(&nr, |(number, _)| *number).ok()?;
        self.decisions.get(at).map(|(_, decision)| decision)
    }

    /// Every decision, sorted by number.
    #[must_use]
    pub fn decisions(&self) -> &[(u32, Decision)] {
        &self.decisions
    }

    /// The action for numbers that no decision names.
    #[must_use]
    pub const fn unknown(&self) -> Action {
        self.unknown
    }

    /// The action for x32 numbers.
    #[must_use]
    pub const fn x32(&self) -> Action {
        self.x32
    }

    /// The architectures that do not die, beside our own.
    #[must_use]
    pub fn foreign(&self) -> &[(u32, Action)] {
        &self.foreign
    }
}

/// The plan of sandbox mode: the table's classes, the rules' cases, ENOSYS for numbers that the table lacks.
#[must_use]
pub fn sandbox(witness: Witness) -> Plan {
    of_column(Column::Sandbox, witness)
}

/// The plan of strict mode: the same by the table's second column. Whatever it lets through, [`sandbox`] lets through.
#[must_use]
pub fn strict(witness: Witness) -> Plan {
    of_column(Column::Strict, witness)
}

/// The plan of a column.
#[must_use]
pub fn of_column(column: Column, witness: Witness) -> Plan {
    of_choices(|row| row.choice(column), witness)
}

/// The plan of a column for a container that was given a directory of the host. What only a witness can do is done by
/// none: without one, the calls that such a directory puts under guard run as they do for anybody else.
#[must_use]
pub fn guarded(column: Column, witness: Witness) -> Plan {
    let choice = |row: &syscalls::Row| match row.guarded {
        Some(guarded) if witness != Witness::None => guarded,
        Some(_) | None => row.choice(column),
    };
    of_choices(choice, witness)
}

/// The plan of what `choice` says of each row.
pub(crate) fn of_choices(choice: impl Fn(&syscalls::Row) -> Choice, witness: Witness) -> Plan {
    let decisions = syscalls::TABLE.iter().map(|row| (row.number, of_choice(&choice(row), witness))).collect();
    Plan::new(decisions, Action::Errno(Errno::ENOSYS.0))
}

fn of_choice(choice: &Choice, witness: Witness) -> Decision {
    match choice.class {
        Class::Native => Decision::always(Action::Allow),
        Class::Arg(rule) => of_cases(rules::cases(rule), witness),
        Class::Emulate(_) | Class::DenyNotify(_) => Decision::always(witness.sees(choice.errno)),
        Class::Deny(errno) => Decision::always(Action::Errno(errno.0)),
    }
}

fn of_cases(cases: &Cases, witness: Witness) -> Decision {
    let mut arms = Vec::with_capacity(cases.list.len());
    for case in cases.list {
        arms.push(Arm { checks: Cow::Borrowed(case.when), then: of_verdict(case.then, witness) });
    }
    let Decision { arms: rest, otherwise } = of_verdict(cases.otherwise, witness);
    arms.extend(rest);
    Decision { arms, otherwise }
}

fn of_verdict(verdict: Verdict, witness: Witness) -> Decision {
    match verdict {
        Verdict::Allow => Decision::always(Action::Allow),
        Verdict::Refuse(refusal) => Decision::always(witness.sees(refusal.errno)),
        Verdict::Answer(errno) => Decision::always(Action::Errno(errno.0)),
        Verdict::Ask(cases) => of_cases(cases, witness),
    }
}
