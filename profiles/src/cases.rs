//! What an argument rule is made of: cases, checked in order. The rules themselves stand in `rules`, as data.

use crate::check::{Arguments, Check, Span, Spans};
use crate::class::{Errno, Event, Refusal};

/// What a case says.
#[derive(Debug, Clone, Copy)]
pub enum Verdict {
    /// The kernel runs it.
    Allow,
    /// A technique: refused, and recorded where there is a witness.
    Refuse(Refusal),
    /// Refused without a record: honest programs ask, and fall back.
    Answer(Errno),
    /// Further cases decide.
    Ask(&'static Cases),
}

/// One line of a rule.
#[derive(Debug, Clone)]
pub struct Case {
    /// The conditions; all must hold.
    pub when: &'static [Check],
    /// What follows.
    pub then: Verdict,
}

/// What a rule says in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The kernel runs it.
    Allowed,
    /// Refused and recorded.
    Recorded(Refusal),
    /// Refused without a record.
    Quiet(Errno),
}

/// A rule: cases in order, and what holds when none does.
#[derive(Debug, Clone)]
pub struct Cases {
    /// In order.
    pub list: &'static [Case],
    /// For everything else.
    pub otherwise: Verdict,
}

impl Cases {
    /// What the rule says to these arguments, further cases included.
    #[must_use]
    pub fn answer(&self, args: &Arguments) -> Answer {
        let first = self.list.iter().find(|case| case.when.iter().all(|check| check.holds(args)));
        match first.map_or(self.otherwise, |case| case.then) {
            Verdict::Allow => Answer::Allowed,
            Verdict::Refuse(refusal) => Answer::Recorded(refusal),
            Verdict::Answer(errno) => Answer::Quiet(errno),
            Verdict::Ask(cases) => cases.answer(args),
        }
    }
}

pub(crate) const fn arg(arg: u8, mask: u64, spans: &'static [Span]) -> Check {
    Check { arg, mask, spans: Spans::Listed(spans) }
}

pub(crate) const fn is(value: u64) -> Span {
    Span { first: value, last: value }
}

pub(crate) const fn span(first: u64, last: u64) -> Span {
    Span { first, last }
}

pub(crate) const fn allow(when: &'static [Check]) -> Case {
    Case { when, then: Verdict::Allow }
}

pub(crate) const fn refuse(when: &'static [Check], event: Event, errno: Errno) -> Case {
    Case { when, then: Verdict::Refuse(Refusal { event, errno }) }
}

pub(crate) const fn answer(when: &'static [Check], errno: Errno) -> Case {
    Case { when, then: Verdict::Answer(errno) }
}

pub(crate) const fn ask(when: &'static [Check], cases: &'static Cases) -> Case {
    Case { when, then: Verdict::Ask(cases) }
}

pub(crate) const fn refused(event: Event, errno: Errno) -> Verdict {
    Verdict::Refuse(Refusal { event, errno })
}
