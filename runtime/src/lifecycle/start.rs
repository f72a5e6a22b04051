//! `start`: tells the waiting first process to execute the workload, and waits until it has.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::channel::{self, ChannelError, FromInit, ToInit};
use crate::error::Error;
use crate::hooks::Kept;
use crate::lifecycle::fit::{self, Held, Verb};
use crate::lifecycle::{LifecycleError, attendance, delete};
use crate::options::Options;
use crate::state::{GATE_FILE, Phase};

/// Starts a created container.
///
/// # Errors
/// [`LifecycleError::WrongStatus`] unless it is created; a failure to execute as [`Error::Init`], with 126 or 127; a
/// `poststart` hook that fails, after which the container is stopped.
pub fn start(options: &Options, id: &str) -> Result<(), Error> {
    let Held { directory, stored: mut state } = fit::hold(options, id, Verb::Start)?;
    let gate = connect(&directory.path().join(GATE_FILE)).map_err(LifecycleError::Gate)?;
    // Before the word that nobody can take back: where the state cannot be written nothing starts, and the verb may be
    // repeated.
    state.advance(Phase::Running)?;
    directory.write(&state)?;
    channel::send(&gate, &ToInit::Go, None)?;
    match channel::receive::<FromInit>(&gate) {
        Err(ChannelError::Closed) => {}
        Ok((FromInit::Failed(failure), _)) => return Err(failure.into()),
        Ok((_message, _)) => return Err(ChannelError::OutOfTurn.into()),
        Err(error) => return Err(error.into()),
    }
    match std::fs::remove_file(directory.path().join(GATE_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(LifecycleError::Gate(error).into()),
        _ => {}
    }
    let hooks = Kept::read(directory.path())?;
    // Unlocked: a hook may use other verbs on its container.
    drop(directory);
    if let Err(error) = hooks.poststart(|| attendance::running(&state)) {
        delete::end_processes(&state, id)?;
        return Err(error.into());
    }
    Ok(())
}

fn connect(path: &Path) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let address = gate_address(path)?;
    rustix::net::connect(&socket, &address.address)?;
    Ok(socket)
}

/// The address of a gate, however deep the state directory: through a descriptor of the directory, because a socket's
/// path has room for 107 bytes only (`unix(7)`).
pub(super) struct GateAddress {
    /// What to bind or connect to, while the value lives.
    pub(super) address: SocketAddrUnix,
    _directory: OwnedFd,
}

pub(super) fn gate_address(path: &Path) -> io::Result<GateAddress> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{GATE_FILE}", directory.as_raw_fd()))?;
    Ok(GateAddress { address, _directory: directory })
}
