//! Launching: from a checked and admitted container to a first process that is confined and waits.
//!
//! Reads as the design's process model: everything that can fail is made before the clone and put into [`Undo`], which
//! takes it back if a later step fails. The first process then sets itself up inside while we put it into its cgroups.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::bundle::Bundle;
use crate::causes;
use crate::cgroup::Hierarchies;
use crate::channel::{self, ToInit};
use crate::error::Error;
use crate::hooks::Kept;
use crate::host_mount::HostMount;
use crate::init;
use crate::init::orders::RootOrder;
use crate::lifecycle::attendance::{self, Farewell};
use crate::lifecycle::orders::{self, Ingredients};
use crate::lifecycle::places::{self, Places};
use crate::lifecycle::tracing_process::{Stream, TracingProcess};
use crate::lifecycle::undo::Undo;
use crate::lifecycle::{CreateRequest, LifecycleError, delete, newborn, scheduling, without_root, workload};
use crate::namespaces;
use crate::options::Options;
use crate::policy::Admitted;
use crate::policy::finding::Finding;
use crate::spec::container::Container;
use crate::spec::hooks::Hooks;
use crate::state::{self, Directory, Origin, Phase, ProcessId, StateError, Status, Stored};
use crate::sys;
use crate::watch::{Subject, Watched};
use crate::worker::Workers;

/// A container to launch.
pub(super) struct Launch {
    /// Its bundle's directory.
    pub(super) bundle: PathBuf,
    /// Its configuration as it is at this moment, to be kept; `None` for a container that is lazaret's own.
    pub(super) config: Option<Bundle>,
    /// What was checked.
    pub(super) container: Container,
    /// What policy admitted; `None` in native mode and for a container that is lazaret's own.
    pub(super) admitted: Option<Admitted>,
    /// What the node's rules object to all the same.
    pub(super) findings: Vec<Finding>,
    /// What the caller asked for.
    pub(super) request: CreateRequest,
    /// How it starts.
    pub(super) opening: Opening,
    /// Where its calls are written to, if they are.
    pub(super) stream: Option<Stream>,
}

impl Launch {
    fn own_console(&self) -> Result<Option<(OwnedFd, OwnedFd)>, LifecycleError> {
        let is_ours = self.opening == Opening::Now || self.request.returns_terminal;
        workload::own_console(&self.container.process, is_ours && self.request.console_socket.is_none())
    }
}

/// How the workload is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// By a later `start`, through a socket in the state directory.
    Gate,
    /// At once.
    Now,
}

/// A launched container.
pub(super) struct Launched {
    /// Its first process.
    pub(super) pid: Pid,
    /// What its watcher needs.
    pub(super) watched: Watched,
    /// Where its terminal arrives, if it is ours to relay.
    pub(super) terminal: Option<OwnedFd>,
    /// What traces it, if anything does beside the sentry.
    pub(super) tracer: Option<TracingProcess>,
}

/// Launches. The state says `created`, or `running` for [`Opening::Now`], when this returns.
pub(super) fn launch(options: &Options, launch: Launch) -> Result<Launched, Error> {
    let mut undo = Undo::default();
    let (terminal, console) = launch.own_console()?.unzip();
    let Launch { bundle, config, mut container, admitted, findings, request, opening, stream } = launch;
    newborn::check_preserved(request.preserve_fds, options.mode)?;
    let path = claim_directory(options, &request.id, &mut undo)?;
    let host = Hierarchies::read()?;
    let origin = origin(&request.id, bundle, (&container, admitted.as_ref()), options, &host)?;
    let mut state = Stored::creating(Origin { findings, ..origin });
    write_state(&undo, &state)?;
    freeze_config(&undo, config.as_ref(), &container.hooks)?;
    let places = places::make(options, &mut container, admitted.as_ref(), host, (&request, &path), &mut undo)?;
    let (channel, theirs) = channel::pair()?;
    let orders = orders::prepare(
        &Ingredients {
            container: &container,
            admitted: admitted.as_ref(),
            request: &request,
            places: &places,
            console,
            mode: options.mode,
            interceptor: options.interceptor,
            gate: (opening == Opening::Gate).then(|| path.join(state::GATE_FILE)),
            stored: &state,
        },
        theirs,
    )?;
    note_host_mount(&mut state, &mut undo, &orders.root, &container.rootfs)?;
    let (pid, init) = clone_init(&places, &container, orders)?;
    let kept = init.try_clone().map_err(LifecycleError::Wait);
    undo.init = Some((pid, init));
    undo.farewell = Some(Farewell::of(&container, &state));
    let init = kept?;
    seat(&mut undo, pid, &container)?;
    let agent = attendance::connect_agent(&container, &state, pid, Status::Creating)?;
    attendance::attend(&channel, &container, &state, pid)?;
    let watch = newborn::Watch {
        id: &request.id,
        pid,
        pidfd: init.as_fd(),
        started: newborn::boot_time(),
        cgroup: &places.cgroup,
        interceptor: options.interceptor,
        records: &options.records,
        nested: options.nested,
    };
    let confined = newborn::confine(&channel, undo.sentry.as_ref(), &container, watch, agent)?;
    undo.keep_sentry_if(confined.interceptor);
    (state.missing, state.interceptor) = (confined.missing, confined.interceptor);
    newborn::send_pidfd(request.pidfd_socket.as_deref(), &init)?;
    scheduling::apply(pid, &container.process)?;
    newborn::raise_rlimits(pid, &container.process.rlimits)?;
    finish_state(&mut state, &undo, &places, opening, pid)?;
    write_state(&undo, &state)?;
    let tracer = stream.map(|stream| stream.follow(pid, options.mode, state.interceptor)).transpose()?;
    let_go(&channel, opening)?;
    let watched = succeed(options, undo, init, request.id);
    if opening == Opening::Now {
        welcome(options, &Kept::of(&container.hooks), &state)?;
    }
    Ok(Launched { pid, watched, terminal, tracer })
}

/// Gives the first process the word; where nobody else is to give a second one, it executes its program.
fn let_go(channel: &OwnedFd, opening: Opening) -> Result<(), Error> {
    channel::send(channel, &ToInit::Go, None)?;
    if opening == Opening::Now { newborn::executed(channel) } else { Ok(()) }
}

/// What is to be done for the first process as soon as it is in its cgroup.
fn seat(undo: &mut Undo, pid: Pid, container: &Container) -> Result<(), Error> {
    for cgroup in [&mut undo.cgroup, &mut undo.sentry_cgroup].into_iter().flatten() {
        cgroup.settle()?;
    }
    newborn::set_oom_score(pid, container.process.oom_score_adj)
}

/// Runs `poststart` of a container that has started; when that fails, it is not to run on.
fn welcome(options: &Options, hooks: &Kept, state: &Stored) -> Result<(), Error> {
    let Err(error) = hooks.poststart(|| attendance::running(state)) else { return Ok(()) };
    delete(options, &state.id, true)?;
    Err(error.into())
}

fn claim_directory(options: &Options, id: &str, undo: &mut Undo) -> Result<PathBuf, Error> {
    let directory = Directory::create(&options.root, id)?;
    let path = directory.path().to_owned();
    undo.directory = Some(directory);
    Ok(path)
}

/// Later edits of the bundle's file have no effect: verbs that need it read this copy.
fn freeze_config(undo: &Undo, config: Option<&Bundle>, hooks: &Hooks) -> Result<(), Error> {
    let (Some(directory), Some(config)) = (&undo.directory, config) else { return Ok(()) };
    directory.write_config(config)?;
    Ok(Kept::of(hooks).write(directory.path())?)
}

fn write_state(undo: &Undo, state: &Stored) -> Result<(), Error> {
    undo.directory.as_ref().map_or(Ok(()), |directory| Ok(directory.write(state)?))
}

/// A mount that the container makes on the host, known before it is made.
fn note_host_mount(state: &mut Stored, undo: &mut Undo, root: &RootOrder, path: &Path) -> Result<(), Error> {
    if root.on_host.is_none() {
        return Ok(());
    }
    let mount = HostMount::of(&root.tree, path)?;
    state.host_mount = Some(mount.clone());
    undo.host_mount = Some(mount);
    write_state(undo, state)
}

/// Everything stands: nothing is to be taken back any more.
fn succeed(options: &Options, mut undo: Undo, init: OwnedFd, id: String) -> Watched {
    undo.init = None;
    undo.farewell = None;
    undo.host_mount = None;
    for guard in [undo.cgroup.take(), undo.sentry_cgroup.take()].into_iter().flatten() {
        guard.keep();
    }
    if let Some(lease) = undo.lease.take() {
        lease.keep();
    }
    // Taken out before Undo is dropped, which would remove it; dropped here it is only unlocked.
    drop(undo.directory.take());
    let sentry = undo.sentry.take();
    Watched {
        init,
        sentry,
        root: options.root.clone(),
        id,
        subject: Subject::Container,
        nested: options.nested,
        deaf: false,
        workers: Workers::default(),
    }
}

fn origin(
    id: &str,
    bundle: PathBuf,
    (container, admitted): (&Container, Option<&Admitted>),
    options: &Options,
    hierarchies: &Hierarchies,
) -> Result<Origin, Error> {
    Ok(Origin {
        oci_version: container.oci_version.clone(),
        id: id.to_owned(),
        bundle,
        rootfs: container.rootfs.clone(),
        annotations: container.annotations.clone(),
        mode: options.mode,
        has_host_directory: admitted.is_some_and(|admitted| admitted.has_host_directory),
        nested: options.nested,
        profile: options.rules.profile.clone(),
        cgroup_places: places::cgroups(options, hierarchies, container, id)?,
        records: options.records.clone(),
        findings: Vec::new(),
        record_socket: options.record_socket.clone(),
    })
}

fn finish_state(
    state: &mut Stored,
    undo: &Undo,
    places: &Places,
    opening: Opening,
    pid: Pid,
) -> Result<(), StateError> {
    state.advance(if opening == Opening::Now { Phase::Running } else { Phase::Created })?;
    state.init = ProcessId::of(pid.as_raw_nonzero().get());
    state.cgroup_places = Vec::new();
    state.cgroup = Some(places.cgroup.clone());
    match &places.sentry_cgroup {
        Ok(cgroup) => state.sentry_cgroup.clone_from(cgroup),
        Err(error) => {
            state.missing.push(format!("sentry: its memory has no limit of its own: {}", causes::chain(error)))
        }
    }
    if places.rootless.is_some() && state.mode.is_confined() {
        state.missing.extend(without_root::missing(places));
    }
    state.lease = undo.lease.as_ref().map(|lease| lease.path().to_owned());
    state.sentry = undo.sentry.as_ref().and_then(|sentry| ProcessId::of(sentry.pid.as_raw_nonzero().get()));
    if opening == Opening::Gate && state.sentry.is_none() {
        // Nobody needs to watch it. One with a sentry is the launcher's until the monitor has it.
        state.launcher = None;
    }
    Ok(())
}

fn clone_init(places: &Places, container: &Container, orders: init::orders::Orders) -> Result<(Pid, OwnedFd), Error> {
    let clocks = container.time_offsets.map(|offsets| offsets.to_string());
    let target = places.cgroup.clone_target()?;
    // The user namespace last: the others may belong to its parent, over which it has no right.
    let join = places.plan.join.iter().chain(&places.userns).map(|fd| fd.as_fd().into()).collect();
    let stage = sys::clone::Stage {
        join,
        new: places.plan.new,
        cgroup: target.as_ref().map(AsFd::as_fd),
        clocks: clocks.as_deref(),
    };
    namespaces::within_time(places.plan.time.as_ref(), || Ok(sys::clone::launch(&stage, move || init::run(orders))?))
}
