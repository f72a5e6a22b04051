//! What can go wrong with a container's cgroups. Every part of this room returns it; the command line and the shim show
//! it. It must not be matched on text: cases that a caller tells apart are variants.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use crate::cgroup::systemd::bus::BusError;

/// A cgroup operation that failed, with the path, the value and the field of `config.json` it was about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CgroupError {
    /// A file of `/proc` or of a cgroup could not be read.
    #[error("could not read {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A limit, and no cgroup that this user may change.
    #[error("{key}: this user may not change any cgroup, so the limit cannot be enforced")]
    NoRights {
        /// The field of `config.json`.
        key: Cow<'static, str>,
    },
    /// A cgroup below the container's own that is to take a process is not there.
    #[error("the container has no cgroup {path} below its own (--cgroup)", path = .path.display())]
    NoSubCgroup {
        /// As given.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// What only a cgroup can do, for a container that has none (that of an ordinary user).
    #[error("the container has no cgroup of its own, so it can be neither paused, limited nor measured")]
    Nowhere,
    /// A cgroup in use stands where a container's may stand whose state is lost, and nothing says that it is that one.
    #[error("the cgroup {path} is in use, and does not say by which container", path = .path.display())]
    Unproven {
        /// The directory.
        path: PathBuf,
    },
    /// No cgroup hierarchy that lazaret can use is mounted.
    #[error("no cgroup hierarchy is mounted")]
    NoHierarchy,
    /// The caller's own cgroup is not below the mount through which it sees the hierarchy.
    #[error("the caller's own cgroup lies outside of what {mount} shows", mount = .mount.display())]
    OwnCgroupHidden {
        /// The mount point of the hierarchy.
        mount: PathBuf,
    },
    /// `linux.cgroupsPath` names no cgroup that may be made.
    #[error("linux.cgroupsPath {path:?}: {why}")]
    Location {
        /// The value in `config.json`.
        path: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The host has no controller for a limit.
    #[error("{key}: the {controller} controller is not available on this host")]
    ControllerUnavailable {
        /// The field of `config.json`.
        key: Cow<'static, str>,
        /// The kernel's name of the controller.
        controller: Cow<'static, str>,
    },
    /// A limit that cgroup v2 does not know, on a host without the v1 controller.
    #[error("{key}: only cgroup v1 has this limit, and its {controller} controller is not in use on this host")]
    OnlyV1 {
        /// The field of `config.json`.
        key: Cow<'static, str>,
        /// The kernel's name of the v1 controller.
        controller: &'static str,
    },
    /// The controller is there, the file that takes the limit is not.
    #[error("{key}: the {controller} controller of this host has no {file}")]
    FileUnavailable {
        /// The field of `config.json`.
        key: Cow<'static, str>,
        /// The kernel's name of the controller.
        controller: Cow<'static, str>,
        /// The file that the kernel does not offer.
        file: Cow<'static, str>,
    },
    /// A value that cannot be translated for this host.
    #[error("{key} {value:?}: {why}")]
    Value {
        /// The field of `config.json`.
        key: Cow<'static, str>,
        /// What stands there.
        value: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A memory limit below what the container uses, where the bundle asks that such a one be refused.
    #[error("linux.resources.memory.limit: {limit} bytes are less than the {usage} in use (checkBeforeUpdate)")]
    BelowUsage {
        /// The limit in bytes.
        limit: i64,
        /// What is in use, in bytes.
        usage: i64,
    },
    /// The kernel refused a limit.
    #[error("{key}: could not write {value:?} to {path}", path = .path.display())]
    Limit {
        /// The field of `config.json`.
        key: Cow<'static, str>,
        /// The file.
        path: PathBuf,
        /// What was written, in the kernel's units.
        value: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A cgroup directory could not be made.
    #[error("could not make the cgroup {path}", path = .path.display())]
    Make {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The cgroup exists and holds processes or other cgroups.
    #[error("the cgroup {path} exists and is in use", path = .path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// The place lies inside of another container's cgroup, with which it would be killed.
    #[error("the cgroup {path} lies inside of {container}, which is a container's", path = .path.display(), container = .container.display())]
    InsideContainer {
        /// The directory.
        path: PathBuf,
        /// The other container's.
        container: PathBuf,
    },
    /// The systemd driver was asked for where it cannot work.
    #[error("--systemd-cgroup: {why}")]
    NoSystemd {
        /// What the host lacks.
        why: &'static str,
    },
    /// systemd did not do what it was asked for.
    #[error("systemd could not {operation} {unit}")]
    Systemd {
        /// `start`, `change` or `stop`.
        operation: &'static str,
        /// The scope.
        unit: String,
        /// Its answer.
        #[source]
        source: BusError,
    },
    /// The process that is to stand in a new scope could not be made.
    #[error("could not fork the process that holds a new scope")]
    Holder(#[source] io::Error),
    /// The scope is there, and its cgroup is not where such a scope lies.
    #[error("systemd did not make the cgroup {path}", path = .path.display())]
    Misplaced {
        /// Where it was expected.
        path: PathBuf,
        /// The kernel's answer; `None` when it is there, with somebody else in it.
        #[source]
        source: Option<io::Error>,
    },
    /// A cgroup directory could not be opened.
    #[error("could not open the cgroup {path}", path = .path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A controller could not be switched on for the children of a cgroup (v2).
    #[error("could not enable {controllers:?} in {path}", path = .path.display())]
    Enable {
        /// The ancestor's `cgroup.subtree_control`.
        path: PathBuf,
        /// What was written to it.
        controllers: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The processors or memory nodes of a parent could not be handed down (cpuset on v1).
    #[error("could not hand {file} of its parent down to {path}", path = .path.display())]
    Inherit {
        /// The new directory.
        path: PathBuf,
        /// The file.
        file: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A process could not be moved into the cgroup.
    #[error("could not move process {pid} into {path}", path = .path.display())]
    Attach {
        /// The directory.
        path: PathBuf,
        /// The process; 0 is the caller.
        pid: i32,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The cgroup could not be handed to the container's root.
    #[error("could not hand {path} to the container", path = .path.display())]
    Delegate {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The device rules could not be made effective.
    #[error("linux.resources.devices: could not {operation} the device program of {path}", path = .path.display())]
    DeviceProgram {
        /// The directory.
        path: PathBuf,
        /// `load` or `attach`.
        operation: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The cgroup could not be frozen or thawed.
    #[error("could not write {value} to {path}", path = .path.display())]
    Freeze {
        /// The file.
        path: PathBuf,
        /// What was written.
        value: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The kernel did not freeze every process in time.
    #[error("the processes of {path} did not freeze within {millis} ms", path = .path.display())]
    NotFrozen {
        /// The directory.
        path: PathBuf,
        /// The bound.
        millis: u128,
    },
    /// A process could not be killed.
    #[error("could not kill {what} of {path}", path = .path.display())]
    Kill {
        /// The directory.
        path: PathBuf,
        /// A process, or all of them.
        what: Cow<'static, str>,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Processes outlived `SIGKILL` for longer than the bound.
    #[error("{count} processes of {path} are still there {millis} ms after SIGKILL", path = .path.display())]
    StillAlive {
        /// The directory.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The bound.
        millis: u128,
    },
    /// A cgroup directory could not be removed.
    #[error("could not remove the cgroup {path}", path = .path.display())]
    Remove {
        /// The directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

impl CgroupError {
    /// The stable number of this error, 1400 to 1449.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Read { .. } => 1400,
            Self::NoHierarchy => 1401,
            Self::OwnCgroupHidden { .. } => 1402,
            Self::Location { .. } => 1403,
            Self::ControllerUnavailable { .. } => 1404,
            Self::FileUnavailable { .. } => 1405,
            Self::Value { .. } => 1406,
            Self::Limit { .. } => 1407,
            Self::Make { .. } => 1408,
            Self::Occupied { .. } => 1409,
            Self::Open { .. } => 1410,
            Self::Enable { .. } => 1411,
            Self::Inherit { .. } => 1412,
            Self::Attach { .. } => 1413,
            Self::DeviceProgram { .. } => 1414,
            Self::Freeze { .. } => 1415,
            Self::NotFrozen { .. } => 1416,
            Self::Kill { .. } => 1417,
            Self::StillAlive { .. } => 1418,
            Self::Remove { .. } => 1419,
            Self::OnlyV1 { .. } => 1420,
            Self::BelowUsage { .. } => 1421,
            Self::Delegate { .. } => 1430,
            Self::InsideContainer { .. } => 1422,
            Self::NoSystemd { .. } => 1423,
            Self::Systemd { .. } => 1424,
            Self::Holder(_) => 1425,
            Self::Misplaced { .. } => 1426,
            Self::NoRights { .. } => 1427,
            Self::Nowhere => 1428,
            Self::NoSubCgroup { .. } => 1431,
            Self::Unproven { .. } => 1429,
        }
    }

    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoRights { key } => {
                format!(
                    "remove {key}, run as root, or start in a delegated cgroup: systemd-run --user --scope -p Delegate=yes"
                )
            }
            Self::Nowhere => "create it as root, or in a cgroup that was delegated to this user".into(),
            Self::Unproven { .. } => "end what is in its cgroup.procs if it is the container's; then delete again".into(),
            Self::NoHierarchy => "mount cgroup2 on /sys/fs/cgroup".into(),
            Self::OwnCgroupHidden { .. } => {
                "give an absolute linux.cgroupsPath, or run in a cgroup namespace of your own".into()
            }
            Self::Location { .. } => "use a path such as /lazaret/ID, or leave linux.cgroupsPath out".into(),
            Self::ControllerUnavailable { key, .. } | Self::FileUnavailable { key, .. } | Self::OnlyV1 { key, .. } => {
                format!("remove {key} from config.json, or use a host whose kernel has it")
            }
            Self::Occupied { .. } => "choose another linux.cgroupsPath, or delete the container that uses it".into(),
            Self::InsideContainer { .. } => {
                "choose a linux.cgroupsPath beside the other container's; containers that belong together share a parent"
                    .into()
            }
            Self::NoSystemd { .. } => "leave --systemd-cgroup out, and set the engine's driver to cgroupfs".into(),
            Self::Systemd { unit, .. } => format!("see what systemd says of it: systemctl status {unit}"),
            Self::Enable { .. } => {
                "choose a linux.cgroupsPath whose parent holds no processes (\"no internal processes\", cgroups(7))"
                    .into()
            }
            Self::Make { source, .. } | Self::Attach { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run as root, or in a cgroup that was delegated to this user".into()
            }
            Self::Open { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "somebody else has removed it; the container can still be killed and deleted".into()
            }
            Self::Limit { source, .. } if source.raw_os_error() == Some(libc::EINVAL) => {
                "the value must lie within what the parent cgroup allows".into()
            }
            Self::StillAlive { .. } | Self::Remove { .. } => {
                "a process in an uninterruptible wait keeps its cgroup: see /proc/PID/stack, then delete again".into()
            }
            Self::Read { .. }
            | Self::Value { .. }
            | Self::BelowUsage { .. }
            | Self::Holder(_)
            | Self::NoSubCgroup { .. }
            | Self::Misplaced { .. }
            | Self::Limit { .. }
            | Self::Make { .. }
            | Self::Open { .. }
            | Self::Inherit { .. }
            | Self::Attach { .. }
            | Self::Delegate { .. }
            | Self::DeviceProgram { .. }
            | Self::Freeze { .. }
            | Self::NotFrozen { .. }
            | Self::Kill { .. } => return None,
        };
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn one_of_each() -> Vec<CgroupError> {
        let path = PathBuf::from("/c");
        let source = || io::Error::from_raw_os_error(libc::EPERM);
        vec![
            CgroupError::Read { path: path.clone(), source: source() },
            CgroupError::NoHierarchy,
            CgroupError::Nowhere,
            CgroupError::Unproven { path: path.clone() },
            CgroupError::OwnCgroupHidden { mount: path.clone() },
            CgroupError::Location { path: "/".into(), why: "w" },
            CgroupError::ControllerUnavailable { key: "k".into(), controller: "c".into() },
            CgroupError::FileUnavailable { key: "k".into(), controller: "c".into(), file: "f".into() },
            CgroupError::OnlyV1 { key: "k".into(), controller: "c" },
            CgroupError::Value { key: "k".into(), value: "v".into(), why: "w" },
            CgroupError::BelowUsage { limit: 1, usage: 2 },
            CgroupError::Limit { key: "k".into(), path: path.clone(), value: "v".into(), source: source() },
            CgroupError::Make { path: path.clone(), source: source() },
            CgroupError::Occupied { path: path.clone() },
            CgroupError::InsideContainer { path: path.clone(), container: path.clone() },
            CgroupError::NoSystemd { why: "w" },
            CgroupError::Systemd {
                operation: "start",
                unit: "u".into(),
                source: BusError::Protocol { member: "m".into() },
            },
            CgroupError::Holder(source()),
            CgroupError::Misplaced { path: path.clone(), source: None },
            CgroupError::Open { path: path.clone(), source: source() },
            CgroupError::Enable { path: path.clone(), controllers: "+cpu".into(), source: source() },
            CgroupError::Inherit { path: path.clone(), file: "cpuset.cpus", source: source() },
            CgroupError::Attach { path: path.clone(), pid: 1, source: source() },
            CgroupError::Delegate { path: path.clone(), source: source() },
            CgroupError::DeviceProgram { path: path.clone(), operation: "load", source: source() },
            CgroupError::Freeze { path: path.clone(), value: "1", source: source() },
            CgroupError::NotFrozen { path: path.clone(), millis: 1 },
            CgroupError::Kill { path: path.clone(), what: "process 1".into(), source: source() },
            CgroupError::StillAlive { path: path.clone(), count: 1, millis: 1 },
            CgroupError::Remove { path, source: source() },
        ]
    }

    #[test]
    fn codes_are_unique_and_in_range_and_messages_follow_the_house_style() {
        let errors = one_of_each();
        let codes: BTreeSet<u32> = errors.iter().map(CgroupError::code).collect();
        assert_eq!(codes.len(), errors.len());
        assert!(codes.iter().all(|code| (1400..1450).contains(code)));
        for error in &errors {
            let message = error.to_string();
            assert!(!message.ends_with('.') && !message.starts_with(char::is_uppercase), "{message}");
        }
    }
}
