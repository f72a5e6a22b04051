//! Metrics over HTTP on a unix socket: one request at a time, bounded in bytes and in time. No TCP: who needs it puts a proxy
//! before it that knows whom to let in.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::MetricsError;
use crate::options::Options;

/// Bytes of a request that are read.
const LONGEST: usize = 8 * 1024;
/// How long a client may take for its request, and for taking the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(PathBuf);

impl std::str::FromStr for Place {
    type Err = MetricsError;

    /// `unix:PATH`.
    fn from_str(text: &str) -> Result<Self, MetricsError> {
        let path = text.strip_prefix("unix:").filter(|path| path.starts_with('/'));
        path.map(|path| Self(path.into())).ok_or_else(|| MetricsError::Place(text.to_owned()))
    }
}

/// Serves `GET /metrics` until the process ends. The socket is for its owner alone.
///
/// # Errors
/// [`MetricsError::Listen`].
pub fn serve(options: &Options, place: &Place) -> Result<std::convert::Infallible, MetricsError> {
    let failed = |source| MetricsError::Listen { path: place.0.clone(), source };
    let listener = listen(&place.0).map_err(failed)?;
    loop {
        // A client that fails is its own concern.
        if let Err(error) = listener.accept().and_then(|(client, _)| answer(client, options)) {
            tracing::debug!(%error, "a request for metrics");
        }
    }
}

/// A socket that nobody listens on any more is taken over.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match UnixStream::connect(path) {
                Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
                Ok(_) | Err(_) => return Err(error),
            }
            UnixListener::bind(path)?
        }
        other => other?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn answer(mut client: UnixStream, options: &Options) -> io::Result<()> {
    client.set_write_timeout(Some(PATIENCE))?;
    let request = read_head(&mut client)?;
    let mut words = request.split(|byte| *byte == b' ' || *byte == b'\r');
    let (status, body) = match (words.next(), words.next()) {
        (Some(b"GET"), Some(b"/metrics" | b"/")) => match super::collect(options, None) {
            Ok(text) => ("200 OK", text),
            Err(error) => ("500 Internal Server Error", format!("{error}\n")),
        },
        (Some(b"GET"), Some(_)) => ("404 Not Found", "there is /metrics\n".to_owned()),
        (Some(_), Some(_)) => ("405 Method Not Allowed", "GET it\n".to_owned()),
        _ => ("400 Bad Request", "no request\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())
}

/// Up to the empty line that ends a request's head.
fn read_head(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        client.set_read_timeout(Some(left))?;
        match client.read(&mut part)? {
            0 => break,
            length => head.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_absolute_unix_path_is_a_place() {
        assert_eq!("unix:/run/x".parse::<Place>().unwrap(), Place("/run/x".into()));
        for wrong in ["", "/run/x", "unix:x", "unix:", "tcp:127.0.0.1:9", "127.0.0.1:9"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
