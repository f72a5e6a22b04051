//! The only place that touches the runtime library: from the shim's types to the library's, and back.
//!
//! [`Runtime`] is used in the launcher process and by the `delete` action, both single-threaded. The free functions
//! only read the state on disk, so the daemon may call them too.

use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use lazaret::cgroup::{Cgroup, Version};
use lazaret::config::{self, Overrides, Sources};
use lazaret::error::{Error, Kind};
use lazaret::lifecycle;
use lazaret::options::Options;

use super::{Create, Failure, FailureKind, Rootfs};
use crate::options::RuntimeOptions;

/// The library, with the options that hold for this shim.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    options: Options,
}

impl Runtime {
    /// A runtime that keeps its state in `root`.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { options: Options { root, ..Options::default() } }
    }

    /// Creates a container. `descriptors` are where its records go, and its standard input, output and error, unless it is to
    /// have a terminal.
    pub(crate) fn create(&self, create: Create, descriptors: Vec<OwnedFd>) -> Result<Newborn, Failure> {
        let mut stdio = descriptors.into_iter();
        let record_sink = stdio.next();
        let request = lifecycle::CreateRequest {
            id: create.id,
            bundle: create.bundle,
            stdio: std::array::from_fn(|_| stdio.next()),
            rootfs: rootfs(create.rootfs),
            returns_terminal: true,
            record_sink,
            ..lifecycle::CreateRequest::default()
        };
        // Read for every container: a change holds for the next one.
        let options = configured(create.options, self.options.root.clone()).map_err(failure)?;
        if options.may_be_native() && !lazaret::sealed::is_sealed().unwrap_or(false) {
            return Err(unsealed());
        }
        let created = lifecycle::create(&options, request).map_err(failure)?;
        Ok(Newborn { pid: created.pid.as_raw_nonzero().get(), pidfd: created.pidfd, terminal: created.terminal })
    }

    /// Executes a process in a container. `text` is an OCI `Process`, `descriptors` as in [`Runtime::create`].
    pub(crate) fn exec(&self, id: String, text: String, descriptors: Vec<OwnedFd>) -> Result<Newborn, Failure> {
        let mut stdio = descriptors.into_iter();
        let record_sink = stdio.next();
        let request = lifecycle::ExecRequest {
            id,
            process: lifecycle::ExecProcess::Json { source: PathBuf::from("the exec request"), text },
            stdio: std::array::from_fn(|_| stdio.next()),
            detach: true,
            pid_file: None,
            console_socket: None,
            returns_terminal: true,
            pidfd_socket: None,
            preserve_fds: 0,
            cgroups: Vec::new(),
            ignore_paused: false,
            record_sink,
        };
        match lifecycle::exec(&self.options, request).map_err(failure)? {
            lifecycle::Executed::Detached(process) => Ok(Newborn {
                pid: process.pid.as_raw_nonzero().get(),
                pidfd: process.pidfd,
                terminal: process.terminal,
            }),
            lifecycle::Executed::Ended(_) => Err(Failure {
                kind: FailureKind::Other,
                code: 0,
                exit_status: 125,
                message: "the runtime waited for a process that was to be detached".to_owned(),
                hint: None,
            }),
        }
    }

    /// Stops its processes.
    pub(crate) fn pause(&self, id: &str) -> Result<(), Failure> {
        lifecycle::pause(&self.options, id).map_err(failure)
    }

    /// Lets them run again.
    pub(crate) fn resume(&self, id: &str) -> Result<(), Failure> {
        lifecycle::resume(&self.options, id).map_err(failure)
    }

    /// Changes its limits to those of `resources`, OCI `LinuxResources` as JSON.
    pub(crate) fn update(&self, id: &str, resources: String) -> Result<(), Failure> {
        lifecycle::update(&self.options, id, lifecycle::Limits::Text(resources)).map_err(failure)
    }

    /// Lets it execute its program.
    pub(crate) fn start(&self, id: &str) -> Result<(), Failure> {
        lifecycle::start(&self.options, id).map_err(failure)
    }

    /// Sends it a signal by number.
    pub(crate) fn kill(&self, id: &str, signal: i32, all: bool) -> Result<(), Failure> {
        let signal = lifecycle::parse_signal(&signal.to_string()).map_err(|error| failure(error.into()))?;
        lifecycle::kill(&self.options, id, signal, all).map_err(failure)
    }

    /// Removes it. With `force` also when it has not ended; then a container that does not exist is no failure.
    pub(crate) fn delete(&self, id: &str, force: bool) -> Result<(), Failure> {
        lifecycle::delete(&self.options, id, force).map_err(failure)
    }
}

/// The options that a container's configuration gives.
fn configured(options: RuntimeOptions, root: PathBuf) -> Result<Options, Error> {
    let RuntimeOptions { file, body } = options;
    Ok(Overrides::default().over(config::load(&Sources { file, body })?, root)?)
}

/// Before anything else of a shim: where its containers will run in native mode, this program is executed again from a
/// read-only mount, out of their reach (CVE-2019-5736). `input` is what was read from standard input, and will be there to
/// be read again. A configuration that cannot be used is told when a container is created.
pub(crate) fn seal_for(options: RuntimeOptions, input: &[u8]) -> io::Result<()> {
    let is_native = configured(options, PathBuf::new()).is_ok_and(|options| options.may_be_native());
    if !is_native || lazaret::sealed::is_sealed()? {
        return Ok(());
    }
    let again = rustix::fs::memfd_create("options", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(again);
    file.write_all(input)?;
    file.rewind()?;
    rustix::stdio::dup2_stdin(&file)?;
    lazaret::sealed::execute_read_only()
}

/// The configuration has changed to native mode since the pod's shim was started.
fn unsealed() -> Failure {
    Failure {
        kind: FailureKind::Other,
        code: 0,
        exit_status: 125,
        message:
            "this pod's shim was started for a confined mode: its executable is within reach of a native container"
                .to_owned(),
        hint: Some("create the pod anew, so that its shim is started with mode = \"native\"".to_owned()),
    }
}

/// A process that the library has made.
#[derive(Debug)]
pub(crate) struct Newborn {
    /// Its number on the host.
    pub(crate) pid: i32,
    /// Its pidfd.
    pub(crate) pidfd: OwnedFd,
    /// Its terminal's master, if it has one.
    pub(crate) terminal: Option<OwnedFd>,
}

/// Whether a container is paused.
pub(crate) fn is_paused(root: &Path, id: &str) -> bool {
    lazaret::state::peek(root, id).is_ok_and(|stored| stored.status() == lazaret::state::Status::Paused)
}

/// A child of this single-threaded process that runs `child` on a copy of its memory and ends with its result. Returns
/// the child's process id and pidfd.
pub(crate) fn fork(child: impl FnOnce() -> u8) -> io::Result<(i32, OwnedFd)> {
    let (pid, pidfd) = lazaret::sys::clone::fork(child)?;
    Ok((pid.as_raw_nonzero().get(), pidfd))
}

/// Closes every descriptor from `first` on but `keep`.
pub(super) fn close_all_but_from(first: u32, keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    lazaret::sys::clone::close_all_but_from(first, keep)
}

/// Closes every descriptor but the three standard ones: what containerd leaked to us shall reach nobody. To be called
/// before anything else is opened.
pub(crate) fn close_inherited() -> io::Result<()> {
    lazaret::sys::clone::close_from(3)
}

/// Now, as the runtime writes it: RFC 3339 in UTC.
pub(crate) fn now() -> String {
    lazaret::now()
}

/// Process id of the first process of a container whose state is in `root`, whether it is alive or not.
pub(crate) fn known_pid(root: &Path, id: &str) -> Option<i32> {
    lazaret::state::peek(root, id).ok()?.init.map(|init| init.pid)
}

/// Why lazaret itself ended a container, if it did.
pub(crate) fn end_reason(root: &Path, id: &str) -> Option<String> {
    lazaret::state::peek(root, id).ok()?.ended_by_lazaret
}

/// Every process of a container.
pub(crate) fn pids(root: &Path, id: &str) -> Result<Vec<i32>, Failure> {
    let stored = lazaret::state::peek(root, id).map_err(|error| failure(error.into()))?;
    match stored.cgroup {
        Some(cgroup) => cgroup.pids().map_err(|error| failure(error.into())),
        None => Ok(Vec::new()),
    }
}

/// The memory cgroup of a container, watched for processes that the kernel kills for want of memory.
#[derive(Debug)]
pub(crate) struct OomWatch {
    cgroup: Cgroup,
    alarm: OwnedFd,
}

impl OomWatch {
    /// That of a container; `None` when it is in no memory cgroup.
    pub(crate) fn of(root: &Path, id: &str) -> Result<Option<Self>, Failure> {
        let stored = lazaret::state::peek(root, id).map_err(|error| failure(error.into()))?;
        let Some(cgroup) = stored.cgroup else { return Ok(None) };
        let alarm = cgroup.oom_alarm().map_err(|error| failure(error.into()))?;
        Ok(alarm.map(|alarm| Self { cgroup, alarm }))
    }

    /// How many were killed so far; `None` when that cannot be read, as after the cgroup's end.
    pub(crate) fn kills(&self) -> Option<u64> {
        self.cgroup.oom_kills().ok().flatten()
    }
}

impl AsFd for OomWatch {
    /// Readable when there may be more. Non-blocking.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.alarm.as_fd()
    }
}

/// The cgroup directory of a container in the v1 hierarchy of `controller`, if there is one.
pub(crate) fn v1_directory(root: &Path, id: &str, controller: &str) -> Option<PathBuf> {
    let cgroup = lazaret::state::peek(root, id).ok()?.cgroup?;
    let mut directories = cgroup.directories();
    directories.find_map(|(version, controllers, path)| {
        let found = version == Version::V1 && controllers.iter().any(|name| name == controller);
        found.then(|| path.to_owned())
    })
}

fn rootfs(rootfs: Rootfs) -> lazaret::rootfs::Rootfs {
    match rootfs {
        Rootfs::Bundle => lazaret::rootfs::Rootfs::Bundle,
        Rootfs::Overlay { lower, upper, work, options } => {
            lazaret::rootfs::Rootfs::Overlay { lower, upper, work, options }
        }
        Rootfs::Bind { source, readonly } => lazaret::rootfs::Rootfs::Bind { source, readonly },
    }
}

fn failure(error: Error) -> Failure {
    let kind = match error.kind() {
        Kind::NotFound => FailureKind::NotFound,
        Kind::AlreadyExists => FailureKind::AlreadyExists,
        Kind::WrongStatus => FailureKind::WrongState,
        Kind::Invalid | Kind::Denied | Kind::Internal => FailureKind::Other,
    };
    Failure { kind, code: error.code(), exit_status: error.exit_status(), message: error.chain(), hint: error.hint() }
}
