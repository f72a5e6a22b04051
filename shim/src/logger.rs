//! A logger: the program that a `binary://` URI names takes the output of a process, straight from its pipes.
//!
//! Used by `tasks`, which has the launcher start it, and by `io`. A logger that ends too early takes nothing down: what
//! is written after it is read and dropped, so that the process neither stands still nor is killed for it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, Interest};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

use crate::error::ShimError;
use crate::launcher::{Call, Launcher, LoggerProgram, Outcome};

/// The scheme of its URI, with what separates it.
const SCHEME: &str = "binary://";
/// How long it may take to say that it is ready.
const READY: Duration = Duration::from_secs(10);
/// How long it may take to end after SIGTERM, as containerd's own shim has it.
const END: Duration = Duration::from_secs(12);

/// The URI of a logger.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Uri {
    path: PathBuf,
    arguments: Vec<String>,
}

impl Uri {
    /// The logger that `stdout` names, if it names one: `binary:///PROGRAM?NAME=VALUE&...`, where names and values
    /// become arguments, in order.
    ///
    /// # Errors
    /// [`ShimError::Invalid`] for one that is not of that form.
    pub(crate) fn of(stdout: &str) -> Result<Option<Self>, ShimError> {
        let Some(rest) = stdout.strip_prefix(SCHEME) else { return Ok(None) };
        let invalid = |why| ShimError::Invalid { field: "stdout", value: stdout.to_owned(), why };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let decoded = |text: &str| decoded(text).ok_or_else(|| invalid("a %-sequence that is none, or a NUL"));
        let path = PathBuf::from(decoded(path)?);
        if !path.is_absolute() {
            return Err(invalid("a logger is named by an absolute path: binary:///PROGRAM"));
        }
        let mut arguments = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            for word in [name, value] {
                arguments.push(decoded(&word.replace('+', " "))?);
            }
        }
        Ok(Some(Self { path, arguments }))
    }
}

/// Text without its %-sequences (RFC 3986, 2.1).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let digits = [char::from(bytes.next()?).to_digit(16)?, char::from(bytes.next()?).to_digit(16)?];
            u8::try_from(digits[0] * 16 + digits[1]).ok()?
        } else {
            byte
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}

/// A logger that runs.
#[derive(Debug)]
pub(crate) struct Logger {
    pidfd: OwnedFd,
    /// Waits for its end, and for that of its process's output.
    watch: JoinHandle<()>,
}

/// What its process writes into.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Standard output.
    pub(crate) stdout: OwnedFd,
    /// Standard error.
    pub(crate) stderr: OwnedFd,
}

impl Logger {
    /// Has the launcher start the logger of process `id` in containerd's `namespace`, and waits until it is ready.
    ///
    /// # Errors
    /// [`ShimError::Logger`] when it cannot be executed or is not ready in time.
    pub(crate) async fn start(
        launcher: &Launcher,
        uri: Uri,
        id: String,
        namespace: String,
    ) -> Result<(Self, Inputs), ShimError> {
        let path = uri.path.clone();
        let failed = |source| ShimError::Logger { path: path.clone(), source };
        let new_pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed(error.into()));
        let ((output, stdout), (errors, stderr), (ready, readies)) = (new_pipe()?, new_pipe()?, new_pipe()?);
        let call = Call::Log(LoggerProgram { path: uri.path, arguments: uri.arguments, id, namespace });
        let descriptors = [output.as_fd(), errors.as_fd(), readies.as_fd()];
        let (outcome, along) = launcher.call(call, &descriptors).await?;
        // It holds its own; while we held this one too, its end would not be seen.
        drop(readies);
        let pidfd = match (outcome, along.into_iter().next()) {
            (Outcome::Born { .. }, Some(pidfd)) => pidfd,
            (Outcome::NoLogger(errno), _) => return Err(failed(io::Error::from_raw_os_error(errno))),
            _ => return Err(ShimError::Launcher(io::ErrorKind::InvalidData.into())),
        };
        let watched = pidfd.try_clone().and_then(watch_end).map_err(failed)?;
        let watch = tokio::spawn(until_ended(watched, path.clone(), [output, errors]));
        let logger = Self { pidfd, watch };
        until_ready(ready).await.map_err(failed)?;
        Ok((logger, Inputs { stdout, stderr }))
    }

    /// Waits until it has ended, which is asked of it at `deadline`.
    pub(crate) async fn end(mut self, deadline: tokio::time::Instant) {
        for (signal, deadline) in [(Signal::TERM, deadline), (Signal::KILL, deadline + END)] {
            if tokio::time::timeout_at(deadline, &mut self.watch).await.is_ok() {
                return;
            }
            tracing::warn!(signal = signal.as_raw(), "a logger does not end with its process, and is told to");
            self.signal(signal);
        }
    }

    fn signal(&self, signal: Signal) {
        match rustix::process::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(error = %error, "cannot signal a logger"),
        }
    }
}

impl Drop for Logger {
    /// Nobody will write to it any more: its process was not made, or is deleted.
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        self.watch.abort();
    }
}

/// A process's pidfd in the event loop.
fn watch_end(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    #[expect(deprecated, reason = "it owns its descriptor for as long as it lives; the new form needs unsafe")]
    AsyncFd::with_interest(pidfd, Interest::READABLE)
}

/// Waits until the logger writes to `ready` or closes it.
async fn until_ready(ready: OwnedFd) -> io::Result<()> {
    let mut ready = pipe::Receiver::from_owned_fd(ready)?;
    match tokio::time::timeout(READY, ready.read(&mut [0])).await {
        Ok(read) => read.map(|_length| ()),
        Err(_elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, "it does not say that it is ready")),
    }
}

/// Waits until the logger has ended, and reads what is written after it until nobody can write any more.
async fn until_ended(pidfd: AsyncFd<OwnedFd>, path: PathBuf, [output, errors]: [OwnedFd; 2]) {
    if let Err(error) = pidfd.readable().await {
        tracing::warn!(error = %error, "cannot wait for a logger");
        return;
    }
    // Not before: these are the logger's open files too, and it may not expect them to be non-blocking.
    let lost = match tokio::join!(read_out(output), read_out(errors)) {
        (Ok(output), Ok(errors)) => output + errors,
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(error = %error, "cannot read for a logger that has ended");
            return;
        }
    };
    if lost > 0 {
        tracing::warn!(logger = %path.display(), bytes = lost, "a logger has ended before its process; output is lost");
    }
}

async fn read_out(pipe: OwnedFd) -> io::Result<u64> {
    tokio::io::copy(&mut pipe::Receiver::from_owned_fd(pipe)?, &mut tokio::io::sink()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_program_and_its_arguments() {
        let uri = Uri::of("binary:///opt/log%20ger?dir=%2Ftmp%2Fa&follow&b=x+y").unwrap().unwrap();
        assert_eq!(uri.path, PathBuf::from("/opt/log ger"));
        assert_eq!(uri.arguments, ["dir", "/tmp/a", "follow", "", "b", "x y"]);
        assert_eq!(Uri::of("binary:///x").unwrap().unwrap().arguments, Vec::<String>::new());
    }

    #[test]
    fn what_is_none_is_left_to_others_or_refused() {
        for other in ["", "/run/fifo", "file:///x", "fifo:///x"] {
            assert_eq!(Uri::of(other).unwrap(), None);
        }
        for bad in
            ["binary://", "binary://logger", "binary:///x%zz", "binary:///x%2", "binary:///x?a=%00", "binary:///%ff"]
        {
            assert!(matches!(Uri::of(bad), Err(ShimError::Invalid { field: "stdout", .. })), "{bad}");
        }
    }
}
