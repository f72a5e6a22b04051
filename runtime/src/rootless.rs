//! lazaret without root: the caller becomes root of a user namespace of its own, and everything else runs in there as it
//! runs for root on a host, with what such a root has not (no leased ids, no id-mapped mounts, perhaps no cgroup).
//!
//! The namespace maps the caller's own id to 0, and the ids that `/etc/subuid` and `/etc/subgid` give the caller, if
//! newuidmap(1) and newgidmap(1) are there, from 1 on. Called by `main` before anything else; the rest of the library
//! only asks [`is_active`].

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sched::CloneFlags;
use nix::unistd::{Gid, Uid};
use rustix::process::{WaitOptions, getegid, geteuid};

use crate::idmap;
use crate::spec::container::{IdMappings, IdRange};
use crate::sys;

/// Ids of the whole kernel, as the initial user namespace maps them.
const ALL_IDS: u32 = u32::MAX;

/// Why an ordinary user cannot have a container.
#[derive(Debug, thiserror::Error)]
pub enum RootlessError {
    /// The namespaces were refused.
    #[error("could not create a user namespace to be root in")]
    Unshare(#[source] io::Error),
    /// The own id could not be mapped.
    #[error("could not write {file} of the new user namespace")]
    Map {
        /// `setgroups`, `uid_map` or `gid_map`.
        file: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The state directory.
    #[error("could not make {path} for the state of containers")]
    StateDirectory {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Somebody else's state directory.
    #[error("{path} is not a directory that belongs to this user alone")]
    ForeignStateDirectory {
        /// Which.
        path: PathBuf,
    },
    /// A bundle's mapping holds ids that are not the caller's.
    #[error("linux.{field}: host id {host} ({length} ids) is not mapped in the caller's user namespace")]
    ForeignIds {
        /// `uidMappings` or `gidMappings`.
        field: &'static str,
        /// First id.
        host: u32,
        /// How many.
        length: u32,
    },
    /// Groups without a group map that may hold them.
    #[error("process.user.additionalGids cannot be set: the kernel denies setgroups(2) where only one id is mapped")]
    Groups,
}

impl RootlessError {
    /// Stable number of this error, 1480-1489.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Unshare(_) => 1480,
            Self::Map { .. } => 1481,
            Self::StateDirectory { .. } => 1482,
            Self::ForeignStateDirectory { .. } => 1483,
            Self::ForeignIds { .. } => 1484,
            Self::Groups => 1485,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unshare(_) => {
                "user namespaces may be switched off: see /proc/sys/user/max_user_namespaces and \
                 /proc/sys/kernel/apparmor_restrict_unprivileged_userns; or run lazaret as root"
            }
            Self::Map { .. } => return None,
            Self::StateDirectory { .. } | Self::ForeignStateDirectory { .. } => {
                "set XDG_RUNTIME_DIR, or name a directory of your own with --root"
            }
            Self::ForeignIds { .. } => "map your own id, or ids that /etc/subuid and /etc/subgid give you",
            Self::Groups => "leave them out, or have ids given to you in /etc/subuid and /etc/subgid",
        };
        Some(hint.to_owned())
    }
}

/// Whether we are an ordinary user of the host, who needs [`enter`].
#[must_use]
pub fn is_needed() -> bool {
    !geteuid().is_root()
}

/// Whether we are root of a user namespace only, by [`enter`] or because somebody else made one.
#[must_use]
pub fn is_active() -> bool {
    geteuid().is_root() && own_ranges("/proc/self/uid_map").is_ok_and(|ranges| !holds_all(&ranges))
}

fn holds_all(ranges: &[IdRange]) -> bool {
    ranges.iter().any(|range| range.host == 0 && range.length == ALL_IDS)
}

/// Whether groups can be chosen: not where the kernel lets a caller without rights write its own group map.
#[must_use]
pub fn may_set_groups() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").is_ok_and(|word| word.trim() == "allow")
}

/// The ids of our user namespace, each as itself: the mapping of a container below it.
///
/// # Errors
/// When procfs cannot be read.
pub fn identity() -> io::Result<IdMappings> {
    let same =
        |ranges: Vec<IdRange>| ranges.into_iter().map(|range| IdRange { host: range.container, ..range }).collect();
    let own = idmap::read_maps("self")?;
    Ok(IdMappings { uids: same(own.uids), gids: same(own.gids) })
}

/// A bundle's mapping, whose host ids are those of the namespace above ours, in the ids of ours.
///
/// # Errors
/// [`RootlessError::ForeignIds`]; [`RootlessError::Map`] when procfs cannot be read.
pub fn translate(mappings: &IdMappings) -> Result<IdMappings, RootlessError> {
    let translate = |field, file, path, ranges: &[IdRange]| {
        let own = own_ranges(path).map_err(|source| RootlessError::Map { file, source })?;
        ranges.iter().map(|range| translate_range(range, &own, field)).collect::<Result<Vec<_>, _>>()
    };
    Ok(IdMappings {
        uids: translate("uidMappings", "uid_map", "/proc/self/uid_map", &mappings.uids)?,
        gids: translate("gidMappings", "gid_map", "/proc/self/gid_map", &mappings.gids)?,
    })
}

fn translate_range(range: &IdRange, own: &[IdRange], field: &'static str) -> Result<IdRange, RootlessError> {
    let inside = own.iter().find_map(|known| {
        let offset = range.host.checked_sub(known.host)?;
        let fits = offset.checked_add(range.length).is_some_and(|end| end <= known.length);
        fits.then(|| known.container + offset)
    });
    let foreign = RootlessError::ForeignIds { field, host: range.host, length: range.length };
    inside.map(|host| IdRange { host, ..*range }).ok_or(foreign)
}

fn own_ranges(path: &str) -> io::Result<Vec<IdRange>> {
    idmap::parse_map(&std::fs::read_to_string(path)?)
}

/// The directory of an ordinary user's state: in `XDG_RUNTIME_DIR`, or else one in `/tmp` that is the user's alone.
///
/// # Errors
/// [`RootlessError::StateDirectory`] and [`RootlessError::ForeignStateDirectory`].
pub fn default_root() -> Result<PathBuf, RootlessError> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(runtime) = runtime.filter(|path| path.is_dir()) {
        return Ok(runtime.join("lazaret"));
    }
    let path = PathBuf::from(format!("/tmp/lazaret-{}", user()));
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            return Err(RootlessError::StateDirectory { path, source });
        }
        _ => {}
    }
    if belongs_to_us_alone(&path) { Ok(path) } else { Err(RootlessError::ForeignStateDirectory { path }) }
}

/// Anybody may have made it before us, or a link in its place.
fn belongs_to_us_alone(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0)
}

/// The user who calls us, as the host counts, also after [`enter`].
#[must_use]
pub(crate) fn user() -> u32 {
    let ranges = own_ranges("/proc/self/uid_map").ok().filter(|_ranges| is_active());
    ranges.and_then(|ranges| idmap::to_host(&ranges, 0)).unwrap_or_else(|| geteuid().as_raw())
}

/// Makes the process root of a new user namespace, with a mount and a host name namespace of its own.
///
/// The process must be single-threaded.
///
/// # Errors
/// [`RootlessError::Unshare`] and [`RootlessError::Map`].
pub fn enter() -> Result<(), RootlessError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let helper = Subordinate::of(uid).map(|ids| MapHelper::start(&ids, uid, gid)).transpose();
    let helper = helper.map_err(RootlessError::Unshare)?;
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)
        .map_err(|error| RootlessError::Unshare(error.into()))?;
    let has_many = helper.is_some_and(MapHelper::write);
    if !has_many {
        write_single_map(uid, gid)?;
    }
    let root = |source: nix::Error| RootlessError::Map { file: "uid_map", source: source.into() };
    nix::unistd::setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0)).map_err(root)?;
    nix::unistd::setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).map_err(root)
}

/// Makes the process root of a new user namespace in which it has its own id alone, with a mount namespace of its own: what
/// a probe of the kernel needs of [`enter`].
///
/// The process must be single-threaded.
///
/// # Errors
/// As [`enter`].
pub(crate) fn enter_alone() -> Result<(), RootlessError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    nix::sched::unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|error| RootlessError::Unshare(error.into()))?;
    write_single_map(uid, gid)
}

/// Becomes root of the user namespace above that of process `pid`, which [`enter`] made for it, with a mount and a host
/// name namespace of its own.
///
/// # Errors
/// [`RootlessError::Unshare`].
pub fn join(pid: i32) -> Result<(), RootlessError> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let join = || -> io::Result<()> {
        let inner = rustix::fs::open(format!("/proc/{pid}/ns/user"), flags, rustix::fs::Mode::empty())?;
        nix::sched::setns(sys::namespace::owner(&inner)?, CloneFlags::CLONE_NEWUSER)?;
        nix::sched::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)?;
        nix::unistd::setresgid(Gid::from_raw(0), Gid::from_raw(0), Gid::from_raw(0))?;
        Ok(nix::unistd::setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0))?)
    };
    join().map_err(RootlessError::Unshare)
}

/// The one mapping that needs no right: the own id. Group lists cannot be changed then (user_namespaces(7)).
fn write_single_map(uid: u32, gid: u32) -> Result<(), RootlessError> {
    for (file, text) in
        [("setgroups", "deny".to_owned()), ("uid_map", format!("0 {uid} 1")), ("gid_map", format!("0 {gid} 1"))]
    {
        std::fs::write(format!("/proc/self/{file}"), text).map_err(|source| RootlessError::Map { file, source })?;
    }
    Ok(())
}

/// The ids that are given to a user beside its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subordinate {
    uids: Vec<(u32, u32)>,
    gids: Vec<(u32, u32)>,
}

/// Whether ids beside the own one can be had: given to the user, and mapped by helpers that are installed.
#[must_use]
pub(crate) fn has_subordinate_ids() -> bool {
    Subordinate::of(geteuid().as_raw()).is_some()
}

impl Subordinate {
    /// `None` where there are none, or nobody to map them.
    fn of(uid: u32) -> Option<Self> {
        helper("newuidmap").and(helper("newgidmap"))?;
        let name = crate::users::name(uid);
        let read = |path| std::fs::read_to_string(path).map(|text| given(&text, &name, uid)).unwrap_or_default();
        let ids = Self { uids: read("/etc/subuid"), gids: read("/etc/subgid") };
        (!ids.uids.is_empty() && !ids.gids.is_empty()).then_some(ids)
    }
}

/// The ranges (first, length) of a user in the format of subuid(5).
fn given(text: &str, name: &str, uid: u32) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let is_ours = owner == name || owner.parse() == Ok(uid);
        let range = (fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?);
        (is_ours && range.1 > 0).then_some(range)
    };
    text.lines().filter_map(range).collect()
}

/// Where a set-user-id helper stands; not looked for in PATH, which anybody may have set.
fn helper(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/usr/local/bin", "/bin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// A child that stays outside: the helpers have their rights only there.
struct MapHelper {
    pid: rustix::process::Pid,
    go: OwnedFd,
}

impl MapHelper {
    fn start(ids: &Subordinate, uid: u32, gid: u32) -> io::Result<Self> {
        let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let parent = std::process::id();
        let (pid, _pidfd) = sys::clone::fork(|| {
            // The copy of `go` in here keeps the pipe from ending with us.
            let bound = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            if bound.is_err() {
                return 1;
            }
            let told = rustix::io::read(&wait, &mut [0_u8; 1]);
            let mapped = told == Ok(1)
                && run_helper("newuidmap", parent, uid, &ids.uids)
                && run_helper("newgidmap", parent, gid, &ids.gids);
            u8::from(!mapped)
        })?;
        Ok(Self { pid, go })
    }

    /// Has the maps written; false when a helper refuses.
    fn write(self) -> bool {
        let told = rustix::io::write(&self.go, b"+");
        drop(self.go);
        let ended = rustix::process::waitpid(Some(self.pid), WaitOptions::empty());
        let mapped = told.is_ok() && matches!(ended, Ok(Some((_, status))) if status.exit_status() == Some(0));
        if !mapped {
            tracing::warn!("the ids of /etc/subuid and /etc/subgid could not be mapped; only the own id is");
        }
        mapped
    }
}

fn run_helper(name: &str, pid: u32, own: u32, ranges: &[(u32, u32)]) -> bool {
    let Some(program) = helper(name) else { return false };
    let mut command = Command::new(program);
    command.args([pid, 0, own, 1].map(|number| number.to_string()));
    let mut next = 1_u32;
    for (first, length) in ranges {
        command.args([next, *first, *length].map(|number| number.to_string()));
        let Some(after) = next.checked_add(*length) else { return false };
        next = after;
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_given_by_name_or_number() {
        let text = "root:1:1\nme:100000:65536\n1000:300000:10\nme:broken\nyou:5:5\nme:7:0\n";
        assert_eq!(given(text, "me", 1000), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(given(text, "#7", 7), []);
    }

    #[test]
    fn a_mapping_is_translated_into_the_own_ids_or_refused() {
        let range = |container, host, length| IdRange { container, host, length };
        let own = [range(0, 1000, 1), range(1, 100_000, 65_536)];
        assert_eq!(translate_range(&range(0, 1000, 1), &own, "x").unwrap(), range(0, 0, 1));
        assert_eq!(translate_range(&range(5, 100_010, 9), &own, "x").unwrap(), range(5, 11, 9));
        for foreign in [range(0, 0, 1), range(0, 1000, 2), range(0, 165_000, 1000)] {
            assert!(translate_range(&foreign, &own, "x").is_err(), "{foreign:?}");
        }
    }
}
