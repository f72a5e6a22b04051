//! The terminal of a container with `process.terminal`: made inside, its master sent to the caller.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::mount::OpenTreeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::error::InitError;
use super::{inside, mounts};
use crate::channel;

/// Opens a terminal of the container's own devpts, sends the master over `socket`, and makes the other end our
/// standard streams, controlling terminal and `/dev/console`.
pub(super) fn set_up(root: &OwnedFd, socket: &OwnedFd, size: Option<(u16, u16)>) -> Result<(), InitError> {
    let terminal = open(root, socket, size)?;
    bind_console(root, &terminal).map_err(step("bind it to /dev/console"))?;
    take(&terminal)
}

/// The same for a process that joins: `/dev/console` stays that of the first.
pub(super) fn join(root: &OwnedFd, socket: &OwnedFd, size: Option<(u16, u16)>) -> Result<(), InitError> {
    let terminal = open(root, socket, size)?;
    take(&terminal)
}

fn step(operation: &'static str) -> impl FnOnce(io::Error) -> InitError {
    move |source| InitError::Console { operation, source }
}

fn open(root: &OwnedFd, socket: &OwnedFd, size: Option<(u16, u16)>) -> Result<OwnedFd, InitError> {
    let master = open_master(root).map_err(step("open /dev/pts/ptmx (is a devpts mounted on /dev/pts?)"))?;
    rustix::pty::unlockpt(&master).map_err(|error| step("unlock it")(error.into()))?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal =
        rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(|error| step("open its other end")(error.into()))?;
    if let Some((rows, columns)) = size {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal, size).map_err(|error| step("set its size")(error.into()))?;
    }
    channel::send_descriptor(socket, b"/dev/ptmx", &master).map_err(step("send it to the console socket"))?;
    Ok(terminal)
}

/// The caller will trust what it is sent to be a terminal, and in a container that runs anything may have been put in
/// the place of `/dev/pts`. So that is opened first, and only a devpts will do: in one, nobody can replace `ptmx`.
fn open_master(root: &OwnedFd) -> io::Result<OwnedFd> {
    let folder = inside::find(root, Path::new("/dev/pts"))?;
    if rustix::fs::fstatfs(&folder)?.f_type != DEVPTS_SUPER_MAGIC {
        return Err(io::Error::other("it is not a devpts"));
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    Ok(rustix::fs::openat2(&folder, "ptmx", flags, Mode::empty(), beneath)?)
}

/// `DEVPTS_SUPER_MAGIC` of `linux/magic.h`.
const DEVPTS_SUPER_MAGIC: i64 = 0x1cd1;

fn take(terminal: &OwnedFd) -> Result<(), InitError> {
    rustix::process::ioctl_tiocsctty(terminal)
        .map_err(|error| step("make it the controlling terminal")(error.into()))?;
    rustix::stdio::dup2_stdin(terminal)
        .and_then(|()| rustix::stdio::dup2_stdout(terminal))
        .and_then(|()| rustix::stdio::dup2_stderr(terminal))
        .map_err(|error| step("make it the standard streams")(error.into()))
}

fn bind_console(root: &OwnedFd, terminal: &OwnedFd) -> io::Result<()> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(terminal, "", flags)?;
    mounts::move_to(&tree, inside::make_file(root, Path::new("/dev/console"))?)
}
