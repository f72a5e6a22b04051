//! `linux.sysctl`: only sysctls that the kernel keeps per namespace, and only when that namespace is the container's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::runtime::Linux;

use super::container::{Namespace, Namespaces};
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::member;

/// The sysctls of the IPC namespace below `kernel.` (ipc_namespaces(7)).
const IPC: &[&str] = &[
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The checked sysctls, keys in dotted form: a component's own dot (`eth0.100`) is written as a slash.
pub(super) fn check(
    bundle: &Bundle,
    linux: Option<&Linux>,
    namespaces: &Namespaces,
) -> Result<BTreeMap<String, String>, SpecError> {
    let mut sysctls = BTreeMap::new();
    for (written, value) in linux.and_then(|linux| linux.sysctl().as_ref()).into_iter().flatten() {
        let at = || member("linux.sysctl", written);
        let Some(key) = dotted(written) else {
            return text::invalid(bundle, &at(), "not the name of a sysctl");
        };
        if let Some(rule) = refusal(&key, namespaces) {
            return Err(SpecError::Sysctl { field: bundle.field(&at()), key, rule });
        }
        if value.contains('\0') {
            return text::invalid(bundle, &at(), "contains a NUL byte");
        }
        if sysctls.insert(key, value.clone()).is_some() {
            return Err(SpecError::Duplicate { field: bundle.field(&at()), what: "a sysctl" });
        }
    }
    Ok(sysctls)
}

/// Where a key of [`super::container::Container::sysctl`] stands below `/proc/sys`, as a relative path.
#[must_use]
pub fn path_below_proc_sys(key: &str) -> PathBuf {
    PathBuf::from(swap_separators(key))
}

/// `written` in dotted form, whichever separator it uses (sysctl(8): the first one that appears decides). Every component
/// must be a plain name: `net.//.kernel.core_pattern` would climb to the host's sysctls.
fn dotted(written: &str) -> Option<String> {
    let first = written.find(['.', '/'])?;
    let key = if written.get(first..)?.starts_with('/') { swap_separators(written) } else { written.to_owned() };
    let plain = |component: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "_-:@%/".contains(c);
        !component.is_empty() && component.chars().all(known) && !component.chars().all(|c| c == '/')
    };
    key.split('.').all(plain).then_some(key)
}

fn swap_separators(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect()
}

/// Why `key` is refused, in runc's words; `None` when it is the container's own.
fn refusal(key: &str, namespaces: &Namespaces) -> Option<&'static str> {
    if IPC.contains(&key) || key.starts_with("fs.mqueue.") {
        return (namespaces.ipc == Namespace::Host).then_some("is not allowed in the hosts ipc namespace");
    }
    if key.starts_with("net.") {
        return (namespaces.network == Namespace::Host).then_some("not allowed in host network namespace");
    }
    Some(match key {
        "kernel.hostname" => "is not allowed as it conflicts with the OCI \"hostname\" field",
        "kernel.domainname" => "is not allowed as it conflicts with the OCI \"domainname\" field",
        _ => "is not in a separate kernel namespace",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::json;

    fn checked(key: &str, namespaces: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let bundle = testing::bundle(|config| {
            config["linux"]["sysctl"] = json!({ key: "1" });
            config["linux"]["namespaces"] =
                namespaces.iter().chain(&["uts"]).map(|kind| json!({ "type": kind })).collect();
        });
        crate::spec::check_with(&bundle, false).map(|container| container.sysctl).map_err(|error| error.to_string())
    }

    #[test]
    fn sysctls_of_own_namespaces_are_accepted_in_either_notation() {
        for (key, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
            ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
            ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
            ("kernel/shmmax", "kernel/shmmax"),
        ] {
            let sysctls = checked(key, &["network", "ipc"]).unwrap();
            let (key, _) = sysctls.first_key_value().unwrap();
            assert_eq!(path_below_proc_sys(key), PathBuf::from(path));
        }
        for key in IPC {
            assert!(checked(key, &["ipc"]).is_ok(), "{key}");
        }
    }

    #[test]
    fn sysctls_of_the_host_are_refused_in_runcs_words() {
        for (key, words) in [
            ("kernel.core_pattern", "is not in a separate kernel namespace"),
            ("vm.swappiness", "is not in a separate kernel namespace"),
            ("user.max_user_namespaces", "is not in a separate kernel namespace"),
            ("kernel.hostname", "conflicts with the OCI \"hostname\" field"),
            ("kernel.domainname", "conflicts with the OCI \"domainname\" field"),
            ("net.core.somaxconn", "not allowed in host network namespace"),
            ("kernel.msgmax", "is not allowed in the hosts ipc namespace"),
            ("fs/mqueue/msg_max", "is not allowed in the hosts ipc namespace"),
        ] {
            let text = checked(key, &["pid"]).unwrap_err();
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn names_that_climb_are_no_sysctls() {
        for key in [
            "net.//.kernel.core_pattern",
            "net/../kernel/core_pattern",
            "net..kernel",
            "net.ipv4./",
            "/net/x",
            "net.\u{0}",
            "net.a b",
            "net",
            "",
        ] {
            let text = checked(key, &["network", "ipc"]).unwrap_err();
            assert!(text.contains("not the name of a sysctl"), "{key}: {text}");
        }
    }
}
