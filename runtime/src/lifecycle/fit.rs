//! Which verb fits a container in which status: the one table, and the refusals in the words that callers look for.
//!
//! Every verb that starts from a container's state gets it from here, so that none of them acts on one that does not
//! fit.

use crate::error::Error;
use crate::lifecycle::LifecycleError;
use crate::options::Options;
use crate::state::{self, Directory, Status, Stored};

/// A verb that needs a container in a certain status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Exec,
    /// `exec --ignore-paused`.
    ExecAtThaw,
    Kill,
    Delete,
    Pause,
    Resume,
    Update,
    Events,
    Trace,
}

impl Verb {
    /// The statuses that it fits.
    const fn fits(self) -> &'static [Status] {
        match self {
            Self::Start => &[Status::Created],
            Self::Kill | Self::Update | Self::Events | Self::ExecAtThaw => {
                &[Status::Created, Status::Running, Status::Paused]
            }
            Self::Trace => &[Status::Running],
            Self::Pause | Self::Exec => &[Status::Created, Status::Running],
            Self::Resume => &[Status::Paused],
            // As runc: callers delete a container that they never started, without force.
            Self::Delete => &[Status::Created, Status::Stopped],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Exec | Self::ExecAtThaw => "exec a process in",
            Self::Kill => "kill",
            Self::Delete => "delete",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Update => "update",
            Self::Events => "show events of",
            Self::Trace => "trace",
        }
    }

    /// Whether a container in `status` is, for this verb, one that does not run: containerd's shim and Docker take the
    /// words of that refusal for "it has ended already", which `start` and `delete` must not say.
    fn misses_a_process(self, status: Status) -> bool {
        match self {
            Self::Start | Self::Delete => false,
            Self::Pause | Self::Resume | Self::Trace => status == Status::Stopped,
            Self::Kill | Self::Update | Self::Events | Self::Exec | Self::ExecAtThaw => {
                matches!(status, Status::Creating | Status::Stopped)
            }
        }
    }

    /// The answer to this verb for container `id` in `status`.
    ///
    /// # Errors
    /// [`LifecycleError::NotRunning`] or [`LifecycleError::WrongStatus`] when it does not fit.
    pub(super) fn check(self, id: &str, status: Status) -> Result<(), LifecycleError> {
        if self.fits().contains(&status) {
            return Ok(());
        }
        let id = id.to_owned();
        Err(if self.misses_a_process(status) {
            LifecycleError::NotRunning { id, status: status.name() }
        } else {
            LifecycleError::WrongStatus { verb: self.name(), id, status: status.name(), needed: self.fits() }
        })
    }
}

/// `created, running or paused`.
pub(super) fn either(statuses: &[Status]) -> String {
    let names: Vec<&str> = statuses.iter().map(|status| status.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A container that fits a verb, locked: no other verb changes it meanwhile.
#[derive(Debug)]
pub(super) struct Held {
    /// Its directory, and the lock.
    pub(super) directory: Directory,
    /// Its state.
    pub(super) stored: Stored,
}

/// Locks container `id` for `verb`.
///
/// # Errors
/// As [`Verb::check`]; `StateError` when there is no such container.
pub(super) fn hold(options: &Options, id: &str, verb: Verb) -> Result<Held, Error> {
    let directory = Directory::open(&options.root, id)?;
    let stored = directory.read()?;
    verb.check(id, stored.status())?;
    Ok(Held { directory, stored })
}

/// The state of container `id` for a `verb` that waits for nobody, and its status.
///
/// # Errors
/// As [`hold`].
pub(super) fn look(options: &Options, id: &str, verb: Verb) -> Result<(Stored, Status), Error> {
    let stored = state::peek(&options.root, id)?;
    let status = stored.status();
    verb.check(id, status)?;
    Ok((stored, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each verb says in each status, in the order of [`Status::ALL`]: `ok`, `gone` (the words of a process that has
    /// ended) or `wrong`.
    const EXPECTED: [(Verb, [&str; 5]); 10] = [
        (Verb::Start, ["wrong", "ok", "wrong", "wrong", "wrong"]),
        (Verb::Exec, ["gone", "ok", "ok", "wrong", "gone"]),
        (Verb::ExecAtThaw, ["gone", "ok", "ok", "ok", "gone"]),
        (Verb::Kill, ["gone", "ok", "ok", "ok", "gone"]),
        (Verb::Delete, ["wrong", "ok", "wrong", "wrong", "ok"]),
        (Verb::Pause, ["wrong", "ok", "ok", "wrong", "gone"]),
        (Verb::Resume, ["wrong", "wrong", "wrong", "ok", "gone"]),
        (Verb::Update, ["gone", "ok", "ok", "ok", "gone"]),
        (Verb::Events, ["gone", "ok", "ok", "ok", "gone"]),
        (Verb::Trace, ["wrong", "wrong", "ok", "wrong", "gone"]),
    ];

    #[test]
    fn every_verb_answers_in_every_status() {
        for (verb, answers) in EXPECTED {
            for (status, expected) in Status::ALL.into_iter().zip(answers) {
                let answer = match verb.check("c", status) {
                    Ok(()) => "ok",
                    Err(LifecycleError::NotRunning { .. }) => "gone",
                    Err(_) => "wrong",
                };
                assert_eq!(answer, expected, "{verb:?} when {}", status.name());
            }
        }
    }

    #[test]
    fn refusals_hold_the_words_that_callers_look_for() {
        let text = |verb: Verb, status| verb.check("c", status).unwrap_err().to_string();
        let gone = text(Verb::Kill, Status::Stopped);
        for words in ["container not running", "os: process already finished"] {
            assert!(gone.contains(words), "{gone}");
        }
        assert_eq!(text(Verb::Resume, Status::Running), "cannot resume container \"c\": it is running, not paused");
        assert_eq!(text(Verb::Start, Status::Stopped), "cannot start container \"c\": it is stopped, not created");
        assert_eq!(
            text(Verb::Pause, Status::Paused),
            "cannot pause container \"c\": it is paused, not created or running"
        );
    }
}
