//! `process.capabilities`: names to bit masks.

use oci_spec::runtime::LinuxCapabilities;
use serde_json::Value;

use super::container::Capabilities;
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

/// Names in the order of their numbers (`include/uapi/linux/capability.h`, Linux 6.18: 41 capabilities).
const NAMES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The capabilities of `mask` by name, in the order of their numbers. Bits without a name are left out.
pub fn names(mask: u64) -> impl Iterator<Item = &'static str> {
    NAMES.iter().enumerate().filter(move |(number, _)| mask & (1 << number) != 0).map(|(_, name)| *name)
}

/// The mask of one capability; `None` for an unknown name.
pub(crate) fn mask_of(name: &str) -> Option<u64> {
    NAMES.iter().position(|known| *known == name).map(|number| 1 << number)
}

/// The five sets. Absent sets are empty. The ambient set is cut to what is permitted and inheritable: the kernel has no
/// other ambient capabilities, and bundles of `runc spec` ask for ambient ones without inheritable ones.
pub(super) fn check(bundle: &Bundle, asked: Option<&LinuxCapabilities>) -> Result<Capabilities, SpecError> {
    if asked.is_none() {
        return Ok(Capabilities::default());
    }
    let set = |name: &str| mask(bundle, name);
    let sets = Capabilities {
        bounding: set("bounding")?,
        effective: set("effective")?,
        inheritable: set("inheritable")?,
        permitted: set("permitted")?,
        ambient: set("ambient")?,
    };
    if sets.effective & !sets.permitted != 0 {
        return text::invalid(bundle, "process.capabilities.effective", "holds a capability that is not permitted");
    }
    Ok(Capabilities { ambient: sets.ambient & sets.permitted & sets.inheritable, ..sets })
}

/// One set, from the raw JSON: `oci_spec` takes any spelling, and a spelling that other runtimes refuse is a mistake.
fn mask(bundle: &Bundle, set: &str) -> Result<u64, SpecError> {
    let path = format!("process.capabilities.{set}");
    let listed = bundle.raw().pointer(&format!("/process/capabilities/{set}")).and_then(Value::as_array);
    let mut mask = 0;
    for (index, name) in listed.into_iter().flatten().enumerate() {
        let Some(bit) = name.as_str().and_then(mask_of) else {
            return text::invalid(
                bundle,
                &element(&path, index),
                "not a capability of capabilities(7), such as CAP_CHOWN",
            );
        };
        mask |= bit;
    }
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_capability_library() {
        for capability in caps::all() {
            assert_eq!(mask_of(&capability.to_string()), Some(capability.bitmask()), "{capability}");
        }
        assert_eq!(caps::all().len(), NAMES.len());
    }

    #[test]
    fn names_are_listed_by_number() {
        assert_eq!(
            names(0b11 | 1 << 40 | 1 << 63).collect::<Vec<_>>(),
            ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_CHECKPOINT_RESTORE"]
        );
    }
}
