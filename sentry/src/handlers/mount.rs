//! mount(2) and umount2(2) of a workload that may: the monitor has the order carried out inside the container, with the
//! container's own rights. The sentry has none over its mount namespace.
//!
//! Called by `court` with an order that `decide` has made. Must not look at the caller.

use crate::handoff::{Answer, FromSentry};
use crate::limits;
use crate::monitor::{Monitor, MonitorError};
use crate::nested::{Order, Refusal};
use crate::verdict::Verdict;

/// Asks for the order to be carried out for the thread `pid`. Within: why it was refused, if it was.
pub(crate) fn carry_out(
    monitor: &Monitor,
    container: &str,
    pid: i32,
    order: Order,
) -> Result<Result<Verdict, Refusal>, MonitorError> {
    let answer = monitor.ask(limits::MOUNT_DEADLINE, |ticket| FromSentry::Mount {
        ticket,
        container: container.to_owned(),
        pid,
        order,
    })?;
    Ok(match answer {
        Answer::Errno(errno) => Ok(Verdict::done(errno)),
        Answer::Refused(refusal) => Err(refusal),
        // Not an answer to this question.
        Answer::Forbidden => Ok(Verdict::done(-1)),
    })
}
