//! Docker's `daemon.json` (dockerd(8)): runtimes by the path of their program, or by the type of their shim.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Found, Handler, SHIM, Trouble};
use crate::check::host::Host;

const FILE: &str = "/etc/docker/daemon.json";

/// What this node's Docker is told.
pub(super) fn read(host: &Host) -> Result<Found, Trouble> {
    let path = Path::new(FILE);
    let text = host.read(path).map_err(|error| Trouble::of_file(path, &error))?;
    let Some(text) = text else { return Ok(Found::default()) };
    Ok(Found { files: vec![path.to_owned()], handlers: handlers(&parse(path, &text)?), unread: Vec::new() })
}

/// dockerd takes an empty file for an empty object.
fn parse(path: &Path, text: &str) -> Result<Value, Trouble> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_str(text).map_err(|error| Trouble::in_text(path, &error))?;
    if value.is_object() { Ok(value) } else { Err(Trouble::in_text(path, &"not an object")) }
}

fn handlers(configuration: &Value) -> Vec<Handler> {
    let all = configuration.get("runtimes").and_then(Value::as_object).into_iter().flatten();
    let ours = all.filter_map(|(name, entry)| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let program = text("path").map(PathBuf::from);
        let is_ours = text("runtimeType") == Some(SHIM) || program.as_deref().is_some_and(super::is_ours);
        let configuration = entry.pointer("/options/ConfigPath").and_then(Value::as_str).map(PathBuf::from);
        is_ours.then(|| Handler { name: name.clone(), program, configuration, ..Handler::default() })
    });
    ours.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_are_found_by_program_and_by_type() {
        let handler = |program: Option<&str>, configuration: Option<&str>| Handler {
            name: "l".to_owned(),
            program: program.map(PathBuf::from),
            configuration: configuration.map(PathBuf::from),
            ..Handler::default()
        };
        for (text, wanted) in [
            ("", vec![]),
            ("{}", vec![]),
            (r#"{"runtimes": {}}"#, vec![]),
            (r#"{"runtimes": []}"#, vec![]),
            (r#"{"runtimes": {"l": {"path": "/usr/bin/runc"}}}"#, vec![]),
            (r#"{"runtimes": {"l": {"path": "/opt/lazaret"}}}"#, vec![handler(Some("/opt/lazaret"), None)]),
            (r#"{"runtimes": {"l": {"runtimeType": "io.containerd.lazaret.v1"}}}"#, vec![handler(None, None)]),
            (
                r#"{"runtimes": {"l": {"runtimeType": "io.containerd.lazaret.v1", "options": {"ConfigPath": "/c"}}}}"#,
                vec![handler(None, Some("/c"))],
            ),
            (r#"{"runtimes": {"l": 7}, "debug": true}"#, vec![]),
        ] {
            assert_eq!(handlers(&parse(Path::new(FILE), text).unwrap()), wanted, "{text}");
        }
        for text in ["{", "[]", "7", "{\"a\": 1,}"] {
            assert!(matches!(parse(Path::new(FILE), text), Err(Trouble::Malformed(_))), "{text}");
        }
    }
}
