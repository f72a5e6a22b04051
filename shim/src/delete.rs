//! The `delete` action: remove a container whose shim is dead, from what is on disk alone.
//!
//! Idempotent: whatever is gone already is what was asked for. containerd reads a `DeleteResponse` from standard output.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use containerd_shim::Flags;
use containerd_shim::protos::api::DeleteResponse;
use containerd_shim::protos::protobuf::{self, Message};
use rustix::mount::UnmountFlags;

use crate::launcher::{self, Failure, FailureKind, Runtime};
use crate::place;
use crate::socket::Socket;

/// 128 + SIGKILL: the container was killed if it was still alive, and nobody knows better.
const KILLED: u32 = 128 + 9;

/// Why something may be left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeleteError {
    /// The directory that containerd started us in.
    #[error("cannot tell the bundle: no -bundle, and the current directory is gone")]
    Bundle(#[source] io::Error),
    /// A namespace that cannot name a directory.
    #[error("-namespace {0:?} cannot be the name of a directory")]
    Namespace(String),
    /// The runtime.
    #[error(transparent)]
    Runtime(#[from] Failure),
    /// A mount that an interrupted create left in the bundle.
    #[error("cannot unmount {path:?}")]
    Unmount {
        /// Where.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The dead shim's socket.
    #[error("cannot remove the dead shim's socket {address}")]
    Socket {
        /// Its address.
        address: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The reply.
    #[error("cannot encode the reply")]
    Encode(#[source] protobuf::Error),
    /// The reply.
    #[error("cannot write to standard output")]
    Reply(#[source] io::Error),
}

/// Deletes the container of `flags`.
pub(crate) fn run(flags: &Flags) -> Result<(), DeleteError> {
    let bundle = match flags.bundle.as_str() {
        "" => std::env::current_dir().map_err(DeleteError::Bundle)?,
        bundle => PathBuf::from(bundle),
    };
    let root = place::state_root(&flags.namespace).ok_or_else(|| DeleteError::Namespace(flags.namespace.clone()))?;
    let pid = launcher::known_pid(&root, &flags.id);
    match Runtime::new(root).delete(&flags.id, true) {
        Ok(()) | Err(Failure { kind: FailureKind::NotFound, .. }) => {}
        Err(failure) => return Err(failure.into()),
    }
    unmount(&bundle.join("rootfs"))?;
    remove_socket(&bundle)?;
    let response = DeleteResponse {
        pid: pid.map_or(0, i32::unsigned_abs),
        exit_status: KILLED,
        exited_at: Some(SystemTime::now().into()).into(),
        ..DeleteResponse::default()
    };
    let bytes = response.write_to_bytes().map_err(DeleteError::Encode)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&bytes).and_then(|()| stdout.flush()).map_err(DeleteError::Reply)
}

/// lazaret mounts nothing there, but whoever made the bundle may have: containerd deletes it after us, and must not
/// delete through a mount.
fn unmount(path: &Path) -> Result<(), DeleteError> {
    loop {
        match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // Not a mount point (any more), or not there.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(DeleteError::Unmount { path: path.to_owned(), source: error.into() }),
        }
    }
}

/// The socket of a shim that was killed is still there. One that answers belongs to the rest of its pod.
fn remove_socket(bundle: &Path) -> Result<(), DeleteError> {
    let Ok(address) = std::fs::read_to_string(bundle.join(place::ADDRESS_FILE)) else { return Ok(()) };
    let address = address.trim();
    match Socket::at(address).unlink_if_dead() {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DeleteError::Socket { address: address.to_owned(), source })
        }
        _ => Ok(()),
    }
}
