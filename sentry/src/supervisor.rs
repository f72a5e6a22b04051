//! One thread for each listener: takes a notification, has it judged, answers it, records it. The only place that
//! answers and the only place that records.
//!
//! Started by `watch`. Whatever fails on the way is a refusal with a record; nothing falls through.

use std::borrow::Cow;
use std::sync::Arc;

use lazaret_profiles::class::Errno;

use crate::audit::{Audit, Kind};
use crate::container::Container;
use crate::decide::{self, Decision, Facts};
use crate::handlers::{hostname, sysinfo};
use crate::monitor::{Monitor, MonitorError};
use crate::notify::{Arrival, Call, Listener, NotifyError};
use crate::record::{Arguments, Outcome, Record, VERSION};
use crate::request::{Reason, Request, Subject};
use crate::tracee::{TraceeError, Tracees};
use crate::verdict::Verdict;
use crate::{clock, copyin, text};

/// What the threads of all listeners share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where records go.
    pub(crate) audit: Audit,
    /// Who sets names.
    pub(crate) monitor: Monitor,
    /// Who calls.
    pub(crate) tracees: Tracees,
}

/// One listener and its container.
#[derive(Debug)]
pub(crate) struct Supervisor {
    listener: Listener,
    container: Container,
    shared: Arc<Shared>,
}

/// The executable of a caller that was gone before it could be told.
const UNKNOWN: &str = "?";

/// What was found and done for one call.
struct Judgement {
    verdict: Verdict,
    outcome: Outcome,
    reason: Option<Reason>,
    error: Option<String>,
}

/// Why a call that was decided could not be carried out.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("cannot tell who calls")]
    Caller(#[from] TraceeError),
    #[error("cannot set the name")]
    Name(#[from] MonitorError),
    #[error("cannot describe the system")]
    System(#[from] sysinfo::SysinfoError),
}

impl Supervisor {
    /// Of this listener.
    pub(crate) fn new(listener: Listener, container: Container, shared: Arc<Shared>) -> Self {
        Self { listener, container, shared }
    }

    /// Serves until no task is left under the filter.
    pub(crate) fn serve(mut self) -> Result<(), NotifyError> {
        loop {
            match self.listener.receive()? {
                Arrival::Call(call) => self.handle(&call)?,
                Arrival::Nothing => {}
                Arrival::End => return Ok(()),
            }
        }
    }

    fn handle(&mut self, call: &Call) -> Result<(), NotifyError> {
        let request = copyin::request(call);
        let facts = self.facts(call, &request);
        if !self.listener.is_waiting(call) {
            // Killed meanwhile: what was read may be another process's. Nothing is decided and nobody to be answered.
            return Ok(());
        }
        // An error on the way is a refusal.
        let judgement = facts
            .and_then(|facts| self.carry_out(call, decide::decide(&request, facts)))
            .unwrap_or_else(|error| Judgement::failed(&error));
        let kind = self.kind(&request, &judgement);
        // The caller stands still until it is answered, so that its executable is the one that called.
        let executable = self.shared.audit.wants(&kind).then(|| self.shared.tracees.executable(call.pid));
        let is_delivered = self.listener.answer(call, judgement.verdict)?;
        self.shared.audit.put(kind, |kind| {
            let executable = executable.filter(|_| is_delivered).unwrap_or_else(|| UNKNOWN.to_owned());
            record(call, request, executable, judgement, kind)
        });
        Ok(())
    }

    fn facts(&self, call: &Call, request: &Request) -> Result<Facts, CallError> {
        let may_set_hostname = self.container.may_set_hostname;
        let effective_uid = match request.subject {
            Subject::Name { .. } if may_set_hostname => Some(self.shared.tracees.effective_uid(call.pid)?),
            Subject::Name { .. } | Subject::Refused { .. } | Subject::Mount | Subject::Sysinfo { .. } => None,
        };
        Ok(Facts { may_set_hostname, effective_uid })
    }

    fn carry_out(&self, call: &Call, decision: Decision) -> Result<Judgement, CallError> {
        Ok(match decision {
            Decision::Refuse(errno, reason) => Judgement {
                verdict: Verdict::Errno(errno),
                outcome: Outcome::Refused,
                reason: Some(reason),
                error: None,
            },
            Decision::Fail(errno) => Judgement::answered(Verdict::Errno(errno)),
            Decision::SetName { domain, name } => {
                Judgement::answered(hostname::set(&self.shared.monitor, &self.container.id, &name, domain)?)
            }
            Decision::WriteSysinfo { address } => {
                Judgement::answered(sysinfo::write(&self.container, call.pid, address)?)
            }
        })
    }

    fn kind(&self, request: &Request, judgement: &Judgement) -> Kind {
        Kind {
            container: self.container.id.clone(),
            what: request.what(),
            outcome: judgement.outcome,
            reason: judgement.reason,
        }
    }
}

impl Judgement {
    fn answered(verdict: Verdict) -> Self {
        Self { verdict, outcome: Outcome::Answered, reason: None, error: None }
    }

    fn failed(error: &CallError) -> Self {
        Self {
            verdict: Verdict::Errno(Errno::EPERM),
            outcome: Outcome::Refused,
            reason: Some(Reason::FAILED),
            error: Some(text::chain(error)),
        }
    }
}

fn record(call: &Call, request: Request, executable: String, judgement: Judgement, kind: Kind) -> Record<'static> {
    let arguments = request.arguments.into_iter().map(|argument| (argument.name.into(), argument.text.into()));
    Record {
        version: VERSION,
        time: clock::now().into(),
        container: kind.container.into(),
        pid: call.pid,
        exe: executable.into(),
        syscall: request.syscall.into(),
        args: Arguments(arguments.collect()),
        what: kind.what.into(),
        verdict: kind.outcome,
        errno: errno_name(judgement.verdict),
        rule: request.rule.into(),
        technique: kind.reason.map(|reason| reason.technique.into()),
        why: kind.reason.map(|reason| reason.why.into()),
        allow: kind.reason.map(|reason| reason.allow.into()),
        error: judgement.error.map(Cow::Owned),
    }
}

/// The symbol of the errno that the caller gets, such as `EPERM`.
fn errno_name(verdict: Verdict) -> Option<Cow<'static, str>> {
    match verdict {
        Verdict::Value(_) => None,
        Verdict::Errno(errno) => Some(format!("{:?}", nix::errno::Errno::from_raw(i32::from(errno.0))).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_is_named_and_a_value_is_none() {
        assert_eq!(errno_name(Verdict::Errno(Errno::EPERM)).as_deref(), Some("EPERM"));
        assert_eq!(errno_name(Verdict::Errno(Errno::EAFNOSUPPORT)).as_deref(), Some("EAFNOSUPPORT"));
        assert_eq!(errno_name(Verdict::Value(0)), None);
    }
}
