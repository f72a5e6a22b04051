//! The hostile workload's own word: the JSON line that it prints.

use serde_json::Value;

use crate::outcome::Outcome;

/// What an attack says of itself.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// It reached its goal.
    pub ok: bool,
    /// The errno of the step that failed; 0 when it was without effect.
    pub errno: i32,
    /// The step that failed.
    pub step: String,
    /// How it knows that it succeeded.
    pub evidence: String,
}

/// Reads the verdict from the output of a run.
///
/// # Panics
/// When there is none: then the attack was not made, and the test would prove nothing.
#[track_caller]
#[must_use]
pub fn of(outcome: &Outcome) -> Verdict {
    parse(&outcome.stdout).unwrap_or_else(|| panic!("the attacker has not spoken: {outcome:?}"))
}

/// The verdict in a text, if there is one.
#[must_use]
pub fn parse(text: &str) -> Option<Verdict> {
    let line: Value = text.lines().rev().find_map(|line| serde_json::from_str(line.trim()).ok())?;
    Some(Verdict {
        ok: line["ok"].as_bool()?,
        errno: i32::try_from(line["errno"].as_i64()?).ok()?,
        step: line["step"].as_str()?.to_owned(),
        evidence: line["evidence"].as_str()?.to_owned(),
    })
}
