//! The workload's standard streams.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Gid, Uid};

use crate::lifecycle::LifecycleError;

/// Copies of the given streams for stage 2, after every pipe among the workload's streams was made its user's own: a
/// program that opens `/dev/stdout` opens the pipe anew, with its own rights. Files and terminals, which belong to
/// somebody, keep their owner.
pub(super) fn for_init(
    given: &[Option<OwnedFd>; 3],
    (uid, gid): (u32, u32),
    sandbox: bool,
) -> Result<[Option<OwnedFd>; 3], LifecycleError> {
    let inherited = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for (given, inherited) in given.iter().zip(inherited) {
        let stream = given.as_ref().map_or(inherited, AsFd::as_fd);
        if sandbox && is_directory(stream) {
            return Err(LifecycleError::DirectoryStream);
        }
        own_if_pipe(stream, uid, gid).map_err(LifecycleError::Streams)?;
    }
    let copy = |fd: &Option<OwnedFd>| fd.as_ref().map(OwnedFd::try_clone).transpose();
    let [stdin, stdout, stderr] = given;
    let copies = || -> io::Result<_> { Ok([copy(stdin)?, copy(stdout)?, copy(stderr)?]) };
    copies().map_err(LifecycleError::Streams)
}

/// Whether a descriptor is a directory, through which every path of the host's tree could be walked.
pub(super) fn is_directory(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn own_if_pipe(stream: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    let stat = match rustix::fs::fstat(stream) {
        // A stream that is closed is the caller's choice.
        Err(rustix::io::Errno::BADF) => return Ok(()),
        stat => stat?,
    };
    if FileType::from_raw_mode(stat.st_mode) == FileType::Fifo && (stat.st_uid, stat.st_gid) != (uid, gid) {
        rustix::fs::fchown(stream, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(())
}
