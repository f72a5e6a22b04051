//! `events --records`: the lines that the sentries of a container have written, now or until it is gone.
//!
//! Called by `main`'s printing room. It only reads, and gives every line on as it stands.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use lazaret_sentry::limits;

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
    let mut lines = Lines { file, begun: Vec::new() };
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
    file: File,
    /// The line that is not finished.
    begun: Vec<u8>,
}

impl Lines {
    fn tell_all(&mut self, tell: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), EventsError> {
        let mut block = vec![0; 64 * 1024];
        loop {
            let read = self.file.read(&mut block).map_err(EventsError::Records)?;
            let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                let (text, is_whole) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
                self.begun.extend_from_slice(text);
                let is_too_long = u64::try_from(self.begun.len()).is_ok_and(|length| length > limits::AUDIT_LINE);
                if is_whole || is_too_long {
                    self.tell_begun(tell)?;
                }
            }
        }
    }

    fn tell_begun(&mut self, tell: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), EventsError> {
        if !self.begun.is_empty() {
            tell(&self.begun).map_err(EventsError::Output)?;
            self.begun.clear();
        }
        Ok(())
    }
}
