//! The bundles that every runtime is given: a busybox root file system, and the `config.json` of `runc spec` with one
//! command and no terminal.
//!
//! Called by `bench-start`. All contenders run the very same files.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thiserror::Error;

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The host lacks it.
    #[error("no busybox on this host (Debian: apt install busybox-static)")]
    NoBusybox,
    /// A file or directory could not be made.
    #[error("cannot write {path}")]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where distributions put it.
const BUSYBOX: &[&str] = &["/usr/bin/busybox", "/bin/busybox", "/usr/local/bin/busybox"];

/// What the standard mounts need, and where busybox goes.
const DIRECTORIES: &[&str] = &["bin", "dev", "etc", "proc", "root", "sys", "tmp"];

/// Finds the host's busybox. It has to be the static one: it is all that there is in the root file system.
///
/// # Errors
/// [`BundleError::NoBusybox`].
pub fn busybox() -> Result<&'static Path, BundleError> {
    BUSYBOX.iter().map(Path::new).find(|path| path.exists()).ok_or(BundleError::NoBusybox)
}

/// Makes the bundle of `command` in `directory`, which does not exist yet, with a `cgroupsPath` if there is one to name.
///
/// # Errors
/// [`BundleError`] when busybox is missing or the disk refuses.
pub fn make(directory: &Path, command: &[&str], cgroups_path: Option<&str>) -> Result<(), BundleError> {
    let busybox = busybox()?;
    let rootfs = directory.join("rootfs");
    for name in DIRECTORIES {
        let path = rootfs.join(name);
        written(&path, std::fs::create_dir_all(&path))?;
    }
    let program = rootfs.join("bin/busybox");
    written(&program, std::fs::copy(busybox, &program).map(|_bytes| ()))?;
    for applet in ["sh", "sleep", "true"] {
        let path = rootfs.join("bin").join(applet);
        written(&path, symlink("busybox", &path))?;
    }
    let path = directory.join("config.json");
    let mut config = config(command);
    if let (Some(wanted), Some(linux)) = (cgroups_path, config.get_mut("linux").and_then(Value::as_object_mut)) {
        linux.insert("cgroupsPath".to_owned(), json!(wanted));
    }
    written(&path, std::fs::write(&path, config.to_string()))
}

fn written(path: &Path, result: io::Result<()>) -> Result<(), BundleError> {
    result.map_err(|source| BundleError::Write { path: path.to_owned(), source })
}

fn config(command: &[&str]) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": command,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities":
                {"bounding": capabilities, "effective": capabilities, "permitted": capabilities, "ambient": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "bench",
        "mounts": mounts(),
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

fn mounts() -> Value {
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
    ])
}
