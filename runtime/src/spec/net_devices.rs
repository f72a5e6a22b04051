//! `linux.netDevices`: network devices of the host that move into the container.

use oci_spec::runtime::Linux;

use super::container::{Namespace, Namespaces};
use super::error::SpecError;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::member;

const KEY: &str = "linux.netDevices";
/// `IFNAMSIZ` of linux/if.h, without the NUL.
const NAME_BYTES: usize = 15;

/// A device that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetDevice {
    /// Its name on the host.
    pub host_name: String,
    /// Its name in the container.
    pub name: String,
}

/// The checked devices, in the order of their names on the host.
pub(super) fn check(
    bundle: &Bundle,
    linux: Option<&Linux>,
    namespaces: &Namespaces,
) -> Result<Vec<NetDevice>, SpecError> {
    let asked = linux.and_then(|linux| linux.net_devices().as_ref()).filter(|devices| !devices.is_empty());
    let Some(asked) = asked else { return Ok(Vec::new()) };
    if namespaces.network == Namespace::Host {
        let rule = "needs a network namespace of the container's own in linux.namespaces";
        return Err(SpecError::Needs { field: bundle.field(KEY), rule });
    }
    let mut devices: Vec<NetDevice> = Vec::with_capacity(asked.len());
    for (host_name, device) in asked.iter().collect::<std::collections::BTreeMap<_, _>>() {
        let at = member(KEY, host_name);
        let name = device.name().as_deref().filter(|name| !name.is_empty()).unwrap_or(host_name);
        if !is_name(host_name) {
            return text::invalid(bundle, &at, RULE);
        }
        if !is_name(name) {
            return text::invalid(bundle, &format!("{at}.name"), RULE);
        }
        if devices.iter().any(|earlier| earlier.name == name) {
            return Err(SpecError::Duplicate { field: bundle.field(&at), what: "the name of a network device" });
        }
        devices.push(NetDevice { host_name: host_name.clone(), name: name.to_owned() });
    }
    Ok(devices)
}

const RULE: &str = "a device's name has 1 to 15 bytes, none of them a slash, a colon or a blank";

/// `dev_valid_name` of the kernel, without the `%` that would make the name a pattern.
fn is_name(name: &str) -> bool {
    let usable = |byte: u8| !matches!(byte, b'/' | b':' | b'%' | 0) && !byte.is_ascii_whitespace();
    (1..=NAME_BYTES).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn checked(devices: &Value) -> Result<Vec<NetDevice>, String> {
        let bundle = testing::bundle(|config| config["linux"]["netDevices"] = devices.clone());
        crate::spec::check_with(&bundle, false)
            .map(|container| container.net_devices)
            .map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn devices_keep_their_name_or_get_another() {
        let devices = checked(&json!({"eth1": {"name": "lan"}, "dummy0": {}})).unwrap();
        let names: Vec<_> = devices.iter().map(|d| (d.host_name.as_str(), d.name.as_str())).collect();
        assert_eq!(names, [("dummy0", "dummy0"), ("eth1", "lan")]);
    }

    #[test]
    fn names_that_the_kernel_would_not_take_and_doubles_are_refused() {
        for (devices, path) in [
            (json!({"a:b": {}}), "linux.netDevices[\"a:b\"]"),
            (json!({"eth0": {"name": "x".repeat(16)}}), "linux.netDevices.eth0.name"),
            (json!({"eth0": {"name": "a/b"}}), "linux.netDevices.eth0.name"),
            (json!({"eth0": {"name": "%d"}}), "linux.netDevices.eth0.name"),
            (json!({"eth0": {"name": "x"}, "eth1": {"name": "x"}}), "linux.netDevices.eth1"),
        ] {
            assert_eq!(checked(&devices).map(|_| ()), Err(path.to_owned()));
        }
        let bundle = testing::bundle(|config| {
            config["linux"]["netDevices"] = json!({"eth0": {}});
            config["linux"]["namespaces"] = json!([{"type": "uts"}]);
        });
        assert_eq!(crate::spec::check_with(&bundle, false).unwrap_err().field().path(), "linux.netDevices");
    }
}
