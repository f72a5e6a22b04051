//! Row R08 and its kind: nothing inside makes a namespace, by whichever call, and nothing joins one.

use libc::{ENOSYS, EPERM};

use super::attacks;

attacks! {
    unshare_of_a_user_namespace_is_refused: ["unshare", "user"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-unshare-files";
    unshare_of_a_mount_namespace_is_refused: ["unshare", "mnt"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-unshare-files";
    unshare_of_a_pid_namespace_is_refused: ["unshare", "pid"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-exec";
    unshare_of_a_network_namespace_is_refused: ["unshare", "net"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-tcp";
    unshare_of_an_ipc_namespace_is_refused: ["unshare", "ipc"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-shared-memory";
    unshare_of_a_uts_namespace_is_refused: ["unshare", "uts"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-hostname";
    unshare_of_a_cgroup_namespace_is_refused: ["unshare", "cgroup"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-unshare-files";
    unshare_of_a_time_namespace_is_refused: ["unshare", "time"], refused [EPERM], witnessed Some("unshare"),
        beside "honest-clock";
    clone_of_a_user_namespace_is_refused: ["clone", "user"], refused [EPERM], witnessed Some("clone"),
        beside "honest-exec";
    clone_of_a_mount_namespace_is_refused: ["clone", "mnt"], refused [EPERM], witnessed Some("clone"),
        beside "honest-exec";
    clone_of_a_pid_namespace_is_refused: ["clone", "pid"], refused [EPERM], witnessed Some("clone"),
        beside "honest-exec";
    clone_of_a_network_namespace_is_refused: ["clone", "net"], refused [EPERM], witnessed Some("clone"),
        beside "honest-tcp";
    clone_of_an_ipc_namespace_is_refused: ["clone", "ipc"], refused [EPERM], witnessed Some("clone"),
        beside "honest-threads";
    clone_of_a_uts_namespace_is_refused: ["clone", "uts"], refused [EPERM], witnessed Some("clone"),
        beside "honest-threads";
    clone_of_a_cgroup_namespace_is_refused: ["clone", "cgroup"], refused [EPERM], witnessed Some("clone"),
        beside "honest-threads";
    clone_with_high_bits_is_refused: ["clone-high-bits", "user"], refused [EPERM], witnessed Some("clone"),
        beside "honest-exec";
    clone3_of_a_user_namespace_is_refused: ["clone3", "user"], refused [ENOSYS], witnessed None, beside "honest-threads";
    clone3_of_a_mount_namespace_is_refused: ["clone3", "mnt"], refused [ENOSYS], witnessed None, beside "honest-threads";
    clone3_of_a_time_namespace_is_refused: ["clone3", "time"], refused [ENOSYS], witnessed None, beside "honest-threads";
    capabilities_by_a_nested_user_namespace_are_refused: ["userns-capabilities"], refused [EPERM],
        witnessed Some("unshare"), beside "honest-setuid";
}
