//! What an OCI configuration shows of the things that the checks are about. Read from the configuration as written, so
//! that a file on another machine can be judged too; `create` has it checked by `spec` before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::PodSecurityError;
use crate::policy::pattern::{Pattern, Relation};
use crate::policy::tables::openings::OPENINGS;
use crate::spec::capability_names;

/// The facts of one container.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// What the engine calls the container; for want of that its id, or its hostname.
    pub name: String,
    /// The pod's namespace, as the engine says.
    pub namespace: Option<String>,
    /// Whether this is the pod's first container, which holds its namespaces open and runs nothing of the user's.
    pub is_pause: bool,
    /// Which of network, pid and ipc are the host's, and what shows it.
    pub host_namespaces: BTreeMap<&'static str, String>,
    /// Whether the configuration asks for a user namespace that is not the host's by another name.
    pub has_user_namespace: bool,
    /// Every capability of any set, without `CAP_`.
    pub capabilities: BTreeSet<String>,
    /// Sources of bind mounts that neither engine nor kubelet made for the pod.
    pub host_paths: Vec<String>,
    /// Volumes that the kubelet made: the plugin's name without `kubernetes.io~`, and where the volume is mounted.
    pub plugin_volumes: Vec<(String, String)>,
    /// `process.apparmorProfile`.
    pub app_armor_profile: String,
    /// `process.selinuxLabel`.
    pub selinux_label: String,
    /// `process.noNewPrivileges`.
    pub no_new_privileges: bool,
    /// `process.user.uid`.
    pub uid: u32,
    /// Whether `linux.maskedPaths` has any.
    pub masks_paths: bool,
    /// Whether `linux.readonlyPaths` has any.
    pub protects_paths: bool,
    /// Whether there is a `linux.seccomp`.
    pub has_seccomp: bool,
    /// Keys of `linux.sysctl`.
    pub sysctls: Vec<String>,
    /// `root.readonly`.
    pub has_read_only_root: bool,
    /// Whether `linux.resources.memory.limit` limits.
    pub has_memory_limit: bool,
    /// Whether `linux.resources.cpu.quota` limits.
    pub has_cpu_limit: bool,
}

/// Whether the namespace of this kind at this path is the host's own. Without the machine nobody can tell; then it is
/// taken for the pod's.
pub type IsHost<'a> = &'a dyn Fn(&'static str, &Path) -> bool;

impl Facts {
    /// The facts of `config`, the whole of a `config.json`, of a container that is called `id` where the engine names none.
    ///
    /// # Errors
    /// [`PodSecurityError::WrongType`] when a value is not of its type.
    pub fn of(config: &Value, id: Option<&str>, is_host: IsHost<'_>) -> Result<Self, PodSecurityError> {
        let config: Config = serde_path_to_error::deserialize(config)
            .map_err(|error| PodSecurityError::wrong_type(String::new(), "", &error))?;
        Ok(gathered(config, id, is_host))
    }

    /// Whether any set has `CAP_` and `name`.
    #[must_use]
    pub fn has_capability(&self, name: &str) -> bool {
        self.capabilities.contains(name)
    }

    /// The capabilities that are not `allowed`.
    pub(super) fn capabilities_but(&self, allowed: impl Fn(&str) -> bool) -> BTreeSet<&str> {
        self.capabilities.iter().map(String::as_str).filter(|name| !allowed(name)).collect()
    }

    /// Whether it has every capability that the oldest kernel with all of lazaret's needs has.
    #[must_use]
    pub fn has_every_capability(&self) -> bool {
        capability_names(EVERY).all(|name| self.has_capability(name.trim_start_matches(PREFIX)))
    }
}

/// Up to CAP_AUDIT_READ (Linux 3.16): those that came later are not known to every engine.
const EVERY: u64 = (1 << 38) - 1;
const PREFIX: &str = "CAP_";

fn gathered(config: Config, id: Option<&str>, is_host: IsHost<'_>) -> Facts {
    let Config { process, root, mounts, linux, annotations, hostname } = config;
    let annotation = |keys: &[&str]| keys.iter().find_map(|key| annotations.get(*key)).cloned();
    let process = process.unwrap_or_default();
    let linux = linux.unwrap_or_default();
    let (memory, cpu) = (linux.resources.memory.limit, linux.resources.cpu.quota);
    let (host_paths, plugin_volumes) = volumes(&mounts);
    Facts {
        name: annotation(NAMES).or(id.map(str::to_owned)).or(hostname).unwrap_or_else(|| "container".to_owned()),
        namespace: annotation(lazaret_sentry::kubernetes::NAMESPACE_ANNOTATIONS),
        is_pause: annotation(KINDS).is_some_and(|kind| kind == "sandbox"),
        host_namespaces: host_namespaces(&linux, is_host),
        has_user_namespace: has_user_namespace(&linux, is_host),
        capabilities: process.capabilities.unwrap_or_default().all(),
        host_paths,
        plugin_volumes,
        app_armor_profile: process.apparmor_profile,
        selinux_label: process.selinux_label,
        no_new_privileges: process.no_new_privileges,
        uid: process.user.uid,
        masks_paths: !linux.masked_paths.unwrap_or_default().is_empty(),
        protects_paths: !linux.readonly_paths.unwrap_or_default().is_empty(),
        has_seccomp: linux.seccomp.is_some(),
        sysctls: linux.sysctl.unwrap_or_default().into_keys().collect(),
        has_read_only_root: root.unwrap_or_default().readonly,
        has_memory_limit: memory.is_some_and(|limit| limit > 0),
        has_cpu_limit: cpu.is_some_and(|quota| quota > 0),
    }
}

/// Annotations in which containerd and CRI-O name things.
const NAMES: &[&str] = &["io.kubernetes.cri.container-name", "io.kubernetes.container.name"];
const KINDS: &[&str] = &["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"];

fn host_namespaces(linux: &Linux, is_host: IsHost<'_>) -> BTreeMap<&'static str, String> {
    let evidence = |kind: &'static str| match linux.namespaces.iter().find(|namespace| namespace.kind == kind) {
        None => Some(format!("linux.namespaces has no {kind}")),
        Some(Namespace { path: Some(path), .. }) if is_host(kind, Path::new(path)) => {
            Some(format!("{path} in linux.namespaces is the host's"))
        }
        Some(_) => None,
    };
    ["network", "pid", "ipc"].into_iter().filter_map(|kind| Some((kind, evidence(kind)?))).collect()
}

/// A mapping that makes root inside the host's root is a user namespace by name only.
fn has_user_namespace(linux: &Linux, is_host: IsHost<'_>) -> bool {
    let Some(user) = linux.namespaces.iter().find(|namespace| namespace.kind == "user") else { return false };
    let is_hosts = user.path.as_deref().is_some_and(|path| is_host("user", Path::new(path)));
    let ranges = || linux.uid_mappings.iter().chain(&linux.gid_mappings);
    !is_hosts && ranges().all(|range| range.host_id != 0)
}

/// Bind mounts of the host's own paths, and those that the kubelet made by a plugin.
fn volumes(mounts: &[Mount]) -> (Vec<String>, Vec<(String, String)>) {
    let (mut host_paths, mut plugins) = (Vec::new(), Vec::new());
    for mount in mounts.iter().filter(|mount| mount.is_bind()) {
        let source = mount.source.as_deref().unwrap_or_default();
        if !is_made_for_the_pod(source) {
            host_paths.push(source.to_owned());
        } else if let Some(plugin) = plugin(source) {
            plugins.push((plugin.to_owned(), mount.destination.clone()));
        }
    }
    (host_paths, plugins)
}

/// Whether an engine or the kubelet made `source`: the openings of sandbox mode, without the host's own files that it
/// lets through read-only.
fn is_made_for_the_pod(source: &str) -> bool {
    let climbs = source.split('/').any(|part| part == "..");
    let openings = OPENINGS.iter().filter(|opening| !opening.read_only);
    let patterns = openings.map(|opening| Pattern::of(opening.path));
    let source = source.strip_prefix("/var/run/").map_or_else(|| source.to_owned(), |rest| format!("/run/{rest}"));
    let contains = |pattern: Pattern| matches!(pattern.relation(Path::new(&source)), Relation::Same | Relation::Within);
    !climbs && source.starts_with('/') && patterns.into_iter().any(contains)
}

/// `nfs` of `…/volumes/kubernetes.io~nfs/NAME`.
fn plugin(source: &str) -> Option<&str> {
    source.split_once("/volumes/kubernetes.io~")?.1.split('/').next()
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    process: Option<Process>,
    root: Option<Root>,
    #[serde(default)]
    mounts: Vec<Mount>,
    linux: Option<Linux>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    hostname: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    #[serde(default)]
    user: User,
    capabilities: Option<CapabilitySets>,
    #[serde(default)]
    no_new_privileges: bool,
    #[serde(default)]
    apparmor_profile: String,
    #[serde(default)]
    selinux_label: String,
}

#[derive(Debug, Default, Deserialize)]
struct User {
    #[serde(default)]
    uid: u32,
}

#[derive(Debug, Default, Deserialize)]
struct CapabilitySets {
    #[serde(default)]
    bounding: Vec<String>,
    #[serde(default)]
    effective: Vec<String>,
    #[serde(default)]
    inheritable: Vec<String>,
    #[serde(default)]
    permitted: Vec<String>,
    #[serde(default)]
    ambient: Vec<String>,
}

impl CapabilitySets {
    fn all(self) -> BTreeSet<String> {
        let Self { bounding, effective, inheritable, permitted, ambient } = self;
        let sets = [bounding, effective, inheritable, permitted, ambient].into_iter().flatten();
        sets.map(|name| name.strip_prefix(PREFIX).unwrap_or(&name).to_owned()).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
struct Root {
    #[serde(default)]
    readonly: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Mount {
    destination: String,
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    options: Vec<String>,
}

impl Mount {
    fn is_bind(&self) -> bool {
        let named = self.kind.as_deref().is_some_and(|kind| kind == "bind" || kind == "rbind");
        named || self.options.iter().any(|option| option == "bind" || option == "rbind")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linux {
    #[serde(default)]
    namespaces: Vec<Namespace>,
    #[serde(default)]
    uid_mappings: Vec<IdRange>,
    #[serde(default)]
    gid_mappings: Vec<IdRange>,
    sysctl: Option<BTreeMap<String, String>>,
    masked_paths: Option<Vec<String>>,
    readonly_paths: Option<Vec<String>>,
    seccomp: Option<Value>,
    #[serde(default)]
    resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct IdRange {
    #[serde(rename = "hostID")]
    host_id: u32,
}

#[derive(Debug, Default, Deserialize)]
struct Resources {
    #[serde(default)]
    memory: Memory,
    #[serde(default)]
    cpu: Cpu,
}

#[derive(Debug, Default, Deserialize)]
struct Memory {
    limit: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
struct Cpu {
    quota: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(config: &Value) -> Facts {
        Facts::of(config, None, &|_, path| path == Path::new("/proc/1/ns/net")).unwrap()
    }

    #[test]
    fn a_bind_mount_is_the_hosts_unless_an_engine_or_the_kubelet_made_it() {
        let cases = [
            ("/data", true),
            ("/", true),
            ("/etc/localtime", true),
            ("/var/lib/kubelet", true),
            ("/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/../../../../x", true),
            ("relative", true),
            ("/var/lib/kubelet/pods/u/volumes/kubernetes.io~secret/token", false),
            ("/var/lib/kubelet/pods/u/volume-subpaths/v/c/0", false),
            ("/var/lib/kubelet/pods/u/etc-hosts", false),
            ("/var/run/containerd/io.containerd.grpc.v1.cri/sandboxes/s/shm", false),
            ("/var/lib/docker/containers/c/hosts", false),
        ];
        for (source, is_hosts) in cases {
            let mount = json!({"destination": "/m", "source": source, "type": "none", "options": ["rbind"]});
            let found = facts(&json!({"mounts": [mount]}));
            assert_eq!(!found.host_paths.is_empty(), is_hosts, "{source}");
        }
        let mount = json!({"destination": "/m", "source": "/var/lib/kubelet/pods/u/volumes/kubernetes.io~nfs/v",
            "type": "bind"});
        assert_eq!(facts(&json!({"mounts": [mount]})).plugin_volumes, [("nfs".to_owned(), "/m".to_owned())]);
        assert!(
            facts(&json!({"mounts": [{"destination": "/t", "source": "tmpfs", "type": "tmpfs"}]}))
                .host_paths
                .is_empty()
        );
    }

    #[test]
    fn a_user_namespace_whose_root_is_the_hosts_is_none() {
        let with = |mappings: Value| {
            facts(&json!({"linux": {"namespaces": [{"type": "user"}], "uidMappings": mappings}})).has_user_namespace
        };
        assert!(with(json!([{"containerID": 0, "hostID": 65536, "size": 65536}])));
        assert!(!with(json!([{"containerID": 0, "hostID": 0, "size": 65536}])));
        assert!(!facts(&json!({"linux": {"namespaces": []}})).has_user_namespace);
    }

    #[test]
    fn a_joined_namespace_is_the_hosts_when_the_machine_says_so() {
        let namespaces = json!([{"type": "network", "path": "/proc/1/ns/net"}, {"type": "pid"}]);
        let found = facts(&json!({"linux": {"namespaces": namespaces}}));
        assert_eq!(found.host_namespaces.keys().copied().collect::<Vec<_>>(), ["ipc", "network"]);
        assert_eq!(found.host_namespaces["network"], "/proc/1/ns/net in linux.namespaces is the host's");
    }

    #[test]
    fn a_wrong_type_is_an_error_that_names_the_key() {
        let error = Facts::of(&json!({"process": {"user": {"uid": "0"}}}), None, &|_, _| false).unwrap_err();
        assert!(error.to_string().contains("process.user.uid"), "{error}");
    }
}
