//! The tasks of one shim and what can be done with them, in lazaret's own types.
//!
//! Used by `service`, which translates. Calls the launcher for what needs the runtime, the reaper for exits, and
//! publishes what happens in the order create, start, exit, delete: the exit is announced by one background task per
//! process, which takes the process's turn and so comes after a start that is under way.
//!
//! Locks: the map is never held across an await; a process's turn never while the map is held.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use containerd_shim::protos::protobuf::well_known_types::any::Any;
use containerd_shim::protos::types::mount::Mount;
use rustix::process::Signal;
use tokio::sync::Notify;

use crate::container::{Added, Container};
use crate::error::ShimError;
use crate::events::Events;
use crate::happening::Happening;
use crate::io::{Stdio, Streams};
use crate::launcher::{self, Call, Create, Launcher, Outcome, Rootfs};
use crate::logger::{Logger, Uri};
use crate::memory::Memory;
use crate::options::RuntimeOptions;
use crate::process::{Alive, Phase, Process};
use crate::reaper::{Exit, Reaper, exit_of_watch};
use crate::records;
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
    /// Where its configuration is.
    pub(crate) options: RuntimeOptions,
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
        let create =
            Create { id: new.id.clone(), bundle: new.bundle.clone(), rootfs: new.rootfs, options: new.options };
        let init = Arc::new(Process::new(new.stdio.clone()));
        self.bear(&init, &new.id, Call::Create(create)).await?;
        let container = Arc::new(Container::new(new.id, new.bundle, Arc::clone(&init)));
        self.events.publish(Happening::Created {
            id: container.id.clone(),
            bundle: container.bundle.display().to_string(),
            mounts: new.mounts,
            stdio: new.stdio,
            pid: init.pid(),
        });
        slot.fill(&container);
        let memory = Memory::watch(&self.root, &container, &self.events);
        tokio::spawn(announce_exit(
            Arc::clone(&container),
            Arc::clone(&init),
            Role::First(memory),
            self.events.clone(),
        ));
        Ok(init.pid())
    }

    /// Has the launcher make the process `id` by `call`, with the stdio that it is to have.
    async fn bear(&self, process: &Process, id: &str, call: Call) -> Result<(), ShimError> {
        let logger = match Uri::of(&process.stdio.stdout)? {
            Some(uri) => {
                let namespace = self.events.namespace().to_owned();
                Some(Logger::start(&self.launcher, uri, id.to_owned(), namespace).await?)
            }
            None => None,
        };
        let (prepared, ends) = Streams::open(&process.stdio, logger)?;
        let records = records::read(id.to_owned()).map_err(ShimError::Launcher)?;
        let expecting = self.reaper.expect();
        let descriptors: Vec<_> = [records.as_fd()].into_iter().chain(ends.iter().flatten().map(AsFd::as_fd)).collect();
        let (outcome, along) = self.launcher.call(call, &descriptors).await?;
        drop(descriptors);
        // The process and its sentry hold their own copies; ours would keep their output from ever ending.
        drop((ends, records));
        let mut along = along.into_iter();
        let (Outcome::Born { pid }, Some(pidfd)) = (outcome, along.next()) else {
            return Err(ShimError::Launcher(std::io::ErrorKind::InvalidData.into()));
        };
        let reaped = expecting.claim(pid);
        let streams = prepared.with(along.next())?;
        process.born(Alive { pid, pidfd, streams, reaped });
        Ok(())
    }

    fn reserve(&self, id: &str) -> Result<Slot<'_>, ShimError> {
        let mut map = self.map();
        if map.contains_key(id) {
            return Err(ShimError::Exists(id.to_owned()));
        }
        map.insert(id.to_owned(), None);
        Ok(Slot { tasks: self, id: Some(id.to_owned()) })
    }

    /// Starts a created task, or with `exec` a process that was added to it. Returns the process.
    pub(crate) async fn start(&self, id: &str, exec: &str) -> Result<u32, ShimError> {
        let container = self.find(id)?;
        if !exec.is_empty() {
            return self.start_added(&container, exec).await;
        }
        let init = &container.init;
        let _turn = init.turn.lock().await;
        if init.phase() != Phase::Created {
            return Err(container.wrong_status("start", init));
        }
        if let Some(alive) = init.alive() {
            alive.streams.connect_input()?;
        }
        self.launcher.call(Call::Start { id: id.to_owned() }, &[]).await?;
        init.started();
        self.events.publish(Happening::Started { id: id.to_owned(), pid: init.pid() });
        Ok(init.pid())
    }

    /// Adds a process to a task, to be started later. `spec` is an OCI `Process` as JSON.
    pub(crate) fn add(&self, id: &str, exec: &str, spec: String, stdio: Stdio) -> Result<(), ShimError> {
        let container = self.find(id)?;
        if exec.is_empty() {
            return Err(ShimError::Invalid { field: "exec_id", value: String::new(), why: "a process needs an id" });
        }
        if let Phase::Stopped(_) = container.init.phase() {
            return Err(container.wrong_status("execute a process in", &container.init));
        }
        container.add(exec, Added { spec, process: Arc::new(Process::new(stdio)) })?;
        self.events.publish(Happening::ExecAdded { id: id.to_owned(), exec: exec.to_owned() });
        Ok(())
    }

    async fn start_added(&self, container: &Arc<Container>, exec: &str) -> Result<u32, ShimError> {
        let added = container.added(exec)?;
        let process = &added.process;
        let _turn = process.turn.lock().await;
        if process.phase() != Phase::Created {
            return Err(container.wrong_status("start a process of", process));
        }
        let (id, exec) = (container.id.clone(), exec.to_owned());
        self.bear(process, &exec, Call::Exec { id: id.clone(), process: added.spec.clone() }).await?;
        process.started();
        self.events.publish(Happening::ExecStarted { id, exec: exec.clone(), pid: process.pid() });
        if let Some(alive) = process.alive() {
            alive.streams.connect_input()?;
        }
        let role = Role::Added(exec);
        tokio::spawn(announce_exit(Arc::clone(container), Arc::clone(process), role, self.events.clone()));
        Ok(process.pid())
    }

    /// Sends a signal to the first process of a task, to all of them, or with `exec` to a process that was added.
    pub(crate) async fn kill(&self, id: &str, exec: &str, signal: u32, all: bool) -> Result<(), ShimError> {
        let container = self.find(id)?;
        let invalid = |why| ShimError::Invalid { field: "signal", value: signal.to_string(), why };
        let number = i32::try_from(signal).ok().filter(|number| (1..=64).contains(number));
        let number = number.ok_or_else(|| invalid("not a signal (1 to 64)"))?;
        let process = container.process(exec)?;
        match Signal::from_named_raw(number) {
            Some(_) if !exec.is_empty() && process.phase() == Phase::Created => {
                Err(container.wrong_status("signal a process of", &process))
            }
            Some(signal) if !all || !exec.is_empty() => process.signal(signal),
            None if !exec.is_empty() => Err(invalid("a real-time signal reaches the first process of a task alone")),
            // Real-time signals, and whole cgroups, are the runtime's.
            _ => {
                let call = Call::Kill { id: id.to_owned(), signal: number, all };
                match (self.launcher.call(call, &[]).await, Signal::from_named_raw(number)) {
                    // Without a launcher a task could not be ended by force. Its first process can be reached, and delete
                    // kills what is left of the cgroup.
                    (Err(ShimError::Launcher(_gone)), Some(signal)) => process.signal(signal),
                    (result, _) => result.map(|_outcome| ()),
                }
            }
        }
    }

    /// Stops every process of a task until [`Tasks::resume`].
    pub(crate) async fn pause(&self, id: &str) -> Result<(), ShimError> {
        self.find(id)?;
        self.launcher.call(Call::Pause { id: id.to_owned() }, &[]).await?;
        self.events.publish(Happening::Paused { id: id.to_owned() });
        Ok(())
    }

    /// Lets them run again.
    pub(crate) async fn resume(&self, id: &str) -> Result<(), ShimError> {
        self.find(id)?;
        self.launcher.call(Call::Resume { id: id.to_owned() }, &[]).await?;
        self.events.publish(Happening::Resumed { id: id.to_owned() });
        Ok(())
    }

    /// Changes the limits of a task to those of `resources`, OCI `LinuxResources` as JSON.
    pub(crate) async fn update(&self, id: &str, resources: String) -> Result<(), ShimError> {
        self.find(id)?;
        self.launcher.call(Call::Update { id: id.to_owned(), resources }, &[]).await.map(|_outcome| ())
    }

    /// Whether a task is paused.
    pub(crate) fn is_paused(&self, id: &str) -> bool {
        launcher::is_paused(&self.root, id)
    }

    /// Deletes a task, or with `exec` a process that was added to it: one that has ended, or was never started. Returns
    /// the process and how it ended.
    pub(crate) async fn delete(&self, id: &str, exec: &str) -> Result<(u32, Exit), ShimError> {
        let container = self.find(id)?;
        if exec.is_empty() { self.delete_task(&container).await } else { self.delete_added(&container, exec).await }
    }

    async fn delete_added(&self, container: &Container, exec: &str) -> Result<(u32, Exit), ShimError> {
        let process = container.process(exec)?;
        let _turn = process.turn.lock().await;
        let exit = match process.phase() {
            Phase::Stopped(exit) => exit,
            Phase::Created => Exit { status: 0, at: SystemTime::now() },
            Phase::Running => return Err(container.wrong_status("delete a process of", &process)),
        };
        if let Some(alive) = process.alive() {
            alive.streams.drain(DRAIN).await;
        }
        container.forget(exec);
        Ok((process.pid(), exit))
    }

    async fn delete_task(&self, container: &Container) -> Result<(u32, Exit), ShimError> {
        let (id, init) = (container.id.as_str(), &container.init);
        if init.phase() == Phase::Created {
            self.end_unstarted(container).await?;
        }
        let _turn = init.turn.lock().await;
        let Phase::Stopped(exit) = init.phase() else { return Err(container.wrong_status("delete", init)) };
        if let Some(alive) = init.alive() {
            alive.streams.drain(DRAIN).await;
        }
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
        self.events.publish(Happening::Deleted { id: id.to_owned(), pid: init.pid(), exit });
        Ok((init.pid(), exit))
    }

    async fn end_unstarted(&self, container: &Container) -> Result<(), ShimError> {
        match container.init.signal(Signal::KILL) {
            Ok(()) | Err(ShimError::Finished) => {}
            Err(error) => return Err(error),
        }
        let stopped = tokio::time::timeout(END, container.init.stop()).await;
        stopped.map(|_exit| ()).map_err(|_elapsed| ShimError::StillRunning(container.id.clone()))
    }

    /// Every process of a task, as the host counts them, with its id if it was added.
    pub(crate) fn pids(&self, id: &str) -> Result<Vec<(u32, Option<String>)>, ShimError> {
        let container = self.find(id)?;
        let pids = launcher::pids(&self.root, &container.id)?;
        Ok(pids.into_iter().map(i32::unsigned_abs).map(|pid| (pid, container.exec_of(pid))).collect())
    }

    /// Gives the terminal of a process another size, in characters.
    pub(crate) fn resize(&self, id: &str, exec: &str, (columns, rows): (u32, u32)) -> Result<(), ShimError> {
        let container = self.find(id)?;
        let process = container.process(exec)?;
        // A client that sees the terminal's size change before the process exists asks again.
        let Some(alive) = process.alive() else {
            return Err(container.wrong_status("resize the terminal of", &process));
        };
        let Some(terminal) = alive.streams.terminal() else { return Ok(()) };
        let number = |field, value: u32| {
            let invalid = |_too_big| ShimError::Invalid { field, value: value.to_string(), why: "more than 65535" };
            u16::try_from(value).map_err(invalid)
        };
        terminal.resize(number("width", columns)?, number("height", rows)?).map_err(ShimError::Terminal)
    }

    /// Resource use of a task that runs.
    pub(crate) fn stats(&self, id: &str) -> Result<Any, ShimError> {
        let container = self.find(id)?;
        if matches!(container.init.phase(), Phase::Stopped(_)) {
            return Err(container.wrong_status("measure", &container.init));
        }
        let failed = |source| ShimError::Stats { task: id.to_owned(), source };
        let cpuacct = launcher::v1_directory(&self.root, id, "cpuacct");
        stats::of_process(container.init.pid(), cpuacct.as_deref()).map_err(failed)
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
        self.map().values().all(|task| matches!(task.as_ref().map(|task| task.init.phase()), Some(Phase::Stopped(_))))
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

/// What a process is in its task.
enum Role {
    /// The first one, with the watch over the task's memory.
    First(Option<Memory>),
    /// One that was added under this id.
    Added(String),
}

/// Waits for the end of a process and tells everybody: after its start has been told, if one is under way. What was
/// added to a task and has ended with its first process is told before that one, as containerd expects it, and so is
/// want of memory.
async fn announce_exit(container: Arc<Container>, process: Arc<Process>, role: Role, events: Events) {
    let Some(alive) = process.alive() else { return };
    let exit = exit_of_watch(alive.reaped.clone()).await;
    if let Role::First(_) = role {
        for added in container.ended_ones() {
            added.stop().await;
        }
    }
    let _turn = process.turn.lock().await;
    alive.streams.abandon_input();
    process.ended(exit);
    let id = container.id.clone();
    let name = match role {
        Role::First(memory) => {
            if let Some(memory) = memory {
                memory.end();
            }
            id.clone()
        }
        Role::Added(exec) => exec,
    };
    events.publish(Happening::Exited { id, process: name, pid: process.pid(), exit });
}
