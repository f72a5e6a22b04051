//! One thread for each container: takes a trapped call, has it judged, answers it, records it. The only place that
//! answers and the only place that records, whichever interceptor brings the calls. What may take long is seen through
//! by a thread of its own.
//!
//! Started by `watch`. Whatever fails on the way is a refusal with a record; nothing falls through.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lazaret_profiles::class::Errno;

use crate::audit::{Audit, Kind};
use crate::container::Container;
use crate::decide::{self, Decision, Facts};
use crate::handlers::{connect, hostname, mount, sysinfo};
use crate::handoff::FromSentry;
use crate::interceptor::{Arrival, Caller, Interceptor};
use crate::monitor::{Monitor, MonitorError};
use crate::record::{Arguments, Level, Outcome, Record, VERSION};
use crate::record_policy;
use crate::request::{Reason, Request, Subject};
use crate::tracee::{TraceeError, Tracees};
use crate::verdict::{Registers, Verdict};
use crate::{clock, copyin, limits, text};

/// What the threads of all containers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where records go.
    pub(crate) audit: Audit,
    /// Who sets names.
    pub(crate) monitor: Monitor,
    /// Who calls.
    pub(crate) tracees: Tracees,
    /// How many calls wait for their answer on a thread of their own.
    pub(crate) pending: AtomicUsize,
}

/// One container and what traps its calls.
#[derive(Debug)]
pub(crate) struct Supervisor<I> {
    interceptor: I,
    court: Court,
}

/// What decisions about one container are carried out and recorded with, on whatever thread.
#[derive(Debug, Clone)]
struct Court {
    container: Arc<Container>,
    shared: Arc<Shared>,
}

/// The executable of a caller that was gone before it could be told.
const UNKNOWN: &str = "?";

/// What was found for one call, beside the verdict.
struct Finding {
    outcome: Outcome,
    reason: Option<Reason>,
    error: Option<String>,
}

/// Why a call that was decided could not be carried out.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("cannot tell who calls")]
    Caller(#[from] TraceeError),
    #[error("the monitor cannot do it")]
    Monitor(#[from] MonitorError),
    #[error("a tracer cannot give the caller a descriptor")]
    NoDescriptor,
    #[error("cannot describe the system")]
    System(#[from] sysinfo::SysinfoError),
}

impl<I: Interceptor + Send + 'static> Supervisor<I> {
    /// Of this container.
    pub(crate) fn new(interceptor: I, container: Container, shared: Arc<Shared>) -> Self {
        Self { interceptor, court: Court { container: Arc::new(container), shared } }
    }

    /// Serves until no task is left under the filter.
    pub(crate) fn serve(mut self) -> Result<(), I::Error> {
        loop {
            match self.interceptor.receive()? {
                Arrival::Call(caller, registers) => self.handle(caller, registers)?,
                Arrival::Nothing => {}
                Arrival::End => return Ok(()),
            }
        }
    }

    fn handle(&mut self, caller: Caller, registers: Registers) -> Result<(), I::Error> {
        let request = copyin::request(registers);
        let facts = self.court.facts(caller, &request);
        if request.must_still_wait() && !self.interceptor.is_waiting(caller) {
            // Killed meanwhile: what was read may be another process's. Nothing is decided and nobody to be answered.
            return Ok(());
        }
        let decided = facts.map(|facts| decide::decide(&request, facts));
        match decided {
            Ok(decision) if decision.may_take_long() => self.defer((caller, request), decision),
            decided => self.court.conclude(&mut self.interceptor, (caller, request), decided),
        }
    }

    /// Has a thread of its own see the decision through, where one can, so that nobody else waits for it.
    fn defer(&mut self, (caller, request): (Caller, Request), decision: Decision) -> Result<(), I::Error> {
        let Some(mut interceptor) = self.interceptor.second() else {
            return self.court.conclude(&mut self.interceptor, (caller, request), Ok(decision));
        };
        let Some(place) = Place::take(&self.court.shared) else {
            return self.court.conclude(&mut self.interceptor, (caller, request), Ok(Decision::Fail(EAGAIN)));
        };
        let (court, deferred) = (self.court.clone(), request.clone());
        let work = move || {
            let _place = place;
            match court.conclude(&mut interceptor, (caller, deferred), Ok(decision)) {
                // What makes the listener useless is told by whoever receives on it.
                Ok(()) | Err(_) => {}
            }
        };
        match std::thread::Builder::new().stack_size(limits::THREAD_STACK).spawn(work) {
            Ok(_detached) => Ok(()),
            Err(_no_thread) => {
                self.court.conclude(&mut self.interceptor, (caller, request), Ok(Decision::Fail(EAGAIN)))
            }
        }
    }
}

/// `EAGAIN`: too many calls wait for their answer.
const EAGAIN: Errno = Errno(11);

/// One of the threads that wait for an answer.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let more = |taken: usize| (taken < limits::PENDING).then_some(taken + 1);
        shared.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Court {
    /// Carries a decision out, answers and records. An error on the way is a refusal.
    fn conclude<I: Interceptor>(
        &self,
        interceptor: &mut I,
        (caller, request): (Caller, Request),
        decided: Result<Decision, CallError>,
    ) -> Result<(), I::Error> {
        let judged = decided.and_then(|decision| self.carry_out(caller, decision));
        let judged = judged.and_then(|(verdict, finding)| {
            let is_possible = I::GIVES_DESCRIPTORS || !matches!(verdict, Verdict::AddFd(_));
            is_possible.then_some((verdict, finding)).ok_or(CallError::NoDescriptor)
        });
        let (verdict, mut finding) = judged.unwrap_or_else(|error| Finding::failed(&error));
        if matches!(verdict, Verdict::Kill) {
            finding.error = self.have_killed(&request);
        }
        let (errno, value) = (errno(&verdict), value(&verdict));
        let level = self.level(&request, &finding);
        let kind = self.kind(level, &request, &finding);
        // The caller stands still until it is answered, so that its executable is the one that called.
        let executable = self.shared.audit.wants(level, &kind).then(|| self.shared.tracees.executable(caller.pid));
        let is_delivered = interceptor.answer(caller, verdict)?;
        self.shared.audit.put(level, kind, |kind| {
            let executable = executable.filter(|_| is_delivered).unwrap_or_else(|| UNKNOWN.to_owned());
            record((caller, executable), (level, request), (errno.map(errno_name), value), finding, kind)
        });
        Ok(())
    }

    /// Asks for the container's end. The call itself is refused, so that a monitor that is gone lets nothing through; the
    /// error is then for the record.
    fn have_killed(&self, request: &Request) -> Option<String> {
        let (container, why) = (self.container.id.clone(), request.what());
        self.shared.monitor.say(&FromSentry::Kill { container, why }).err().map(|error| text::chain(&error))
    }

    fn facts(&self, caller: Caller, request: &Request) -> Result<Facts, CallError> {
        let Container { may_set_hostname, may_mount, .. } = *self.container;
        let hangs_on_user = match request.subject {
            Subject::Name { .. } => may_set_hostname,
            Subject::Mount(_) | Subject::Unmount { .. } => may_mount,
            Subject::Refused { .. } | Subject::Sysinfo { .. } | Subject::Connect { .. } => false,
        };
        let effective_uid = hangs_on_user.then(|| self.shared.tracees.effective_uid(caller.pid)).transpose()?;
        Ok(Facts { may_set_hostname, may_mount, effective_uid })
    }

    fn carry_out(&self, caller: Caller, decision: Decision) -> Result<(Verdict, Finding), CallError> {
        Ok(match decision {
            Decision::Refuse(errno, reason) => Finding::refused(errno, reason),
            Decision::Fail(errno) => Finding::answered(Verdict::Errno(errno)),
            Decision::SetName { domain, name } => {
                Finding::answered(hostname::set(&self.shared.monitor, &self.container.id, &name, domain)?)
            }
            Decision::Mount(order) => {
                match mount::carry_out(&self.shared.monitor, &self.container.id, caller.pid, order)? {
                    Ok(verdict) => Finding::answered(verdict),
                    Err(refusal) => Finding::refused(Errno::EPERM, refusal.reason()),
                }
            }
            Decision::Connect { fd, address } => {
                let who = (caller.pid, fd);
                match connect::connect(&self.shared.monitor, &self.container.id, who, address)? {
                    Ok(verdict) => Finding::answered(verdict),
                    Err(reason) => Finding::refused(Errno::EACCES, reason),
                }
            }
            Decision::WriteSysinfo { address } => {
                Finding::answered(sysinfo::write(&self.container, caller.pid, address)?)
            }
        })
    }

    fn level(&self, request: &Request, finding: &Finding) -> Level {
        self.container.records.level(record_policy::Facts {
            syscall: &request.syscall,
            class: request.rule,
            outcome: finding.outcome,
            technique: finding.reason.map(|reason| reason.technique),
        })
    }

    fn kind(&self, level: Level, request: &Request, finding: &Finding) -> Kind {
        Kind {
            container: self.container.id.clone(),
            what: if level >= Level::Request { request.what() } else { request.syscall.clone() },
            outcome: finding.outcome,
            reason: finding.reason,
        }
    }
}

impl Finding {
    fn refused(errno: Errno, reason: Reason) -> (Verdict, Self) {
        (Verdict::Errno(errno), Self { outcome: Outcome::Refused, reason: Some(reason), error: None })
    }

    fn answered(verdict: Verdict) -> (Verdict, Self) {
        (verdict, Self { outcome: Outcome::Answered, reason: None, error: None })
    }

    fn failed(error: &CallError) -> (Verdict, Self) {
        let reason = Some(Reason::FAILED);
        (Verdict::Errno(Errno::EPERM), Self { outcome: Outcome::Refused, reason, error: Some(text::chain(error)) })
    }
}

fn record(
    (caller, executable): (Caller, String),
    (level, request): (Level, Request),
    (errno, value): (Option<Cow<'static, str>>, Option<i64>),
    finding: Finding,
    kind: Kind,
) -> Record<'static> {
    let arguments = request.arguments.into_iter().filter(|_| level >= Level::Request);
    let arguments = arguments.map(|argument| (argument.name.into(), argument.text.into()));
    Record {
        version: VERSION,
        time: clock::now().into(),
        level,
        container: kind.container.into(),
        pid: caller.pid,
        exe: executable.into(),
        syscall: request.syscall.into(),
        args: Arguments(arguments.collect()),
        what: kind.what.into(),
        verdict: kind.outcome,
        errno,
        value: value.filter(|_| level >= Level::RequestResponse),
        rule: request.rule.into(),
        technique: kind.reason.map(|reason| reason.technique.into()),
        why: kind.reason.map(|reason| reason.why.into()),
        allow: kind.reason.map(|reason| reason.allow.into()),
        error: finding.error.map(Cow::Owned),
    }
}

/// The errno that the caller gets.
fn errno(verdict: &Verdict) -> Option<Errno> {
    match verdict {
        Verdict::Value(_) | Verdict::AddFd(_) | Verdict::Continue(_) => None,
        Verdict::Errno(errno) => Some(*errno),
        Verdict::Kill => Some(Errno::EPERM),
    }
}

/// Its symbol, such as `EPERM`.
fn errno_name(errno: Errno) -> Cow<'static, str> {
    format!("{:?}", nix::errno::Errno::from_raw(i32::from(errno.0))).into()
}

/// What the call returns to its caller, where that is known here.
fn value(verdict: &Verdict) -> Option<i64> {
    match verdict {
        Verdict::Value(value) => Some(*value),
        Verdict::Errno(_) | Verdict::AddFd(_) | Verdict::Kill | Verdict::Continue(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_is_named_and_a_value_is_none() {
        assert_eq!(errno(&Verdict::Errno(Errno::EPERM)).map(errno_name).as_deref(), Some("EPERM"));
        assert_eq!(errno(&Verdict::Errno(Errno::EAFNOSUPPORT)).map(errno_name).as_deref(), Some("EAFNOSUPPORT"));
        assert_eq!(errno(&Verdict::Value(0)), None);
    }
}
