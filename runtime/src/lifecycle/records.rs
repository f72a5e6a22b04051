//! `events --records`: the lines that the sentries of a container have written, now or until it is gone.
//!
//! Called by `main`'s printing room. It only reads, and gives every line on as it stands.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use lazaret_sentry::kubernetes::Pod;
use lazaret_sentry::record;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::error::Error;
use crate::lifecycle::{EventsError, kill};
use crate::options::Options;
use crate::state::{self, AUDIT_FILE, ProcessId};
use crate::verdicts;

/// Gives `tell` each line of the container's audit file, without its end. With `follow` also those that come, until the
/// container's first process and its sentry are gone; the open file is read to its end, also after `delete`.
///
/// A line that is not finished is kept until it is, or until nothing more can come.
///
/// # Errors
/// [`EventsError::NoRecords`] without an audit file, [`EventsError::Records`] when it cannot be read,
/// [`EventsError::Output`] when `tell` fails.
pub fn records(
    options: &Options,
    id: &str,
    follow: bool,
    tell: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Error> {
    let stored = state::peek(&options.root, id)?;
    let path = options.root.join(id).join(AUDIT_FILE);
    let file = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(&path).map_err(|cause| {
        let is_missing = cause.kind() == io::ErrorKind::NotFound;
        if is_missing { EventsError::NoRecords { id: id.to_owned() } } else { EventsError::Records(cause) }
    })?;
    let mut lines = Lines { file: BufReader::new(file), begun: Vec::new() };
    // From before the first look, so that no line falls between the two.
    let mut news = follow.then(|| News::of(&path, [stored.init, stored.sentry])).transpose()?;
    loop {
        // Before the look too: who is gone now has nothing to write after it.
        let is_last = news.as_ref().is_none_or(News::are_over);
        lines.tell_all(tell)?;
        if is_last {
            return lines.tell_begun(tell).map_err(Error::from);
        }
        if let Some(news) = &mut news {
            news.wait().map_err(EventsError::Records)?;
        }
    }
}

/// Gives `tell` each line of the refusals of the state directory, the oldest first, without its end. None were refused where
/// there is no file.
///
/// # Errors
/// [`EventsError::Records`] when a file cannot be read, [`EventsError::Output`] when `tell` fails.
pub fn refusals(options: &Options, tell: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Error> {
    for path in [verdicts::earlier_refusals_file(&options.root), verdicts::refusals_file(&options.root)] {
        let file = match File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            file => file.map_err(EventsError::Records)?,
        };
        let mut lines = Lines { file: BufReader::new(file), begun: Vec::new() };
        lines.tell_all(tell)?;
        lines.tell_begun(tell)?;
    }
    Ok(())
}

/// The pod of a container, as its engine names it.
///
/// # Errors
/// [`Error::State`] when there is no such container.
pub fn pod(options: &Options, id: &str) -> Result<Pod, Error> {
    Ok(verdicts::pod_of(&state::peek(&options.root, id)?.annotations))
}

/// What a follower sleeps on: the file grows, or somebody who may write to it ends. Nothing else wakes it.
struct News {
    file: OwnedFd,
    writers: Vec<OwnedFd>,
}

impl News {
    fn of(path: &Path, writers: [Option<ProcessId>; 2]) -> Result<Self, Error> {
        let failed = |error: rustix::io::Errno| EventsError::Records(error.into());
        let file = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        inotify::add_watch(&file, path, WatchFlags::MODIFY | WatchFlags::DONT_FOLLOW).map_err(failed)?;
        let writers = writers.into_iter().flatten().filter_map(|writer| kill::open(writer).transpose());
        Ok(Self { file, writers: writers.collect::<Result<_, _>>()? })
    }

    fn are_over(&self) -> bool {
        self.writers.is_empty()
    }

    fn wait(&mut self) -> io::Result<()> {
        let fds = std::iter::once(&self.file).chain(&self.writers);
        let mut polled: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match rustix::event::poll(&mut polled, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut has_ended = polled.iter().skip(1).map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        self.writers.retain(|_writer| !has_ended.next().unwrap_or_default());
        // What happened is seen in the file; EAGAIN: it was a writer's end.
        match rustix::io::read(&self.file, &mut [0; 4096]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

struct Lines {
    file: BufReader<File>,
    /// The line that is not finished.
    begun: Vec<u8>,
}

impl Lines {
    fn tell_all(&mut self, tell: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), EventsError> {
        while record::read_line(&mut self.file, &mut self.begun).map_err(EventsError::Records)? {
            self.tell_begun(tell)?;
        }
        Ok(())
    }

    fn tell_begun(&mut self, tell: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), EventsError> {
        if !self.begun.is_empty() {
            tell(&self.begun).map_err(EventsError::Output)?;
            self.begun.clear();
        }
        Ok(())
    }
}
