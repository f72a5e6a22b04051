//! OCI bundles: a busybox root file system and a `config.json` like the one that `runc spec` writes, to be changed by
//! the test. Called by every host test; knows nothing of the runtimes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::programs;
use crate::scratch::Scratch;

/// A bundle on disk. `config.json` is written by [`Bundle::write`], which the runtime wrappers call.
#[derive(Debug)]
pub struct Bundle {
    scratch: Scratch,
    /// The configuration, as it will be written.
    pub config: Value,
}

/// All 41 capabilities but `CAP_SYS_RESOURCE`, which the machines of the tests do not have themselves.
const CAPABILITIES: &[&str] = &[
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
];

/// Capabilities that mean the machine and not the container: sandbox mode refuses them by name (row C12).
pub const MACHINE_CAPABILITIES: &[&str] =
    &["CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT", "CAP_SYS_TIME", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE"];

impl Bundle {
    /// A bundle that runs `/bin/true`.
    #[must_use]
    pub fn new() -> Self {
        let scratch = Scratch::new();
        make_rootfs(&scratch.join("rootfs"));
        let config = default_config(scratch.tag());
        Self { scratch, config }
    }

    /// A bundle that runs a shell line.
    #[must_use]
    pub fn shell(line: &str) -> Self {
        Self::new().args(&["/bin/sh", "-c", line])
    }

    /// A bundle that runs the hostile workload with these arguments.
    #[must_use]
    pub fn attacker(arguments: &[&str]) -> Self {
        let bundle = Self::new().args(&[&["/attacker"], arguments].concat());
        std::fs::copy(programs::attacker(), bundle.rootfs().join("attacker")).unwrap();
        bundle
    }

    /// Sets `process.args`.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.config["process"]["args"] = json!(arguments);
        self
    }

    /// Changes the configuration in place.
    #[must_use]
    pub fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.config);
        self
    }

    /// Adds a bind mount of `source` on `destination`.
    #[must_use]
    pub fn bind(self, source: &Path, destination: &str) -> Self {
        let options = if source.is_dir() { "rbind" } else { "bind" };
        let entry = json!({"type": "bind", "source": source, "destination": destination, "options": [options]});
        self.mount(entry)
    }

    /// Adds an entry of `mounts`.
    #[must_use]
    pub fn mount(mut self, entry: Value) -> Self {
        self.config["mounts"].as_array_mut().unwrap().push(entry);
        self
    }

    /// Makes the root writable (the default is read-only, as `runc spec` has it).
    #[must_use]
    pub fn writable(mut self) -> Self {
        self.config["root"]["readonly"] = json!(false);
        self
    }

    /// Leaves a namespace out of the list: the container gets the host's.
    #[must_use]
    pub fn without_namespace(mut self, kind: &str) -> Self {
        let list = self.config["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|entry| entry["type"] != kind);
        self
    }

    /// What a careless admin hands over: every capability, no filter, nothing masked, nothing read-only, all devices.
    #[must_use]
    pub fn lax(self) -> Self {
        self.lax_with(CAPABILITIES)
    }

    /// As [`Bundle::lax`], without the capabilities that sandbox mode refuses by name.
    #[must_use]
    pub fn lax_but_admissible(self) -> Self {
        let kept: Vec<&str> =
            CAPABILITIES.iter().filter(|name| !MACHINE_CAPABILITIES.contains(name)).copied().collect();
        let mut bundle = self.lax_with(&kept);
        bundle.config["linux"]["resources"].as_object_mut().unwrap().remove("devices");
        bundle
    }

    fn lax_with(mut self, capabilities: &[&str]) -> Self {
        let process = &mut self.config["process"];
        process["capabilities"] = json!({"bounding": capabilities, "effective": capabilities, "permitted": capabilities, "inheritable": capabilities});
        process["noNewPrivileges"] = json!(false);
        let linux = self.config["linux"].as_object_mut().unwrap();
        for key in ["maskedPaths", "readonlyPaths", "seccomp"] {
            linux.remove(key);
        }
        self.config["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}]);
        self.writable()
    }

    /// The bundle directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The root file system, on the host.
    #[must_use]
    pub fn rootfs(&self) -> PathBuf {
        self.scratch.join("rootfs")
    }

    /// The bundle's tag; its container gets it as id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.scratch.tag()
    }

    /// Writes `config.json`.
    ///
    /// # Panics
    /// When the disk is full.
    pub fn write(&self) {
        std::fs::write(self.path().join("config.json"), serde_json::to_vec_pretty(&self.config).unwrap()).unwrap();
    }
}

impl Default for Bundle {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a root file system of busybox alone.
///
/// # Panics
/// When busybox is not installed.
pub fn make_rootfs(root: &Path) {
    for directory in ["bin", "proc", "sys", "dev", "tmp", "mnt", "etc", "root", "home"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    let mode = |bits| <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(bits);
    std::fs::set_permissions(root.join("tmp"), mode(0o1777)).unwrap();
    std::fs::copy(programs::installed("busybox"), root.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(root.join("etc/hostname"), "image\n").unwrap();
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nuser:x:1000:\n").unwrap();
}

const APPLETS: &[&str] = &[
    "sh", "cat", "echo", "id", "ls", "mount", "umount", "true", "false", "sleep", "hostname", "env", "kill", "touch",
    "chown", "chmod", "stat", "readlink", "grep", "head", "wc", "printf", "mkdir", "rm", "cp", "mv", "ln", "test",
    "seq", "sync", "ps", "ip", "ping", "nc", "trap", "tty", "pwd", "dd", "mknod", "df", "uname", "tail", "sort", "tr",
    "cut",
];

fn default_config(tag: &str) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/true"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", format!("LAZARET_TEST={tag}")],
            "cwd": "/",
            "capabilities":
                {"bounding": capabilities, "effective": capabilities, "permitted": capabilities, "ambient": capabilities},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "sandbox",
        "mounts": default_mounts(),
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces":
                [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "cgroup"}],
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}

/// The mounts of `runc spec`, and a tmpfs on /tmp, so that work can be done over a read-only root.
fn default_mounts() -> Value {
    let plain = ["nosuid", "noexec", "nodev"];
    json!([
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": plain},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["mode=1777", "size=65536k"]}
    ])
}
