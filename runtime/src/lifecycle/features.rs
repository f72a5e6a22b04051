//! `features`: what this build can do, as JSON (runtime-spec, features.md and features-linux.md).
//!
//! Every list comes from the code that implements it ([`supported`]); nothing depends on the host. The specification tells
//! an empty list (nothing) from an absent one (unknown), so all are there.

use serde_json::{Value, json};

use crate::annotations::{ANNOTATIONS, PREFIX};
use crate::cgroup;
use crate::options::Mode;
use crate::spec::{self, supported};

/// The features of this build.
#[must_use]
pub fn features() -> Value {
    let modes = Mode::ALL.iter().map(|mode| mode.name()).collect::<Vec<_>>().join(",");
    json!({
        "ociVersionMin": spec::OLDEST_VERSION,
        "ociVersionMax": spec::NEWEST_VERSION,
        "hooks": supported::hooks(),
        "mountOptions": supported::mount_options(),
        "linux": linux(),
        "annotations": {
            "dev.lazaret.version": env!("CARGO_PKG_VERSION"),
            "dev.lazaret.modes": modes,
            "dev.lazaret.config-annotations": config_annotations().collect::<Vec<_>>().join(","),
            "org.opencontainers.runc.checkpoint.enabled": "false",
        },
        // None loosens anything unless the node's configuration lists it.
        "potentiallyUnsafeConfigAnnotations": config_annotations().collect::<Vec<_>>(),
    })
}

/// The annotations of a bundle that change how it is confined.
fn config_annotations() -> impl Iterator<Item = String> {
    ANNOTATIONS.iter().map(|annotation| format!("{PREFIX}{}", annotation.name))
}

fn linux() -> Value {
    let key = supported::key;
    json!({
        "namespaces": supported::namespaces(),
        "capabilities": supported::capabilities(),
        "cgroup": {
            "v1": true,
            "v2": true,
            "systemd": cgroup::HAS_SYSTEMD_DRIVER,
            "systemdUser": false,
            "rdma": key(&["linux", "resources", "rdma"]),
        },
        "seccomp": {
            "enabled": key(&["linux", "seccomp"]),
            "actions": supported::seccomp_actions(),
            "operators": supported::seccomp_operators(),
            "archs": supported::seccomp_architectures(),
            "knownFlags": supported::SECCOMP_FLAGS,
            "supportedFlags": supported::seccomp_flags(),
        },
        "apparmor": { "enabled": key(&["process", "apparmorProfile"]) },
        "selinux": { "enabled": key(&["process", "selinuxLabel"]) },
        "intelRdt": { "enabled": key(&["linux", "intelRdt"]) },
        "mountExtensions": { "idmap": { "enabled": key(&["mounts", "uidMappings"]) } },
        "memoryPolicy": { "modes": supported::memory_modes(), "flags": supported::memory_flags() },
        "netDevices": { "enabled": key(&["linux", "netDevices"]) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_specification_requires_is_there() {
        let features = features();
        assert!(features["ociVersionMin"].is_string() && features["ociVersionMax"].is_string());
        for pointer in ["/hooks", "/mountOptions", "/linux/namespaces", "/linux/seccomp/archs"] {
            assert!(features.pointer(pointer).is_some_and(Value::is_array), "{pointer}");
        }
        assert_eq!(features.pointer("/linux/mountExtensions/idmap/enabled"), Some(&Value::Bool(true)));
        assert_eq!(features.pointer("/linux/selinux/enabled"), Some(&Value::Bool(false)));
        assert!(features["annotations"].as_object().unwrap().values().all(Value::is_string));
    }
}
