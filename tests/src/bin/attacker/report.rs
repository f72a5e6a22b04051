//! What an attack says about itself. Used by every act; prints nothing by itself.

use serde_json::json;

/// An attack that failed: the call that was refused, and how.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// The name of the refused step.
    pub(crate) step: String,
    /// The errno of the step; 0 when it "worked" and had no effect.
    pub(crate) errno: i32,
}

/// Evidence of success, or the step that failed.
pub(crate) type Outcome = Result<String, Failure>;

/// One attack: its arguments in, its outcome out.
pub(crate) type Act = fn(&[String]) -> Outcome;

/// Names a step of an attack, so that a refusal says which call it was.
pub(crate) trait Step<T> {
    /// Turns the bare error into a [`Failure`] of the step `name`.
    fn step(self, name: &str) -> Result<T, Failure>;
}

impl<T> Step<T> for Result<T, i32> {
    fn step(self, name: &str) -> Result<T, Failure> {
        self.map_err(|errno| Failure { step: name.to_owned(), errno })
    }
}

impl<T> Step<T> for std::io::Result<T> {
    fn step(self, name: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure { step: name.to_owned(), errno: error.raw_os_error().unwrap_or(-1) })
    }
}

/// A step that returned success without having had its effect.
pub(crate) fn without_effect<T>(step: &str) -> Result<T, Failure> {
    Err(Failure { step: step.to_owned(), errno: 0 })
}

/// The argument at `index`, or a failure that says that the test is wrong.
pub(crate) fn argument(arguments: &[String], index: usize) -> Result<&str, Failure> {
    arguments
        .get(index)
        .map(String::as_str)
        .ok_or_else(|| Failure { step: format!("argument {index} is missing"), errno: -1 })
}

/// The JSON line of an outcome.
pub(crate) fn line(attack: &str, outcome: &Outcome) -> String {
    match outcome {
        Ok(evidence) => json!({"attack": attack, "ok": true, "errno": 0, "step": "", "evidence": evidence}),
        Err(failure) => {
            json!({"attack": attack, "ok": false, "errno": failure.errno, "step": failure.step, "evidence": ""})
        }
    }
    .to_string()
}
