//! The bundle of an `update`: nothing but `linux.resources`, which came by itself. Made for `lifecycle::update`; nothing
//! else of the bundle means anything.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, LinuxResources, Spec};
use serde_json::{Map, Value, json};

use super::{Bundle, BundleError, config_file};

impl Bundle {
    /// A bundle whose `linux.resources` is `text`, a `LinuxResources` object as JSON. `source` names the text in errors;
    /// errors of `spec` name keys as if they stood in `config.json`, without a line.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] or [`BundleError::WrongType`].
    pub fn of_resources(source: &Path, text: &str) -> Result<Self, BundleError> {
        config_file::parse_raw(source, text)?;
        // An object for sure: the typed form would also be read from a list, whose elements have no names to check.
        let raw: Map<String, Value> = config_file::parse_typed(source, text)?;
        let resources: LinuxResources = config_file::parse_typed(source, text)?;
        let mut linux = Linux::default();
        linux.set_resources(Some(resources));
        let mut spec = Spec::default();
        spec.set_linux(Some(linux));
        let raw = json!({ "linux": { "resources": raw } });
        Ok(Self { directory: PathBuf::from("/"), text: String::new(), raw, spec })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_without_a_line_and_errors_name_the_source() {
        let source = Path::new("standard input");
        let bundle = Bundle::of_resources(source, r#"{"pids": {"limit": -2}}"#).unwrap();
        assert_eq!(bundle.field("linux.resources.pids.limit").to_string(), "linux.resources.pids.limit = -2");
        let error = Bundle::of_resources(source, r#"{"pids": {"limit": "x"}}"#).unwrap_err().to_string();
        assert!(error.starts_with("standard input:1:") && error.contains("wrong value at pids.limit"), "{error}");
        assert!(matches!(Bundle::of_resources(source, "{"), Err(BundleError::Malformed { .. })));
        assert!(matches!(Bundle::of_resources(source, "[]"), Err(BundleError::WrongType { .. })));
    }
}
