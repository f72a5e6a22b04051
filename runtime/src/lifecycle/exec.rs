//! `exec`: a further process in a container that runs, behind the same walls as its first one.
//!
//! The process joins by the pidfd of the first one, so that no reuse of a number can lead it elsewhere. It lands in the
//! container's cgroup, gets the capabilities that policy leaves, a Landlock domain and a filter with a listener, and a
//! sentry for that listener, which lives as long as anything that this process has started. No file is left behind.

mod loss;
mod request;

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Pid};

use crate::causes;
use crate::cgroup::Cgroup;
use crate::cgroup::newcomer::SubCgroup;
use crate::channel::{self, ToInit};
use crate::error::Error;
use crate::idmap;
use crate::init;
use crate::init::orders::{JoinOrders, Workload};
use crate::lifecycle::fit::{self, Verb};
use crate::lifecycle::foreground::{self, Outcome};
use crate::lifecycle::newborn::{self, Watch};
use crate::lifecycle::undo::Undo;
use crate::lifecycle::{LifecycleError, attendance, kill, monitor, scheduling, streams, terminal, workload};
use crate::namespaces::Shared;
use crate::options::{Intercepted, Interceptor, Mode, Options};
use crate::policy;
use crate::record_sink;
use crate::rootless;
use crate::sentry_link::{Sentry, Sight};
use crate::spec;
use crate::spec::container::{Container, IdMappings};
use crate::state::{self, ProcessId, Status, Stored};
use crate::sys::{self, clone::Stage};
use crate::watch::{Subject, Watched};
use crate::worker::Workers;

pub use request::{Command, Process};

/// Kernel clock ticks in a second as `/proc` counts them (`USER_HZ`, a part of the ABI).
const TICKS_PER_SECOND: u64 = 100;

/// What `exec` needs beside the options.
#[derive(Debug)]
pub struct ExecRequest {
    /// The container's id.
    pub id: String,
    /// What to execute.
    pub process: Process,
    /// Standard input, output and error; `None` inherits the caller's.
    pub stdio: [Option<OwnedFd>; 3],
    /// Return once it is executed instead of waiting for its end.
    pub detach: bool,
    /// Where to write its process id.
    pub pid_file: Option<PathBuf>,
    /// Socket that gets the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// With `detach` and without such a socket: give the terminal's master back in [`Executed`].
    pub returns_terminal: bool,
    /// Socket that gets its pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// How many descriptors from 3 on it shall inherit.
    pub preserve_fds: u32,
    /// Cgroups below the container's own to be born in.
    pub cgroups: Vec<SubCgroup>,
    /// Also into a paused container, where it waits for `resume`.
    pub ignore_paused: bool,
    /// As in [`crate::lifecycle::CreateRequest::record_sink`].
    pub record_sink: Option<OwnedFd>,
}

/// What became of an `exec`.
#[derive(Debug)]
pub enum Executed {
    /// It runs, detached.
    Detached(Detached),
    /// It ended.
    Ended(Outcome),
}

/// A process that runs on.
#[derive(Debug)]
pub struct Detached {
    /// Its number on the host. It is a child of the nearest subreaper above the caller.
    pub pid: Pid,
    /// Its pidfd.
    pub pidfd: OwnedFd,
    /// Its terminal's master, if it has one and the request wants it back.
    pub terminal: Option<OwnedFd>,
}

/// Executes a process in a container, and waits for its end unless `detach`.
///
/// The caller must be single-threaded. The mode is the container's own, whatever the options say.
///
/// # Errors
/// [`LifecycleError::NotRunning`] for a stopped container, [`LifecycleError::WrongStatus`] for a paused one or one that
/// is being created; what is wrong with the process; nothing runs then.
pub fn exec(options: &Options, request: ExecRequest) -> Result<Executed, Error> {
    // Only who waits has somebody to pass them on to; a monitor keeps what they mean to any process.
    let signals = if request.detach { None } else { Some(foreground::take_signals()?) };
    let host = Host::open(options, &request)?;
    let joined = join(options, &host, request)?;
    let Some(signals) = signals else {
        let pidfd = joined.watched.init.try_clone().map_err(LifecycleError::Wait)?;
        let terminal = joined.terminal.as_ref().map(terminal::receive).transpose().map_err(LifecycleError::Relay)?;
        leave(host, joined.watched)?;
        return Ok(Executed::Detached(Detached { pid: joined.pid, pidfd, terminal }));
    };
    let mut watched = joined.watched;
    let waited = foreground::attend(&mut watched, joined.terminal.as_ref(), &signals);
    if waited.is_err() {
        watched.kill();
    }
    // What the process has started may outlive it, and needs the sentry for as long.
    leave(host, watched)?;
    let (exit_status, ended_by_lazaret) = waited.map_err(LifecycleError::Wait)?;
    Ok(Executed::Ended(Outcome { exit_status, refusals: Vec::new(), ended_by_lazaret }))
}

/// The container that is joined.
struct Host {
    directory: PathBuf,
    state: Stored,
    init: ProcessId,
    pidfd: OwnedFd,
    cgroup: Cgroup,
    /// Where in it the process is to be born.
    place: Cgroup,
}

impl Host {
    fn open(options: &Options, request: &ExecRequest) -> Result<Self, Error> {
        let id = request.id.as_str();
        let verb = if request.ignore_paused { Verb::ExecAtThaw } else { Verb::Exec };
        let (state, _status) = fit::look(options, id, verb)?;
        let not_running = || LifecycleError::NotRunning { id: id.to_owned(), status: Status::Stopped.name() };
        let init = state.init.ok_or_else(not_running)?;
        let pidfd = kill::open(init)?.ok_or_else(not_running)?;
        let cgroup = state.cgroup.clone().ok_or_else(not_running)?;
        let place = cgroup.narrowed(&request.cgroups)?;
        Ok(Self { directory: options.root.join(id), state, init, pidfd, cgroup, place })
    }

    /// As the container's first process is watched; what the caller asks for counts only where that leaves a choice.
    fn interceptor(&self, options: &Options) -> Interceptor {
        if self.state.interceptor == Some(Intercepted::Ptrace) { Interceptor::Ptrace } else { options.interceptor }
    }

    /// When the container started, on `CLOCK_BOOTTIME`.
    fn started(&self) -> Duration {
        Duration::from_millis(self.init.start.saturating_mul(1000 / TICKS_PER_SECOND))
    }
}

/// A process that runs in the container.
struct Joined {
    pid: Pid,
    watched: Watched,
    terminal: Option<OwnedFd>,
}

fn join(options: &Options, host: &Host, request: ExecRequest) -> Result<Joined, Error> {
    let (mut undo, id) = (Undo::default(), request.id.clone());
    let joined = step_by_step(options, host, request, &mut undo);
    joined.map_err(|error| {
        // The container does not end before the last process in its PID namespace is reaped.
        undo.end_init();
        loss::explain(error, &id, &host.pidfd, undo.sentry.as_ref())
    })
}

fn step_by_step(options: &Options, host: &Host, request: ExecRequest, undo: &mut Undo) -> Result<Joined, Error> {
    let mode = host.state.mode;
    newborn::check_preserved(request.preserve_fds, mode)?;
    let container = configuration(host, &request.process)?;
    let shared = Shared::with(host.init.pid)?;
    let mappings = if shared.has_user() { idmap::mappings_of_process(host.init.pid)? } else { IdMappings::default() };
    let is_ours = (!request.detach || request.returns_terminal) && request.console_socket.is_none();
    let (relayed, console) = workload::own_console(&container.process, is_ours)?.unzip();
    // Read after the numbers above: only if the process is still the same were they its own.
    if !host.init.is_alive() {
        return Err(LifecycleError::NotRunning { id: request.id, status: Status::Stopped.name() }.into());
    }
    if mode.is_confined() {
        let audit = host.directory.join(state::AUDIT_FILE);
        let (sight, may_trace) = (Sight::of(rootless::is_active()), host.interceptor(options).may_trace());
        let place = (host.pidfd.as_fd(), host.state.sentry_cgroup.as_ref());
        undo.sentry =
            Some(Sentry::fork(place, (&audit, sinks(host, request.record_sink.as_ref())?), sight, may_trace)?);
    }
    let (channel, theirs) = channel::pair()?;
    let orders = prepare(options, host, &container, (&request, &mappings, shared), (theirs, console))?;
    let (pid, pidfd) = scheduling::on_first_processors(&container.process, || clone(host, shared, orders))?;
    let kept = pidfd.try_clone().map_err(LifecycleError::Wait);
    undo.init = Some((pid, pidfd));
    let pidfd = kept?;
    newborn::set_oom_score(pid, container.process.oom_score_adj)?;
    let watch = Watch {
        id: &request.id,
        pid,
        pidfd: pidfd.as_fd(),
        started: host.started(),
        cgroup: &host.cgroup,
        interceptor: host.interceptor(options),
        records: &host.state.records,
        nested: host.state.nested,
    };
    let agent = attendance::connect_agent(&container, &host.state, pid, Status::Running)?;
    let confined = newborn::confine(&channel, undo.sentry.as_ref(), &container, watch, agent)?;
    undo.keep_sentry_if(confined.interceptor);
    scheduling::apply(pid, &container.process)?;
    scheduling::confine_to_last_processors(pid, &container.process)?;
    newborn::raise_rlimits(pid, &container.process.rlimits)?;
    newborn::write_pid_file(request.pid_file.as_deref(), pid)?;
    newborn::send_pidfd(request.pidfd_socket.as_deref(), &pidfd)?;
    if let Some(sentry) = &undo.sentry {
        sentry.is_there()?;
    }
    channel::send(&channel, &ToInit::Go, None)?;
    newborn::executed(&channel)?;
    undo.init = None;
    let (root, sentry) = (options.root.clone(), undo.sentry.take());
    let watched = Watched {
        init: pidfd,
        sentry,
        root,
        id: request.id,
        subject: Subject::Joined,
        nested: host.state.nested,
        deaf: false,
        workers: Workers::default(),
    };
    Ok(Joined { pid, watched, terminal: relayed })
}

/// Where the records of the process go beside the audit file. A collector that is not there any more keeps no process out of
/// a container: the file has everything.
fn sinks(host: &Host, own: Option<&OwnedFd>) -> Result<Vec<OwnedFd>, Error> {
    let opened = record_sink::open(own, host.state.record_socket.as_deref()).or_else(|error| {
        tracing::warn!("{}; its records stand in the audit file alone", causes::chain(&error));
        record_sink::open(own, None)
    });
    Ok(opened?)
}

/// The container's configuration as it was at create, with this process in the place of its first one, checked and cut
/// down to what policy leaves.
fn configuration(host: &Host, process: &Process) -> Result<Container, Error> {
    let bundle = state::read_config(&host.directory, &host.state.bundle)?;
    let mut container = spec::check_frozen(&process.put_into(&bundle)?)?;
    if host.state.mode != Mode::Native {
        let (capabilities, warning) =
            policy::sandbox::admit_process(container.process.capabilities, host.state.profile.as_ref());
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
        policy::sandbox::refuse_scheduling(&container.process)?;
        container.process.capabilities = capabilities;
        container.process.no_new_privileges = true;
    }
    Ok(container)
}

fn prepare(
    options: &Options,
    host: &Host,
    container: &Container,
    (request, mappings, shared): (&ExecRequest, &IdMappings, Shared),
    (channel, console): (OwnedFd, Option<OwnedFd>),
) -> Result<JoinOrders, Error> {
    let mode = host.state.mode;
    let connected = request.console_socket.is_some() || console.is_some();
    let owner = workload::owner(&container.process, mappings);
    Ok(JoinOrders {
        cgroup_tasks: host.place.entry()?.into_tasks(),
        namespaces: (host.pidfd.try_clone().map_err(LifecycleError::Wait)?, shared.by_itself()),
        stdio: streams::for_init(&request.stdio, owner, mode != Mode::Native)?,
        in_userns: shared.has_user(),
        console: workload::console(request.console_socket.as_deref(), console.as_ref())?,
        workload: Workload {
            channel,
            process: workload::process(&container.process, mappings, connected)?,
            confinement: workload::confinement(
                container,
                (mode, host.state.profile.as_ref()),
                host.interceptor(options),
                host.state.has_host_directory,
            )?,
            preserve_fds: request.preserve_fds,
            as_child: false,
            hooks: None,
            gate: None,
        },
    })
}

fn clone(host: &Host, shared: Shared, orders: JoinOrders) -> Result<(Pid, OwnedFd), Error> {
    // From the clone on the container's own root shares a pid namespace with a copy of our memory; only a right over the
    // user namespace in which this program was executed can look into a process that is not dumpable (ptrace(2)).
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| LifecycleError::Monitor(error.into()))?;
    let target = host.place.newcomer_target(host.init.pid)?;
    let join = vec![sys::clone::Join { fd: host.pidfd.as_fd(), kinds: shared.by_stage1() }];
    let stage = Stage { join, new: 0, cgroup: target.as_ref().map(AsFd::as_fd), clocks: None };
    Ok(sys::clone::launch(&stage, move || init::join::run(orders))?)
}

/// Leaves a monitor with the sentry of a process, if it is not done already. It lives until the sentry or the container
/// ends.
fn leave(host: Host, mut watched: Watched) -> Result<(), Error> {
    if watched.sentry_is_done().map_err(LifecycleError::Wait)? {
        return Ok(());
    }
    watched.init = host.pidfd;
    monitor::fork_unrecorded(watched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_process_is_told_in_time_since_boot() {
        let own = ProcessId::of(std::process::id().cast_signed()).unwrap();
        let started = Duration::from_millis(own.start * 10);
        let now = newborn::boot_time();
        assert!(started < now && now - started < Duration::from_secs(600), "{started:?} {now:?}");
    }
}
