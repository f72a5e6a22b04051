//! Policy as code: Kubernetes' ValidatingAdmissionPolicy, with expressions of CEL (<https://cel.dev>) over what is to be
//! launched: `spec` (the `config.json`), `annotations` and `node`.
//!
//! [`document`] reads policies, [`judge`] has them evaluated in a child with limits (`confined`), since the library that
//! evaluates them has none of its own (docs/adr/0014). What cannot be evaluated refuses, unless the policy says `Ignore`.

mod confined;
pub mod document;
mod error;
mod evaluate;
pub mod input;
pub mod report;

use document::{Action, FailurePolicy, Policy};
pub use error::CelError;
use evaluate::Outcome;
pub use input::Input;

use super::finding::{self, Finding};

/// What `policies` say of `input`: what may be launched all the same.
///
/// The caller must be single-threaded: the policies are evaluated in a child.
///
/// # Errors
/// [`CelError`]: a policy denies it, or cannot be evaluated.
pub fn judge(policies: &[Policy], input: &Input) -> Result<Vec<Finding>, CelError> {
    if policies.is_empty() {
        return Ok(Vec::new());
    }
    let mut findings = Vec::new();
    for (policy, outcome) in policies.iter().zip(outcomes(policies, input)) {
        apply(policy, outcome, input, &mut findings)?;
    }
    Ok(findings)
}

/// Of each policy. When the child ends without an answer, each is asked alone, so that one that takes too much speaks for
/// nobody else.
fn outcomes(policies: &[Policy], input: &Input) -> Vec<Outcome> {
    match confined::evaluate(policies, input) {
        Ok(outcomes) if outcomes.len() == policies.len() => outcomes,
        Err(why) if policies.len() == 1 => vec![Outcome::Failed(why)],
        Ok(_) | Err(_) => policies
            .iter()
            .map(|policy| match confined::evaluate(std::slice::from_ref(policy), input).map(|mut all| all.pop()) {
                Ok(Some(outcome)) => outcome,
                Ok(None) => Outcome::Failed("it has no result".to_owned()),
                Err(why) => Outcome::Failed(why),
            })
            .collect(),
    }
}

fn apply(policy: &Policy, outcome: Outcome, input: &Input, findings: &mut Vec<Finding>) -> Result<(), CelError> {
    let (name, container) = (&policy.name, &input.container);
    let violations = match outcome {
        Outcome::Judged(violations) => violations,
        Outcome::Malformed { field, what } => {
            return Err(CelError::Expression { policy: name.clone(), field, what });
        }
        Outcome::Failed(why) => {
            if policy.failure_policy == FailurePolicy::Fail {
                return Err(CelError::Failed { policy: name.clone(), container: container.clone(), why });
            }
            let message = format!("was not judged by ValidatingAdmissionPolicy {name:?}, which may fail: {why}");
            findings.push(Finding { action: finding::Action::Warn, message });
            return Ok(());
        }
    };
    if let Some(violation) = violations.first()
        && policy.actions.contains(&Action::Deny)
    {
        let (message, reason) = (violation.message.clone(), violation.reason.clone());
        return Err(CelError::Denied { policy: name.clone(), container: container.clone(), message, reason });
    }
    for violation in violations {
        let message = format!("would be denied by ValidatingAdmissionPolicy {name:?}: {}", violation.message);
        let actions = [(Action::Warn, finding::Action::Warn), (Action::Audit, finding::Action::Audit)];
        let wanted = actions.into_iter().filter(|(asked, _)| policy.actions.contains(asked));
        findings.extend(wanted.map(|(_, action)| Finding { action, message: message.clone() }));
    }
    Ok(())
}
