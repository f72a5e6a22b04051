//! `linux.resources.rdma`: how many handles and objects of each RDMA device. Used by `limits` alone.

use oci_spec::runtime::LinuxResources;

use super::error::SpecError;
use super::resources::{Rdma, Resources};
use super::text;
use crate::bundle::Bundle;
use crate::bundle::field::member;

const PATH: &str = "linux.resources.rdma";

/// Adds the checked limits to `resources`.
pub(super) fn check(bundle: &Bundle, asked: &LinuxResources, resources: &mut Resources) -> Result<(), SpecError> {
    for (name, limits) in asked.rdma().iter().flatten() {
        let at = member(PATH, name);
        // The name is the first word of what is written to the kernel.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || !name.bytes().all(is_name) {
            return text::invalid(bundle, &at, "not the name of an RDMA device, such as mlx5_1");
        }
        let limits = Rdma { handles: limits.hca_handles(), objects: limits.hca_objects() };
        if limits == Rdma::default() {
            return text::invalid(bundle, &at, "names neither hcaHandles nor hcaObjects");
        }
        resources.rdma.insert(name.clone(), limits);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spec::testing;

    fn checked(rdma: Value) -> Result<Resources, String> {
        let bundle = testing::bundle(|config| config["linux"]["resources"] = json!({ "rdma": rdma }));
        crate::spec::check_with(&bundle, false)
            .map(|container| container.resources)
            .map_err(|error| error.field().path().to_owned())
    }

    #[test]
    fn a_device_has_one_limit_at_least_and_a_name_of_one_word() {
        let resources = checked(json!({"mlx5_1": {"hcaHandles": 3}})).unwrap();
        assert_eq!(resources.rdma["mlx5_1"], Rdma { handles: Some(3), objects: None });
        assert_eq!(checked(json!({"mlx5_1": {}})).unwrap_err(), "linux.resources.rdma.mlx5_1");
        assert!(checked(json!({"mlx hca_handle=max": {"hcaObjects": 1}})).is_err());
    }
}
