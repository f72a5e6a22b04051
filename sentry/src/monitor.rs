//! The sentry's end of the control socket while it serves: questions go out from the threads of the containers, answers
//! come in on the main thread.
//!
//! Used by `watch` and by the handlers that ask. Any number of questions may be under way, told apart by their tickets,
//! so that a slow answer delays nobody else; each has a deadline, which bounds how long its caller cannot be paused.
//! One lock, held for no system call.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::handoff::{self, Answer, FromSentry, HandoffError, Received, ToSentry};
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
    /// The ticket of the last question.
    ticket: u64,
    /// The questions under way, by ticket, with the answer once it has come.
    questions: BTreeMap<u64, Option<Answer>>,
    gone: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    /// The monitor has closed its end.
    #[error("the monitor is gone")]
    Gone,
    /// The answer did not come in time.
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

    /// Asks for a host or domain name of `container` to be set.
    pub(crate) fn set_hostname(&self, container: &str, name: &[u8], domain: bool) -> Result<Answer, MonitorError> {
        self.ask(limits::HOSTNAME_DEADLINE, |ticket| FromSentry::SetHostname {
            ticket,
            container: container.to_owned(),
            name: name.to_vec(),
            domain,
        })
    }

    /// Asks, and waits for the answer no longer than `patience`. `question` gets the ticket to be given back.
    pub(crate) fn ask(
        &self,
        patience: Duration,
        question: impl FnOnce(u64) -> FromSentry,
    ) -> Result<Answer, MonitorError> {
        let ticket = self.open()?;
        // Known before it is asked, so that no answer can come too early.
        let answered = match self.say(&question(ticket)) {
            Ok(()) => self.wait(ticket, patience),
            Err(error) => Err(MonitorError::Ask(error)),
        };
        self.lock().questions.remove(&ticket);
        answered
    }

    /// Hands an answer to who waits for it. One that comes too late belongs to nobody and is dropped.
    pub(crate) fn answer(&self, ticket: u64, answer: Answer) {
        if let Some(open @ None) = self.lock().questions.get_mut(&ticket) {
            *open = Some(answer);
            self.changed.notify_all();
        }
    }

    /// Nobody will answer any more.
    pub(crate) fn leave(&self) {
        self.lock().gone = true;
        self.changed.notify_all();
    }

    /// A new ticket.
    fn open(&self) -> Result<u64, MonitorError> {
        let mut exchange = self.lock();
        if exchange.gone {
            return Err(MonitorError::Gone);
        }
        exchange.ticket += 1;
        let ticket = exchange.ticket;
        exchange.questions.insert(ticket, None);
        Ok(ticket)
    }

    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, ticket: u64, patience: Duration) -> Result<Answer, MonitorError> {
        let is_open = |exchange: &Exchange| matches!(exchange.questions.get(&ticket), Some(None));
        let (mut exchange, _timeout) = self
            .changed
            .wait_timeout_while(self.lock(), patience, |exchange| !exchange.gone && is_open(exchange))
            .unwrap_or_else(PoisonError::into_inner);
        match exchange.questions.remove(&ticket).flatten() {
            Some(answer) => Ok(answer),
            None if exchange.gone => Err(MonitorError::Gone),
            None => Err(MonitorError::Late(patience)),
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
                monitor.answer(ticket - 1, Answer::Errno(99));
                monitor.answer(ticket, Answer::Errno(expected));
                monitor.answer(ticket, Answer::Errno(99));
                assert_eq!(asking.join().unwrap().unwrap(), Answer::Errno(expected));
            }
        });
    }

    #[test]
    fn questions_are_answered_in_any_order() {
        let (far, monitor) = pair();
        thread::scope(|scope| {
            let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| monitor.set_hostname("c", b"name", true))).collect();
            let mut tickets: Vec<u64> = (0..3).map(|_| ticket_of(&far)).collect();
            tickets.reverse();
            for ticket in tickets {
                monitor.answer(ticket, Answer::Errno(i32::try_from(ticket).unwrap()));
            }
            let mut answers: Vec<Answer> = asking.into_iter().map(|asking| asking.join().unwrap().unwrap()).collect();
            answers.sort_unstable();
            assert_eq!(answers, [1, 2, 3].map(Answer::Errno));
        });
    }

    #[test]
    fn late_answer_belongs_to_nobody_and_leaves_nothing() {
        let (far, monitor) = pair();
        let patience = Duration::from_millis(1);
        let question = |ticket| FromSentry::SetHostname { ticket, container: "c".into(), name: vec![], domain: false };
        assert!(matches!(monitor.ask(patience, question), Err(MonitorError::Late(_))));
        monitor.answer(ticket_of(&far), Answer::Errno(0));
        assert!(monitor.lock().questions.is_empty());
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
