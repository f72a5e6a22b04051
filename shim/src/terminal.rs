//! A terminal's master in the event loop: to be read, written and resized.
//!
//! Used by `io`. One task may read and one may write at a time.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::termios::Winsize;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A handle on the master of a pseudo-terminal.
#[derive(Debug, Clone)]
pub(crate) struct Master(Arc<AsyncFd<std::fs::File>>);

impl Master {
    /// Takes the descriptor over.
    ///
    /// # Errors
    /// When it cannot be made non-blocking or registered.
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        #[expect(deprecated, reason = "a file owns its descriptor for as long as it lives; the new form needs unsafe")]
        let master = AsyncFd::new(std::fs::File::from(descriptor))?;
        Ok(Self(Arc::new(master)))
    }

    /// Sets its size in characters, and has the kernel tell the foreground process (SIGWINCH).
    ///
    /// # Errors
    /// As `TIOCSWINSZ`.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(self.0.get_ref(), size)?)
    }
}

impl AsyncRead for Master {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            match guard.try_io(|master| master.get_ref().read(unfilled)) {
                Ok(Ok(length)) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                // Nobody holds the other side any more (pty(7)): the end of the output.
                Ok(Err(error)) if error.raw_os_error() == Some(eio()) => return Poll::Ready(Ok(())),
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

/// `EIO`.
fn eio() -> i32 {
    rustix::io::Errno::IO.raw_os_error()
}

impl AsyncWrite for Master {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            if let Ok(result) = guard.try_io(|master| master.get_ref().write(bytes)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
