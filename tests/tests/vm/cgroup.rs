//! A container's cgroup as the kernel shows it on the host: what the limits are measured by. It only reads.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lazaret_tests::lazaret::{Lazaret, Running};

/// Both modes in which a limit has to hold.
pub(crate) const MODES: &[&str] = &["native", "sandbox"];

/// lazaret in this mode.
pub(crate) fn lazaret(mode: &str) -> Lazaret {
    Lazaret::with_options(&["--mode", mode])
}

/// The v2 cgroup of one container.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// That of a running container, by where the kernel says that its first process is.
    pub(crate) fn of(running: &Running<'_>) -> Self {
        Self::of_process(running.pid())
    }

    /// That of any process.
    pub(crate) fn of_process(pid: i32) -> Self {
        let table = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let path = table.trim().strip_prefix("0::/").unwrap_or_else(|| panic!("not on cgroup v2 alone: {table}"));
        Self(PathBuf::from("/sys/fs/cgroup").join(path))
    }

    /// Whether it is there.
    pub(crate) fn exists(&self) -> bool {
        self.0.exists()
    }

    /// A file's text, without the last newline.
    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.0.join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim_end().to_owned()
    }

    /// The number that a file holds.
    pub(crate) fn number(&self, file: &str) -> u64 {
        self.read(file).parse().unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The number behind `key` in a file of lines `key number`.
    pub(crate) fn field(&self, file: &str, key: &str) -> u64 {
        let text = self.read(file);
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{file} has no {key}: {text}")).parse().unwrap()
    }

    /// Processor time that it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        Duration::from_micros(self.field("cpu.stat", "usage_usec"))
    }

    /// How many processors it uses, over `window`. The only sleep of the lane: time is what is measured.
    pub(crate) fn processors(&self, window: Duration) -> f64 {
        let (before, begin) = (self.processor_time(), Instant::now());
        std::thread::sleep(window);
        let (after, elapsed) = (self.processor_time(), begin.elapsed());
        (after - before).as_secs_f64() / elapsed.as_secs_f64()
    }
}
