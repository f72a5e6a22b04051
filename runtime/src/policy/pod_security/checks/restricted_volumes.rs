//! Volumes of the kinds that Kubernetes itself looks after, and claims; no inline ones of other storage.

use std::collections::BTreeSet;

use crate::policy::pod_security::facts::Facts;
use crate::policy::pod_security::pod::{Pod, Volume};
use crate::policy::pod_security::registry::{Check, Exactness, Revision};
use crate::policy::pod_security::standard::Level;
use crate::policy::pod_security::verdict::Finding;
use crate::policy::pod_security::wording::{counted, quoted, quoted_set};

/// `restrictedVolumes`.
pub const CHECK: Check = Check {
    id: "restrictedVolumes",
    level: Level::Restricted,
    exactness: Exactness::Partial(
        "a volume of a storage plugin (nfs, iscsi, rbd…) that stands in the pod looks like one that is claimed, and is \
         let through; a claimed one of the type hostPath looks like a hostPath volume",
    ),
    revisions: &[Revision::new(0, of_pod).oci(of_facts).instead_of(&[super::host_path::CHECK.id])],
};

const ALLOWED: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Every other kind, in the order in which Kubernetes looks for them.
const OTHERS: &[&str] = &[
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

fn is_bad(volume: &&Volume) -> bool {
    !ALLOWED.iter().any(|kind| volume.is(kind))
}

fn kind(volume: &Volume) -> &'static str {
    OTHERS.iter().find(|kind| volume.is(kind)).copied().unwrap_or("unknown")
}

fn of_pod(pod: &Pod) -> Option<Finding> {
    let bad = || pod.spec.volumes.iter().filter(is_bad);
    finding(&bad().map(|volume| volume.name.as_str()).collect::<Vec<_>>(), &bad().map(kind).collect(), "")
}

fn of_facts(facts: &Facts) -> Option<Finding> {
    let git = facts.plugin_volumes.iter().filter(|(plugin, _)| plugin == "git-repo").map(|(_, path)| path.as_str());
    let git: Vec<&str> = git.collect();
    let mut kinds = BTreeSet::new();
    if !facts.host_paths.is_empty() {
        kinds.insert("hostPath");
    }
    if !git.is_empty() {
        kinds.insert("gitRepo");
    }
    let bad: Vec<&str> = facts.host_paths.iter().map(String::as_str).chain(git).collect();
    finding(&bad, &kinds, ": mounts binds them")
}

fn finding(bad: &[&str], kinds: &BTreeSet<&str>, seen: &str) -> Option<Finding> {
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "{} {} {} {} {}{seen}",
        counted("volume", "volumes", bad.len()),
        quoted(bad.iter().copied()),
        counted("uses", "use", bad.len()),
        counted("restricted volume type", "restricted volume types", kinds.len()),
        quoted_set(kinds)
    );
    Finding::new("restricted volume types", detail)
}
