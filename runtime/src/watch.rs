//! Watching a running container from the outside: its end, its sentry's death, and the few things that the sentry may
//! ask for.
//!
//! Whoever has a foreground container (`run`, `do`) watches it itself; for a detached one `create` forks a monitor. If
//! the sentry dies first, every trapped call already fails in the kernel (ENOSYS); the container is killed, and the
//! reason is written to its state.

use std::cell::LazyCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use lazaret_sentry::handoff::{self, Answer, FromSentry, ToSentry};
use lazaret_sentry::limits;
use lazaret_sentry::nested::Order;
use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::broker;
use crate::connect;
use crate::options::Intercepted;
use crate::sentry_link::Sentry;
use crate::state::{self, Directory};
use crate::worker::{self, Workers};

/// How long a tracer that died may take to be gone after what the kernel has killed along with it.
const GRACE: Duration = Duration::from_secs(1);
/// How long the records of an ended container may take to be written.
const FLUSH: Duration = Duration::from_secs(2);

/// How long the sentry of a process that has ended may take to end too, if it was the last that it watched.
const LAST_TASK: Duration = Duration::from_millis(20);

/// A container under watch.
#[derive(Debug)]
pub struct Watched {
    /// The pidfd of its first process.
    pub init: OwnedFd,
    /// Its sentry, in sandbox mode.
    pub sentry: Option<Sentry>,
    /// The state directory and the id: where its cgroup is found, and the reason of an end of ours is written.
    pub root: PathBuf,
    /// Its id.
    pub id: String,
    /// Whose process it is that is watched.
    pub subject: Subject,
    /// Whether the container's root may mount inside.
    pub nested: bool,
    /// Set once the sentry's control socket reports nothing but its end.
    pub deaf: bool,
    /// What works on questions of the sentry that may take time.
    pub workers: Workers,
}

/// Whose process is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The container's first process, with whose end everything ends.
    Container,
    /// One that joined later. What it has started may outlive it, and the container does.
    Joined,
}

/// What made [`Watched::until_end`] return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The first process ended by itself or by a signal.
    Own,
    /// lazaret killed the container, for this reason.
    Killed(String),
    /// One of the caller's own descriptors is readable.
    Caller,
}

impl Watched {
    /// Waits until the container has ended, serving its sentry meanwhile, or until `caller` is readable.
    ///
    /// # Errors
    /// Only if waiting itself is impossible.
    pub fn until_end(&mut self, caller: Option<BorrowedFd<'_>>) -> io::Result<End> {
        loop {
            let ready = self.wait(caller, None)?;
            if ready.init {
                return self.first_process_ended();
            }
            if ready.sentry_ended {
                return self.sentry_ended();
            }
            self.pass_on(&ready.workers);
            if ready.sentry_speaks
                && let Some(reason) = self.answer()
            {
                return self.end(reason);
            }
            if ready.caller {
                return Ok(End::Caller);
            }
        }
    }

    fn wait(&self, caller: Option<BorrowedFd<'_>>, limit: Option<Duration>) -> io::Result<Ready> {
        let idle = self.init.as_fd();
        let sentry = self.sentry.as_ref().map_or(idle, |sentry| sentry.pidfd.as_fd());
        let speaking = self.sentry.as_ref().filter(|_sentry| !self.deaf);
        let control = speaking.map_or(idle, |sentry| sentry.control.as_fd());
        let fds = [idle, sentry, control, caller.unwrap_or(idle)].into_iter().chain(self.workers.answers());
        let mut polled: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let limit = limit.into_iter().chain(self.workers.patience()).min();
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match rustix::event::poll(&mut polled, limit.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let mut ready = polled.iter().map(|fd| !fd.revents().is_empty());
        let mut next = || ready.next().unwrap_or_default();
        let [init, ended, speaks, called] = [next(), next(), next(), next()];
        let has_sentry = self.sentry.is_some();
        Ok(Ready {
            init,
            sentry_ended: has_sentry && ended,
            sentry_speaks: has_sentry && !self.deaf && speaks,
            caller: caller.is_some() && called,
            workers: ready.collect(),
        })
    }

    /// By itself, unless a tracer that died took it along: the kernel kills what a dead tracer has traced.
    fn first_process_ended(&mut self) -> io::Result<End> {
        let is_traced = || {
            let state = state::peek(&self.root, &self.id).ok();
            state.is_some_and(|state| state.interceptor == Some(Intercepted::Ptrace))
        };
        let Some(sentry) = self.sentry.as_ref().filter(|_sentry| may_be_killed(&self.init) && is_traced()) else {
            return Ok(End::Own);
        };
        let limit = Timespec::try_from(GRACE).ok();
        let has_ended = rustix::event::poll(&mut [PollFd::new(&sentry.pidfd, PollFlags::IN)], limit.as_ref())? > 0;
        if has_ended { self.sentry_ended() } else { Ok(End::Own) }
    }

    /// The sentry is gone while the container lives, or seemed to: unless it says that nothing was left to watch, the
    /// container has lost its guard.
    fn sentry_ended(&mut self) -> io::Result<End> {
        self.workers = Workers::default();
        let is_done = self.sentry.take().is_some_and(|mut sentry| sentry.ended_in_order());
        if is_done && self.subject == Subject::Joined {
            // Everything that it watched is gone.
            return Ok(End::Own);
        }
        if is_done {
            // Its last task is gone; how long the kernel takes to tear the rest down is no matter of the sentry's.
            while !self.wait(None, None)?.init {}
            return Ok(End::Own);
        }
        self.end(format!("{}; the container cannot run unwatched", self.how_sentry_died()))
    }

    fn how_sentry_died(&self) -> &'static str {
        let cgroup = state::peek(&self.root, &self.id).ok().and_then(|state| state.sentry_cgroup);
        let killed = cgroup.and_then(|cgroup| cgroup.oom_kills().ok().flatten());
        if killed.is_some_and(|count| count > 0) { "the sentry ran out of memory" } else { "the sentry died" }
    }

    /// Kills the container for a reason that its state is to tell.
    fn end(&mut self, reason: String) -> io::Result<End> {
        self.workers = Workers::default();
        self.kill();
        while !self.wait(None, None)?.init {}
        self.record(&reason);
        Ok(End::Killed(reason))
    }

    /// Kills everything in the container.
    pub fn kill(&self) {
        // The first process's end takes its pid namespace along; the cgroup is the second net.
        if let Err(error) = rustix::process::pidfd_send_signal(&self.init, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::error!(%error, "could not kill the container's first process");
        }
        // From disk: the monitor holds no descriptors but those that it waits for.
        let cgroup = state::peek(&self.root, &self.id).ok().and_then(|state| state.cgroup);
        if let Some(Err(error)) = cgroup.map(|cgroup| cgroup.kill()) {
            tracing::error!(%error, "could not kill the container's cgroup");
        }
    }

    /// `/proc/PID/status` of the first process.
    pub(crate) fn init_status(&self) -> Option<String> {
        let pid = Directory::open(&self.root, &self.id).ok()?.read().ok()?.init?.pid;
        std::fs::read_to_string(format!("/proc/{pid}/status")).ok()
    }

    fn record(&self, reason: &str) {
        let written = Directory::open(&self.root, &self.id).and_then(|directory| {
            let mut state = directory.read()?;
            state.ended_by_lazaret = Some(reason.to_owned());
            directory.write(&state)
        });
        if let Err(error) = written {
            tracing::error!(%error, reason, "could not write why the container was killed");
        }
    }

    /// Gives the sentry the time to write what it has, once the container is gone and its first process reaped: before
    /// Linux 6.11 a filter counts as in use until then, and the sentry waits for its end.
    ///
    /// # Errors
    /// Only if waiting itself is impossible.
    pub fn let_sentry_finish(&mut self) -> io::Result<()> {
        let Some(sentry) = self.sentry.take() else { return Ok(()) };
        let limit = Timespec::try_from(FLUSH).ok();
        let mut polled = [PollFd::new(&sentry.pidfd, PollFlags::IN)];
        if rustix::event::poll(&mut polled, limit.as_ref())? == 0 {
            tracing::warn!("the sentry outlives its container; its last records may be missing");
            rustix::process::pidfd_send_signal(&sentry.pidfd, Signal::KILL)?;
        }
        Ok(())
    }

    /// Whether no sentry needs to be watched any more.
    ///
    /// # Errors
    /// Only if waiting itself is impossible.
    pub fn sentry_is_done(&mut self) -> io::Result<bool> {
        let Some(sentry) = &mut self.sentry else { return Ok(true) };
        let limit = Timespec::try_from(LAST_TASK).ok();
        // Its last word comes before its end, whose tearing down nobody needs to wait for.
        let mut polled = [PollFd::new(&sentry.control, PollFlags::IN), PollFd::new(&sentry.pidfd, PollFlags::IN)];
        Ok(rustix::event::poll(&mut polled, limit.as_ref())? != 0 && sentry.ended_in_order())
    }

    /// One request of the sentry. It holds no right over the container's UTS namespace, so it asks. Returns why the
    /// container has to end, if it has to.
    fn answer(&mut self) -> Option<String> {
        let sentry = self.sentry.as_ref()?;
        match handoff::receive_from_sentry(sentry.control.as_fd(), None) {
            Ok(FromSentry::SetHostname { ticket, name, domain, .. }) => {
                let answer = self.set_name(&name, domain).map_or_else(worker::errno, |()| Answer::Errno(0));
                self.tell(ticket, answer);
            }
            Ok(FromSentry::Mount { ticket, pid, order, .. }) => self.mount(ticket, pid, &order),
            Ok(FromSentry::Connect { ticket, pid, fd, address, .. }) => self.connect(ticket, (pid, fd), &address),
            Ok(FromSentry::Kill { why, .. }) => return Some(format!("the sentry had it killed, for: {why}")),
            Ok(FromSentry::Done) => self.sentry.iter_mut().for_each(|sentry| sentry.is_done = true),
            Ok(FromSentry::Failed { why }) => tracing::error!(why, "the sentry failed"),
            Ok(FromSentry::Jailed | FromSentry::Watching | FromSentry::NotWatching { .. }) => {}
            // Its end is noticed by its pidfd; what it says no longer matters.
            Err(error) => {
                tracing::debug!(%error, "the sentry's control socket");
                self.deaf = true;
            }
        }
        None
    }

    /// Tells the sentry what workers have done.
    fn pass_on(&mut self, ready: &[bool]) {
        for (ticket, answer) in self.workers.take(ready) {
            self.tell(ticket, answer);
        }
    }

    fn tell(&self, ticket: u64, answer: Answer) {
        let Some(sentry) = &self.sentry else { return };
        if let Err(error) = handoff::send_to_sentry(sentry.control.as_fd(), &ToSentry::Answer { ticket, answer }, &[]) {
            tracing::warn!(%error, "could not answer the sentry");
        }
    }

    /// Has a mount of the workload's made or taken away, if that is allowed: what the sentry says is alleged.
    fn mount(&mut self, ticket: u64, pid: i32, order: &Order) {
        let directory = self.root.join(&self.id);
        let init = self.init.as_fd();
        let started = if self.nested {
            let work = || broker::carry_out(init, &directory, pid, order);
            self.workers.start(ticket, limits::MOUNT_PATIENCE, &[init], work)
        } else {
            Err(io::Error::from_raw_os_error(libc::EPERM))
        };
        if let Err(error) = started {
            self.tell(ticket, worker::errno(error));
        }
    }

    /// Has a connect made for the workload. What the sentry says is alleged: the worker does nothing that the caller may not.
    fn connect(&mut self, ticket: u64, who: (i32, i32), address: &[u8]) {
        let init = self.init.as_fd();
        let (root, id) = (&self.root, &self.id);
        let cgroup = LazyCell::new(|| state::peek(root, id).ok().and_then(|state| state.cgroup));
        let is_frozen = || cgroup.as_ref().is_some_and(|cgroup| cgroup.is_frozen().unwrap_or(false));
        let work = || connect::carry_out(init, who, address, is_frozen);
        if let Err(error) = self.workers.start(ticket, limits::CONNECT_DEADLINE, &[init], work) {
            self.tell(ticket, worker::errno(error));
        }
    }

    /// Sets a name in the container's UTS namespace and comes back to our own.
    fn set_name(&self, name: &[u8], domain: bool) -> io::Result<()> {
        let own = rustix::fs::open("/proc/self/ns/uts", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        nix::sched::setns(&self.init, CloneFlags::CLONE_NEWUTS)?;
        let set = if domain { rustix::system::setdomainname(name) } else { rustix::system::sethostname(name) };
        nix::sched::setns(&own, CloneFlags::CLONE_NEWUTS)?;
        Ok(set?)
    }
}

/// Whether the process behind `pidfd`, which has ended, may have been killed. Only its parent can see how it ended.
fn may_be_killed(pidfd: &OwnedFd) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    match rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        Ok(Some(status)) => status.terminating_signal() == Some(Signal::KILL.as_raw()),
        Ok(None) | Err(_) => true,
    }
}

#[derive(Debug, Default)]
struct Ready {
    init: bool,
    sentry_ended: bool,
    sentry_speaks: bool,
    caller: bool,
    /// In the order of [`Workers::answers`].
    workers: Vec<bool>,
}
