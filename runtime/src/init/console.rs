//! The terminal of a container with `process.terminal`: made inside, its master sent to the caller.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::mount::OpenTreeFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::error::InitError;
use super::{inside, mounts};

/// Opens a terminal of the container's own devpts, sends the master over `socket`, and makes the other end our
/// standard streams, controlling terminal and `/dev/console`.
pub(super) fn set_up(root: &OwnedFd, socket: &OwnedFd, size: Option<(u16, u16)>) -> Result<(), InitError> {
    let step = |operation| move |source: io::Error| InitError::Console { operation, source };
    let master = inside::open(root, Path::new("/dev/pts/ptmx"), OFlags::RDWR | OFlags::NOCTTY)
        .map_err(step("open /dev/pts/ptmx (is a devpts mounted on /dev/pts?)"))?;
    rustix::pty::unlockpt(&master).map_err(|error| step("unlock it")(error.into()))?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal =
        rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(|error| step("open its other end")(error.into()))?;
    if let Some((rows, columns)) = size {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal, size).map_err(|error| step("set its size")(error.into()))?;
    }
    send(socket, &master).map_err(step("send it to the console socket"))?;
    bind_console(root, &terminal).map_err(step("bind it to /dev/console"))?;
    rustix::process::ioctl_tiocsctty(&terminal)
        .map_err(|error| step("make it the controlling terminal")(error.into()))?;
    rustix::stdio::dup2_stdin(&terminal)
        .and_then(|()| rustix::stdio::dup2_stdout(&terminal))
        .and_then(|()| rustix::stdio::dup2_stderr(&terminal))
        .map_err(|error| step("make it the standard streams")(error.into()))
}

/// As runc does it: one byte string (the name) with the descriptor in `SCM_RIGHTS`.
fn send(socket: &OwnedFd, master: &OwnedFd) -> io::Result<()> {
    let fds = [master.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(b"/dev/ptmx")], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn bind_console(root: &OwnedFd, terminal: &OwnedFd) -> io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(terminal, "", flags)?;
    mounts::move_to(&tree, inside::make_file(root, Path::new("/dev/console"))?)
}
