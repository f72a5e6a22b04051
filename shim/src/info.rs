//! What the shim says about itself without a container: `-v` for humans, `-info` for containerd.

use containerd_shim::protos::protobuf::{self, Message, well_known_types::any::Any};
use containerd_shim::protos::types::introspection::{RuntimeInfo, RuntimeVersion};
use lazaret::lifecycle::features;

/// The name by which containerd finds the binary.
pub(crate) const NAME: &str = "io.containerd.lazaret.v1";
/// Type of the features in a `RuntimeInfo`: the JSON of the OCI runtime specification.
const FEATURES_TYPE: &str = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

/// The answer to `-v`.
pub(crate) fn version() -> String {
    format!("containerd-shim-lazaret-v1:\n  Version: {}\n", env!("CARGO_PKG_VERSION"))
}

/// The answer to `-info`: a `RuntimeInfo`.
///
/// # Errors
/// When it cannot be encoded.
pub(crate) fn runtime_info() -> protobuf::Result<Vec<u8>> {
    let features =
        Any { type_url: FEATURES_TYPE.to_owned(), value: features().to_string().into_bytes(), ..Any::default() };
    let version = RuntimeVersion { version: env!("CARGO_PKG_VERSION").to_owned(), ..RuntimeVersion::default() };
    RuntimeInfo {
        name: NAME.to_owned(),
        version: Some(version).into(),
        features: Some(features).into(),
        ..RuntimeInfo::default()
    }
    .write_to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerd_can_read_name_version_and_features() {
        let info = RuntimeInfo::parse_from_bytes(&runtime_info().unwrap()).unwrap();
        assert_eq!(info.name, NAME);
        assert_eq!(info.version.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(info.features.type_url, FEATURES_TYPE);
        let features: serde_json::Value = serde_json::from_slice(&info.features.value).unwrap();
        assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
        assert!(features["ociVersionMin"].is_string());
    }
}
