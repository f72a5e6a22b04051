//! A collector of the sentry's records on the node: who listens on a socket gets them, beside the audit file.
//!
//! Connected before the sentry is in its jail, which can connect to nothing. Called by `lifecycle`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// The collector cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("could not connect to the record socket {path}")]
pub struct RecordSinkError {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl RecordSinkError {
    /// Stable number of this error.
    #[must_use]
    pub fn code(&self) -> u32 {
        1684
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(
            "something has to listen there before the container is created; socat -u UNIX-LISTEN:PATH,fork - will do"
                .to_owned(),
        )
    }
}

/// A connected socket that does not block. Whoever listens chooses its kind: bytes (`SOCK_STREAM`), or a packet for each record
/// (`SOCK_SEQPACKET`, `SOCK_DGRAM`).
///
/// # Errors
/// [`RecordSinkError`].
pub fn connect(path: &Path) -> Result<OwnedFd, RecordSinkError> {
    let failed = |error: Errno| RecordSinkError { path: path.to_owned(), source: error.into() };
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    for kind in [SocketType::STREAM, SocketType::SEQPACKET, SocketType::DGRAM] {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None).map_err(failed)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(socket),
            // Another kind of socket listens.
            Err(Errno::PROTOTYPE) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(failed(Errno::PROTOTYPE))
}

/// Where a sentry's records go beside the audit file: to the caller's own reader, and to the node's collector.
///
/// # Errors
/// [`RecordSinkError`].
pub(crate) fn open(own: Option<&OwnedFd>, collector: Option<&Path>) -> Result<Vec<OwnedFd>, RecordSinkError> {
    let unusable = |source| RecordSinkError { path: PathBuf::from("of the caller"), source };
    let own = own.map(OwnedFd::try_clone).transpose().map_err(unusable)?;
    let collector = collector.map(connect).transpose()?;
    Ok(own.into_iter().chain(collector).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use super::*;

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("lazaret-sink-{}-{name}", std::process::id()))
    }

    #[test]
    fn whoever_listens_is_reached_whatever_the_kind() {
        let (stream, packets) = (place("stream"), place("datagram"));
        let listener = UnixListener::bind(&stream).unwrap();
        let receiver = UnixDatagram::bind(&packets).unwrap();
        let outcomes = [connect(&stream).is_ok(), connect(&packets).is_ok()];
        drop((listener, receiver));
        let refused = connect(&stream).unwrap_err();
        assert_eq!(refused.source.raw_os_error(), Some(libc::ECONNREFUSED));
        for path in [&stream, &packets] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(outcomes, [true, true]);
        assert_eq!(connect(&stream).unwrap_err().source.raw_os_error(), Some(libc::ENOENT));
        assert!(connect(Path::new(&"x".repeat(200))).is_err());
    }
}
