//! What engines hand to every container out of trees that `super::sensitive` refuses, and the few host files that honest
//! containers share. An opening clears the trees above it, never a rule about sockets, devices or file systems. Data.

/// Whose path it is: the component at the pattern's first `*` must be the container's own when the engine names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The engine does not say.
    Unnamed,
    /// The pod's uid.
    PodUid,
    /// The sandbox's id.
    SandboxId,
}

impl Owner {
    /// The annotations of `config.json` in which containerd and CRI-O name the owner.
    #[must_use]
    pub fn annotations(self) -> &'static [&'static str] {
        match self {
            Self::Unnamed => &[],
            Self::PodUid => &["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"],
            Self::SandboxId => &["io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"],
        }
    }
}

/// What may be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// This regular file.
    File,
    /// This directory, and what lies below it.
    Tree,
    /// This directory itself or a file below it: both are seen.
    Either,
}

/// One opening.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Its path, a pattern of `policy::pattern`.
    pub path: &'static str,
    /// What may be bound.
    pub shape: Shape,
    /// Only with a read-only mount.
    pub read_only: bool,
    /// Whose it is.
    pub owner: Owner,
    /// Who needs it.
    pub reason: &'static str,
}

const fn opening(path: &'static str, shape: Shape, owner: Owner, reason: &'static str) -> Opening {
    Opening { path, shape, read_only: false, owner, reason }
}

const fn read_only(path: &'static str, shape: Shape, reason: &'static str) -> Opening {
    Opening { path, shape, read_only: true, owner: Owner::Unnamed, reason }
}

use Owner::{PodUid, SandboxId, Unnamed};
use Shape::{Either, File, Tree};

const CRI: &str = "containerd's CRI plugin binds the pod's own hosts, hostname and resolver files";
const CRI_SHM: &str = "containerd's CRI plugin binds the pod's own /dev/shm";
const CRI_VOLUME: &str = "containerd's CRI plugin makes a directory for each VOLUME of an image";
const KUBELET: &str = "the kubelet makes the pod's volumes here";
const DOCKER: &str = "docker binds the container's own hosts, hostname and resolver files";
const PODMAN: &str = "podman and CRI-O bind the container's own files from its userdata directory";
const NAMED_VOLUME: &str = "a named volume";
const HOST_FACTS: &str = "public facts of the host that containers share";
const CERTIFICATES: &str = "public certificates";

/// Openings for bind mounts.
pub const OPENINGS: &[Opening] = &[
    opening("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hostname", File, SandboxId, CRI),
    opening("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hosts", File, SandboxId, CRI),
    opening("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/resolv.conf", File, SandboxId, CRI),
    opening("/run/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm", Tree, SandboxId, CRI_SHM),
    opening("/var/lib/containerd/io.containerd.grpc.v1.cri/containers/*/volumes/*", Tree, Unnamed, CRI_VOLUME),
    opening("/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hostname", File, Unnamed, CRI),
    opening("/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/hosts", File, Unnamed, CRI),
    opening(
        "/var/lib/rancher/*/agent/containerd/io.containerd.grpc.v1.cri/sandboxes/*/resolv.conf",
        File,
        Unnamed,
        CRI,
    ),
    opening("/run/k3s/containerd/io.containerd.grpc.v1.cri/sandboxes/*/shm", Tree, SandboxId, CRI_SHM),
    opening("/var/lib/kubelet/pods/*/volumes/*/*", Either, PodUid, KUBELET),
    opening("/var/lib/kubelet/pods/*/volume-subpaths/*/*/*", Either, PodUid, KUBELET),
    opening("/var/lib/kubelet/pods/*/containers/*/*", File, PodUid, "the kubelet makes the termination log here"),
    opening("/var/lib/kubelet/pods/*/etc-hosts", File, PodUid, "the kubelet writes the pod's hosts file here"),
    opening("/var/lib/docker/containers/*/hostname", File, Unnamed, DOCKER),
    opening("/var/lib/docker/containers/*/hosts", File, Unnamed, DOCKER),
    opening("/var/lib/docker/containers/*/resolv.conf", File, Unnamed, DOCKER),
    opening("/var/lib/docker/containers/*/mounts/shm", Tree, Unnamed, "docker's /dev/shm of a shared IPC namespace"),
    opening("/var/lib/docker/volumes/*/_data", Either, Unnamed, NAMED_VOLUME),
    opening("/run/containers/storage/overlay-containers/*/userdata/hostname", File, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/hosts", File, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/resolv.conf", File, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/passwd", File, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/group", File, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/.containerenv", File, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/run", Tree, Unnamed, PODMAN),
    opening("/run/containers/storage/overlay-containers/*/userdata/shm", Tree, Unnamed, PODMAN),
    opening("/var/lib/containers/storage/overlay-containers/*/userdata/hostname", File, Unnamed, PODMAN),
    opening("/var/lib/containers/storage/overlay-containers/*/userdata/hosts", File, Unnamed, PODMAN),
    opening("/var/lib/containers/storage/overlay-containers/*/userdata/resolv.conf", File, Unnamed, PODMAN),
    opening("/var/lib/containers/storage/overlay-containers/*/userdata/.containerenv", File, Unnamed, PODMAN),
    opening("/var/lib/containers/storage/overlay-containers/*/userdata/shm", Tree, Unnamed, PODMAN),
    opening("/var/lib/containers/storage/volumes/*/_data", Either, Unnamed, NAMED_VOLUME),
    read_only("/etc/localtime", File, HOST_FACTS),
    read_only("/etc/timezone", File, HOST_FACTS),
    read_only("/etc/hosts", File, HOST_FACTS),
    read_only("/etc/hostname", File, HOST_FACTS),
    read_only("/etc/resolv.conf", File, HOST_FACTS),
    read_only("/run/systemd/resolve/resolv.conf", File, HOST_FACTS),
    read_only("/run/systemd/resolve/stub-resolv.conf", File, HOST_FACTS),
    read_only("/etc/ssl/certs", Either, CERTIFICATES),
    read_only("/etc/ca-certificates", Either, CERTIFICATES),
    read_only("/etc/pki/ca-trust/extracted", Either, CERTIFICATES),
    read_only("/etc/pki/tls/certs", Either, CERTIFICATES),
];

const UNPACKED: &str = "where an engine unpacks or mounts the root file system of a container";

/// Openings for `root.path`.
pub const ROOTFS_OPENINGS: &[Opening] = &[
    opening("/run/containerd/io.containerd.runtime.v2.task/*/*/rootfs", Tree, Unnamed, UNPACKED),
    opening("/run/k3s/containerd/io.containerd.runtime.v2.task/*/*/rootfs", Tree, Unnamed, UNPACKED),
    opening("/run/docker/containerd/daemon/io.containerd.runtime.v2.task/*/*/rootfs", Tree, Unnamed, UNPACKED),
    opening("/var/lib/docker/overlay2/*/merged", Tree, Unnamed, UNPACKED),
    opening("/var/lib/docker/fuse-overlayfs/*/merged", Tree, Unnamed, UNPACKED),
    opening("/var/lib/docker/rootfs/*/*", Tree, Unnamed, UNPACKED),
    opening("/var/lib/docker/vfs/dir/*", Tree, Unnamed, UNPACKED),
    opening("/var/lib/containers/storage/overlay/*/merged", Tree, Unnamed, UNPACKED),
    opening("/var/lib/containers/storage/vfs/dir/*", Tree, Unnamed, UNPACKED),
    opening("/run/lazaret/*/rootfs", Tree, Unnamed, "where lazaret mounts the root file system of a container"),
    opening("/root/*", Tree, Unnamed, "a bundle that the administrator keeps among the own files"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_opening_lies_within_a_refused_tree_and_has_an_owner_component_when_it_names_one() {
        for opening in OPENINGS.iter().chain(ROOTFS_OPENINGS) {
            let inside = super::super::sensitive::TREES.iter().any(|tree| {
                tree.within == super::super::sensitive::Within::Refused && opening.path.starts_with(tree.path)
            });
            assert!(inside && !opening.reason.is_empty(), "{}", opening.path);
            assert!(opening.owner == Owner::Unnamed || opening.path.contains("/*/"), "{}", opening.path);
        }
    }
}
