//! The life of the daemon: off containerd's terminal and directory, the launcher forked, then the Task service until the
//! last task is gone.
//!
//! Called by `start` in the forked child, which is single-threaded until the launcher has been forked. The service
//! runs on one thread: it only waits and translates, and a second thread would cost memory in every pod.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use containerd_shim::protos::ttrpc::{self, r#async::Server};
use rustix::fs::{Mode, OFlags};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::bootstrap::StartParams;
use crate::events::Events;
use crate::launcher::{self, Launcher, Runtime};
use crate::log;
use crate::place;
use crate::reaper::{Reaper, exit_of_watch};
use crate::service::Service;
use crate::socket::Socket;
use crate::tasks::Tasks;
use lazaret::causes::chain;

/// A shim that nobody has given a task by then was left behind by a start that failed.
const IDLE: Duration = Duration::from_secs(120);
/// How often a shim that was told to end looks whether its tasks have.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last answers and the last events may take.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Largest value of `oom_score_adj` (proc_pid_oom_score_adj(5)).
const OOM_SCORE_MAX: i32 = 1000;

/// What the daemon is made of.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// What containerd said.
    pub(crate) params: StartParams,
    /// The socket it serves on.
    pub(crate) socket: Socket,
    /// The same, bound.
    pub(crate) listener: UnixListener,
    /// The bundle of the container that it was started for; absolute.
    pub(crate) bundle: PathBuf,
    /// The runtime's state directory.
    pub(crate) root: PathBuf,
}

/// Why the daemon ended early.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error("cannot {0}")]
    Set(&'static str, #[source] io::Error),
    #[error("cannot serve the Task service")]
    Serve(#[source] ttrpc::Error),
}

impl Daemon {
    /// Lives. Returns the exit status of the process.
    pub(crate) fn run(self) -> u8 {
        // First of all: containerd waits for the end of our standard output.
        let detached = detach();
        log::init(&self.bundle.join(place::LOG_FIFO), self.params.debug);
        match detached
            .map_err(|source| DaemonError::Set("leave containerd's session", source))
            .and_then(|()| self.live())
        {
            Ok(()) => 0,
            Err(error) => {
                tracing::error!(error = chain(&error), "the shim ends");
                1
            }
        }
    }

    fn live(self) -> Result<(), DaemonError> {
        let socket = self.socket.clone();
        let lived = self.fork_and_serve();
        if let Err(error) = socket.unlink() {
            tracing::warn!(error = %error, "cannot remove the shim's socket");
        }
        lived
    }

    fn fork_and_serve(self) -> Result<(), DaemonError> {
        let (ours, theirs) =
            launcher::pair().map_err(|source| DaemonError::Set("make the launcher's socket", source))?;
        // The child must not keep what is the daemon's: its listener would outlive it.
        let mut kept = Some((self, ours));
        let (pid, _pidfd) = launcher::fork(|| {
            let root = kept.take().map(|(daemon, _ours)| daemon.root);
            root.map_or(1, |root| launcher::run(&theirs, &Runtime::new(root)))
        })
        .map_err(|source| DaemonError::Set("fork the launcher", source))?;
        let Some((daemon, ours)) = kept else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| DaemonError::Set("start the event loop", source))?;
        runtime.block_on(daemon.serve(ours, pid))
    }

    async fn serve(self, launcher: OwnedFd, launcher_pid: i32) -> Result<(), DaemonError> {
        let failed = |what| move |source| DaemonError::Set(what, source);
        let reaper = Arc::new(Reaper::default());
        let launcher = Arc::new(Launcher::new(launcher).map_err(failed("reach the launcher"))?);
        let launcher_exit = reaper.expect().claim(launcher_pid);
        let children = signal(SignalKind::child()).map_err(failed("watch for children"))?;
        tokio::spawn(Arc::clone(&reaper).run(children));
        let orphaned = Arc::clone(&launcher);
        tokio::spawn(async move {
            let exit = exit_of_watch(launcher_exit).await;
            tracing::error!(status = exit.status, "the launcher has ended; nothing can be created, started or deleted");
            orphaned.has_ended();
        });
        let (events, sender) = Events::new(&self.params.ttrpc_address, &self.params.namespace);
        let leave = Arc::new(Notify::new());
        let tasks = Arc::new(Tasks::new(launcher, reaper, events, self.root, Arc::clone(&leave)));
        self.listener.set_nonblocking(true).map_err(failed("serve without blocking"))?;
        let listener = self.listener.try_into().map_err(failed("listen"))?;
        let methods = Service::new(Arc::clone(&tasks)).methods();
        let mut server = Server::new().add_listener(listener).register_service(methods);
        server.start().await.map_err(DaemonError::Serve)?;
        tracing::debug!(address = self.socket.address(), "the shim serves");

        until_done(&tasks, &leave).await?;
        // New starts must not find us any more, before the last answers are sent.
        self.socket.unlink().map_err(failed("remove the shim's socket"))?;
        drop(tasks);
        let last_words = async {
            if let Err(error) = server.shutdown().await {
                tracing::debug!(error = %error, "the server did not end cleanly");
            }
            drop(server);
            if let Err(error) = sender.await {
                tracing::warn!(error = %error, "the sender of events has failed");
            }
        };
        if tokio::time::timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::warn!("the shim ends with answers or events unsent");
        }
        Ok(())
    }
}

/// Waits until containerd shuts the shim down, or it is of no use: never used, or told to end and nothing runs.
async fn until_done(tasks: &Tasks, leave: &Notify) -> Result<(), DaemonError> {
    let told = |kind| signal(kind).map_err(|source| DaemonError::Set("watch for signals", source));
    let (mut terminate, mut interrupt) = (told(SignalKind::terminate())?, told(SignalKind::interrupt())?);
    let idle = async {
        tokio::time::sleep(IDLE).await;
        if !tasks.is_empty() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = leave.notified() => return Ok(()),
        () = idle => {
            tracing::warn!("the shim ends: it was never given a task");
            return Ok(());
        }
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Containers would go on without anybody to reap them: not before they have ended.
    tracing::info!("told to end; the shim waits for its containers");
    while !tasks.is_quiet() {
        tokio::select! {
            () = leave.notified() => return Ok(()),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    Ok(())
}

/// Gives up containerd's session, streams and directory, and makes the process the parent of orphans below it.
fn detach() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    rustix::process::setsid()?;
    // A bundle that is deleted while a later one uses this shim must not be its current directory.
    rustix::process::chdir("/")?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    worsen_oom_score()
}

/// containerd is to be killed later than its shims.
fn worsen_oom_score() -> io::Result<()> {
    const FILE: &str = "/proc/self/oom_score_adj";
    let text = std::fs::read_to_string(FILE)?;
    let score: i32 = text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    std::fs::write(FILE, (score + 1).min(OOM_SCORE_MAX).to_string())
}
