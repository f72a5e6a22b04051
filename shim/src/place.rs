//! Where things are on disk: the runtime's state, and the files that a shim leaves in a bundle.

use std::path::PathBuf;

/// State of the containers that containerd runs, one directory for each of its namespaces.
const STATE_ROOT: &str = "/run/lazaret-containerd";
/// Environment variable that replaces [`STATE_ROOT`]. Set for containerd, it reaches `start` and `delete` alike.
const STATE_ROOT_VARIABLE: &str = "LAZARET_CONTAINERD_ROOT";

/// The address of the shim, in the bundle.
pub(crate) const ADDRESS_FILE: &str = "address";
/// The process id of the shim, in the bundle.
pub(crate) const PID_FILE: &str = "shim.pid";
/// The fifo that containerd reads the shim's log from, in the bundle.
pub(crate) const LOG_FIFO: &str = "log";
/// The OCI configuration, in the bundle.
pub(crate) const CONFIG_FILE: &str = "config.json";

/// The runtime's state directory for a namespace. containerd allows namespaces only what a file name may hold; anything
/// else gets none.
pub(crate) fn state_root(namespace: &str) -> Option<PathBuf> {
    let plain = !namespace.is_empty() && !namespace.starts_with('.') && !namespace.contains(['/', '\0']);
    let root = std::env::var_os(STATE_ROOT_VARIABLE).map_or_else(|| STATE_ROOT.into(), PathBuf::from);
    plain.then(|| root.join(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_cannot_lead_elsewhere() {
        assert!(state_root("k8s.io").unwrap().ends_with("k8s.io"));
        for namespace in ["", "..", ".", "a/b", "/etc"] {
            assert_eq!(state_root(namespace), None);
        }
    }
}
