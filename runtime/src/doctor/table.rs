//! The table of features: what each is for, and what lazaret does without it.

use super::feature::{Feature, Need};
use super::probes::{cgroups, landlock, mounts, namespaces, processes, seccomp, tracing};

/// A row that root and an ordinary user need alike.
const fn row(
    id: &'static str,
    group: &'static str,
    name: &'static str,
    need: Need,
    probe: fn(bool) -> super::answer::Answer,
    consequence: &'static str,
) -> Feature {
    Feature { id, group, name, root: need, user: Some(need), consequence, probe }
}

/// The same row with another need of an ordinary user, or none.
const fn for_user(feature: Feature, user: Option<Need>) -> Feature {
    Feature { user, ..feature }
}

const SANDBOX: Need = Need::Sandbox;
const STRICT: Need = Need::Strict;
const OPTION: Need = Need::Option;

/// Every feature.
pub(super) const FEATURES: &[Feature] = &[
    row(
        "seccomp-filter",
        "seccomp",
        "system call filter",
        SANDBOX,
        seccomp::filter,
        "no container is made in sandbox or strict mode",
    ),
    row(
        "seccomp-kill-process",
        "seccomp",
        "end of a process by filter",
        SANDBOX,
        seccomp::kill,
        "the filter is refused by the kernel: no container is made in sandbox or strict mode",
    ),
    row(
        "seccomp-wait-killable",
        "seccomp",
        "listener that signals do not interrupt (5.19)",
        SANDBOX,
        seccomp::killable_wait,
        "no container is made unless with --interceptor ptrace",
    ),
    row(
        "seccomp-notify",
        "seccomp",
        "trapped calls answered through a listener",
        OPTION,
        seccomp::notify,
        "the sentry traces by ptrace, which is slower; where that fails too, refusals hold and leave no record",
    ),
    row(
        "seccomp-addfd",
        "seccomp",
        "descriptor as an answer (5.14)",
        OPTION,
        seccomp::inject,
        "trapped calls that return a descriptor fail",
    ),
    row(
        "seccomp-sync-wake-up",
        "seccomp",
        "synchronous wake-up (6.6)",
        OPTION,
        seccomp::synchronous_wake_up,
        "a trapped call takes up to 65 us instead of 4",
    ),
    row(
        "ptrace",
        "seccomp",
        "trapped calls answered by a tracer",
        OPTION,
        tracing::tracer,
        "--interceptor ptrace fails; where no listener is to be had either, refusals leave no record",
    ),
    row(
        "process-vm-readv",
        "seccomp",
        "arguments read from the caller's memory",
        OPTION,
        tracing::memory,
        "trapped calls are refused and recorded without their arguments, host names cannot be set",
    ),
    row(
        "landlock",
        "landlock",
        "Landlock domain",
        STRICT,
        landlock::domain,
        "strict mode is refused; in sandbox mode device nodes and mounts are left to filter and capabilities, and the state \
         names it",
    ),
    row(
        "landlock-truncate",
        "landlock",
        "Landlock: all file rights (6.2)",
        STRICT,
        landlock::strict_rights,
        "strict mode is refused",
    ),
    row(
        "landlock-ioctl-dev",
        "landlock",
        "Landlock: device control (6.10)",
        OPTION,
        landlock::device_control,
        "in strict mode device control is the filter's alone",
    ),
    row(
        "landlock-scopes",
        "landlock",
        "Landlock: signals, abstract sockets (6.12)",
        OPTION,
        landlock::scopes,
        "in a namespace of processes or a network that is shared, signals and abstract sockets are not scoped; the state \
         names it",
    ),
    row(
        "user-namespace",
        "namespaces",
        "user namespace with its own ids",
        SANDBOX,
        namespaces::user,
        "no container is made in sandbox or strict mode",
    ),
    Feature {
        id: "subordinate-ids",
        group: "namespaces",
        name: "subordinate ids of an ordinary user",
        root: OPTION,
        user: Some(OPTION),
        consequence: "without root only the own id is mapped: a process can take on no other user or group",
        probe: namespaces::subordinate_ids,
    },
    row(
        "namespaces",
        "namespaces",
        "mount, network, ipc, uts, cgroup",
        SANDBOX,
        namespaces::others,
        "no container is made in sandbox or strict mode",
    ),
    row(
        "pid-namespace",
        "namespaces",
        "pid namespace with a procfs",
        SANDBOX,
        namespaces::processes,
        "no container is made in sandbox or strict mode",
    ),
    row(
        "time-namespace",
        "namespaces",
        "time namespace",
        OPTION,
        namespaces::time,
        "a bundle with a time namespace or linux.timeOffsets is refused",
    ),
    row("mount-api", "mounts", "mounts by descriptor (5.2)", SANDBOX, mounts::by_descriptor, "no container is made"),
    row("mount-setattr", "mounts", "attributes of mounts (5.12)", SANDBOX, mounts::attributes, "no container is made"),
    row("openat2", "mounts", "paths below a root (5.6)", SANDBOX, mounts::openat2, "no container is made"),
    for_user(
        row(
            "idmap-tmpfs",
            "mounts",
            "id-mapped tmpfs (6.3)",
            OPTION,
            mounts::id_mapped_tmpfs,
            "in sandbox mode a bind of what lies on a tmpfs (such as Kubernetes' secrets) is refused",
        ),
        None,
    ),
    for_user(
        row(
            "idmap-root",
            "mounts",
            "id-mapped mount of the host's root",
            OPTION,
            mounts::id_mapped_root,
            "bundles and volumes on that file system are refused in sandbox mode, and so is do",
        ),
        None,
    ),
    row(
        "overlay",
        "mounts",
        "overlay",
        OPTION,
        mounts::overlay,
        "do is refused, and so are root file systems of several layers",
    ),
    for_user(
        row(
            "overlay-idmap",
            "mounts",
            "overlay of id-mapped layers (5.19)",
            OPTION,
            mounts::overlay_of_id_mapped,
            "in sandbox mode root file systems of several layers, such as containerd's, are refused",
        ),
        None,
    ),
    row(
        "overlay-userns",
        "mounts",
        "overlay in a user namespace (5.11)",
        OPTION,
        mounts::overlay_inside,
        "--nested containers mount no overlay, and do is refused without root",
    ),
    row(
        "tmpfs-noswap",
        "mounts",
        "tmpfs that is not swapped (6.4)",
        OPTION,
        mounts::tmpfs_noswap,
        "a mount with the option noswap is refused",
    ),
    row("clone3", "processes", "clone3 with a pidfd", SANDBOX, namespaces::clone3, "no container is made"),
    row(
        "pidfd",
        "processes",
        "signal and wait by pidfd (5.4)",
        SANDBOX,
        processes::by_descriptor,
        "no container is made",
    ),
    row(
        "pidfd-getfd",
        "processes",
        "descriptor of another process (5.6)",
        OPTION,
        processes::descriptor_of,
        "in a container with a directory of the host, connect(2) is refused",
    ),
    row("close-range", "processes", "close_range (5.11)", SANDBOX, processes::close_range, "no container is made"),
    row(
        "subreaper",
        "processes",
        "orphans come to the launcher",
        SANDBOX,
        processes::subreaper,
        "no container is made",
    ),
    row("memfd", "processes", "sealed files in memory", OPTION, processes::memory_file, "hooks are refused"),
    row(
        "keyring",
        "processes",
        "session keyring",
        OPTION,
        processes::keyring,
        "a kernel without keyrings has none to keep apart; where they are forbidden, no container is made",
    ),
    row(
        "apparmor",
        "processes",
        "AppArmor",
        OPTION,
        processes::apparmor,
        "a bundle with process.apparmorProfile is refused",
    ),
    row(
        "rlimit-raise",
        "processes",
        "hard limits raised",
        OPTION,
        processes::raise_limits,
        "a bundle whose process.rlimits are above the caller's is refused",
    ),
    row(
        "proc-hidepid",
        "processes",
        "processes of other users in /proc",
        OPTION,
        namespaces::hidden_processes,
        "ordinary users do not see containers that changed their user: state calls them stopped",
    ),
    for_user(row("cgroup", "cgroups", "cgroup of a container", SANDBOX, cgroups::make, "no container is made"), None),
    for_user(
        row(
            "cgroup-devices",
            "cgroups",
            "device rules",
            SANDBOX,
            cgroups::devices,
            "a bundle with linux.resources.devices, which engines always write, is refused",
        ),
        None,
    ),
    for_user(
        row(
            "clone-into-cgroup",
            "cgroups",
            "processes born in their cgroup (5.7)",
            SANDBOX,
            cgroups::birth,
            "no container is made where cgroup v2 is mounted",
        ),
        None,
    ),
    row(
        "cgroup-controllers",
        "cgroups",
        "controllers: memory, cpu, pids, cpuset, io",
        OPTION,
        cgroups::controllers,
        "limits that need a missing controller are refused by name",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_gap_has_a_consequence() {
        let mut ids: Vec<&str> = FEATURES.iter().map(|feature| feature.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), FEATURES.len());
        assert!(FEATURES.iter().all(|feature| !feature.consequence.is_empty() && !feature.name.is_empty()));
    }
}
