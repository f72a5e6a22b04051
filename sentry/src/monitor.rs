//! The sentry's end of the control socket while it serves: questions go out from the listeners' threads, answers come
//! in on the main thread.
//!
//! Used by `watch` and by `handlers::hostname`. One question is under way at a time; each has a deadline, which bounds
//! how long its caller cannot be paused. One lock, held for no system call but the sending of a packet.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::handoff::{self, FromSentry, HandoffError, Received, ToSentry};
use crate::limits;

/// The monitor, as seen from here.
#[derive(Debug)]
pub(crate) struct Monitor {
    control: OwnedFd,
    exchange: Mutex<Exchange>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Exchange {
    /// The ticket of the question under way, or of the last one.
    ticket: u64,
    state: State,
    gone: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Asked,
    Answered(i32),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    /// The monitor has closed its end.
    #[error("the monitor is gone")]
    Gone,
    /// The answer, or one to the question before, did not come in time.
    #[error("the monitor did not answer within {0:?}")]
    Late(Duration),
    /// The question could not be sent.
    #[error("cannot ask the monitor")]
    Ask(#[source] HandoffError),
}

impl Monitor {
    /// At the other end of `control`.
    pub(crate) fn new(control: OwnedFd) -> Self {
        Self { control, exchange: Mutex::default(), changed: Condvar::new() }
    }

    /// The socket, to be polled.
    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Says something that needs no answer.
    pub(crate) fn say(&self, message: &FromSentry) -> Result<(), HandoffError> {
        handoff::send_to_monitor(self.control(), message)
    }

    /// Takes the next message; to be called when there is one.
    pub(crate) fn hear(&self) -> Result<Received<ToSentry>, HandoffError> {
        handoff::receive_from_monitor(self.control())
    }

    /// Asks for a host or domain name of `container` to be set, and returns the errno, 0 for success.
    pub(crate) fn set_hostname(&self, container: &str, name: &[u8], domain: bool) -> Result<i32, MonitorError> {
        let deadline = Instant::now() + limits::HOSTNAME_DEADLINE;
        let mut exchange = self.wait_while(self.lock(), deadline, |exchange| exchange.state != State::Idle)?;
        exchange.ticket += 1;
        let question = FromSentry::SetHostname {
            ticket: exchange.ticket,
            container: container.to_owned(),
            name: name.to_vec(),
            domain,
        };
        self.say(&question).map_err(MonitorError::Ask)?;
        exchange.state = State::Asked;
        let waited = self.wait_while(exchange, deadline, |exchange| exchange.state == State::Asked);
        let (mut exchange, outcome) = match waited {
            Ok(exchange) => {
                let outcome = match exchange.state {
                    State::Answered(errno) => Ok(errno),
                    State::Idle | State::Asked => Err(MonitorError::Late(limits::HOSTNAME_DEADLINE)),
                };
                (exchange, outcome)
            }
            Err(error) => (self.lock(), Err(error)),
        };
        exchange.state = State::Idle;
        drop(exchange);
        self.changed.notify_all();
        outcome
    }

    /// Hands an answer to who waits for it. One that comes too late belongs to nobody and is dropped.
    pub(crate) fn answer(&self, ticket: u64, errno: i32) {
        let mut exchange = self.lock();
        if exchange.state == State::Asked && exchange.ticket == ticket {
            exchange.state = State::Answered(errno);
            drop(exchange);
            self.changed.notify_all();
        }
    }

    /// Nobody will answer any more.
    pub(crate) fn leave(&self) {
        self.lock().gone = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `busy` is false.
    fn wait_while<'a>(
        &'a self,
        exchange: MutexGuard<'a, Exchange>,
        deadline: Instant,
        busy: impl Fn(&Exchange) -> bool,
    ) -> Result<MutexGuard<'a, Exchange>, MonitorError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (exchange, timeout) = self
            .changed
            .wait_timeout_while(exchange, left, |exchange| !exchange.gone && busy(exchange))
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            Err(MonitorError::Late(limits::HOSTNAME_DEADLINE))
        } else if exchange.gone {
            Err(MonitorError::Gone)
        } else {
            Ok(exchange)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, Monitor) {
        let (far, near) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        (far, Monitor::new(near))
    }

    fn ticket_of(far: &OwnedFd) -> u64 {
        let message = handoff::receive_from_sentry(far.as_fd(), Some(Duration::from_secs(5))).unwrap();
        let FromSentry::SetHostname { ticket, .. } = message else { panic!("{message:?}") };
        ticket
    }

    #[test]
    fn answer_reaches_who_asked_and_a_late_one_nobody() {
        let (far, monitor) = pair();
        thread::scope(|scope| {
            for expected in [0, 1] {
                let asking = scope.spawn(|| monitor.set_hostname("c", b"name", false));
                let ticket = ticket_of(&far);
                monitor.answer(ticket - 1, 99);
                monitor.answer(ticket, expected);
                monitor.answer(ticket, 99);
                assert_eq!(asking.join().unwrap().unwrap(), expected);
            }
        });
    }

    #[test]
    fn two_who_ask_take_turns() {
        let (far, monitor) = pair();
        thread::scope(|scope| {
            let asking: Vec<_> = (0..2).map(|_| scope.spawn(|| monitor.set_hostname("c", b"name", true))).collect();
            for _ in 0..2 {
                let ticket = ticket_of(&far);
                monitor.answer(ticket, i32::try_from(ticket).unwrap());
            }
            let mut answers: Vec<i32> = asking.into_iter().map(|asking| asking.join().unwrap().unwrap()).collect();
            answers.sort_unstable();
            assert_eq!(answers, [1, 2]);
        });
    }

    #[test]
    fn monitor_that_goes_ends_the_wait() {
        let (far, monitor) = pair();
        thread::scope(|scope| {
            let asking = scope.spawn(|| monitor.set_hostname("c", b"name", false));
            ticket_of(&far);
            monitor.leave();
            assert!(matches!(asking.join().unwrap(), Err(MonitorError::Gone)));
        });
        assert!(matches!(monitor.set_hostname("c", b"name", false), Err(MonitorError::Gone)));
    }
}
