//! The main thread: hears the monitor, starts the threads of each container, answers what they are stuck on, writes the audit file, and ends the sentry
//! when the last of them is dead. It sleeps in one poll(2) and wakes for nothing else.
//!
//! Called by `serve` inside the jail. Must not answer a notification or make a record.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::audit::{Audit, Ledger};
use crate::container::{Container, ContainerError};
use crate::counters::Counters;
use crate::court::{Court, Shared};
use crate::crew::{Crew, Overseen};
use crate::errands::Errands;
use crate::handoff::{FromSentry, Handoff, HandoffError, Interceptor, ToSentry};
use crate::monitor::Monitor;
use crate::notify::{Listener, NotifyError};
use crate::ptrace::{TraceError, Tracer};
use crate::tracee::Tracees;
use crate::{limits, pump, sys};

/// What the main thread works with; see `Seat` and `jail`.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) control: OwnedFd,
    pub(crate) audit: OwnedFd,
    /// Bytes in the audit file.
    pub(crate) audit_length: u64,
    /// Others that get the records, and whether by packets.
    pub(crate) sinks: Vec<(OwnedFd, bool)>,
    pub(crate) counters: Counters,
    pub(crate) proc: OwnedFd,
    /// A nonblocking eventfd.
    pub(crate) wake: OwnedFd,
    pub(crate) sizes: sys::Sizes,
    /// Whether the jail lets it trace.
    pub(crate) may_trace: bool,
}

/// Why the sentry cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// poll(2) failed.
    #[error("cannot wait for events")]
    Poll(#[source] Errno),
    /// The control socket is of no use.
    #[error("cannot speak with the monitor")]
    Control(#[source] HandoffError),
    /// The monitor went before it handed over a listener.
    #[error("the monitor is gone and no listener was handed over")]
    NothingToServe,
    /// A handoff cannot be used.
    #[error("cannot take a container over")]
    Handoff(#[source] ContainerError),
    /// A message that needs no descriptors came with some.
    #[error("descriptors came with a message that has none")]
    SurplusDescriptors,
    /// More containers than [`limits::LISTENERS`].
    #[error("more than {} listeners and tracers at a time", limits::LISTENERS)]
    TooMany,
    /// A thread could not be made.
    #[error("cannot start a thread for a container")]
    Thread(#[source] std::io::Error),
    /// A listener failed.
    #[error("a listener failed")]
    Listener(#[source] NotifyError),
    /// A tracer failed.
    #[error("a tracer failed")]
    Tracer(#[source] TraceError),
}

/// Why a process is not traced, which is no failure of the sentry's.
#[derive(Debug, thiserror::Error)]
enum RefusalToTrace {
    #[error("this sentry's jail does not let it trace")]
    Jailed,
    #[error(transparent)]
    Seize(#[from] TraceError),
    #[error("the tracer's thread has ended")]
    ThreadEnded,
}

/// How the thread of a ward ended, and of which.
type End = (u64, Result<(), WatchError>);

/// A container under watch, which has threads.
struct Ward {
    number: u64,
    crew: Arc<dyn Overseen>,
    /// Says by poll(2) that no task is left under the filter. A tracer's thread learns that by itself.
    listener: Option<Arc<OwnedFd>>,
}

/// The main thread's state.
struct Watch {
    shared: Arc<Shared>,
    ledger: Ledger,
    sizes: sys::Sizes,
    may_trace: bool,
    wards: Vec<Ward>,
    /// The number of the last thread that was started.
    count: u64,
    ends: (Sender<End>, Receiver<End>),
    has_served: bool,
    has_monitor: bool,
    /// Since when looks at memory have been let be, while there are any.
    guarding_since: Option<Instant>,
}

/// What one poll(2) found.
struct Ready {
    control: bool,
    /// Numbers of wards whose tasks are all gone.
    ended: Vec<u64>,
}

/// Serves until every listener is dead and everything is written. An error has been told to the monitor.
pub(crate) fn serve(post: Post) -> Result<(), WatchError> {
    let mut watch = Watch::new(post);
    watch.run().inspect_err(|error| match watch.shared.monitor.say(&FromSentry::failed(error)) {
        // The exit code says it to whoever waits for the process.
        Ok(()) | Err(_) => {}
    })
}

impl Watch {
    fn new(post: Post) -> Self {
        let shared = Shared {
            audit: Audit::new(post.wake),
            monitor: Monitor::new(post.control),
            tracees: Tracees::new(post.proc),
            counters: post.counters,
            extra: AtomicUsize::new(0),
            looking: AtomicUsize::new(0),
            is_guarded: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            ledger: Ledger::new(post.audit, post.audit_length, (post.sinks, post.counters)),
            sizes: post.sizes,
            may_trace: post.may_trace,
            wards: Vec::new(),
            count: 0,
            ends: channel(),
            has_served: false,
            has_monitor: true,
            guarding_since: None,
        }
    }

    fn run(&mut self) -> Result<(), WatchError> {
        self.shared.monitor.say(&FromSentry::Jailed).map_err(WatchError::Control)?;
        while !self.is_over()? {
            let ready = self.wait()?;
            if ready.control {
                self.hear()?;
            }
            self.forget(&ready.ended)?;
            self.check_threads()?;
            self.guard_looks();
            self.ledger.write_pending(&self.shared.audit);
        }
        self.ledger.write_summary(&self.shared.audit);
        match self.shared.monitor.say(&FromSentry::Done) {
            // A monitor that is gone needs no word.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether nothing is left to do.
    fn is_over(&self) -> Result<bool, WatchError> {
        if !self.has_served && !self.has_monitor {
            return Err(WatchError::NothingToServe);
        }
        Ok(self.has_served && self.wards.is_empty())
    }

    /// Sleeps until there is something to do.
    fn wait(&self) -> Result<Ready, WatchError> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.shared.audit.wake(), PollFlags::IN)];
        // No event but HUP is asked of a listener: its notifications belong to its thread and do not wake us.
        let listeners = || self.wards.iter().filter_map(|ward| Some((ward.number, ward.listener.as_ref()?)));
        fds.extend(listeners().map(|(_, listener)| PollFd::new(listener, PollFlags::empty())));
        fds.extend(self.ledger.waiting_sinks().map(|sink| PollFd::from_borrowed_fd(sink, PollFlags::OUT)));
        if self.has_monitor {
            fds.push(PollFd::from_borrowed_fd(self.shared.monitor.control(), PollFlags::IN));
        }
        let limit = self.guarding_since.map(|since| limits::COPY_CHECK.saturating_sub(since.elapsed()));
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        loop {
            match rustix::event::poll(&mut fds, limit.as_ref()) {
                Ok(_ready) => break,
                Err(Errno::INTR) => {}
                Err(cause) => return Err(WatchError::Poll(cause)),
            }
        }
        let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let of_listeners = listeners().zip(is_ready.iter().skip(1));
        Ok(Ready {
            control: self.has_monitor && is_ready.last() == Some(&true),
            ended: of_listeners.filter(|(_, ended)| **ended).map(|((number, _), _)| number).collect(),
        })
    }

    /// Answers calls whose memory has been looked at for too long, and looks away when none is looked at.
    fn guard_looks(&mut self) {
        if !self.shared.is_guarded() {
            return;
        }
        let now = Instant::now();
        match self.guarding_since {
            None => self.guarding_since = Some(now),
            Some(since) if now.duration_since(since) >= limits::COPY_CHECK => {
                self.wards.iter().for_each(|ward| ward.crew.refuse_late());
                self.guarding_since = if self.shared.leave_unguarded() { None } else { Some(now) };
            }
            Some(_) => {}
        }
    }

    /// Takes one message of the monitor. Without a monitor the containers are served on, to their end.
    fn hear(&mut self) -> Result<(), WatchError> {
        match self.shared.monitor.hear() {
            Ok(received) => match received.message {
                ToSentry::Handoff(handoff) => self.take_over(handoff, received.descriptors),
                ToSentry::Answer { .. } if !received.descriptors.is_empty() => Err(WatchError::SurplusDescriptors),
                ToSentry::Answer { ticket, answer } => {
                    self.shared.monitor.answer(ticket, answer);
                    Ok(())
                }
            },
            Err(HandoffError::PeerGone) => {
                self.has_monitor = false;
                self.shared.monitor.leave();
                Ok(())
            }
            Err(error) => Err(WatchError::Control(error)),
        }
    }

    /// Starts the thread of a container.
    fn take_over(&mut self, handoff: Handoff, descriptors: Vec<OwnedFd>) -> Result<(), WatchError> {
        if self.wards.len() >= limits::LISTENERS {
            return Err(WatchError::TooMany);
        }
        let (interceptor, pid) = (handoff.interceptor, handoff.sandbox_pid);
        let (container, descriptor) = Container::accept(handoff, descriptors).map_err(WatchError::Handoff)?;
        let said = match interceptor {
            Interceptor::Notify => {
                self.listen(container, descriptor)?;
                FromSentry::Watching
            }
            Interceptor::Ptrace => match self.trace(container, pid, descriptor)? {
                Ok(()) => FromSentry::Watching,
                Err(refusal) => FromSentry::not_watching(&refusal),
            },
        };
        match self.shared.monitor.say(&said) {
            // A monitor that has gone is noticed by poll(2).
            Ok(()) | Err(HandoffError::PeerGone) => Ok(()),
            Err(error) => Err(WatchError::Control(error)),
        }
    }

    /// Serves a listener.
    fn listen(&mut self, container: Container, descriptor: Arc<OwnedFd>) -> Result<(), WatchError> {
        let listener = Listener::new(Arc::clone(&descriptor), self.sizes);
        let report = self.report();
        let court = Court::new(container, Arc::clone(&self.shared));
        let crew = Crew::new(listener, court, move |end| report(end.map_err(WatchError::Listener)));
        crew.start().map_err(WatchError::Thread)?;
        self.add(crew, Some(descriptor));
        Ok(())
    }

    /// Traces the process `pid` and what it starts. The thread that traces has to be the one that seizes.
    fn trace(
        &mut self,
        container: Container,
        pid: i32,
        pidfd: Arc<OwnedFd>,
    ) -> Result<Result<(), RefusalToTrace>, WatchError> {
        if !self.may_trace {
            return Ok(Err(RefusalToTrace::Jailed));
        }
        let (seized, told) = channel();
        let report = self.report();
        let court = Court::new(container, Arc::clone(&self.shared));
        let errands = Errands::default();
        // What ends a tracer's crew is the tracer's end, which says so itself.
        let crew = Crew::new(errands.clone(), court.clone(), |_end| ());
        let own_crew = Arc::clone(&crew);
        let serve = move || {
            let tracer = match Tracer::seize(pid, &pidfd, errands.clone()) {
                Ok(tracer) => tracer,
                // The receiver waits for this very message.
                Err(error) => {
                    return match seized.send(Err(RefusalToTrace::Seize(error))) {
                        Ok(()) | Err(_) => (),
                    };
                }
            };
            drop(pidfd);
            let end = match seized.send(Ok(())) {
                Ok(()) => pump::serve(tracer, &court, (&errands, &own_crew)).map_err(WatchError::Tracer),
                Err(_nobody_waits) => Ok(()),
            };
            report(end);
        };
        std::thread::Builder::new().stack_size(limits::THREAD_STACK).spawn(serve).map_err(WatchError::Thread)?;
        let outcome = told.recv().unwrap_or(Err(RefusalToTrace::ThreadEnded));
        if outcome.is_ok() {
            self.add(crew, None);
        }
        Ok(outcome)
    }

    /// How the threads of the next ward tell their ends.
    fn report(&mut self) -> impl Fn(Result<(), WatchError>) + Send + Sync + 'static + use<> {
        self.count += 1;
        let (end, number, shared) = (self.ends.0.clone(), self.count, Arc::clone(&self.shared));
        move |outcome| {
            // The receiver lives as long as the process, so this cannot fail.
            if end.send((number, outcome)).is_ok() {
                shared.audit.wake_writer();
            }
        }
    }

    /// The ward whose threads report as the last made by [`Watch::report`].
    fn add(&mut self, crew: Arc<dyn Overseen>, listener: Option<Arc<OwnedFd>>) {
        self.wards.push(Ward { number: self.count, crew, listener });
        self.has_served = true;
    }

    /// Forgets wards whose tasks are all gone, and gives each one's threads a moment to put down their last records.
    ///
    /// Linux since 6.11 ends the wait of such threads; on an older kernel they sleep on until the process ends, and so
    /// does one that is stuck on its caller's memory.
    fn forget(&mut self, ended: &[u64]) -> Result<(), WatchError> {
        for number in ended {
            let crew = self.wards.iter().find(|ward| ward.number == *number).map(|ward| Arc::clone(&ward.crew));
            self.remove(*number);
            let begin = Instant::now();
            while crew.as_ref().is_some_and(|crew| !crew.has_ended()) {
                match self.ends.1.recv_timeout(limits::THREAD_END.saturating_sub(begin.elapsed())) {
                    Ok(end) => self.note(end)?,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
        }
        Ok(())
    }

    /// A thread that failed left its container without anybody to answer: that ends the sentry.
    fn check_threads(&mut self) -> Result<(), WatchError> {
        loop {
            match self.ends.1.try_recv() {
                Ok(end) => self.note(end)?,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }

    fn note(&mut self, (number, outcome): End) -> Result<(), WatchError> {
        outcome?;
        self.remove(number);
        Ok(())
    }

    fn remove(&mut self, number: u64) {
        self.wards.retain(|ward| ward.number != number);
    }
}
