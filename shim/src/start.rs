//! The `start` action: find the shim of the container's group, or become the parent of a new one; print its address.
//!
//! Standard output and standard error are both read as the address, so nothing else may be printed there on success.
//! The daemon is a fork of this process rather than a new execution of the binary: it has what was read here, and it
//! costs no second start-up. This process is single-threaded.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use containerd_shim::Flags;
use rustix::process::Signal;

use crate::bootstrap;
use crate::daemon::Daemon;
use crate::group;
use crate::launcher;
use crate::place;
use crate::socket::{Bound, Socket};

/// Why there is no shim.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Descriptors that containerd left open for us.
    #[error("cannot close inherited descriptors")]
    Inherited(#[source] io::Error),
    /// containerd's input.
    #[error("cannot read standard input")]
    Stdin(#[source] io::Error),
    /// Our own executable, which a native container could reach.
    #[error("cannot protect the shim's own executable from native containers")]
    Seal(#[source] io::Error),
    /// The directory that containerd started us in.
    #[error("cannot tell the bundle: it is the current directory")]
    Bundle(#[source] io::Error),
    /// The configuration of the container.
    #[error("cannot read the annotations in {path:?}")]
    Config {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A namespace that cannot name a directory.
    #[error("-namespace {0:?} cannot be the name of a directory")]
    Namespace(String),
    /// The socket.
    #[error("cannot serve on {address}")]
    Socket {
        /// Its address.
        address: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The daemon.
    #[error("cannot fork the shim")]
    Fork(#[source] io::Error),
    /// A file for containerd.
    #[error("cannot write {path:?}")]
    Write {
        /// Its path.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The reply.
    #[error("cannot encode the reply")]
    Encode(#[source] containerd_shim::protos::protobuf::Error),
    /// The reply.
    #[error("cannot write the address to standard output")]
    Reply(#[source] io::Error),
}

/// Starts, or finds, the shim for the container of `flags`, whose bundle is the current directory.
pub(crate) fn run(flags: &Flags) -> Result<(), StartError> {
    launcher::close_inherited().map_err(StartError::Inherited)?;
    let input = bootstrap::read_stdin().map_err(StartError::Stdin)?;
    let options = bootstrap::runtime_options(&input);
    launcher::seal_for(options, &input).map_err(StartError::Seal)?;
    let params = bootstrap::start_params(flags, &input, |name| std::env::var(name).ok());
    let bundle = std::env::current_dir().map_err(StartError::Bundle)?;
    let root = place::state_root(&params.namespace).ok_or_else(|| StartError::Namespace(params.namespace.clone()))?;
    let config = bundle.join(place::CONFIG_FILE);
    let group = group::of_container(&config, &params.id)
        .map_err(|source| StartError::Config { path: config.clone(), source })?;
    let failed = |address: &str, source| StartError::Socket { address: address.to_owned(), source };
    let socket = Socket::of_group(&params, &group).map_err(|source| failed(&group, source))?;
    let address = socket.address();
    let reply = bootstrap::reply(params.protocol, &address).map_err(StartError::Encode)?;
    match socket.bind().map_err(|source| failed(&address, source))? {
        Bound::Theirs => write(&bundle.join(place::ADDRESS_FILE), &address)?,
        Bound::Ours(listener) => {
            let daemon = Daemon { params, socket: socket.clone(), listener, bundle: bundle.clone(), root };
            let shim = Newborn::fork(daemon, socket)?;
            write(&bundle.join(place::PID_FILE), &shim.pid.to_string())?;
            write(&bundle.join(place::ADDRESS_FILE), &address)?;
            print(&reply)?;
            shim.keep();
            return Ok(());
        }
    }
    print(&reply)
}

/// A forked daemon that is killed again unless the caller gets its address.
struct Newborn {
    pid: i32,
    pidfd: Option<OwnedFd>,
    socket: Socket,
}

impl Newborn {
    fn fork(daemon: Daemon, socket: Socket) -> Result<Self, StartError> {
        let (pid, pidfd) = launcher::fork(move || daemon.run()).map_err(StartError::Fork)?;
        Ok(Self { pid, pidfd: Some(pidfd), socket })
    }

    fn keep(mut self) {
        self.pidfd = None;
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        let Some(pidfd) = self.pidfd.take() else { return };
        let killed = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).map_err(io::Error::from);
        if let Err(error) = killed.and_then(|()| self.socket.unlink()) {
            tracing::warn!(error = %error, "cannot take back the shim");
        }
    }
}

/// Writes a file whole or not at all: containerd may read it at any time.
fn write(path: &Path, text: &str) -> Result<(), StartError> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|source| StartError::Write { path: path.to_owned(), source })
}

fn print(reply: &[u8]) -> Result<(), StartError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(reply).and_then(|()| stdout.flush()).map_err(StartError::Reply)
}
