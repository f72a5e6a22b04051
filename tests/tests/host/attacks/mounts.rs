//! Rows R01, R02, R19: nothing inside mounts, remounts, unmounts or swaps the root.

use libc::{ENOSYS, EPERM};

use super::attacks;

attacks! {
    mount_of_a_tmpfs_is_refused: ["mount-tmpfs"], refused [EPERM], witnessed Some("mount"), beside "honest-files";
    mount_of_a_fresh_proc_is_refused: ["mount-proc"], refused [EPERM], witnessed Some("mount"), beside "honest-status";
    bind_mount_is_refused: ["mount-bind"], refused [EPERM], witnessed Some("mount"), beside "honest-links";
    remount_of_the_root_is_refused: ["remount-rw"], refused [EPERM], witnessed Some("mount"), beside "honest-files",
        read_only true;
    umount_of_proc_is_refused: ["umount", "/proc"], refused [EPERM], witnessed Some("umount2"), beside "honest-status";
    umount_of_the_root_is_refused: ["umount", "/dev/shm"], refused [EPERM], witnessed Some("umount2"),
        beside "honest-shared-memory";
    the_new_mount_interface_is_refused: ["new-mount"], refused [EPERM, ENOSYS], witnessed Some("fsopen"),
        beside "honest-files";
    fsopen_is_refused: ["fsopen"], refused [EPERM, ENOSYS], witnessed Some("fsopen"), beside "honest-files";
    fspick_is_refused: ["fspick"], refused [EPERM, ENOSYS], witnessed Some("fspick"), beside "honest-files";
    open_tree_is_refused: ["open-tree"], refused [EPERM, ENOSYS], witnessed Some("open_tree"), beside "honest-files";
    move_mount_is_refused: ["move-mount"], refused [EPERM, ENOSYS], witnessed Some("move_mount"),
        beside "honest-rename";
    mount_setattr_is_refused: ["mount-setattr"], refused [EPERM, ENOSYS], witnessed Some("mount_setattr"),
        beside "honest-files", read_only true;
    pivot_root_is_refused: ["pivot-root"], refused [EPERM], witnessed Some("pivot_root"), beside "honest-rename";
    release_agent_stays_out_of_reach: ["release-agent"], refused [EPERM], witnessed Some("mount"),
        beside "honest-files";
}
