//! How the messages of Kubernetes' admission list names and count things.

use std::collections::BTreeSet;

use super::pod::{Container, Pod};

/// `"a", "b"`.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() { String::new() } else { format!("\"{}\"", names.join("\", \"")) }
}

/// The word for one, or the word for several.
pub(super) fn counted(one: &'static str, several: &'static str, count: usize) -> &'static str {
    if count == 1 { one } else { several }
}

/// `container "a"`, `containers "a", "b"`.
pub(super) fn containers(names: &[&str]) -> String {
    format!("{} {}", counted("container", "containers", names.len()), quoted(names.iter().copied()))
}

/// Names of the containers for which `is_bad`, in the pod's order.
pub(super) fn containers_where(pod: &Pod, is_bad: impl Fn(&Container) -> bool) -> Vec<&str> {
    pod.containers().filter(|container| is_bad(container)).map(|container| container.name.as_str()).collect()
}

/// Who sets something: the pod, containers of it, annotations.
#[derive(Debug, Default)]
pub(super) struct Setters(Vec<String>);

impl Setters {
    /// The pod, if it does, and these containers.
    pub(super) fn new(pod: bool, names: &[&str]) -> Self {
        let mut setters = Self(pod.then(|| "pod".to_owned()).into_iter().collect());
        if !names.is_empty() {
            setters.0.push(containers(names));
        }
        setters
    }

    /// Another one.
    pub(super) fn push(&mut self, who: &str) {
        self.0.push(who.to_owned());
    }

    /// `pod and container "a"`; `None` for nobody.
    pub(super) fn describe(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(" and "))
    }
}

/// Sorted, each once, quoted.
pub(super) fn quoted_set(names: &BTreeSet<&str>) -> String {
    quoted(names.iter().copied())
}
