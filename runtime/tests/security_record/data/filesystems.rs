//! Mounts, namespaces, file systems and the files of the kernel.

use super::{NEW_USER_NAMESPACE, SET_USER_ID, SPLICE, SYS_ADMIN};
use crate::entry::{Need, Part, call, entry};

const MOUNT: Need = Need::Any(
    "a mount (mount, fsmount, open_tree or move_mount)",
    &[call!(mount), call!(fsmount), call!(open_tree), call!(move_mount)],
);

const OPTIONS: Need = Need::Any("fsconfig on a file system of fsopen or fspick", &[call!(fsconfig)]);

const SYSCTL: Need = Need::Write("/proc/sys/net");
const OWN_MEMORY: Need = Need::Write("/proc/self/mem");

/// The chapter.
pub(super) const PART: Part = Part {
    title: "Mounts, namespaces and file systems",
    entries: &[
        entry(
            "CVE-2012-0056",
            "/proc/PID/mem of a set-user-id program could be written to",
            &[OWN_MEMORY, SET_USER_ID],
        ),
        entry("CVE-2013-1858", "a new user namespace that shared its root directory", &[NEW_USER_NAMESPACE]),
        entry("CVE-2014-5206", "a remount in a user namespace took read-only off", &[SYS_ADMIN, MOUNT]),
        entry("CVE-2014-5207", "a remount in a user namespace took nosuid, noexec and nodev off", &[SYS_ADMIN, MOUNT]),
        entry(
            "CVE-2015-1328",
            "overlayfs in a user namespace (Ubuntu): files copied up without a check",
            &[SYS_ADMIN, MOUNT],
        ),
        entry("CVE-2015-8660", "overlayfs: attributes changed on the lower file", &[SYS_ADMIN, MOUNT]),
        entry(
            "CVE-2018-18955",
            "user namespace: nested id maps of more than five lines were wrong",
            &[NEW_USER_NAMESPACE],
        ),
        entry(
            "CVE-2021-3493",
            "overlayfs in a user namespace (Ubuntu): file capabilities for the host",
            &[SYS_ADMIN, MOUNT],
        ),
        entry("CVE-2021-4154", "fsconfig on cgroup v1: a use after free", &[SYS_ADMIN, OPTIONS]),
        entry(
            "CVE-2021-33909",
            "seq_file: mountinfo of a path above 1 GiB wrote out of bounds (Sequoia)",
            &[SYS_ADMIN, MOUNT],
        ),
        entry("CVE-2022-0185", "fsconfig: an integer underflow wrote past the heap", &[SYS_ADMIN, OPTIONS]),
        entry("CVE-2022-0492", "cgroup v1: release_agent from a new cgroup mount ran on the host", &[SYS_ADMIN, MOUNT]),
        entry(
            "CVE-2022-0847",
            "pipe: pages of files that were only readable could be written to (dirty pipe)",
            &[SPLICE],
        ),
        entry("CVE-2022-4378", "sysctl: writing a number to /proc/sys overflowed the stack", &[SYSCTL]),
        entry("CVE-2023-0386", "overlayfs: set-user-id files copied up from a mount of the user", &[SYS_ADMIN, MOUNT]),
        entry("CVE-2023-2640", "overlayfs (Ubuntu): privileged attributes set without a check", &[SYS_ADMIN, MOUNT]),
        entry(
            "CVE-2023-32629",
            "overlayfs (Ubuntu): privileged attributes copied up without a check",
            &[SYS_ADMIN, MOUNT],
        ),
    ],
};
