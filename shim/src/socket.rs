//! The socket on which a shim serves its group, and the race for it.
//!
//! Used by `start` (bind, or find the shim that has it) and by whoever cleans up. Its path is the hash of containerd's
//! address, the namespace and the group, so every `start` for one pod computes the same. The directory of the sockets
//! is locked while one is looked at and replaced.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use containerd_shim::StartOpts;
use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::bootstrap::StartParams;

/// Longest path of a socket (`sun_path` of unix(7), without the final zero), less one to spare.
const PATH_BYTES: usize = 106;

/// A socket by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Socket {
    path: PathBuf,
}

/// What became of an attempt to bind.
#[derive(Debug)]
pub(crate) enum Bound {
    /// It is ours.
    Ours(UnixListener),
    /// A shim of this group answers on it.
    Theirs,
}

impl Socket {
    /// The socket of `group`.
    ///
    /// # Errors
    /// `InvalidInput` when the path would be too long for a socket.
    pub(crate) fn of_group(params: &StartParams, group: &str) -> io::Result<Self> {
        let options = StartOpts {
            address: params.address.clone(),
            namespace: params.namespace.clone(),
            socket_dir: params.socket_dir.as_ref().map(|directory| directory.display().to_string()),
            ..StartOpts::default()
        };
        let socket = Self::at(&options.socket_address(group));
        if socket.path.as_os_str().len() > PATH_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path of the socket is too long"));
        }
        Ok(socket)
    }

    /// The socket at an address as [`Socket::address`] writes it.
    pub(crate) fn at(address: &str) -> Self {
        Self { path: address.strip_prefix("unix://").unwrap_or(address).into() }
    }

    /// Its address for containerd.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// Binds it, unless somebody answers on it; a socket that nobody answers on is a dead shim's, and replaced.
    ///
    /// # Errors
    /// As `mkdir(2)`, `bind(2)`, `listen(2)`.
    pub(crate) fn bind(&self) -> io::Result<Bound> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let _locked = lock(directory)?;
        if UnixStream::connect(&self.path).is_ok() {
            return Ok(Bound::Theirs);
        }
        remove(&self.path)?;
        let listener = UnixListener::bind(&self.path)?;
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Bound::Ours(listener))
    }

    /// Removes it. Only for the shim that has it.
    ///
    /// # Errors
    /// As `unlink(2)`.
    pub(crate) fn unlink(&self) -> io::Result<()> {
        remove(&self.path)
    }

    /// Removes it if nobody answers on it.
    ///
    /// # Errors
    /// As `open(2)` of its directory and `unlink(2)`.
    pub(crate) fn unlink_if_dead(&self) -> io::Result<()> {
        let _locked = lock(self.path.parent().unwrap_or(Path::new("/")))?;
        if UnixStream::connect(&self.path).is_ok() { Ok(()) } else { remove(&self.path) }
    }
}

fn lock(directory: &Path) -> io::Result<OwnedFd> {
    let lock = rustix::fs::open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::Protocol;

    fn params(socket_dir: Option<&str>) -> StartParams {
        StartParams {
            protocol: Protocol::Address,
            id: "123".into(),
            namespace: "default".into(),
            address: "/run/containerd/containerd.sock".into(),
            ttrpc_address: String::new(),
            socket_dir: socket_dir.map(PathBuf::from),
            debug: false,
        }
    }

    /// The value that the shims of containerd compute for the same three words.
    const HASH: &str = "0ddfbd72d02b3551e75f3a0ed90b9965b533401be618f43a568bc522764e0ad0";

    #[test]
    fn the_address_is_the_hash_of_containerd_namespace_and_group() {
        let socket = Socket::of_group(&params(None), "123").unwrap();
        assert_eq!(socket.address(), format!("unix:///run/containerd/s/{HASH}"));
        let socket = Socket::of_group(&params(Some("/run/other")), "123").unwrap();
        assert_eq!(socket.address(), format!("unix:///run/other/{HASH}"));
        assert_eq!(Socket::at(&socket.address()), socket);
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        assert!(Socket::of_group(&params(Some("/run/containerd/sockets/of/the/other/daemon")), "123").is_err());
    }

    #[test]
    fn the_second_to_bind_finds_the_first_and_a_dead_one_is_replaced() {
        let directory = std::env::temp_dir().join(format!("lazaret-shim-socket-{}", std::process::id()));
        let socket = Socket { path: directory.join("s") };
        let Bound::Ours(listener) = socket.bind().unwrap() else { panic!("nobody else has it") };
        assert!(matches!(socket.bind().unwrap(), Bound::Theirs));
        socket.unlink_if_dead().unwrap();
        assert!(socket.path.exists());
        drop(listener);
        assert!(matches!(socket.bind().unwrap(), Bound::Ours(_)));
        socket.unlink_if_dead().unwrap();
        assert!(!socket.path.exists());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
