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

use lazaret_sentry::record_policy::Policy;
use rustix::fs::{FlockOperation, Mode as FileMode, OFlags};

use crate::cgroup::Cgroup;
use crate::host_mount::HostMount;
use crate::options::{Intercepted, Mode};
use crate::policy::finding::Finding;
use crate::policy::profile::Profile;

mod config;
mod error;
mod phase;
mod process;

pub use config::read_config;
pub use error::StateError;
pub(crate) use error::io_hint;
pub use phase::{Phase, Status};
pub use process::ProcessId;

/// File name of the state in a container's directory.
const FILE: &str = "state.json";
/// File name of the audit records in a container's directory.
pub const AUDIT_FILE: &str = "audit.jsonl";
/// File name of the counts of its sentries in a container's directory.
pub const COUNTERS_FILE: &str = "counters";
/// File name of the socket that `start` connects to.
pub const GATE_FILE: &str = "start.sock";
/// How long another verb may hold a container before a caller gives up; containerd allows a delete five seconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// How often it is tried meanwhile.
const LOCK_STEP: Duration = Duration::from_millis(2);
/// Longest container id: it is the name of the state directory, and part of a cgroup's (255 bytes).
const ID_BYTES: usize = 240;

/// Everything stored of one container.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// `ociVersion` of its bundle.
    pub oci_version: String,
    /// Its id.
    pub id: String,
    /// How far it has come; see [`Stored::advance`].
    phase: Phase,
    /// The process that creates it, until somebody else looks after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launcher: Option<ProcessId>,
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
    /// The cgroup of its sentries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentry_cgroup: Option<Cgroup>,
    /// Its lease of an id range, once there is one.
    pub lease: Option<PathBuf>,
    /// Its root in the host's mount namespace, if it has no mount namespace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_mount: Option<HostMount>,
    /// The sentry.
    pub sentry: Option<ProcessId>,
    /// The monitor that watches both.
    pub monitor: Option<ProcessId>,
    /// How its trapped calls reach the sentry; `None` in native mode, and until that is known.
    #[serde(default)]
    pub interceptor: Option<Intercepted>,
    /// How much its sentries record.
    #[serde(default)]
    pub records: Policy,
    /// Socket of the collector of its records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_socket: Option<PathBuf>,
    /// Whether its root may mount inside.
    #[serde(default)]
    pub nested: bool,
    /// What holds beside its mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Whether it was given a directory of the host, so that its connects are looked at.
    #[serde(default)]
    pub has_host_directory: bool,
    /// Protections of the mode that do not hold here, in words.
    pub missing: Vec<String>,
    /// What the node's rules object to and do not refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Why lazaret itself ended it, if it did.
    pub ended_by_lazaret: Option<String>,
}

/// What is known of a container before anything is made for it.
#[derive(Debug)]
pub struct Origin {
    /// `ociVersion` of its bundle.
    pub oci_version: String,
    /// Its id.
    pub id: String,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root file system.
    pub rootfs: PathBuf,
    /// Annotations of the bundle.
    pub annotations: BTreeMap<String, String>,
    /// The mode it runs in.
    pub mode: Mode,
    /// Whether its root may mount inside.
    pub nested: bool,
    /// What holds beside its mode.
    pub profile: Option<Profile>,
    /// Where its cgroup may be made.
    pub cgroup_places: Vec<PathBuf>,
    /// How much its sentries record.
    pub records: Policy,
    /// Socket of the collector of its records.
    pub record_socket: Option<PathBuf>,
    /// Whether it is given a directory of the host.
    pub has_host_directory: bool,
    /// What the node's rules object to and do not refuse.
    pub findings: Vec<Finding>,
}

impl Stored {
    /// The first state of a container that this process creates.
    #[must_use]
    pub fn creating(origin: Origin) -> Self {
        Self {
            oci_version: origin.oci_version,
            id: origin.id,
            phase: Phase::Creating,
            launcher: ProcessId::own(),
            init: None,
            bundle: origin.bundle,
            rootfs: origin.rootfs,
            annotations: origin.annotations,
            created: crate::now(),
            mode: origin.mode,
            cgroup_places: origin.cgroup_places,
            cgroup: None,
            sentry_cgroup: None,
            lease: None,
            host_mount: None,
            sentry: None,
            monitor: None,
            interceptor: None,
            records: origin.records,
            record_socket: origin.record_socket,
            has_host_directory: origin.has_host_directory,
            nested: origin.nested,
            profile: origin.profile,
            missing: Vec::new(),
            findings: origin.findings,
            ended_by_lazaret: None,
        }
    }

    /// Goes on to the phase `next`.
    ///
    /// # Errors
    /// [`StateError::Transition`] when it cannot follow.
    pub fn advance(&mut self, next: Phase) -> Result<(), StateError> {
        if !self.phase.leads_to(next) {
            return Err(StateError::Transition { from: self.phase, to: next });
        }
        self.phase = next;
        Ok(())
    }

    /// Whether the process that creates it died before it was done.
    #[must_use]
    pub fn was_abandoned(&self) -> bool {
        self.launcher.is_some_and(|launcher| !launcher.is_alive())
    }

    /// The status now.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.phase, &self.init) {
            _ if self.was_abandoned() => Status::Stopped,
            (Phase::Creating, _) => Status::Creating,
            (Phase::Created | Phase::Running, None) => Status::Stopped,
            (_, Some(init)) if !init.is_alive() => Status::Stopped,
            _ if self.is_frozen() => Status::Paused,
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
            Err(error) => Err(StateError::io("create", &path, error)),
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let lock =
            rustix::fs::open(&path, flags, FileMode::empty()).map_err(|error| StateError::io("open", &path, error))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { path, lock }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_STEP);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::Busy { path }),
                Err(error) => return Err(StateError::io("lock", &path, error)),
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
        std::fs::write(&new, text).map_err(|error| StateError::io("write", &new, error))?;
        std::fs::rename(&new, &path).map_err(|error| StateError::io("replace", &path, error))
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
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| StateError::Malformed { path, source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(StateError::Unwritten { path: directory.to_owned() })
        }
        Err(error) => Err(StateError::io("read", &path, error)),
    }
}

fn make_root(root: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(|error| StateError::io("create", root, error))
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
    fn state_from_before_the_rules_of_records_is_read() {
        let origin = Origin {
            findings: Vec::new(),
            has_host_directory: false,
            oci_version: "1.0.2".to_owned(),
            id: "old".to_owned(),
            bundle: "/b".into(),
            rootfs: "/b/rootfs".into(),
            annotations: BTreeMap::new(),
            mode: Mode::Sandbox,
            profile: None,
            nested: false,
            cgroup_places: Vec::new(),
            records: Policy::of(lazaret_sentry::record::Level::None),
            record_socket: None,
        };
        let mut value = serde_json::to_value(Stored::creating(origin)).unwrap();
        assert!(value.as_object_mut().unwrap().remove("records").is_some());
        assert_eq!(serde_json::from_value::<Stored>(value).unwrap().records, Policy::default());
    }
}
