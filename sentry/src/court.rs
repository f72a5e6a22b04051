//! What comes of one call, whoever brings it: judged, carried out, answered, recorded. The only place that answers and the only
//! place that records.
//!
//! Used by `crew`, on whatever thread. Whatever fails on the way is a refusal with a record; nothing falls through.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use lazaret_profiles::class::Errno;

use crate::audit::{Audit, Kind};
use crate::bucket::Bucket;
use crate::container::Container;
use crate::counters::Counters;
use crate::decide::{self, Decision, EFAULT, Facts};
use crate::dispatch::Route;
use crate::handlers::{connect, hostname, mount, sysinfo};
use crate::handoff::{self, FromSentry};
use crate::interceptor::{Caller, Interceptor};
use crate::monitor::{Monitor, MonitorError};
use crate::record::{Arguments, Level, Outcome, Record, VERSION};
use crate::record_policy;
use crate::request::{Reason, Request, Subject};
use crate::tracee::{TraceeError, Tracees};
use crate::verdict::Verdict;
use crate::{clock, text};

/// What the threads of all containers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where records go.
    pub(crate) audit: Audit,
    /// Who sets names.
    pub(crate) monitor: Monitor,
    /// Who calls.
    pub(crate) tracees: Tracees,
    /// What others see of it.
    pub(crate) counters: Counters,
    /// Threads beside the first of each container.
    pub(crate) extra: AtomicUsize,
    /// Calls whose memory is being looked at.
    pub(crate) looking: AtomicUsize,
    /// Whether the main thread looks after those.
    pub(crate) is_guarded: AtomicBool,
}

/// What decisions about one container are carried out and recorded with, on whatever thread.
#[derive(Debug, Clone)]
pub(crate) struct Court {
    container: Arc<Container>,
    /// How many of its records may still be written.
    bucket: Arc<Bucket>,
    /// Held from the answer to its record, so that the records of one caller stand in the order of its calls, whichever threads
    /// see to them.
    order: Arc<Mutex<()>>,
    pub(crate) shared: Arc<Shared>,
}

/// How far the memory of a caller could be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It was, or nothing hangs on it.
    Clear,
    /// Not within [`crate::limits::COPY_DEADLINE`].
    Late,
    /// Not at all, since too many others are being looked at.
    Crowded,
}

impl Sight {
    /// What becomes of a decision that hangs on memory which was not seen.
    fn limit(self, decision: Decision) -> Decision {
        match (self, decision) {
            (Self::Late, Decision::WriteSysinfo { .. }) => Decision::Fail(EFAULT),
            (Self::Crowded, Decision::WriteSysinfo { .. } | Decision::Fail(EFAULT)) => Decision::Fail(EAGAIN),
            (_, decision) => decision,
        }
    }

    /// For the record.
    fn trouble(self) -> Option<&'static str> {
        match self {
            Self::Clear => None,
            Self::Late => Some("what the call points to could not be read in time"),
            Self::Crowded => Some("too many other calls were being looked at"),
        }
    }
}

/// `EAGAIN`: too many calls are being looked at.
const EAGAIN: Errno = Errno(11);

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

impl Court {
    /// Of this container.
    pub(crate) fn new(container: Container, shared: Arc<Shared>) -> Self {
        Self {
            container: Arc::new(container),
            bucket: Arc::new(Bucket::full(Instant::now())),
            order: Arc::default(),
            shared,
        }
    }

    /// Whether the call is refused whatever its memory holds, and the records of the container have had enough of such calls:
    /// then nothing of it needs to be looked at.
    pub(crate) fn needs_no_look(&self, route: Route, now: Instant) -> bool {
        let is_refused = match route {
            Route::Refuse(..) => true,
            Route::Mount | Route::Unmount => !self.container.may_mount,
            Route::Name { .. } => !self.container.may_set_hostname,
            Route::Sysinfo | Route::Connect => false,
        };
        is_refused && self.bucket.is_empty(now)
    }

    /// Judges a call, carries the decision out, answers and records. `is_ours` is asked once, when nothing of the caller's
    /// memory is needed any more: where somebody else has answered meanwhile, that is the end of it.
    pub(crate) fn settle<I: Interceptor>(
        &self,
        interceptor: &mut I,
        (caller, request): (Caller, Request),
        sight: Sight,
        is_ours: impl FnOnce() -> bool,
    ) -> Result<(), I::Error> {
        let facts = self.facts(caller, &request);
        if request.must_still_wait() && !interceptor.is_waiting(caller) {
            // Killed meanwhile: what was read may be another process's. Nothing is decided and nobody to be answered.
            is_ours();
            return Ok(());
        }
        let decided = facts.map(|facts| sight.limit(decide::decide(&request, facts)));
        let judged = match decided {
            Ok(answer @ Decision::WriteSysinfo { .. }) => {
                let judged = self.carry_out(caller, answer);
                is_ours().then_some(judged)
            }
            decided => is_ours().then(|| decided.and_then(|decision| self.carry_out(caller, decision))),
        };
        judged.map_or(Ok(()), |judged| self.conclude(interceptor, (caller, request), sight, judged))
    }

    /// Answers and records. An error on the way is a refusal.
    fn conclude<I: Interceptor>(
        &self,
        interceptor: &mut I,
        (caller, request): (Caller, Request),
        sight: Sight,
        judged: Result<(Verdict, Finding), CallError>,
    ) -> Result<(), I::Error> {
        let judged = judged.and_then(|(verdict, finding)| {
            let is_possible = I::GIVES_DESCRIPTORS || !matches!(verdict, Verdict::AddFd(_));
            is_possible.then_some((verdict, finding)).ok_or(CallError::NoDescriptor)
        });
        let (verdict, mut finding) = judged.unwrap_or_else(|error| Finding::failed(&error));
        if matches!(verdict, Verdict::Kill) {
            finding.error = self.have_killed(&request);
        }
        finding.error = finding.error.or_else(|| sight.trouble().map(str::to_owned));
        let (errno, value) = (errno(&verdict), value(&verdict));
        let level = self.level(&request, &finding);
        let kind = self.kind(level, &request, &finding);
        // The caller stands still until it is answered, so that its executable is the one that called.
        let executable = self
            .shared
            .audit
            .wants(level, &kind, (&self.bucket, caller.since))
            .then(|| self.shared.tracees.executable(caller.pid));
        let _in_order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let is_delivered = interceptor.answer(caller, verdict)?;
        self.shared.counters.decided(request.number, finding.outcome, caller.since.elapsed());
        self.shared.audit.put(level, kind, (&self.bucket, caller.since), |kind| {
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

/// Its symbol, such as `EPERM`. The two that only the kernel itself sees are those of `include/linux/errno.h`.
fn errno_name(errno: Errno) -> Cow<'static, str> {
    match i32::from(errno.0) {
        handoff::RESTART_UNLESS_HANDLED => "ERESTARTSYS".into(),
        handoff::RESTART => "ERESTARTNOINTR".into(),
        errno => format!("{:?}", nix::errno::Errno::from_raw(errno)).into(),
    }
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
