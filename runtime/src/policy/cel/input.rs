//! What expressions can look at.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The variables of an expression.
#[derive(Debug, Clone)]
pub struct Input {
    /// What the container is called, for messages.
    pub container: String,
    /// `spec`: the `config.json` as written.
    pub spec: Value,
    /// `node`: where it is to be launched.
    pub node: BTreeMap<&'static str, String>,
}

impl Input {
    /// The input about the configuration `spec` of `container`, launched in the mode of this name; empty is unknown.
    #[must_use]
    pub fn new(container: &str, spec: &Value, mode: &str) -> Self {
        let system = rustix::system::uname();
        let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
        let node = BTreeMap::from([
            ("name", text(system.nodename())),
            ("kernel", text(system.release())),
            ("architecture", text(system.machine())),
            ("mode", mode.to_owned()),
        ]);
        Self { container: container.to_owned(), spec: spec.clone(), node }
    }

    /// `annotations`: those of the configuration, and an empty map where it has none.
    #[must_use]
    pub fn annotations(&self) -> Value {
        self.spec.get("annotations").filter(|value| value.is_object()).cloned().unwrap_or_else(|| json!({}))
    }
}
