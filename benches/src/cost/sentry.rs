//! What a sentry does while nobody does anything forbidden, seen from the host: its wake-ups and its memory.

use std::io;
use std::path::PathBuf;

/// A sentry, by its process id on the host.
#[derive(Debug, Clone)]
pub struct Sentry {
    process: PathBuf,
}

impl Sentry {
    /// The process `pid`, which its container's state names.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self { process: PathBuf::from(format!("/proc/{pid}")) }
    }

    /// Context switches of all its threads so far (`/proc/PID/task/TID/status`, proc(5)): each wake-up ends in one.
    ///
    /// # Errors
    /// As reading procfs; `InvalidData` when a line is missing.
    pub fn switches(&self) -> io::Result<u64> {
        let mut sum = 0;
        for task in std::fs::read_dir(self.process.join("task"))? {
            let text = std::fs::read_to_string(task?.path().join("status"))?;
            sum += field(&text, "voluntary_ctxt_switches:")? + field(&text, "nonvoluntary_ctxt_switches:")?;
        }
        Ok(sum)
    }

    /// Bytes that it shares with nobody (`/proc/PID/smaps_rollup`).
    ///
    /// # Errors
    /// As [`Sentry::switches`].
    pub fn private_memory(&self) -> io::Result<u64> {
        let text = std::fs::read_to_string(self.process.join("smaps_rollup"))?;
        Ok((field(&text, "Private_Clean:")? + field(&text, "Private_Dirty:")?) * 1024)
    }
}

fn field(text: &str, name: &str) -> io::Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next());
    let value = value.and_then(|digits| digits.parse().ok());
    value.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name} in procfs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_numbers_can_be_read() {
        let own = Sentry::new(std::process::id());
        assert!(own.switches().unwrap() > 0);
        assert!(own.private_memory().unwrap() > 10_000);
    }

    #[test]
    fn a_missing_line_is_an_error() {
        assert_eq!(field("a: 1\n", "b:").unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(field("a: 17 kB\n", "a:").unwrap(), 17);
    }
}
