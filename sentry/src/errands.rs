//! Calls that a tracer has others look at. The kernel obeys the thread that traces alone, so that thread must not sleep on a
//! caller's memory or on the monitor's answer: it lends the call to a crew, goes on with the other tracees, and carries out the
//! verdict when it comes.
//!
//! [`Errands`] is the crew's end, an interceptor like the listener; the tracer's end is [`Errands::lend`] and what follows it.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::interceptor::{Arrival, Caller, Divisible, Interceptor};
use crate::verdict::{Registers, Verdict};

/// A handle of what is lent and returned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errands(Arc<Book>);

#[derive(Debug, Default)]
struct Book {
    entries: Mutex<Entries>,
    lent: Condvar,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    /// The last number that was given to a call.
    ticket: u64,
    /// Nobody has taken these yet.
    waiting: VecDeque<(Caller, Registers)>,
    /// The callers of all that is lent, by ticket; one that has gone is struck out.
    callers: BTreeMap<u64, i32>,
    verdicts: Vec<(Caller, Verdict)>,
    is_over: bool,
}

impl Errands {
    /// Lends a call of a tracee. It is in one call: whatever was lent under its number before is void.
    pub(crate) fn lend(&self, caller: Caller, registers: Registers) {
        let mut entries = self.lock();
        entries.callers.retain(|_ticket, pid| *pid != caller.pid);
        entries.ticket += 1;
        let ticket = entries.ticket;
        entries.callers.insert(ticket, caller.pid);
        entries.waiting.push_back((Caller { ticket, ..caller }, registers));
        self.0.lent.notify_one();
    }

    /// Whether anything is lent.
    pub(crate) fn are_out(&self) -> bool {
        !self.lock().callers.is_empty()
    }

    /// What has come back, of callers that are still there.
    pub(crate) fn take_back(&self) -> Vec<(Caller, Verdict)> {
        let mut entries = self.lock();
        let verdicts = std::mem::take(&mut entries.verdicts);
        verdicts.into_iter().filter(|(caller, _)| entries.callers.remove(&caller.ticket).is_some()).collect()
    }

    /// Tracee `pid` is gone, or another program by now. To be told before the kernel may give its number away.
    pub(crate) fn strike(&self, pid: i32) {
        self.lock().callers.retain(|_ticket, caller| *caller != pid);
    }

    /// Waits until something comes back, but no longer than `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        let entries = self.lock();
        if entries.verdicts.is_empty() {
            drop(self.0.returned.wait_timeout(entries, limit));
        }
    }

    /// No tracee is left.
    pub(crate) fn end(&self) {
        self.lock().is_over = true;
        self.0.lent.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interceptor for Errands {
    type Error = Infallible;

    const GIVES_DESCRIPTORS: bool = false;

    fn receive(&mut self) -> Result<Arrival, Infallible> {
        let mut entries = self.lock();
        loop {
            if let Some((caller, registers)) = entries.waiting.pop_front() {
                return Ok(Arrival::Call(caller, registers));
            }
            if entries.is_over {
                return Ok(Arrival::End);
            }
            entries = self.0.lent.wait(entries).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_waiting(&self, caller: Caller) -> bool {
        self.lock().callers.contains_key(&caller.ticket)
    }

    fn answer(&mut self, caller: Caller, verdict: Verdict) -> Result<bool, Infallible> {
        let mut entries = self.lock();
        let is_there = entries.callers.contains_key(&caller.ticket);
        if is_there {
            entries.verdicts.push((caller, verdict));
            self.0.returned.notify_one();
        }
        Ok(is_there)
    }
}

impl Divisible for Errands {
    fn second(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(pid: i32) -> Caller {
        Caller { pid, ticket: 0, since: std::time::Instant::now() }
    }

    fn registers(pid: i32) -> Registers {
        Registers::trapped(pid, 1, 2, [3; 6])
    }

    fn taken(crew: &mut Errands) -> Caller {
        let Ok(Arrival::Call(caller, _registers)) = crew.receive() else { panic!("a call is lent") };
        caller
    }

    #[test]
    fn a_verdict_comes_back_to_the_call_that_was_lent() {
        let (tracer, mut crew) = (Errands::default(), Errands::default());
        assert!(!tracer.are_out());
        crew.0 = Arc::clone(&tracer.0);
        tracer.lend(caller(7), registers(7));
        tracer.lend(caller(8), registers(8));
        let (first, second) = (taken(&mut crew), taken(&mut crew));
        assert_eq!((first.pid, second.pid), (7, 8));
        assert!(crew.is_waiting(first) && tracer.take_back().is_empty());
        assert!(crew.answer(second, Verdict::Value(5)).unwrap());
        let back = tracer.take_back();
        assert!(matches!(back.as_slice(), [(caller, Verdict::Value(5))] if *caller == second));
        assert!(tracer.are_out() && !crew.is_waiting(second));
    }

    #[test]
    fn nothing_comes_back_to_a_caller_that_has_gone_nor_to_the_next_with_its_number() {
        let tracer = Errands::default();
        let mut crew = tracer.second();
        tracer.lend(caller(7), registers(7));
        let old = taken(&mut crew);
        tracer.strike(7);
        assert!(!tracer.are_out() && !crew.is_waiting(old));
        tracer.lend(caller(7), registers(7));
        let new = taken(&mut crew);
        assert!(!crew.answer(old, Verdict::Value(1)).unwrap());
        assert!(crew.is_waiting(new) && crew.answer(new, Verdict::Value(2)).unwrap());
        assert!(matches!(tracer.take_back().as_slice(), [(_, Verdict::Value(2))]));
    }

    #[test]
    fn a_tracee_is_in_one_call_at_a_time() {
        let tracer = Errands::default();
        let mut crew = tracer.second();
        tracer.lend(caller(7), registers(7));
        tracer.lend(caller(7), registers(7));
        let (void, valid) = (taken(&mut crew), taken(&mut crew));
        assert!(!crew.answer(void, Verdict::Value(1)).unwrap());
        assert!(crew.answer(valid, Verdict::Value(2)).unwrap());
        assert!(matches!(tracer.take_back().as_slice(), [(_, Verdict::Value(2))]));
    }

    #[test]
    fn a_verdict_under_way_is_dropped_with_its_caller() {
        let tracer = Errands::default();
        let mut crew = tracer.second();
        tracer.lend(caller(7), registers(7));
        let caller = taken(&mut crew);
        assert!(crew.answer(caller, Verdict::Value(1)).unwrap());
        tracer.strike(7);
        assert!(tracer.take_back().is_empty());
        tracer.end();
        assert!(matches!(crew.receive(), Ok(Arrival::End)));
    }
}
