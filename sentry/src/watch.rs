//! The main thread: hears the monitor, starts a thread for each listener, writes the audit file, and ends the sentry
//! when every listener is dead. It sleeps in one poll(2) and wakes for nothing else.
//!
//! Called by `serve` inside the jail. Must not answer a notification or make a record.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use crate::audit::{Audit, Ledger};
use crate::container::{Container, ContainerError};
use crate::handoff::{FromSentry, Handoff, HandoffError, ToSentry};
use crate::monitor::Monitor;
use crate::notify::{self, Listener, NotifyError};
use crate::supervisor::{Shared, Supervisor};
use crate::tracee::Tracees;
use crate::{limits, sys};

/// What the main thread works with; see `Seat` and `jail`.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) control: OwnedFd,
    pub(crate) audit: OwnedFd,
    /// Bytes in the audit file.
    pub(crate) audit_length: u64,
    pub(crate) proc: OwnedFd,
    /// A nonblocking eventfd.
    pub(crate) wake: OwnedFd,
    pub(crate) sizes: sys::Sizes,
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
    /// More listeners than [`limits::LISTENERS`].
    #[error("more than {} listeners at a time", limits::LISTENERS)]
    TooManyListeners,
    /// A thread could not be made.
    #[error("cannot start a thread for a listener")]
    Thread(#[source] std::io::Error),
    /// A listener failed.
    #[error("a listener failed")]
    Listener(#[source] NotifyError),
}

/// How the thread of a listener ended.
type End = Result<(), NotifyError>;

/// The main thread's state.
struct Watch {
    shared: Arc<Shared>,
    ledger: Ledger,
    sizes: sys::Sizes,
    listeners: Vec<Arc<OwnedFd>>,
    ends: (Sender<End>, Receiver<End>),
    has_served: bool,
    has_monitor: bool,
}

/// What one poll(2) found.
struct Ready {
    control: bool,
    /// Places in `Watch::listeners` whose tasks are all gone, ascending.
    ended: Vec<usize>,
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
        };
        Self {
            shared: Arc::new(shared),
            ledger: Ledger::new(post.audit, post.audit_length),
            sizes: post.sizes,
            listeners: Vec::new(),
            ends: channel(),
            has_served: false,
            has_monitor: true,
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
            self.ledger.write_pending(&self.shared.audit);
        }
        self.ledger.write_summary(&self.shared.audit);
        Ok(())
    }

    /// Whether nothing is left to do.
    fn is_over(&self) -> Result<bool, WatchError> {
        if !self.has_served && !self.has_monitor {
            return Err(WatchError::NothingToServe);
        }
        Ok(self.has_served && self.listeners.is_empty())
    }

    /// Sleeps until there is something to do.
    fn wait(&self) -> Result<Ready, WatchError> {
        let mut fds = vec![PollFd::from_borrowed_fd(self.shared.audit.wake(), PollFlags::IN)];
        // No event but HUP is asked of a listener: its notifications belong to its thread and do not wake us.
        fds.extend(self.listeners.iter().map(|listener| PollFd::new(listener, PollFlags::empty())));
        if self.has_monitor {
            fds.push(PollFd::from_borrowed_fd(self.shared.monitor.control(), PollFlags::IN));
        }
        loop {
            match rustix::event::poll(&mut fds, None) {
                Ok(_ready) => break,
                Err(Errno::INTR) => {}
                Err(cause) => return Err(WatchError::Poll(cause)),
            }
        }
        let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let of_listeners = is_ready.iter().skip(1).take(self.listeners.len());
        Ok(Ready {
            control: self.has_monitor && is_ready.last() == Some(&true),
            ended: of_listeners.enumerate().filter(|(_, ended)| **ended).map(|(place, _)| place).collect(),
        })
    }

    /// Takes one message of the monitor. Without a monitor the containers are served on, to their end.
    fn hear(&mut self) -> Result<(), WatchError> {
        match self.shared.monitor.hear() {
            Ok(received) => match received.message {
                ToSentry::Handoff(handoff) => self.take_over(handoff, received.descriptors),
                ToSentry::HostnameAnswer { .. } if !received.descriptors.is_empty() => {
                    Err(WatchError::SurplusDescriptors)
                }
                ToSentry::HostnameAnswer { ticket, errno } => {
                    self.shared.monitor.answer(ticket, errno);
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

    /// Starts the thread of a listener.
    fn take_over(&mut self, handoff: Handoff, descriptors: Vec<OwnedFd>) -> Result<(), WatchError> {
        if self.listeners.len() >= limits::LISTENERS {
            return Err(WatchError::TooManyListeners);
        }
        let (container, descriptor) = Container::accept(handoff, descriptors).map_err(WatchError::Handoff)?;
        let listener = Listener::new(Arc::clone(&descriptor), self.sizes);
        let shared = Arc::clone(&self.shared);
        let supervisor = Supervisor::new(listener, container, Arc::clone(&shared));
        let end = self.ends.0.clone();
        std::thread::Builder::new()
            .stack_size(limits::THREAD_STACK)
            .spawn(move || {
                // The receiver lives as long as the process, so this cannot fail.
                if end.send(supervisor.serve()).is_ok() {
                    shared.audit.wake_writer();
                }
            })
            .map_err(WatchError::Thread)?;
        self.listeners.push(descriptor);
        self.has_served = true;
        match self.shared.monitor.say(&FromSentry::Watching) {
            // A monitor that has gone is noticed by poll(2).
            Ok(()) | Err(HandoffError::PeerGone) => Ok(()),
            Err(error) => Err(WatchError::Control(error)),
        }
    }

    /// Forgets listeners whose tasks are all gone, and gives each one's thread a moment to put down its last record.
    ///
    /// Linux since 6.11 ends the wait of such a thread; on an older kernel it sleeps on until the process ends, and so
    /// does not count as an end here.
    fn forget(&mut self, ended: &[usize]) -> Result<(), WatchError> {
        for place in ended.iter().rev() {
            self.listeners.remove(*place);
            match self.ends.1.recv_timeout(limits::THREAD_END) {
                Ok(end) => end.map_err(WatchError::Listener)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
        Ok(())
    }

    /// A thread that failed left its listener without anybody to answer: that ends the sentry.
    fn check_threads(&mut self) -> Result<(), WatchError> {
        loop {
            match self.ends.1.try_recv() {
                Ok(Ok(())) => self.listeners.retain(|listener| !notify::has_ended(listener.as_fd())),
                Ok(Err(error)) => return Err(WatchError::Listener(error)),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }
}
