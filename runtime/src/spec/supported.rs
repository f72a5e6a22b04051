//! What of the runtime specification this build obeys, for `features`.
//!
//! Nothing here is a second list of what is implemented. Keys and mount options are told from the tables that the checks
//! use; names of namespaces and of seccomp are put to the check itself, one by one, and those that it takes are reported.

use serde_json::{Value, json};

use super::{capability, kernel_view, list, mount_option, namespaces, schema, seccomp, version};
use crate::bundle::Bundle;

/// The namespaces of the specification (config-linux.md, "Namespaces"), each put to the check.
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];
/// The seccomp actions of the specification, each put to the check.
const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];
/// The seccomp comparisons of the specification, each put to the check.
const OPERATORS: [&str; 7] =
    ["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"];
/// The seccomp architectures of the specification, each put to the check.
const ARCHITECTURES: [&str; 23] = [
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];
/// The flags of `seccomp(2)` that the specification names, each put to the check.
pub const SECCOMP_FLAGS: [&str; 4] = [
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

/// The modes of a memory policy in the specification, each put to the check.
const MEMORY_MODES: [&str; 7] = [
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];
/// The flags of a memory policy in the specification, each put to the check.
const MEMORY_FLAGS: [&str; 3] = ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];

/// The hooks that are run, by their keys.
#[must_use]
pub fn hooks() -> Vec<&'static str> {
    schema::implemented_hooks().collect()
}

/// The mount options that are obeyed, sorted.
#[must_use]
pub fn mount_options() -> Vec<&'static str> {
    let mut names: Vec<&str> = mount_option::obeyed().collect();
    names.sort_unstable();
    names
}

/// The capabilities that are known, in the order of their numbers.
#[must_use]
pub fn capabilities() -> Vec<&'static str> {
    capability::names(u64::MAX).collect()
}

/// The namespaces that a container can have.
#[must_use]
pub fn namespaces() -> Vec<&'static str> {
    let taken = |name: &&str| {
        takes(&json!({ "namespaces": [{ "type": *name }] }), |bundle| {
            let linux = bundle.spec().linux().as_ref();
            namespaces::check(bundle, list(linux, oci_spec::runtime::Linux::namespaces)).is_ok()
        })
    };
    NAMESPACES.into_iter().filter(taken).collect()
}

/// The actions of a seccomp profile that are obeyed.
#[must_use]
pub fn seccomp_actions() -> Vec<&'static str> {
    let rule = |action: &str| json!({ "listenerPath": "/a", "syscalls": [{ "names": ["read"], "action": action }] });
    ACTIONS.into_iter().filter(|action| takes_profile(rule(action))).collect()
}

/// The comparisons of a seccomp profile that are obeyed.
#[must_use]
pub fn seccomp_operators() -> Vec<&'static str> {
    let rule = |operator: &str| {
        let check = json!({ "index": 0, "value": 1, "valueTwo": 1, "op": operator });
        json!({ "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [check] }] })
    };
    OPERATORS.into_iter().filter(|operator| takes_profile(rule(operator))).collect()
}

/// The architectures that a seccomp profile may list.
#[must_use]
pub fn seccomp_architectures() -> Vec<&'static str> {
    ARCHITECTURES.into_iter().filter(|name| takes_profile(json!({ "architectures": [*name] }))).collect()
}

/// Those of [`SECCOMP_FLAGS`] that are obeyed.
#[must_use]
pub fn seccomp_flags() -> Vec<&'static str> {
    // One of them belongs to a listener.
    let rule = json!([{ "names": ["read"], "action": "SCMP_ACT_NOTIFY" }]);
    let profile = |flag: &str| json!({ "flags": [flag], "listenerPath": "/a", "syscalls": rule });
    SECCOMP_FLAGS.into_iter().filter(|flag| takes_profile(profile(flag))).collect()
}

/// The modes of a memory policy that are obeyed.
#[must_use]
pub fn memory_modes() -> Vec<&'static str> {
    let taken = |mode: &&str| {
        let nodes = [Value::Null, json!("0")];
        nodes.into_iter().any(|nodes| takes_memory_policy(json!({ "mode": *mode, "nodes": nodes })))
    };
    MEMORY_MODES.into_iter().filter(taken).collect()
}

/// The flags of a memory policy that are obeyed.
#[must_use]
pub fn memory_flags() -> Vec<&'static str> {
    let policy = |flag: &str| json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": [flag] });
    MEMORY_FLAGS.into_iter().filter(|flag| takes_memory_policy(policy(flag))).collect()
}

fn takes_memory_policy(policy: Value) -> bool {
    takes(&json!({ "memoryPolicy": policy }), |bundle| {
        kernel_view::memory_policy(bundle, bundle.spec().linux().as_ref()).is_ok()
    })
}

/// Whether the key of `config.json` at `path` (`["linux", "intelRdt"]`) is implemented.
#[must_use]
pub fn key(path: &[&str]) -> bool {
    schema::implements(path)
}

/// Whether a refusing profile with `more` compiles.
fn takes_profile(more: Value) -> bool {
    let mut profile = json!({ "defaultAction": "SCMP_ACT_ERRNO" });
    if let (Value::Object(profile), Value::Object(more)) = (&mut profile, more) {
        profile.extend(more);
    }
    takes(&json!({ "seccomp": profile }), |bundle| {
        schema::refuse_unsupported(bundle).is_ok() && seccomp::check(bundle, bundle.spec().linux().as_ref()).is_ok()
    })
}

/// Whether `check` takes a bundle with this `linux` section. What `oci_spec` cannot read is not taken either.
fn takes(linux: &Value, check: impl Fn(&Bundle) -> bool) -> bool {
    let config = json!({ "ociVersion": version::NEWEST, "linux": linux });
    Bundle::parse("/".into(), config.to_string()).is_ok_and(|bundle| check(&bundle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_are_those_of_the_checks() {
        assert_eq!(namespaces(), NAMESPACES);
        assert_eq!(seccomp_operators(), OPERATORS);
        assert_eq!(seccomp_actions(), ACTIONS);
        assert_eq!((memory_modes(), memory_flags()), (MEMORY_MODES.to_vec(), MEMORY_FLAGS.to_vec()));
        assert_eq!(seccomp_architectures(), ARCHITECTURES);
        assert_eq!(seccomp_flags(), SECCOMP_FLAGS);
        assert_eq!(hooks().len(), 6);
        assert!(!takes_profile(json!({ "architectures": ["SCMP_ARCH_NONSENSE"] })));
        assert!(mount_options().contains(&"rro") && !mount_options().contains(&"remount"));
        assert_eq!(capabilities().first(), Some(&"CAP_CHOWN"));
    }
}
