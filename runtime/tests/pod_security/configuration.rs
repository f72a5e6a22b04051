//! The checks of an OCI configuration: what containerd makes of a pod that each check forbids, and of its honest neighbour.

use lazaret::policy::pod_security::facts::Facts;
use lazaret::policy::pod_security::registry::{CHECKS, Exactness};
use lazaret::policy::pod_security::{self, Level, Standard, Version};
use serde_json::{Value, json};

type Change = fn(&mut Value);

/// A configuration as containerd's CRI plugin writes it for a pod of the level hardened.
fn hardened() -> Value {
    json!({
        "ociVersion": "1.2.0",
        "process": {
            "user": {"uid": 1000, "gid": 1000}, "args": ["app"], "cwd": "/", "noNewPrivileges": true,
            "apparmorProfile": "cri-containerd.apparmor.d",
            "selinuxLabel": "system_u:system_r:container_t:s0:c1,c2",
            "capabilities": {"bounding": [], "effective": [], "permitted": []},
        },
        "root": {"path": "rootfs", "readonly": true},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/etc/hosts", "type": "bind", "source": "/var/lib/kubelet/pods/u/etc-hosts", "options": ["rbind"]},
            {"destination": "/run/secrets", "type": "bind", "options": ["rbind", "ro"],
                "source": "/var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/token"},
            {"destination": "/data", "type": "bind", "options": ["rbind"],
                "source": "/var/lib/kubelet/pods/u/volumes/kubernetes.io~nfs/claimed"},
            {"destination": "/dev/shm", "type": "bind", "options": ["rbind"],
                "source": "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/s/shm"},
        ],
        "linux": {
            "namespaces": [{"type": "pid"}, {"type": "ipc", "path": "/proc/7/ns/ipc"}, {"type": "uts"},
                {"type": "mount"}, {"type": "network", "path": "/proc/7/ns/net"}],
            "resources": {"memory": {"limit": 1 << 20}, "cpu": {"quota": 10_000, "period": 100_000}},
            "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net/ipv4/ping_group_range": "0 1"},
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"},
        },
        "annotations": {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "web",
            "io.kubernetes.cri.sandbox-namespace": "shop"},
    })
}

fn facts(change: impl Fn(&mut Value)) -> Facts {
    let mut config = hardened();
    change(&mut config);
    Facts::of(&config, None, &|_, path| path.starts_with("/proc/1")).unwrap()
}

fn said(level: Level, minor: u32, change: Change) -> Vec<(&'static str, String)> {
    let verdict = pod_security::of_facts(Standard { level, version: Version::Minor(minor) }, &facts(change));
    verdict.violations.into_iter().map(|one| (one.check, format!("{} ({})", one.reason, one.detail))).collect()
}

fn user_namespace(config: &mut Value) {
    config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({"type": "user"}));
    config["linux"]["uidMappings"] = json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
}

/// A change of the configuration, and what the check says of it at the versions given.
const FORBIDDEN: &[(&str, &[u32], Change, &str)] = &[
    (
        "appArmorProfile",
        &[0, 37],
        |c| c["process"]["apparmorProfile"] = json!("unconfined"),
        "forbidden AppArmor profile (container \"web\" must not set AppArmor profile type to \"Unconfined\": process.apparmorProfile is unconfined)",
    ),
    (
        "capabilities_baseline",
        &[0, 37],
        |c| c["process"]["capabilities"]["bounding"] = json!(["CAP_CHOWN", "CAP_NET_RAW", "CAP_SYS_TIME"]),
        "non-default capabilities (container \"web\" must not include \"SYS_TIME\" in securityContext.capabilities.add: process.capabilities has them)",
    ),
    (
        "capabilities_baseline",
        &[0, 37],
        |c| c["process"]["capabilities"]["ambient"] = json!(["CAP_SYS_ADMIN"]),
        "non-default capabilities (container \"web\" must not include \"SYS_ADMIN\" in securityContext.capabilities.add: process.capabilities has them)",
    ),
    (
        "hostNamespaces",
        &[0, 37],
        |c| c["linux"]["namespaces"] = json!([{"type": "ipc"}, {"type": "network", "path": "/proc/1/ns/net"}]),
        "host namespaces (hostNetwork=true: /proc/1/ns/net in linux.namespaces is the host's, hostPID=true: linux.namespaces has no pid)",
    ),
    (
        "hostNamespaces",
        &[0, 37],
        |c| c["linux"]["namespaces"] = json!([{"type": "pid"}, {"type": "network"}]),
        "host namespaces (hostIPC=true: linux.namespaces has no ipc)",
    ),
    (
        "hostPathVolumes",
        &[0, 37],
        |c| c["mounts"] = json!([{"destination": "/h", "source": "/", "options": ["rbind"]}]),
        "hostPath volumes (volume \"/\": mounts binds them)",
    ),
    (
        "hostPathVolumes",
        &[0, 37],
        |c| c["mounts"] = json!([{"destination": "/h", "source": "/a", "type": "bind"}, {"destination": "/i", "source": "/b", "type": "bind"}]),
        "hostPath volumes (volumes \"/a\", \"/b\": mounts binds them)",
    ),
    (
        "privileged",
        &[0, 37],
        privileged,
        "privileged (container \"web\" must not set securityContext.privileged=true: process.capabilities has every capability, linux.maskedPaths and linux.seccomp are empty)",
    ),
    (
        "procMount",
        &[0, 34, 35, 37],
        |c| c["linux"]["maskedPaths"] = json!([]),
        "procMount (container \"web\" must not set securityContext.procMount to \"Unmasked\": linux.maskedPaths is empty)",
    ),
    (
        "procMount",
        &[0, 37],
        |c| c["linux"]["readonlyPaths"] = Value::Null,
        "procMount (container \"web\" must not set securityContext.procMount to \"Unmasked\": linux.readonlyPaths is empty)",
    ),
    (
        "procMount",
        &[0, 34],
        |c| {
            user_namespace(c);
            c["linux"]["maskedPaths"] = json!([]);
        },
        "procMount (container \"web\" must not set securityContext.procMount to \"Unmasked\": linux.maskedPaths is empty)",
    ),
    (
        "seLinuxOptions",
        &[0, 37],
        |c| c["process"]["selinuxLabel"] = json!("system_u:system_r:spc_t:s0"),
        "seLinuxOptions (container \"web\" set forbidden securityContext.seLinuxOptions: type \"spc_t\": process.selinuxLabel has them)",
    ),
    (
        "seLinuxOptions",
        &[0, 30],
        |c| c["process"]["selinuxLabel"] = json!("system_u:system_r:container_engine_t:s0"),
        "seLinuxOptions (container \"web\" set forbidden securityContext.seLinuxOptions: type \"container_engine_t\": process.selinuxLabel has them)",
    ),
    (
        "seLinuxOptions",
        &[0, 37],
        |c| c["process"]["selinuxLabel"] = json!("u:r:container_t:s0"),
        "seLinuxOptions (container \"web\" set forbidden securityContext.seLinuxOptions: user may not be set; role may not be set: process.selinuxLabel has them)",
    ),
    (
        "sysctls",
        &[0, 37],
        |c| c["linux"]["sysctl"]["kernel.msgmax"] = json!("1"),
        "forbidden sysctls (kernel.msgmax: linux.sysctl sets them)",
    ),
    (
        "sysctls",
        &[0, 31],
        |c| c["linux"]["sysctl"] = json!({"net/ipv4/tcp_rmem": "1"}),
        "forbidden sysctls (net.ipv4.tcp_rmem: linux.sysctl sets them)",
    ),
    (
        "allowPrivilegeEscalation",
        &[8, 25, 37],
        |c| c["process"]["noNewPrivileges"] = json!(false),
        "allowPrivilegeEscalation != false (container \"web\" must set securityContext.allowPrivilegeEscalation=false: process.noNewPrivileges is not true)",
    ),
    (
        "capabilities_restricted",
        &[22, 25, 37],
        |c| c["process"]["capabilities"]["bounding"] = json!(["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]),
        "unrestricted capabilities (container \"web\" must set securityContext.capabilities.drop=[\"ALL\"]; container \"web\" must not include \"CHOWN\" in securityContext.capabilities.add: process.capabilities has them)",
    ),
    (
        "procMount_restricted",
        &[35, 37],
        |c| {
            user_namespace(c);
            c["linux"]["maskedPaths"] = json!([]);
        },
        "procMount (container \"web\" must not set securityContext.procMount to \"Unmasked\": linux.maskedPaths is empty)",
    ),
    (
        "restrictedVolumes",
        &[0, 37],
        |c| {
            c["mounts"] = json!([{"destination": "/h", "source": "/x", "type": "bind"},
            {"destination": "/g", "source": "/var/lib/kubelet/pods/u/volumes/kubernetes.io~git-repo/g", "type": "bind"}])
        },
        "restricted volume types (volumes \"/x\", \"/g\" use restricted volume types \"gitRepo\", \"hostPath\": mounts binds them)",
    ),
    (
        "runAsNonRoot",
        &[0, 34, 35, 37],
        |c| c["process"]["user"]["uid"] = json!(0),
        "runAsNonRoot != true (pod or container \"web\" must set securityContext.runAsNonRoot=true: process.user.uid is 0)",
    ),
    (
        "runAsNonRoot",
        &[0, 34],
        |c| {
            user_namespace(c);
            c["process"]["user"]["uid"] = json!(0);
        },
        "runAsNonRoot != true (pod or container \"web\" must set securityContext.runAsNonRoot=true: process.user.uid is 0)",
    ),
    (
        "runAsUser",
        &[23, 34, 35, 37],
        |c| c["process"]["user"]["uid"] = json!(0),
        "runAsUser=0 (container \"web\" must not set runAsUser=0: process.user.uid is 0)",
    ),
    (
        "seccompProfile_restricted",
        &[19, 25, 37],
        |c| c["linux"]["seccomp"] = Value::Null,
        "seccompProfile (pod or container \"web\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\": linux.seccomp is absent)",
    ),
    (
        "hardened/limits",
        &[0, 37],
        |c| c["linux"]["resources"] = json!({"memory": {"limit": -1}}),
        "no limits (container \"web\" must set resources.limits for \"cpu\", \"memory\": linux.resources sets none)",
    ),
    (
        "hardened/netRaw",
        &[0, 37],
        |c| c["process"]["capabilities"]["bounding"] = json!(["CAP_NET_RAW"]),
        "NET_RAW (container \"web\" must drop \"NET_RAW\" or \"ALL\" and add neither: process.capabilities has it)",
    ),
    (
        "hardened/runAsNonRoot",
        &[0, 37],
        |c| {
            user_namespace(c);
            c["process"]["user"]["uid"] = json!(0);
        },
        "runAsNonRoot != true (pod or container \"web\" must set securityContext.runAsNonRoot=true: process.user.uid is 0)",
    ),
    (
        "hardened/readOnlyRootFilesystem",
        &[0, 37],
        |c| c["root"]["readonly"] = json!(false),
        "writable root file system (container \"web\" must set securityContext.readOnlyRootFilesystem=true: root.readonly is not true)",
    ),
];

fn privileged(config: &mut Value) {
    let every: Vec<&str> = lazaret::spec::capability_names(u64::MAX >> 23).collect();
    config["process"]["capabilities"]["bounding"] = json!(every);
    config["linux"]["maskedPaths"] = json!([]);
    config["linux"]["seccomp"] = Value::Null;
}

/// What is allowed although it comes near to what is not: at these versions nothing at all is said.
const ALLOWED: &[(Level, &[u32], Change)] = &[
    (Level::Hardened, &[0, 8, 19, 22, 23, 25, 31, 34, 35, 37], |_| {}),
    (Level::Hardened, &[0, 37], |c| c["process"]["capabilities"]["bounding"] = json!(["CAP_NET_BIND_SERVICE"])),
    (Level::Baseline, &[0, 37], |c| {
        c["process"]["capabilities"]["bounding"] = json!(["CAP_NET_RAW", "CAP_MKNOD", "CAP_SETUID"])
    }),
    (Level::Baseline, &[0, 37], |c| c["linux"]["seccomp"] = Value::Null),
    (Level::Baseline, &[35, 37], |c| {
        user_namespace(c);
        c["linux"]["maskedPaths"] = json!([]);
    }),
    (Level::Baseline, &[31, 37], |c| c["process"]["selinuxLabel"] = json!("system_u:system_r:container_engine_t:s0")),
    (Level::Baseline, &[0, 37], |c| {
        c["process"]["selinuxLabel"] = Value::from("");
        c["process"]["apparmorProfile"] = Value::from("");
    }),
    (Level::Baseline, &[27, 37], |c| c["linux"]["sysctl"] = json!({"net.ipv4.ip_local_reserved_ports": "1"})),
    (Level::Restricted, &[35, 37], |c| {
        user_namespace(c);
        c["process"]["user"]["uid"] = json!(0);
    }),
    (Level::Restricted, &[0, 37], |c| {
        c["root"]["readonly"] = json!(false);
        c["linux"]["resources"] = json!({});
    }),
    (Level::Restricted, &[0, 7], |c| c["process"]["noNewPrivileges"] = json!(false)),
    (Level::Restricted, &[0, 18], |c| c["linux"]["seccomp"] = Value::Null),
    (Level::Restricted, &[0, 21], |c| c["process"]["capabilities"]["bounding"] = json!(["CAP_CHOWN"])),
    (Level::Privileged, &[0, 37], privileged),
];

#[test]
fn each_check_sees_what_it_can_see() {
    for (check, minors, change, expected) in FORBIDDEN {
        let level = CHECKS.iter().find(|row| row.id == *check).unwrap().level;
        for minor in *minors {
            let found = said(level, *minor, *change);
            let own = found.iter().find(|(id, _)| id == check).map(|(_, text)| text.as_str());
            assert_eq!(own, Some(*expected), "{check} at v1.{minor}: {found:?}");
        }
    }
    for (level, minors, change) in ALLOWED {
        for minor in *minors {
            assert_eq!(said(*level, *minor, *change), [], "{level}:v1.{minor}");
        }
    }
}

#[test]
fn every_check_that_sees_anything_has_a_case() {
    for check in CHECKS {
        let has = FORBIDDEN.iter().any(|(id, ..)| *id == check.id);
        assert_eq!(has, !matches!(check.exactness, Exactness::Invisible(_)), "{}", check.id);
    }
}

#[test]
fn of_the_pods_first_container_only_what_is_the_pods_counts() {
    let change = |config: &mut Value| {
        privileged(config);
        config["process"]["user"]["uid"] = json!(0);
        config["annotations"]["io.kubernetes.cri.container-type"] = json!("sandbox");
    };
    let standard = "restricted".parse().unwrap();
    assert!(pod_security::of_facts(standard, &facts(change)).is_allowed());
    let found = pod_security::of_facts(
        standard,
        &facts(|config| {
            change(config);
            config["linux"]["namespaces"] = json!([{"type": "network"}, {"type": "ipc"}]);
            config["linux"]["sysctl"] = json!({"kernel.sem": "1"});
        }),
    );
    assert_eq!(found.violations.iter().map(|one| one.check).collect::<Vec<_>>(), ["hostNamespaces", "sysctls"]);
}
