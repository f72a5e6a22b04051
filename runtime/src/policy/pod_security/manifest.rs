//! What a file asks to be launched: the pods in Kubernetes' objects, and in a file that an engine wrote the container.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::PodSecurityError;
use super::facts::Facts;
use super::pod::{Metadata, Pod};
use super::yaml;
use crate::bounded_text::{self, TextError};

/// Largest file that is read, in bytes: `kubectl get pods -A -o json` of a few thousand pods.
pub const LIMIT: u64 = 32 << 20;

/// The name of standard input.
const STDIN: &str = "-";

/// One object of the file.
#[derive(Debug, Clone)]
pub struct Object {
    /// `kind`; of a `config.json` that is `config.json`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// `metadata.name`.
    pub name: String,
    /// What it launches.
    pub content: Content,
}

/// What an object launches.
#[derive(Debug, Clone)]
pub enum Content {
    /// Pods like this one.
    Pod(Box<Pod>),
    /// A container of an OCI configuration.
    Oci(Box<Facts>),
    /// Nothing that is known here.
    Other,
}

/// Reads the file at `path`, or standard input for `-`.
///
/// # Errors
/// See [`PodSecurityError`]: one for the first thing that is wrong.
pub fn load(path: &Path) -> Result<Vec<Object>, PodSecurityError> {
    read(&text_of(path)?)
}

/// The objects of `text`, YAML or JSON.
///
/// # Errors
/// As [`load`].
pub fn read(text: &str) -> Result<Vec<Object>, PodSecurityError> {
    let documents = yaml::documents(text).map_err(|what| PodSecurityError::Malformed { what })?;
    let mut objects = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        collect(&format!("document {}", index + 1), document, &mut objects)?;
    }
    if objects.iter().any(|object| !matches!(object.content, Content::Other)) {
        return Ok(objects);
    }
    let kinds: BTreeSet<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
    let found = if kinds.is_empty() { "the file is empty".to_owned() } else { format!("kinds of objects: {kinds}") };
    Err(PodSecurityError::Nothing { found })
}

/// The text of the file at `path`, `-` for standard input.
pub(in crate::policy) fn text_of(path: &Path) -> Result<String, PodSecurityError> {
    let read = if path == Path::new(STDIN) {
        bounded_text::read(std::io::stdin(), 0, LIMIT)
    } else {
        std::fs::File::open(path).map_err(TextError::Io).and_then(|file| bounded_text::read(file, 0, LIMIT))
    };
    read.map_err(|error| match error {
        TextError::Io(source) => PodSecurityError::Unreadable { path: path.to_owned(), source },
        TextError::TooLarge => PodSecurityError::TooLarge { path: path.to_owned(), limit: LIMIT },
        TextError::NotText { offset } => PodSecurityError::NotText { path: path.to_owned(), offset },
    })
}

/// What every object of Kubernetes says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<Metadata>,
}

/// Where in an object of `kind` the pod stands; `None` for what makes no pods. As upstream's `DefaultPodSpecExtractor`.
fn pod_path(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    match (group, kind) {
        ("", "Pod") => Some(&[]),
        ("", "PodTemplate") => Some(&["template"]),
        ("", "ReplicationController")
        | ("apps" | "extensions", "Deployment" | "DaemonSet" | "ReplicaSet" | "StatefulSet")
        | ("batch", "Job") => Some(&["spec", "template"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

fn collect(place: &str, document: &Value, objects: &mut Vec<Object>) -> Result<(), PodSecurityError> {
    if document.get("ociVersion").is_some() {
        let facts = Facts::of(document, None, &|_, _| false)?;
        let (namespace, name) = (facts.namespace.clone(), facts.name.clone());
        let (kind, content) = ("config.json".to_owned(), Content::Oci(Box::new(facts)));
        objects.push(Object { kind, namespace, name, content });
        return Ok(());
    }
    refuse_other_than_object(place, document)?;
    let header: Header = serde_path_to_error::deserialize(document)
        .map_err(|error| PodSecurityError::wrong_type(format!("{place}: "), "", &error))?;
    let missing = |key: &str| PodSecurityError::WrongType {
        place: format!("{place}: "),
        key: key.to_owned(),
        what: "every object of Kubernetes has it".to_owned(),
    };
    let kind = header.kind.filter(|kind| !kind.is_empty()).ok_or_else(|| missing("kind"))?;
    let version = header.api_version.filter(|version| !version.is_empty()).ok_or_else(|| missing("apiVersion"))?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    // `PodList`, `DeploymentList` and the like: their items say their own kind, or are of the list's.
    if let (Some(of), Some(items)) = (kind.strip_suffix("List"), document.get("items")) {
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            collect(&format!("{place}, item {}", index + 1), &named(item, of, &version), objects)?;
        }
        return Ok(());
    }
    let Metadata { name, generate_name, namespace, .. } = header.metadata.unwrap_or_default();
    let name = if name.is_empty() { generate_name } else { name };
    let content = match pod_path(group, &kind) {
        Some(path) => Content::Pod(Box::new(pod(&format!("{place} ({kind} {name:?}): "), document, path)?)),
        None => Content::Other,
    };
    objects.push(Object { kind, namespace, name, content });
    Ok(())
}

/// Without this the fields of a list would be taken in their order.
fn refuse_other_than_object(place: &str, document: &Value) -> Result<(), PodSecurityError> {
    if document.is_object() {
        return Ok(());
    }
    let (place, key, what) = (format!("{place}: "), "the top level".to_owned(), "not an object".to_owned());
    Err(PodSecurityError::WrongType { place, key, what })
}

/// `item` of a list of `kind`, with the kind that the API leaves out in lists.
fn named(item: &Value, kind: &str, version: &str) -> Value {
    let mut item = item.clone();
    if let Some(members) = item.as_object_mut()
        && !kind.is_empty()
        && !members.contains_key("kind")
    {
        members.insert("kind".to_owned(), kind.into());
        members.entry("apiVersion").or_insert_with(|| version.into());
    }
    item
}

/// The pod at `path` of `document`.
fn pod(place: &str, document: &Value, path: &[&str]) -> Result<Pod, PodSecurityError> {
    let wrong =
        |key: String, what: &str| PodSecurityError::WrongType { place: place.to_owned(), key, what: what.to_owned() };
    let mut at = document;
    for key in path {
        at = at.get(*key).ok_or_else(|| wrong(path.join("."), "missing field"))?;
    }
    let pod: Pod = serde_path_to_error::deserialize(at)
        .map_err(|error| PodSecurityError::wrong_type(place.to_owned(), &path.join("."), &error))?;
    if pod.spec.containers.is_empty() {
        // No API server would take it; a misspelt key must not pass for a harmless pod.
        let at = path.iter().chain(&["spec", "containers"]).copied().collect::<Vec<_>>().join(".");
        return Err(wrong(at, "a pod has at least one container"));
    }
    Ok(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "{spec: {containers: [{name: c}]}}";

    fn kinds(text: &str) -> Vec<(String, String, bool)> {
        let objects = read(text).unwrap();
        objects.into_iter().map(|one| (one.kind, one.name, !matches!(one.content, Content::Other))).collect()
    }

    #[test]
    fn every_kind_that_makes_pods_is_looked_into() {
        let direct = "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: shop}\nspec: {containers: [{name: c}]}";
        assert_eq!(read(direct).unwrap()[0].namespace.as_deref(), Some("shop"));
        let template = [
            ("v1", "PodTemplate", format!("template: {POD}")),
            ("v1", "ReplicationController", format!("spec: {{template: {POD}}}")),
            ("apps/v1", "Deployment", format!("spec: {{template: {POD}}}")),
            ("apps/v1", "StatefulSet", format!("spec: {{template: {POD}}}")),
            ("apps/v1", "DaemonSet", format!("spec: {{template: {POD}}}")),
            ("apps/v1", "ReplicaSet", format!("spec: {{template: {POD}}}")),
            ("extensions/v1beta1", "Deployment", format!("spec: {{template: {POD}}}")),
            ("batch/v1", "Job", format!("spec: {{template: {POD}}}")),
            ("batch/v1", "CronJob", format!("spec: {{jobTemplate: {{spec: {{template: {POD}}}}}}}")),
        ];
        for (version, kind, body) in template {
            let text = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n{body}");
            assert_eq!(kinds(&text), [(kind.to_owned(), "x".to_owned(), true)], "{kind}");
        }
    }

    #[test]
    fn lists_and_several_documents_are_walked_and_others_passed_over() {
        let text = format!(
            "apiVersion: v1\nkind: List\nitems:\n- {{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {{containers: [{{name: c}}]}}}}\n\
             - {{apiVersion: v1, kind: Service, metadata: {{name: s}}}}\n---\napiVersion: v1\nkind: PodList\nitems:\n\
             - {{metadata: {{generateName: b-}}, spec: {{containers: [{{name: c}}]}}}}\n---\napiVersion: argoproj.io/v1\nkind: Pod\nspec: {POD}"
        );
        let found = kinds(&text);
        let found: Vec<_> = found.iter().map(|(kind, name, is_pod)| (kind.as_str(), name.as_str(), *is_pod)).collect();
        assert_eq!(found, [("Pod", "a", true), ("Service", "s", false), ("Pod", "b-", true), ("Pod", "", false)]);
    }

    #[test]
    fn a_configuration_of_an_engine_is_told_by_its_version() {
        let text = r#"{"ociVersion":"1.2.0","annotations":{"io.kubernetes.cri.container-name":"web"}}"#;
        assert_eq!(kinds(text), [("config.json".to_owned(), "web".to_owned(), true)]);
    }

    #[test]
    fn what_is_wrong_is_named_by_object_and_field() {
        let cases = [
            ("kind: Pod", "document 1: wrong value at apiVersion"),
            ("apiVersion: v1", "document 1: wrong value at kind"),
            ("- 1", "document 1: wrong value at the top level"),
            ("text", "document 1: wrong value at the top level"),
            ("apiVersion: v1\nkind: Pod", "document 1 (Pod \"\"): wrong value at the top level: missing field `spec`"),
            ("apiVersion: v1\nkind: Pod\nspec: {continers: []}", "wrong value at spec.containers: a pod has"),
            ("apiVersion: apps/v1\nkind: Deployment\nspec: {}", "wrong value at spec.template: missing field"),
            (
                "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: [{name: c, securityContext: {runAsUser: root}}]}}}",
                "document 1 (Job \"j\"): wrong value at spec.template.spec.containers[0].securityContext.runAsUser: invalid type: string \"root\"",
            ),
            (
                "apiVersion: v1\nkind: Pod\nspec: {hostPID: maybe, containers: [{name: c}]}",
                "at spec.hostPID: invalid type",
            ),
            ("apiVersion: v1\nkind: Service", "there is nothing to check: kinds of objects: Service"),
            ("", "there is nothing to check: the file is empty"),
            ("a: [", "malformed YAML or JSON: "),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let error = load(Path::new("/nowhere/pod.yaml")).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (1822, "cannot read /nowhere/pod.yaml"));
    }
}
