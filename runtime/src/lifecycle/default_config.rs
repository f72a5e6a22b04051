//! `spec`: a first `config.json` to start a bundle from.
//!
//! It is tighter than runc's: a read-only root, no way to gain privileges, no capability but those that a service on a low
//! port needs, a limit on processes, and no terminal, so that `run` works as it is also in a pipe.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bundle::CONFIG_NAME;
use crate::error::Error;
use crate::spec;

/// Capabilities of the first process.
const CAPABILITIES: [&str; 2] = ["CAP_KILL", "CAP_NET_BIND_SERVICE"];
/// Files of the kernel that tell about the host or change it (those that runc and containerd mask).
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];
/// Files of the kernel that a container may read.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// Most processes and threads.
const PIDS: u32 = 1024;
/// Most open files of a process.
const FILES: u32 = 1024;

/// Why the file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// There is one already. The first words are runc's.
    #[error("File {CONFIG_NAME} exists in {path}", path = .path.display())]
    Exists {
        /// The bundle's directory.
        path: PathBuf,
    },
    /// It could not be written.
    #[error("could not write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl ConfigFileError {
    /// Stable number of this error, 1038-1039.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Exists { .. } => 1038,
            Self::Write { .. } => 1039,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("remove it first, or name another directory with --bundle".to_owned()),
            Self::Write { .. } => None,
        }
    }
}

/// Writes the configuration into the directory `bundle`.
///
/// # Errors
/// [`ConfigFileError::Exists`], and nothing is changed then; [`ConfigFileError::Write`].
pub fn write_default_config(bundle: &Path) -> Result<(), Error> {
    let path = bundle.join(CONFIG_NAME);
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ConfigFileError::Exists { path: bundle.to_owned() }.into());
        }
        Err(source) => return Err(ConfigFileError::Write { path, source }.into()),
    };
    let text = format!("{:#}\n", default_config());
    file.write_all(text.as_bytes()).map_err(|source| ConfigFileError::Write { path, source }.into())
}

fn default_config() -> Value {
    json!({
        "ociVersion": spec::NEWEST_VERSION,
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES,
                "effective": CAPABILITIES,
                "permitted": CAPABILITIES,
            },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": FILES, "soft": FILES }],
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "lazaret",
        "mounts": mounts(),
        "linux": {
            "resources": {
                "devices": [{ "allow": false, "access": "rwm" }],
                "pids": { "limit": PIDS },
            },
            "namespaces": [
                { "type": "pid" },
                { "type": "network" },
                { "type": "ipc" },
                { "type": "uts" },
                { "type": "mount" },
                { "type": "cgroup" },
            ],
            "maskedPaths": MASKED,
            "readonlyPaths": READONLY,
        },
    })
}

fn mounts() -> Value {
    let mount = |destination: &str, kind: &str, options: &[&str]| json!({ "destination": destination, "type": kind, "source": kind, "options": options });
    json!([
        mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", &["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/tmp", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;

    #[test]
    fn the_configuration_passes_the_checks() {
        let bundle = Bundle::parse("/b".into(), default_config().to_string()).unwrap();
        let container = spec::check_without_machine(&bundle).unwrap();
        assert!(container.rootfs_readonly && container.process.no_new_privileges && !container.process.terminal);
        assert_eq!(container.resources.pids_limit, Some(PIDS.into()));
    }

    #[test]
    fn a_file_that_exists_is_left_alone() {
        let directory = std::env::temp_dir().join(format!("lazaret-spec-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        write_default_config(&directory).unwrap();
        let written = std::fs::read(directory.join(CONFIG_NAME)).unwrap();
        let error = write_default_config(&directory).unwrap_err();
        assert!(error.to_string().starts_with("File config.json exists"), "{error}");
        assert_eq!(error.code(), 1038);
        assert_eq!(std::fs::read(directory.join(CONFIG_NAME)).unwrap(), written);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
