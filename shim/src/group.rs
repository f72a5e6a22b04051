//! Which containers share a shim: those of one pod.
//!
//! Used by `start`. Pure but for reading `config.json`.

use std::collections::HashMap;
use std::io;
use std::path::Path;

/// The annotations that name a group, the first one present wins: containerd's own, CRI under containerd, CRI-O.
const ANNOTATIONS: [&str; 3] =
    ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"];

/// The part of `config.json` that matters here; the runtime checks all of it at create.
#[derive(Debug, Default, serde::Deserialize)]
struct Config {
    #[serde(default)]
    annotations: HashMap<String, String>,
}

/// The group of the container whose configuration is at `config`; its own id when it belongs to none.
///
/// # Errors
/// When the file cannot be read or is not JSON of that form.
pub(crate) fn of_container(config: &Path, id: &str) -> io::Result<String> {
    let config: Config = serde_json::from_slice(&std::fs::read(config)?)?;
    Ok(of_annotations(&config.annotations).unwrap_or(id).to_owned())
}

fn of_annotations(annotations: &HashMap<String, String>) -> Option<&str> {
    ANNOTATIONS.iter().find_map(|&name| annotations.get(name)).map(String::as_str).filter(|group| !group.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_first_annotation_wins() {
        let all = [(ANNOTATIONS[2], "c"), (ANNOTATIONS[1], "b"), (ANNOTATIONS[0], "a")];
        assert_eq!(of_annotations(&annotations(&all)), Some("a"));
        assert_eq!(of_annotations(&annotations(&all[..2])), Some("b"));
        assert_eq!(of_annotations(&annotations(&all[..1])), Some("c"));
    }

    #[test]
    fn no_annotation_or_an_empty_one_is_no_group() {
        assert_eq!(of_annotations(&annotations(&[])), None);
        assert_eq!(of_annotations(&annotations(&[(ANNOTATIONS[1], "")])), None);
    }

    #[test]
    fn a_configuration_without_annotations_is_read() {
        assert!(serde_json::from_str::<Config>(r#"{"ociVersion": "1.0.2"}"#).unwrap().annotations.is_empty());
    }
}
