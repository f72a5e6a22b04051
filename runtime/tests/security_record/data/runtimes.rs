//! Container runtimes, engines and application sandboxes.

use super::{INT, PTRACE};
use crate::entry::{Entry, Need, Part, call, entry};
use serde_json::json;

const EXECUTABLE: Need = Need::Weakness {
    what: "the runtime's executable, open for writing from inside",
    proofs: &[
        "image_tricks::an_entry_point_of_proc_self_exe_gives_nothing_away",
        "pod::the_runtime_on_its_way_into_a_pod_cannot_be_overwritten",
    ],
};

const OPEN_TO_INSIDE: Need = Need::Weakness {
    what: "a process of the runtime that joins and can be looked into",
    proofs: &[
        "pod::the_runtime_on_its_way_into_a_pod_shows_no_environment",
        "pod::the_runtime_on_its_way_into_a_pod_cannot_be_overwritten",
    ],
};

const LINK: Need = Need::Weakness {
    what: "a link in the image that a mount or file of the runtime follows",
    proofs: &[
        "image_tricks::a_mount_over_a_link_lands_inside",
        "image_tricks::a_proc_that_is_a_link_does_not_move_the_mount",
        "image_tricks::masked_and_read_only_paths_that_are_links_stay_inside",
    ],
};

const SWAPPED: Need = Need::Weakness {
    what: "a mount destination that is swapped for a link while the container is made",
    proofs: &["swaps::a_destination_that_is_swapped_for_a_link_stays_inside"],
};

const DESCRIPTOR: Need = Need::Weakness {
    what: "a descriptor or working directory of the host that is left open",
    proofs: &["host_doors::no_descriptor_leaks_in", "host_doors::a_working_directory_behind_a_descriptor_stays_inside"],
};

const OVER_PROC: Need = Need::Bundle {
    what: "a volume over /proc",
    change: |config| {
        let mount = json!({"destination": "/proc", "type": "tmpfs", "source": "tmpfs"});
        config["mounts"].as_array_mut().unwrap().push(mount);
    },
    field: "mounts[8].destination",
};

const HOST_NETWORK: Need = Need::Bundle {
    what: "the host's network",
    change: |config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().retain(|namespace| namespace["type"] != "network");
    },
    field: "linux.namespaces",
};

const HOST_HOOK: Need = Need::Bundle {
    what: "a hook on the host, without the line of the administrator that would allow it",
    change: |config| config["hooks"] = json!({"createContainer": [{"path": "/usr/bin/nvidia-ctk"}]}),
    field: "hooks.createContainer[0].path",
};

const ENGINE: Need = Need::Outside("the engine itself, before or beside the runtime");

/// The policy refuses the host's root, accounts, keys and engines by whatever name. A directory that it has no rule for is
/// a volume like any other.
const SUB_PATH: Need = Need::Outside("the kubelet itself, and a host directory that the policy has no rule for");

const LIST: &[Entry] = &[
    entry(
        "CVE-2016-9962",
        "runc exec: the joining process could be traced and its descriptors taken",
        &[OPEN_TO_INSIDE],
    ),
    entry("CVE-2019-5736", "runc overwritten through /proc/self/exe", &[EXECUTABLE]),
    entry("CVE-2019-16884", "runc: a volume over /proc swallowed the AppArmor label", &[OVER_PROC]),
    entry(
        "CVE-2019-19921",
        "runc: /proc in the image as a link into a shared volume, so that no label was applied",
        &[LINK],
    ),
    entry("CVE-2021-30465", "runc: a mount destination exchanged for a link gave the host's root", &[SWAPPED]),
    entry(
        "CVE-2022-29162",
        "runc exec --cap: inheritable capabilities that the container did not have",
        &[Need::Weakness {
            what: "a further process with more rights than the first",
            proofs: &["exec::a_process_lands_where_the_first_one_is_and_behind_the_same_walls"],
        }],
    ),
    entry(
        "CVE-2023-25809",
        "rootless runc: /sys/fs/cgroup of the user was writable inside",
        &[Need::Weakness {
            what: "a cgroup above the container's own that can be written to",
            proofs: &["config_tricks::a_container_cannot_lift_its_own_limits"],
        }],
    ),
    entry("CVE-2023-27561", "runc: CVE-2019-19921 again, by a regression", &[LINK]),
    entry("CVE-2023-28642", "runc: AppArmor and SELinux bypassed by a /proc that is a link", &[LINK]),
    entry(
        "CVE-2024-21626",
        "runc: a leaked descriptor as the working directory gave the host's file system",
        &[DESCRIPTOR],
    ),
    entry(
        "CVE-2024-45310",
        "runc: empty files and directories made on the host by a race in a shared volume",
        &[SWAPPED],
    ),
    entry(
        "CVE-2025-31133",
        "runc: masked paths by a /dev/null that the image had replaced, so that core_pattern could be written",
        &[Need::Weakness {
            what: "masks that are taken from the image's /dev/null",
            proofs: &["image_tricks::masking_does_not_trust_the_images_dev_null"],
        }],
    ),
    entry(
        "CVE-2025-52565",
        "runc: the bind mount of /dev/console followed a replaced /dev/pts/N",
        &[Need::Weakness {
            what: "a terminal that is taken from what the image put into its place",
            proofs: &["exec::what_is_no_devpts_gives_no_terminal"],
        }],
    ),
    entry("CVE-2025-52881", "runc: writes to /proc redirected by mounts that race in a shared volume", &[SWAPPED]),
    entry("CVE-2026-41579", "runc: a /dev that is a link of the image, followed before pivot_root", &[LINK]),
    entry("CVE-2015-1335", "LXC: mount destinations followed links of the container", &[LINK]),
    entry(
        "CVE-2020-15257",
        "containerd: the shim's abstract socket answered to every container with the host's network",
        &[HOST_NETWORK],
    ),
    entry(
        "CVE-2022-23648",
        "containerd CRI: a volume path of the image copied host files into the container",
        &[ENGINE],
    ),
    entry("CVE-2022-0811", "CRI-O: a sysctl value with a plus sign in it set kernel.core_pattern", &[ENGINE]),
    entry("CVE-2018-15664", "docker cp: a link exchanged during the copy led to the host", &[ENGINE]),
    entry("CVE-2019-14271", "docker cp: the helper loaded a library of the container", &[ENGINE]),
    entry("CVE-2017-1002101", "kubelet: a subPath that is a link gave a host directory as the volume", &[SUB_PATH]),
    entry("CVE-2021-25741", "kubelet: the same by a race", &[SUB_PATH]),
    entry("CVE-2024-0132", "NVIDIA Container Toolkit: a race in its hook gave the host's file system", &[HOST_HOOK]),
    entry("CVE-2025-23359", "NVIDIA Container Toolkit: the fix of CVE-2024-0132 could be got around", &[HOST_HOOK]),
    entry(
        "CVE-2025-23266",
        "NVIDIA Container Toolkit: its hook on the host took LD_PRELOAD from the image",
        &[HOST_HOOK],
    ),
];

/// Runtimes and engines.
pub(super) const RUNTIMES: Part = Part { title: "Container runtimes and engines", entries: LIST };

const TYPING: Need = call!("ioctl(TIOCSTI)", ioctl, 1: INT => 0x5412);
const PASTING: Need = call!("ioctl(TIOCLINUX)", ioctl, 1: INT => 0x541c);

/// Filters of other sandboxes that something got past.
pub(super) const SANDBOXES: Part = Part {
    title: "What got past the filters of other sandboxes",
    entries: &[
        entry("CVE-2016-10124", "lxc-attach: typing into the caller's terminal", &[TYPING]),
        entry("CVE-2017-5226", "bubblewrap: typing into the caller's terminal", &[TYPING]),
        entry("CVE-2019-7303", "snapd: the filter compared 64 bits of a 32-bit ioctl number", &[TYPING]),
        entry("CVE-2019-10063", "Flatpak: the same", &[TYPING]),
        entry("CVE-2023-28100", "Flatpak: pasting into a virtual console", &[PASTING]),
        entry("CVE-2023-1523", "snapd: pasting into a virtual console", &[PASTING]),
        entry(
            "CVE-2021-41133",
            "Flatpak: mount calls that were newer than the filter",
            &[Need::Any(
                "a mount call of the new interface",
                &[call!(fsopen), call!(fspick), call!(open_tree), call!(move_mount), call!(mount_setattr)],
            )],
        ),
        entry(
            "CVE-2022-30594",
            "a tracer could suspend the filter of its tracee (PTRACE_O_SUSPEND_SECCOMP)",
            &[PTRACE],
        ),
    ],
};
