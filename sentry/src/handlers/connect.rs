//! connect(2) of a container that was given a directory of the host: the monitor does it on a descriptor of its own,
//! decided by what the socket is.
//!
//! Called by `court`. Must not look at the caller.

use lazaret_profiles::class::Event;

use crate::handoff::{Answer, FromSentry};
use crate::limits;
use crate::monitor::{Monitor, MonitorError};
use crate::request::Reason;
use crate::verdict::Verdict;

/// How much longer than the connect its answer may take.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(2);

/// Asks for the connect of descriptor `fd` of thread `pid`. The inner error says why it is refused.
pub(crate) fn connect(
    monitor: &Monitor,
    container: &str,
    (pid, fd): (i32, i32),
    address: Vec<u8>,
) -> Result<Result<Verdict, Reason>, MonitorError> {
    let answer = monitor.ask(limits::CONNECT_DEADLINE + MARGIN, |ticket| FromSentry::Connect {
        ticket,
        container: container.to_owned(),
        pid,
        fd,
        address,
    })?;
    Ok(match answer {
        Answer::Errno(errno) => Ok(Verdict::done(errno)),
        Answer::Forbidden => Err(Event::EngineSocket.into()),
        // Not an answer to this question.
        Answer::Refused(_) => Ok(Verdict::done(-1)),
    })
}
