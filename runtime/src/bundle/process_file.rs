//! The bundle of an `exec`: the container's own, with another `process`. Made for `lifecycle::exec`.

use std::path::Path;

use oci_spec::runtime::Process;
use serde_json::{Map, Value};

use super::{Bundle, BundleError, config_file};

impl Bundle {
    /// This bundle with the `Process` object `text` (JSON) in the place of its own. `source` names the text in errors;
    /// errors of `spec` name keys as if they stood in `config.json`, without a line.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] or [`BundleError::WrongType`].
    pub fn with_process(&self, source: &Path, text: &str) -> Result<Self, BundleError> {
        config_file::parse_raw(source, text)?;
        // An object for sure, as with limits that come by themselves.
        let object: Map<String, Value> = config_file::parse_typed(source, text)?;
        let process: Process = config_file::parse_typed(source, text)?;
        let mut this = Self { text: String::new(), ..self.clone() };
        this.spec.set_process(Some(process));
        if let Some(keys) = this.raw.as_object_mut() {
            keys.insert("process".to_owned(), Value::Object(object));
        }
        Ok(this)
    }

    /// Reads a `Process` object from a file, as [`Bundle::load`] reads `config.json`: bounded, regular, text.
    ///
    /// # Errors
    /// [`BundleError::Unreadable`], [`BundleError::NotRegular`], [`BundleError::TooLarge`], [`BundleError::NotText`].
    pub fn read_process(path: &Path) -> Result<String, BundleError> {
        config_file::read(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_replaced_and_errors_name_its_file() {
        let text =
            r#"{"ociVersion":"1.0.2","hostname":"a","process":{"user":{"uid":0,"gid":0},"args":["x"],"cwd":"/"}}"#;
        let bundle = Bundle::parse("/b".into(), text.to_owned()).unwrap();
        let source = Path::new("/p.json");
        let changed = bundle.with_process(source, r#"{"user":{"uid":1,"gid":0},"args":["y"],"cwd":"/tmp"}"#).unwrap();
        assert_eq!(changed.field("process.args[0]").to_string(), r#"process.args[0] = "y""#);
        assert_eq!(changed.spec().process().as_ref().unwrap().user().uid(), 1);
        assert_eq!(changed.spec().hostname().as_deref(), Some("a"));
        let error = bundle.with_process(source, r#"{"args":[1]}"#).unwrap_err().to_string();
        assert!(error.starts_with("/p.json:1:") && error.contains("args[0]"), "{error}");
        assert!(matches!(bundle.with_process(source, "[]"), Err(BundleError::WrongType { .. })));
    }
}
