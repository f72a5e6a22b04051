//! `events --records`: the lines that the sentries of a container have written, now or until it is gone.
//!
//! Called by `main`'s printing room. It only reads, and gives every line on as it stands.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use lazaret_sentry::record;

use crate::error::Error;
use crate::lifecycle::{EventsError, delete};
use crate::options::Options;
use crate::state::{self, AUDIT_FILE, ProcessId};

/// How often a follower looks, as long as the container lives.
const LOOK: Duration = Duration::from_millis(200);

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
    let mut is_last = !follow;
    loop {
        lines.tell_all(tell)?;
        if is_last {
            return lines.tell_begun(tell).map_err(Error::from);
        }
        is_last = are_gone(&[stored.init, stored.sentry])?;
    }
}

fn are_gone(processes: &[Option<ProcessId>]) -> Result<bool, Error> {
    for process in processes.iter().flatten() {
        if !delete::wait_for(*process, LOOK)? {
            return Ok(false);
        }
    }
    Ok(true)
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
