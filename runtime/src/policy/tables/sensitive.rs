//! The trees of the host that no sandbox may bind. Binding the tree itself, or a directory above it, is always refused;
//! what lies within is each row's own rule. Data.

/// What holds for a path within a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Refused, unless an opening (`super::openings`) names it.
    Refused,
    /// Admitted when the mount is read-only: nothing in it is secret, everything in it is executed or believed by root.
    ReadOnly,
    /// Admitted: only the tree as a whole says too much.
    Admitted,
}

/// One tree.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    /// Its path, a pattern of `policy::pattern`.
    pub path: &'static str,
    /// What holds within.
    pub within: Within,
    /// Why.
    pub reason: &'static str,
}

const fn tree(path: &'static str, within: Within, reason: &'static str) -> Tree {
    Tree { path, within, reason }
}

use Within::{Admitted, ReadOnly, Refused};

const KERNEL: &str = "the kernel's own files: writing or reading them acts on the host";
const PROGRAMS: &str = "the host runs these programs as root, so whoever writes them is root";
const RUNTIME: &str = "the host's sockets, pid files and credentials live here";
const ENGINE: &str = "a container engine's own state: images, secrets and root file systems of every container";
const PLUGINS: &str = "container engines run these files as root";
const SHARED_TEMPORARY: &str =
    "every user of the host keeps sockets and files here under names that others guess; bind a directory below it";
const JOBS: &str = "the host runs these jobs as root";
const PACKAGES: &str = "the host runs these package scripts as root";

/// Every tree.
pub const TREES: &[Tree] = &[
    tree("/", Admitted, "the whole host"),
    tree("/proc", Refused, KERNEL),
    tree("/sys", Refused, KERNEL),
    tree("/dev", Refused, "the host's devices; the six harmless ones are given to every container anyway"),
    tree("/boot", Refused, "what the host starts with"),
    tree("/efi", Refused, "what the host starts with"),
    tree("/etc", Refused, "the host's accounts, keys and configuration"),
    tree("/root", Refused, "the administrator's files and keys"),
    tree("/home", Admitted, "the files of every user of the host; bind one project directory"),
    tree("/home/*/.*", Refused, "a user's keys, tokens and start-up files; bind one project directory"),
    tree("/var", Admitted, "the state of every service of the host"),
    tree("/var/lib", Admitted, "the state of every service of the host"),
    tree("/var/lib/kubelet", Refused, "the volumes, secrets and tokens of every pod of this node"),
    tree("/var/lib/containerd", Refused, ENGINE),
    tree("/var/lib/docker", Refused, ENGINE),
    tree("/var/lib/containers", Refused, ENGINE),
    tree("/var/lib/crio", Refused, ENGINE),
    tree("/var/lib/rancher", Refused, ENGINE),
    tree("/var/lib/k0s", Refused, ENGINE),
    tree("/var/lib/lazaret", Refused, ENGINE),
    tree("/var/lib/buildkit", Refused, ENGINE),
    tree("/var/lib/lxc", Refused, ENGINE),
    tree("/var/lib/lxd", Refused, ENGINE),
    tree("/var/lib/incus", Refused, ENGINE),
    tree("/var/lib/libvirt", Refused, "the disks and keys of the host's virtual machines"),
    tree("/var/lib/machines", Refused, ENGINE),
    tree("/var/snap", Admitted, "the state of every snap of the host"),
    tree("/var/snap/microk8s", Refused, ENGINE),
    tree("/var/snap/lxd", Refused, ENGINE),
    tree("/var/lib/etcd", Refused, "the cluster's data, with every secret in it"),
    tree("/var/lib/minikube", Refused, "the cluster's keys"),
    tree("/var/lib/cni", Refused, "the addresses of every pod of this node"),
    tree("/var/lib/cloud", Refused, "the machine's first-boot data and keys; its scripts run as root at boot"),
    tree("/var/lib/systemd", Refused, "the host's random seed, timers and core dumps"),
    tree("/var/lib/dpkg", Refused, PACKAGES),
    tree("/var/lib/rpm", Refused, PACKAGES),
    tree("/var/lib/apt", Refused, PACKAGES),
    tree("/var/lib/snapd", Refused, PACKAGES),
    tree("/var/run", Refused, RUNTIME),
    tree("/run", Refused, RUNTIME),
    tree("/var/log", Refused, "the logs of every service and pod; through links in it the kubelet reads host files"),
    tree("/var/spool/cron", Refused, JOBS),
    tree("/var/spool/at", Refused, JOBS),
    tree("/var/spool/anacron", Refused, JOBS),
    tree("/var/backups", Refused, "copies of the host's accounts and keys"),
    tree("/var/mail", Refused, "the mail of every user of the host"),
    tree("/var/spool/mail", Refused, "the mail of every user of the host"),
    tree("/usr", ReadOnly, PROGRAMS),
    tree("/bin", ReadOnly, PROGRAMS),
    tree("/sbin", ReadOnly, PROGRAMS),
    tree("/lib", ReadOnly, PROGRAMS),
    tree("/lib32", ReadOnly, PROGRAMS),
    tree("/lib64", ReadOnly, PROGRAMS),
    tree("/libx32", ReadOnly, PROGRAMS),
    tree("/lib/modules", Refused, "kernel modules: the host loads them, a sandbox cannot"),
    tree("/opt/cni", Refused, PLUGINS),
    tree("/etc/cni", Refused, PLUGINS),
    tree("/opt/nri", Refused, PLUGINS),
    tree("/opt/containerd", Refused, PLUGINS),
    tree("/usr/libexec/kubernetes", Refused, PLUGINS),
    tree("/usr/libexec/oci/hooks.d", Refused, PLUGINS),
    // The whole of it refused, a directory below it admitted: test and build directories live there, and sockets below
    // are found by the rules for sockets.
    tree("/tmp", Admitted, SHARED_TEMPORARY),
    tree("/var/tmp", Admitted, SHARED_TEMPORARY),
    tree("/tmp/systemd-private-*", Refused, "a host service's private files"),
    tree("/var/tmp/systemd-private-*", Refused, "a host service's private files"),
    tree("/tmp/.*", Refused, "sockets of the host's display and debugging tools"),
    tree("/swapfile", Refused, "memory of every process of the host"),
    tree("/swap.img", Refused, "memory of every process of the host"),
    tree("/lost+found", Refused, "files of the host that lost their permissions' protection"),
];

/// Names that mean credentials wherever they stand, with the reason.
pub const SECRET_NAMES: &[(&str, &str)] = &[
    (".ssh", "SSH keys"),
    (".gnupg", "GnuPG keys"),
    (".aws", "Amazon Web Services credentials"),
    (".azure", "Azure credentials"),
    (".kube", "Kubernetes credentials"),
    (".docker", "registry credentials"),
    (".password-store", "a password store"),
    (".netrc", "passwords"),
    (".git-credentials", "passwords"),
    (".pgpass", "passwords"),
    (".vault-token", "a Vault token"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_absolute_unique_and_reasoned() {
        let mut paths: Vec<_> = TREES.iter().map(|tree| tree.path).collect();
        assert!(TREES.iter().all(|tree| tree.path.starts_with('/') && !tree.reason.is_empty()));
        paths.sort_unstable();
        let count = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }
}
