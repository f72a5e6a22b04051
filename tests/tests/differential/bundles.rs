//! The bundles that are compared: one variation of the usual configuration each.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use lazaret_tests::bundle::Bundle;
use lazaret_tests::{deadline, programs};
use serde_json::{Value, json};

/// A process in namespaces of its own, which the bundles join.
pub(crate) struct Namespaces(Child);

impl Namespaces {
    /// Starts it.
    pub(crate) fn new() -> Self {
        let mut command = Command::new(programs::installed("unshare"));
        command.args(["--net", "--ipc", "--uts", "sleep", "1000"]).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let own = std::fs::read_link("/proc/self/ns/uts").unwrap();
        let path = format!("/proc/{}/ns/uts", child.id());
        deadline::until("unshare", || std::fs::read_link(&path).is_ok_and(|other| other != own));
        Self(child)
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/{}/ns/{name}", self.0.id())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A bundle whose workload waits, in a cgroup that is named, so that it is the same for every runtime.
fn base() -> Bundle {
    let bundle = Bundle::new().args(&["/bin/sleep", "1000"]);
    let path = format!("/{}", bundle.id());
    bundle.edit(|config| config["linux"]["cgroupsPath"] = json!(path))
}

type Change = fn(&mut Value);

/// The variations that are one change of the configuration.
const CHANGES: &[(&str, Change)] = &[
    ("plain", |_| {}),
    ("user", |c| c["process"]["user"] = json!({"uid": 1000, "gid": 1001})),
    ("groups", |c| c["process"]["user"] = json!({"uid": 5, "gid": 6, "additionalGids": [10, 20, 4_000_000]})),
    ("umask", |c| c["process"]["user"] = json!({"uid": 0, "gid": 0, "umask": 0o077})),
    ("no-capabilities", |c| c["process"]["capabilities"] = json!({})),
    ("no-capability-section", |c| remove(&mut c["process"], "capabilities")),
    ("five-capability-sets", |c| {
        c["process"]["capabilities"] = json!({"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"],
            "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"], "inheritable": ["CAP_CHOWN"],
            "ambient": ["CAP_CHOWN"]});
    }),
    ("user-with-capabilities", |c| c["process"]["user"] = json!({"uid": 1000, "gid": 1000})),
    ("new-privileges", |c| c["process"]["noNewPrivileges"] = json!(false)),
    ("rlimits", |c| {
        c["process"]["rlimits"] = json!([{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_STACK", "soft": 4_194_304, "hard": 8_388_608}]);
    }),
    ("no-rlimits", |c| remove(&mut c["process"], "rlimits")),
    ("environment", |c| c["process"]["env"] = json!(["PATH=/bin", "EMPTY=", "TWICE=a", "TWICE=b", "SPACE=a b=c"])),
    ("environment-with-home", |c| c["process"]["env"] = json!(["PATH=/bin", "HOME=/elsewhere"])),
    ("cwd", |c| c["process"]["cwd"] = json!("/tmp")),
    ("cwd-to-be-made", |c| {
        c["root"]["readonly"] = json!(false);
        c["process"]["cwd"] = json!("/made/for/it");
    }),
    ("hostname", |c| c["hostname"] = json!("another")),
    ("no-hostname", |c| remove(c, "hostname")),
    ("writable-root", |c| c["root"]["readonly"] = json!(false)),
    ("no-masks", |c| {
        remove(&mut c["linux"], "maskedPaths");
        remove(&mut c["linux"], "readonlyPaths");
    }),
    ("other-masks", |c| {
        c["linux"]["maskedPaths"] = json!(["/etc/passwd", "/proc/cpuinfo", "/home", "/none"]);
        c["linux"]["readonlyPaths"] = json!(["/tmp", "/proc/sys/kernel"]);
    }),
    ("devices", |c| {
        c["linux"]["devices"] = json!([
            {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 1, "gid": 2},
            {"path": "/dev/deep/down", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600},
            {"path": "/dev/pipe", "type": "p", "fileMode": 0o622}]);
        c["linux"]["resources"]["devices"] = json!([{"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]);
    }),
    ("all-devices", |c| c["linux"]["resources"]["devices"] = json!([{"allow": true, "access": "rwm"}])),
    ("host-network", |c| without(c, "network")),
    ("host-pid", |c| without(c, "pid")),
    ("host-ipc", |c| without(c, "ipc")),
    ("host-uts", |c| {
        without(c, "uts");
        remove(c, "hostname");
    }),
    ("host-cgroup", |c| without(c, "cgroup")),
    ("user-namespace", |c| user_namespace(c, 65536)),
    ("small-user-namespace", |c| user_namespace(c, 10)),
    ("sysctl", |c| {
        c["linux"]["sysctl"] =
            json!({"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096000", "fs.mqueue.msg_max": "20"});
    }),
    ("memory", |c| c["linux"]["resources"]["memory"] = json!({"limit": 67_108_864, "reservation": 33_554_432})),
    ("pids", |c| c["linux"]["resources"]["pids"] = json!({"limit": 77})),
    ("cpu", |c| c["linux"]["resources"]["cpu"] = json!({"shares": 512, "quota": 50000, "period": 100_000})),
    ("cpuset", |c| c["linux"]["resources"]["cpu"] = json!({"cpus": "0", "mems": "0"})),
    ("oom-score", |c| c["process"]["oomScoreAdj"] = json!(500)),
    ("seccomp", |c| {
        c["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": ["personality", "ptrace"], "action": "SCMP_ACT_ERRNO"}]});
    }),
    ("mount-flags", |c| {
        mount(
            c,
            json!({"destination": "/mnt", "type": "tmpfs", "source": "x",
            "options": ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "size=1m", "mode=711"]}),
        );
    }),
    ("mount-times", |c| {
        mount(
            c,
            json!({"destination": "/mnt", "type": "tmpfs", "source": "x", "options": ["strictatime", "mode=700"]}),
        );
        mount(c, json!({"destination": "/home", "type": "tmpfs", "source": "x", "options": ["relatime"]}));
    }),
    ("bind", |c| {
        mount(c, json!({"destination": "/mnt", "type": "bind", "source": "rootfs/etc", "options": ["rbind", "ro"]}))
    }),
    ("bind-relative", |c| {
        mount(c, json!({"destination": "/mnt", "type": "bind", "source": "rootfs/etc", "options": ["bind"]}))
    }),
    ("bind-file", |c| {
        mount(
            c,
            json!({"destination": "/etc/group", "type": "bind", "source": "rootfs/etc/passwd",
            "options": ["bind", "nosuid", "nodev"]}),
        );
    }),
    ("bind-propagation", |c| {
        mount(c, json!({"destination": "/mnt", "type": "bind", "source": "rootfs/etc", "options": ["bind", "rslave"]}));
    }),
    ("root-propagation", |c| c["linux"]["rootfsPropagation"] = json!("slave")),
    ("no-dev", |c| {
        c["root"]["readonly"] = json!(false);
        mounts(c).retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    }),
    ("few-mounts", |c| {
        c["root"]["readonly"] = json!(false);
        mounts(c).retain(|mount| mount["destination"] == "/proc");
    }),
    ("no-cgroup-mount", |c| mounts(c).retain(|mount| mount["type"] != "cgroup")),
];

/// One bundle by name. Each runtime gets one of its own: what one leaves in the root file system is not the next one's.
pub(crate) struct Case<'a> {
    /// Its name.
    pub(crate) name: &'static str,
    make: Box<dyn Fn() -> Bundle + 'a>,
}

impl Case<'_> {
    /// A new bundle.
    pub(crate) fn make(&self) -> Bundle {
        let bundle = (self.make)();
        if self.name.ends_with("user-namespace") {
            // The mapped root must reach the root file system by its path.
            std::fs::set_permissions(bundle.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        }
        bundle
    }
}

/// Every case.
pub(crate) fn all(helper: &Namespaces) -> Vec<Case<'_>> {
    let changed = CHANGES.iter().map(|(name, change)| Case { name, make: Box::new(move || of_change(name, *change)) });
    let joined =
        [("joined-network", &[("network", "net")][..]), ("joined-uts-and-ipc", &[("uts", "uts"), ("ipc", "ipc")])];
    let joined = joined.into_iter().map(|(name, kinds)| Case { name, make: Box::new(move || joining(helper, kinds)) });
    changed.chain(joined).chain([Case { name: "tmpcopyup", make: Box::new(copying) }]).collect()
}

fn of_change(name: &str, change: Change) -> Bundle {
    let mut bundle = base().edit(change);
    let directory = bundle.path().to_owned();
    for mount in mounts(&mut bundle.config).iter_mut().filter(|mount| mount["type"] == "bind") {
        if name != "bind-relative" {
            mount["source"] = json!(directory.join(mount["source"].as_str().unwrap()));
        }
    }
    bundle
}

fn joining(helper: &Namespaces, kinds: &[(&str, &str)]) -> Bundle {
    base().edit(|config| {
        remove(config, "hostname");
        for (kind, file) in kinds {
            without(config, kind);
            let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.push(json!({"type": kind, "path": helper.path(file)}));
        }
    })
}

fn copying() -> Bundle {
    let options = ["tmpcopyup", "size=1m"];
    let bundle = base().mount(json!({"destination": "/data", "type": "tmpfs", "source": "x", "options": options}));
    let data = bundle.rootfs().join("data");
    std::fs::create_dir_all(data.join("sub")).unwrap();
    std::fs::write(data.join("sub/file"), "text").unwrap();
    std::fs::set_permissions(data.join("sub"), std::fs::Permissions::from_mode(0o1751)).unwrap();
    std::os::unix::fs::chown(data.join("sub/file"), Some(3), Some(4)).unwrap();
    std::os::unix::fs::symlink("sub/file", data.join("link")).unwrap();
    bundle
}

fn remove(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().remove(key);
}

fn without(config: &mut Value, kind: &str) {
    config["linux"]["namespaces"].as_array_mut().unwrap().retain(|entry| entry["type"] != kind);
}

fn mounts(config: &mut Value) -> &mut Vec<Value> {
    config["mounts"].as_array_mut().unwrap()
}

fn mount(config: &mut Value, entry: Value) {
    mounts(config).push(entry);
}

fn user_namespace(config: &mut Value, size: u32) {
    let ids = json!([{"containerID": 0, "hostID": 100_000, "size": size}]);
    config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
    config["linux"]["uidMappings"] = ids.clone();
    config["linux"]["gidMappings"] = ids;
}
