//! `linux.resources.network`: the class and the priorities of a container's packets, which cgroup v1 alone can give. Used
//! by `limits` alone.

use oci_spec::runtime::LinuxResources;

use super::error::SpecError;
use super::resources::Resources;
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::element;

const PATH: &str = "linux.resources.network.priorities";

/// Adds the checked values to `resources`. Class 0 is what a packet has without one.
pub(super) fn check(bundle: &Bundle, asked: &LinuxResources, resources: &mut Resources) -> Result<(), SpecError> {
    let Some(network) = asked.network() else { return Ok(()) };
    resources.network_class = network.class_id().filter(|&class| class != 0);
    for (index, priority) in network.priorities().iter().flatten().enumerate() {
        let name = priority.name();
        if name.is_empty() || name.len() > 15 || name.contains(|c: char| c.is_whitespace() || c == '/' || c == '\0') {
            let at = element(PATH, index);
            return text::invalid(bundle, &format!("{at}.name"), "not the name of a network interface");
        }
        if resources.network_priorities.insert(name.clone(), priority.priority()).is_some() {
            return Err(SpecError::Duplicate { field: bundle.field(&element(PATH, index)), what: "an interface" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spec::testing;

    fn checked(network: Value) -> Result<Resources, String> {
        let bundle = testing::bundle(|config| config["linux"]["resources"] = json!({ "network": network }));
        crate::spec::check_with(&bundle, false)
            .map(|container| container.resources)
            .map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn interfaces_are_named_once() {
        let eth0 = json!({"name": "eth0", "priority": 2});
        let resources = checked(json!({"classID": 0, "priorities": [eth0]})).unwrap();
        assert_eq!((resources.network_class, resources.network_priorities["eth0"]), (None, 2));
        let twice = checked(json!({"priorities": [eth0, eth0]})).unwrap_err();
        assert_eq!(twice, "linux.resources.network.priorities[1]");
        let line = checked(json!({"priorities": [{"name": "e 9\nlo", "priority": 2}]})).unwrap_err();
        assert_eq!(line, "linux.resources.network.priorities[0].name");
    }
}
