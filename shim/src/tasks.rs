//! The tasks of one shim and what can be done with them, in lazaret's own types.
//!
//! Used by `service`, which translates. Calls the launcher for what needs the runtime, the reaper for exits, and
//! publishes what happens in the order create, start, exit, delete: the exit is announced by one background task per
//! container, which takes the container's turn and so comes after a start that is under way.
//!
//! Locks: the map is never held across an await; a container's turn never while the map is held.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::protos::types::mount::Mount;
use rustix::process::Signal;
use tokio::sync::Notify;

use crate::container::{Container, Phase};
use crate::error::ShimError;
use crate::events::Events;
use crate::happening::Happening;
use crate::io::{Stdio, Streams};
use crate::launcher::{self, Call, Create, Launcher, Outcome, Rootfs};
use crate::reaper::{Exit, Reaper, exit_of_watch};
use crate::stats;

/// How long `delete` waits for readers of the task's output, as containerd's own shim does.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a killed container may take to end.
const END: Duration = Duration::from_secs(10);

/// A task to create.
#[derive(Debug)]
pub(crate) struct NewTask {
    /// Its id.
    pub(crate) id: String,
    /// Its bundle.
    pub(crate) bundle: PathBuf,
    /// Its root file system as containerd gave it, for the event.
    pub(crate) mounts: Vec<Mount>,
    /// The same as the runtime is to mount it.
    pub(crate) rootfs: Rootfs,
    /// Whether systemd places its cgroup.
    pub(crate) by_systemd: bool,
    /// Its stdio.
    pub(crate) stdio: Stdio,
}

/// Every task of this shim.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// `None`: the id is taken by a create that is under way.
    map: Mutex<HashMap<String, Option<Arc<Container>>>>,
    launcher: Arc<Launcher>,
    reaper: Arc<Reaper>,
    events: Events,
    root: PathBuf,
    leave: Arc<Notify>,
}

impl Tasks {
    /// No tasks yet. `root` is the runtime's state directory; `leave` is notified when the shim may end.
    pub(crate) fn new(
        launcher: Arc<Launcher>,
        reaper: Arc<Reaper>,
        events: Events,
        root: PathBuf,
        leave: Arc<Notify>,
    ) -> Self {
        Self { map: Mutex::default(), launcher, reaper, events, root, leave }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Option<Arc<Container>>>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task of that id.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Container>, ShimError> {
        self.map().get(id).cloned().flatten().ok_or_else(|| ShimError::NoTask(id.to_owned()))
    }

    /// Creates a task. Returns its first process.
    pub(crate) async fn create(&self, new: NewTask) -> Result<u32, ShimError> {
        let slot = self.reserve(&new.id)?;
        let (streams, stdio) = Streams::open(&new.stdio)?;
        let expecting = self.reaper.expect();
        let create =
            Create { id: new.id.clone(), bundle: new.bundle.clone(), rootfs: new.rootfs, by_systemd: new.by_systemd };
        let descriptors = [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()];
        let (outcome, pidfd) = self.launcher.call(Call::Create(create), &descriptors).await?;
        // The container holds its own copies; ours would keep its output from ever ending.
        drop(stdio);
        let (Outcome::Created { pid }, Some(pidfd)) = (outcome, pidfd.into_iter().next()) else {
            return Err(ShimError::Launcher(std::io::ErrorKind::InvalidData.into()));
        };
        let reaped = expecting.claim(pid);
        let stdio = new.stdio;
        let container = Arc::new(Container::new((new.id, new.bundle), (pid, pidfd), (stdio.clone(), streams), reaped));
        self.events.publish(Happening::Created {
            id: container.id.clone(),
            bundle: container.bundle.display().to_string(),
            mounts: new.mounts,
            stdio,
            pid: container.pid(),
        });
        slot.fill(&container);
        tokio::spawn(announce_exit(Arc::clone(&container), self.events.clone()));
        Ok(container.pid())
    }

    fn reserve(&self, id: &str) -> Result<Slot<'_>, ShimError> {
        let mut map = self.map();
        if map.contains_key(id) {
            return Err(ShimError::Exists(id.to_owned()));
        }
        map.insert(id.to_owned(), None);
        Ok(Slot { tasks: self, id: Some(id.to_owned()) })
    }

    /// Starts a created task. Returns its first process.
    pub(crate) async fn start(&self, id: &str) -> Result<u32, ShimError> {
        let container = self.find(id)?;
        let _turn = container.turn.lock().await;
        if container.phase() != Phase::Created {
            return Err(container.wrong_status("start"));
        }
        container.streams.connect_input()?;
        self.launcher.call(Call::Start { id: id.to_owned() }, &[]).await?;
        container.started();
        self.events.publish(Happening::Started { id: id.to_owned(), pid: container.pid() });
        Ok(container.pid())
    }

    /// Sends a signal to the first process, or to all of them.
    pub(crate) async fn kill(&self, id: &str, signal: u32, all: bool) -> Result<(), ShimError> {
        let container = self.find(id)?;
        let invalid =
            || ShimError::Invalid { field: "signal", value: signal.to_string(), why: "not a signal (1 to 64)" };
        let number = i32::try_from(signal).ok().filter(|number| (1..=64).contains(number)).ok_or_else(invalid)?;
        match Signal::from_named_raw(number) {
            Some(signal) if !all => container.signal(signal),
            // Real-time signals, and whole cgroups, are the runtime's.
            _ => {
                let call = Call::Kill { id: id.to_owned(), signal: number, all };
                self.launcher.call(call, &[]).await.map(|_outcome| ())
            }
        }
    }

    /// Deletes a task that is stopped, or that was never started. Returns its first process and how it ended.
    pub(crate) async fn delete(&self, id: &str) -> Result<(u32, Exit), ShimError> {
        let container = self.find(id)?;
        if container.phase() == Phase::Created {
            self.end_unstarted(&container).await?;
        }
        let _turn = container.turn.lock().await;
        let Phase::Stopped(exit) = container.phase() else { return Err(container.wrong_status("delete")) };
        container.streams.drain(DRAIN).await;
        // Not when it exits: the runtime's monitor writes the reason a moment later.
        if let Some(reason) = launcher::end_reason(&self.root, id) {
            tracing::warn!(container = id, reason, "lazaret ended the container");
        }
        match self.launcher.call(Call::Delete { id: id.to_owned(), force: false }, &[]).await {
            // Somebody was faster; nothing is left, which is what was asked for.
            Ok(_) | Err(ShimError::Runtime(launcher::Failure { kind: launcher::FailureKind::NotFound, .. })) => {}
            Err(ShimError::Launcher(_gone)) => {
                launcher::delete_without(&self.reaper, &self.root, id, &container.bundle).await?;
            }
            Err(error) => return Err(error),
        }
        self.map().remove(id);
        self.events.publish(Happening::Deleted { id: id.to_owned(), pid: container.pid(), exit });
        Ok((container.pid(), exit))
    }

    async fn end_unstarted(&self, container: &Container) -> Result<(), ShimError> {
        match container.signal(Signal::KILL) {
            Ok(()) | Err(ShimError::Finished) => {}
            Err(error) => return Err(error),
        }
        let stopped = tokio::time::timeout(END, container.stop()).await;
        stopped.map(|_exit| ()).map_err(|_elapsed| ShimError::StillRunning(container.id.clone()))
    }

    /// Every process of a task, as the host counts them.
    pub(crate) fn pids(&self, id: &str) -> Result<Vec<u32>, ShimError> {
        let container = self.find(id)?;
        let pids = launcher::pids(&self.root, &container.id)?;
        Ok(pids.into_iter().map(i32::unsigned_abs).collect())
    }

    /// Resource use of a task that runs.
    pub(crate) fn stats(&self, id: &str) -> Result<Any, ShimError> {
        let container = self.find(id)?;
        if matches!(container.phase(), Phase::Stopped(_)) {
            return Err(container.wrong_status("measure"));
        }
        let failed = |source| ShimError::Stats { task: id.to_owned(), source };
        let cpuacct = launcher::v1_directory(&self.root, id, "cpuacct");
        stats::of_process(container.pid(), cpuacct.as_deref()).map_err(failed)
    }

    /// Ends the shim if it has no task left.
    pub(crate) fn shut_down(&self) {
        if self.map().is_empty() {
            self.leave.notify_one();
        }
    }

    /// Whether there is no task, nor a create under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.map().is_empty()
    }

    /// Whether no task runs any more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.map().values().all(|task| matches!(task.as_ref().map(|task| task.phase()), Some(Phase::Stopped(_))))
    }
}

/// An id that is taken by a create under way; given back if that fails.
struct Slot<'a> {
    tasks: &'a Tasks,
    id: Option<String>,
}

impl Slot<'_> {
    fn fill(mut self, container: &Arc<Container>) {
        if let Some(id) = self.id.take() {
            self.tasks.map().insert(id, Some(Arc::clone(container)));
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.tasks.map().remove(&id);
        }
    }
}

/// Waits for the end of a container and tells everybody: after its start has been told, if one is under way.
async fn announce_exit(container: Arc<Container>, events: Events) {
    let exit = exit_of_watch(container.reaped.clone()).await;
    let _turn = container.turn.lock().await;
    container.streams.abandon_input();
    container.ended(exit);
    events.publish(Happening::Exited { id: container.id.clone(), pid: container.pid(), exit });
}
