//! A pod as Kubernetes' API has it (core/v1), cut down to the fields that the checks read. A null is an absent field, as
//! in Kubernetes; fields that no check reads are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads null as the type's own nothing.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// `Pod`, or the template of something that makes pods.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Pod {
    /// `metadata`.
    #[serde(default, deserialize_with = "nullable")]
    pub metadata: Metadata,
    /// `spec`.
    pub spec: PodSpec,
}

impl Pod {
    /// Every container, in the order in which Kubernetes' admission visits them.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        let PodSpec { init_containers, containers, ephemeral_containers, .. } = &self.spec;
        init_containers.iter().chain(containers).chain(ephemeral_containers)
    }

    /// `spec.securityContext`.
    #[must_use]
    pub fn context(&self) -> &SecurityContext {
        &self.spec.security_context
    }

    /// Whether the pod is for Windows.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
    }

    /// Whether it has a user namespace: `hostUsers: false`.
    #[must_use]
    pub fn has_user_namespace(&self) -> bool {
        self.spec.host_users == Some(false)
    }
}

/// `metadata`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// `name`.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// `generateName`: what the name will begin with.
    #[serde(default, deserialize_with = "nullable")]
    pub generate_name: String,
    /// `namespace`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// `annotations`.
    #[serde(default, deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
}

/// `PodSpec`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// `hostNetwork`.
    #[serde(default, deserialize_with = "nullable")]
    pub host_network: bool,
    /// `hostPID`.
    #[serde(rename = "hostPID", default, deserialize_with = "nullable")]
    pub host_pid: bool,
    /// `hostIPC`.
    #[serde(rename = "hostIPC", default, deserialize_with = "nullable")]
    pub host_ipc: bool,
    /// `hostUsers`.
    #[serde(default)]
    pub host_users: Option<bool>,
    /// `os`.
    #[serde(default)]
    pub os: Option<Os>,
    /// `securityContext` (`PodSecurityContext`).
    #[serde(default, deserialize_with = "nullable")]
    pub security_context: SecurityContext,
    /// `initContainers`.
    #[serde(default, deserialize_with = "nullable")]
    pub init_containers: Vec<Container>,
    /// `containers`.
    #[serde(default, deserialize_with = "nullable")]
    pub containers: Vec<Container>,
    /// `ephemeralContainers`.
    #[serde(default, deserialize_with = "nullable")]
    pub ephemeral_containers: Vec<Container>,
    /// `volumes`.
    #[serde(default, deserialize_with = "nullable")]
    pub volumes: Vec<Volume>,
    /// `resources` of the whole pod.
    #[serde(default, deserialize_with = "nullable")]
    pub resources: Resources,
}

/// `os`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Os {
    /// `name`: `linux` or `windows`.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
}

/// `PodSecurityContext` and `SecurityContext`: an empty one says what an absent one says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// `privileged`.
    #[serde(default)]
    pub privileged: Option<bool>,
    /// `allowPrivilegeEscalation`.
    #[serde(default)]
    pub allow_privilege_escalation: Option<bool>,
    /// `readOnlyRootFilesystem`.
    #[serde(default)]
    pub read_only_root_filesystem: Option<bool>,
    /// `runAsNonRoot`.
    #[serde(default)]
    pub run_as_non_root: Option<bool>,
    /// `runAsUser`.
    #[serde(default)]
    pub run_as_user: Option<i64>,
    /// `procMount`.
    #[serde(default)]
    pub proc_mount: Option<String>,
    /// `capabilities`.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
    /// `seccompProfile`.
    #[serde(default)]
    pub seccomp_profile: Option<Profile>,
    /// `appArmorProfile`.
    #[serde(default)]
    pub app_armor_profile: Option<Profile>,
    /// `seLinuxOptions`.
    #[serde(rename = "seLinuxOptions", default)]
    pub selinux_options: Option<SelinuxOptions>,
    /// `windowsOptions`.
    #[serde(default, deserialize_with = "nullable")]
    pub windows_options: WindowsOptions,
    /// `sysctls`, of a pod.
    #[serde(default, deserialize_with = "nullable")]
    pub sysctls: Vec<Sysctl>,
}

/// `capabilities`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Capabilities {
    /// `add`.
    #[serde(default, deserialize_with = "nullable")]
    pub add: Vec<String>,
    /// `drop`.
    #[serde(default, deserialize_with = "nullable")]
    pub drop: Vec<String>,
}

/// `seccompProfile` and `appArmorProfile`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Profile {
    /// `type`.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub kind: String,
}

/// `seLinuxOptions`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SelinuxOptions {
    /// `user`.
    #[serde(default, deserialize_with = "nullable")]
    pub user: String,
    /// `role`.
    #[serde(default, deserialize_with = "nullable")]
    pub role: String,
    /// `type`.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub kind: String,
}

/// `windowsOptions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowsOptions {
    /// `hostProcess`.
    #[serde(default)]
    pub host_process: Option<bool>,
}

/// One of `sysctls`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Sysctl {
    /// `name`.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
}

/// `Container`, and an ephemeral one, which has the same fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// `name`.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// `securityContext`.
    #[serde(default, deserialize_with = "nullable")]
    pub security_context: SecurityContext,
    /// `ports`.
    #[serde(default, deserialize_with = "nullable")]
    pub ports: Vec<Port>,
    /// `livenessProbe`.
    #[serde(default, deserialize_with = "nullable")]
    pub liveness_probe: Handler,
    /// `readinessProbe`.
    #[serde(default, deserialize_with = "nullable")]
    pub readiness_probe: Handler,
    /// `startupProbe`.
    #[serde(default, deserialize_with = "nullable")]
    pub startup_probe: Handler,
    /// `lifecycle`.
    #[serde(default, deserialize_with = "nullable")]
    pub lifecycle: Lifecycle,
    /// `resources`.
    #[serde(default, deserialize_with = "nullable")]
    pub resources: Resources,
}

/// One of `ports`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// `hostPort`.
    #[serde(default, deserialize_with = "nullable")]
    pub host_port: i32,
}

/// A probe, or what is done when a container starts or stops.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handler {
    /// `httpGet`.
    #[serde(default, deserialize_with = "nullable")]
    pub http_get: Peer,
    /// `tcpSocket`.
    #[serde(default, deserialize_with = "nullable")]
    pub tcp_socket: Peer,
}

/// Whom a probe talks to.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Peer {
    /// `host`; empty is the pod itself.
    #[serde(default, deserialize_with = "nullable")]
    pub host: String,
}

/// `lifecycle`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// `postStart`.
    #[serde(default, deserialize_with = "nullable")]
    pub post_start: Handler,
    /// `preStop`.
    #[serde(default, deserialize_with = "nullable")]
    pub pre_stop: Handler,
}

/// `resources`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Resources {
    /// `limits`: quantities, which nobody here computes with.
    #[serde(default, deserialize_with = "nullable")]
    pub limits: BTreeMap<String, Value>,
}

/// One of `volumes`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Volume {
    /// `name`.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its source: the field of this name holds what it is.
    #[serde(flatten)]
    pub sources: BTreeMap<String, Value>,
}

impl Volume {
    /// Whether its source is `kind`.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.sources.get(kind).is_some_and(|source| !source.is_null())
    }
}
