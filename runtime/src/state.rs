//! What lazaret knows of a container, on disk: `<root>/<id>/state.json`.
//!
//! Written before and after each step of `create`, always whole (a new file, renamed over the old), so that `delete`
//! works from it alone whatever died in between. The status is not stored but computed: a process id with another
//! start time is another process. The directory itself is the lock.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode as FileMode, OFlags};

use crate::cgroup::Cgroup;
use crate::options::Mode;

mod config;

pub use config::read_config;

/// File name of the state in a container's directory.
const FILE: &str = "state.json";
/// File name of the audit records in a container's directory.
pub const AUDIT_FILE: &str = "audit.jsonl";
/// File name of the socket that `start` connects to.
pub const GATE_FILE: &str = "start.sock";
/// How long another verb may hold a container before a caller gives up; containerd allows a delete five seconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// How often it is tried meanwhile.
const LOCK_STEP: Duration = Duration::from_millis(2);
/// Longest container id: it is the name of the state directory, and part of a cgroup's (255 bytes).
const ID_BYTES: usize = 240;

/// Why the state could not be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not a usable id.
    #[error("invalid container id {id:?}: it must be 1 to {ID_BYTES} characters of A-Z a-z 0-9 _ + - .")]
    InvalidId {
        /// As given.
        id: String,
    },
    /// No such container.
    #[error("container {id:?} does not exist")]
    NotFound {
        /// Its id.
        id: String,
        /// Ids that do exist.
        known: Vec<String>,
        /// Where was looked.
        root: PathBuf,
    },
    /// The id is taken.
    #[error("container with id {id:?} already exists: file exists")]
    Exists {
        /// Its id.
        id: String,
    },
    /// The directory or a file in it.
    #[error("could not {operation} {path}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not a state.
    #[error("{path} does not hold a container's state")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

impl StateError {
    /// Stable number of this error, 1000-1009.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::InvalidId { .. } => 1000,
            Self::NotFound { .. } => 1001,
            Self::Exists { .. } => 1002,
            Self::Io { .. } => 1003,
            Self::Malformed { .. } => 1004,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InvalidId { .. } => "choose another id".to_owned(),
            Self::NotFound { known, root, .. } if known.is_empty() => {
                format!("no container has its state in {}; engines keep theirs elsewhere, see --root", root.display())
            }
            Self::NotFound { known, root, .. } => format!("known in {}: {}", root.display(), known.join(", ")),
            Self::Exists { id } => format!("delete it first (lazaret delete {id}), or choose another id"),
            Self::Io { .. } => "lazaret must run as root with a writable state directory (--root)".to_owned(),
            Self::Malformed { .. } => "lazaret delete --force removes what can be found of it".to_owned(),
        })
    }
}

/// How far the container has come, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// `create` is at work, or was interrupted.
    Creating,
    /// Waiting for `start`.
    Created,
    /// Started.
    Running,
}

/// The status of `runtime.md`, computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being created.
    Creating,
    /// Created, not started.
    Created,
    /// Started and alive.
    Running,
    /// Alive, created or started, and its processes are frozen (runc's word; `runtime.md` allows further ones).
    Paused,
    /// Its first process has ended.
    Stopped,
}

/// A process that cannot be mistaken for a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start: u64,
}

impl ProcessId {
    /// The process that has this id now.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let (_, start) = stat(pid)?;
        Some(Self { pid, start })
    }

    /// Whether it is still there and not a zombie.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|(state, start)| start == self.start && !matches!(state, 'Z' | 'X'))
    }
}

/// State letter and start time from `/proc/PID/stat` (proc_pid_stat(5)); the name before them may hold anything.
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Everything stored of one container.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// `ociVersion` of its bundle.
    pub oci_version: String,
    /// Its id.
    pub id: String,
    /// How far it has come.
    pub phase: Phase,
    /// Its first process.
    pub init: Option<ProcessId>,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root file system.
    pub rootfs: PathBuf,
    /// Annotations of the bundle.
    pub annotations: BTreeMap<String, String>,
    /// When it was created, RFC 3339.
    pub created: String,
    /// The mode it runs in.
    pub mode: Mode,
    /// Where its cgroup may have been made, while that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cgroup_places: Vec<PathBuf>,
    /// Its cgroup, once there is one.
    pub cgroup: Option<Cgroup>,
    /// Its lease of an id range, once there is one.
    pub lease: Option<PathBuf>,
    /// The sentry.
    pub sentry: Option<ProcessId>,
    /// The monitor that watches both.
    pub monitor: Option<ProcessId>,
    /// Protections of the mode that do not hold here, in words.
    pub missing: Vec<String>,
    /// Why lazaret itself ended it, if it did.
    pub ended_by_lazaret: Option<String>,
}

impl Stored {
    /// The status now.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.phase, &self.init) {
            (Phase::Creating, None) => Status::Creating,
            (_, None) => Status::Stopped,
            (_, Some(init)) if !init.is_alive() => Status::Stopped,
            (Phase::Creating, Some(_)) => Status::Creating,
            (Phase::Created | Phase::Running, Some(_)) if self.is_frozen() => Status::Paused,
            (Phase::Created, Some(_)) => Status::Created,
            (Phase::Running, Some(_)) => Status::Running,
        }
    }

    /// A cgroup that cannot be read may be gone with the container: that is another status than paused.
    fn is_frozen(&self) -> bool {
        self.cgroup.as_ref().is_some_and(|cgroup| {
            cgroup.is_frozen().unwrap_or_else(|error| {
                tracing::debug!(%error, "could not tell whether the container is paused");
                false
            })
        })
    }
}

/// A container's directory, locked until dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    lock: OwnedFd,
}

impl Directory {
    /// Makes the directory of a new container.
    ///
    /// # Errors
    /// [`StateError::InvalidId`], [`StateError::Exists`], [`StateError::Io`].
    pub fn create(root: &Path, id: &str) -> Result<Self, StateError> {
        let path = path_of(root, id)?;
        make_root(root)?;
        match rustix::fs::mkdir(&path, FileMode::from_raw_mode(0o700)) {
            Ok(()) => Self::lock(path),
            Err(rustix::io::Errno::EXIST) => Err(StateError::Exists { id: id.to_owned() }),
            Err(error) => Err(StateError::Io { operation: "create", path, source: error.into() }),
        }
    }

    /// Opens and locks the directory of an existing container.
    ///
    /// # Errors
    /// [`StateError::InvalidId`], [`StateError::NotFound`], [`StateError::Io`].
    pub fn open(root: &Path, id: &str) -> Result<Self, StateError> {
        let path = path_of(root, id)?;
        if path.is_dir() {
            return Self::lock(path);
        }
        let known = std::fs::read_dir(root).into_iter().flatten().flatten();
        let mut known: Vec<String> = known.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        known.sort();
        known.truncate(10);
        Err(StateError::NotFound { id: id.to_owned(), known, root: root.to_owned() })
    }

    fn lock(path: PathBuf) -> Result<Self, StateError> {
        let io = |operation, error: rustix::io::Errno, path: &Path| StateError::Io {
            operation,
            path: path.to_owned(),
            source: error.into(),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let lock = rustix::fs::open(&path, flags, FileMode::empty()).map_err(|e| io("open", e, &path))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { path, lock }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_STEP);
                }
                Err(error) => return Err(io("lock", error, &path)),
            }
        }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the state.
    ///
    /// # Errors
    /// [`StateError::Io`], [`StateError::Malformed`].
    pub fn read(&self) -> Result<Stored, StateError> {
        read(&self.path)
    }

    /// Replaces the state as a whole.
    ///
    /// # Errors
    /// [`StateError::Io`], [`StateError::Malformed`].
    pub fn write(&self, state: &Stored) -> Result<(), StateError> {
        let path = self.path.join(FILE);
        let text = serde_json::to_vec(state).map_err(|source| StateError::Malformed { path: path.clone(), source })?;
        let new = self.path.join("state.json.new");
        let io = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { operation, path, source }
        };
        std::fs::write(&new, text).map_err(io("write", &new))?;
        std::fs::rename(&new, &path).map_err(io("replace", &path))
    }

    /// Removes the directory with everything in it.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn remove(&self) -> Result<(), StateError> {
        match std::fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { operation: "remove", path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// Unlocked by word and not by closing: forked processes still hold copies of the descriptor, and the lock with it.
impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = rustix::fs::flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(%error, "could not unlock a state directory");
        }
    }
}

/// Reads the state of a container without waiting for whoever works on it.
///
/// # Errors
/// As [`Directory::open`] and [`Directory::read`].
pub fn peek(root: &Path, id: &str) -> Result<Stored, StateError> {
    let path = path_of(root, id)?;
    if path.is_dir() { read(&path) } else { Directory::open(root, id).and_then(|directory| directory.read()) }
}

/// The ids that have a directory below `root`, in order; none when there is no `root`.
///
/// # Errors
/// [`StateError::Io`].
pub fn ids(root: &Path) -> Result<Vec<String>, StateError> {
    let failed = |source| StateError::Io { operation: "read", path: root.to_owned(), source };
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            ids.extend(entry.file_name().into_string().ok().filter(|id| path_of(root, id).is_ok()));
        }
    }
    ids.sort();
    Ok(ids)
}

fn read(directory: &Path) -> Result<Stored, StateError> {
    let path = directory.join(FILE);
    let text =
        std::fs::read(&path).map_err(|source| StateError::Io { operation: "read", path: path.clone(), source })?;
    serde_json::from_slice(&text).map_err(|source| StateError::Malformed { path, source })
}

fn make_root(root: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(|source| StateError::Io {
        operation: "create",
        path: root.to_owned(),
        source,
    })
}

/// The directory of `id`: one name below the root, whatever the caller sent.
fn path_of(root: &Path, id: &str) -> Result<PathBuf, StateError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    let usable = !id.is_empty() && id.len() <= ID_BYTES && id.chars().all(allowed) && id != "." && id != "..";
    if usable { Ok(root.join(id)) } else { Err(StateError::InvalidId { id: id.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_leave_the_root_are_invalid() {
        for id in ["", ".", "..", "a/b", "../x", "a\0b", "a b", &"x".repeat(241)] {
            assert!(matches!(path_of(Path::new("/r"), id), Err(StateError::InvalidId { .. })), "{id:?}");
        }
        assert_eq!(path_of(Path::new("/r"), "a_B-1.x+y").unwrap(), Path::new("/r/a_B-1.x+y"));
    }

    #[test]
    fn another_process_of_the_same_number_is_not_alive() {
        let own = ProcessId::of(std::process::id().cast_signed()).unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { start: own.start + 1, ..own }.is_alive());
    }
}
