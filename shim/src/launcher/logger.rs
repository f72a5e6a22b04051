//! Starting a logger: a program that containerd names with `binary://`. It gets the read ends of a process's standard
//! output and error as descriptors 3 and 4, and as 5 a pipe on which it says that it is ready (containerd,
//! `core/runtime/v2/README.md`, "Logging").
//!
//! Used by `process`: a single-threaded process can put descriptors where a program expects them without unsafe code
//! between fork and exec. The launcher reaps the logger, as every helper.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::pipe::PipeFlags;

use super::{LoggerProgram, runtime};

/// The number of the first descriptor that it gets.
const FIRST: i32 = 3;
/// Above every descriptor that it gets.
const ASIDE: i32 = 16;

/// Starts `program` with `descriptors`. Returns its process id and pidfd once it executes.
///
/// # Errors
/// As `fork(2)`, or those of `execve(2)` in the child.
pub(super) fn start(program: &LoggerProgram, descriptors: &[OwnedFd]) -> io::Result<(i32, OwnedFd)> {
    let aside = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, ASIDE);
    let (outcome, low) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    let failing = aside(&low)?;
    drop(low);
    let descriptors = descriptors.iter().map(aside).collect::<Result<Vec<_>, _>>()?;
    let started = runtime::fork(|| {
        let error = place(&descriptors, &failing).err().unwrap_or_else(|| execute(program));
        let errno = error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error());
        match rustix::io::write(&failing, &errno.to_ne_bytes()) {
            Ok(_) | Err(_) => 1,
        }
    })?;
    drop(failing);
    // Ends when the child executes, or has told why it cannot.
    let mut errno = Vec::new();
    std::fs::File::from(outcome).read_to_end(&mut errno)?;
    match <[u8; 4]>::try_from(errno.as_slice()) {
        Ok(errno) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        Err(_executes) => Ok(started),
    }
}

/// In the child: makes `descriptors` those from [`FIRST`] on, and closes all others but `failing`.
fn place(descriptors: &[OwnedFd], failing: &OwnedFd) -> io::Result<()> {
    let keep: Vec<BorrowedFd<'_>> = descriptors.iter().chain([failing]).map(AsFd::as_fd).collect();
    runtime::close_all_but_from(FIRST.unsigned_abs(), &keep)?;
    for (number, descriptor) in (FIRST..).zip(descriptors) {
        // The lowest number that is free, and nothing else is open up to there.
        if rustix::io::dup(descriptor)?.into_raw_fd() != number {
            return Err(rustix::io::Errno::BADF.into());
        }
    }
    Ok(())
}

/// In the child: becomes the program. Returns why it cannot.
fn execute(program: &LoggerProgram) -> io::Error {
    let environment = [("CONTAINER_ID", &program.id), ("CONTAINER_NAMESPACE", &program.namespace)];
    Command::new(&program.path).args(&program.arguments).env_clear().envs(environment).exec()
}
