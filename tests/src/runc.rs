//! runc from the distribution: the positive control. The same bundle, with the lax configuration, in a state directory
//! of its own.

use std::process::Command;

use crate::bundle::Bundle;
use crate::outcome::{self, Outcome};
use crate::programs;
use crate::scratch::Scratch;

/// Runs the bundle under runc to its end.
#[track_caller]
#[must_use]
pub fn run(bundle: &Bundle) -> Outcome {
    bundle.write();
    let state = Scratch::new();
    let mut command = Command::new(programs::installed("runc"));
    command.arg("--root").arg(state.path()).arg("run").arg("--bundle").arg(bundle.path()).arg(bundle.id());
    outcome::run(&mut command)
}
