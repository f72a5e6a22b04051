//! `create`: from a bundle to a container that waits for `start`.

use std::path::Path;

use crate::annotations;
use crate::bundle::Bundle;
use crate::error::Error;
use crate::lifecycle::launch::{self, Launch, Opening};
use crate::lifecycle::{
    CreateRequest, Created, LifecycleError, delete, judgement, monitor, nested, newborn, profile, terminal,
};
use crate::options::{Mode, Options};
use crate::policy;
use crate::spec;
use crate::spec::container::Container;
use crate::verdicts::{self, Subject, Warned};

/// Creates the container of `request` and leaves a monitor with it.
///
/// The caller must be single-threaded.
///
/// # Errors
/// See [`Error`]; nothing is left behind then.
pub fn create(options: &Options, request: CreateRequest) -> Result<Created, Error> {
    let (id, pid_file) = (request.id.clone(), request.pid_file.clone());
    let launched = prepare(options, request, Opening::Gate)?;
    let left = leave(launched, pid_file.as_deref());
    if left.is_err() {
        delete(options, &id, true)?;
    }
    left
}

/// Tells the caller the first process's id, and leaves a monitor with the container.
fn leave(launched: launch::Launched, pid_file: Option<&Path>) -> Result<Created, Error> {
    let pidfd = launched.watched.init.try_clone().map_err(LifecycleError::Monitor)?;
    let terminal = launched.terminal.as_ref().map(terminal::receive).transpose().map_err(LifecycleError::Relay)?;
    newborn::write_pid_file(pid_file, launched.pid)?;
    monitor::fork(launched.watched)?;
    Ok(Created { pid: launched.pid, pidfd, terminal })
}

/// The common part of `create` and `run`.
pub(super) fn prepare(options: &Options, request: CreateRequest, opening: Opening) -> Result<launch::Launched, Error> {
    let bundle = Bundle::load(&request.bundle)?;
    let container = spec::check(&bundle)?;
    let subject = Subject::of(&request.id, &container.annotations);
    let refused = |error: Error| {
        verdicts::refused(options, &subject, &error);
        error
    };
    let mut effective = annotations::apply(options, &container.annotations).map_err(|error| refused(error.into()))?;
    profile::raise_level(&mut effective);
    let options = &effective;
    let mut warnings = Vec::new();
    let launched = admit(options, bundle, container, request, opening, &mut warnings).map_err(refused)?;
    verdicts::warned(options, &subject, &warnings);
    Ok(launched)
}

/// Has policy judge the container, and launches it. What policy warns of is added to `warnings`.
fn admit(
    options: &Options,
    bundle: Bundle,
    mut container: Container,
    request: CreateRequest,
    opening: Opening,
    warnings: &mut Vec<Warned>,
) -> Result<launch::Launched, Error> {
    profile::announce(options);
    nested::admit(options, &container)?;
    let findings = judgement::judge(options, &bundle, &request.id)?;
    warnings.extend(findings.iter().map(Warned::from));
    let admitted = match options.mode {
        Mode::Native => None,
        Mode::Sandbox | Mode::Strict => {
            let host = policy::host::Host::gather(&container)?;
            let admitted = policy::sandbox::admit(&mut container, &host, &options.rules)?;
            for warning in &admitted.warnings {
                tracing::warn!("{warning}");
                warnings.push(warning.into());
            }
            Some(admitted)
        }
    };
    let directory = bundle.directory().to_owned();
    let config = Some(bundle);
    let launch = Launch { bundle: directory, config, container, admitted, findings, request, opening, stream: None };
    launch::launch(options, launch)
}
