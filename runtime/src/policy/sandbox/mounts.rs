//! Mounts, apart from their sources: file system types, destinations and propagation. Pure.

use std::path::Path;

use crate::bundle::field::Field;
use crate::policy::PolicyError;
use crate::spec::container::{Container, Propagation};
use crate::spec::mounts::{Mount, MountKind, attr};

/// What a sandbox makes new instances of, inside its own namespaces.
const FILESYSTEMS: &[&str] = &["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"];

/// Files of procfs that runc lets a bind mount replace: what lxcfs and its like provide, and nothing that the kernel
/// takes orders from.
const REPLACEABLE_IN_PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// Where the masks and read-only paths of a bundle expect these file systems: a second instance elsewhere has none.
const OWN_PLACE: &[(&str, &str)] = &[("proc", "/proc"), ("sysfs", "/sys")];

/// Refuses every other file system type.
pub(super) fn refuse_kind(mount: &Mount) -> Result<(), PolicyError> {
    match &mount.kind {
        MountKind::Bind { .. } => Ok(()),
        MountKind::Filesystem { fstype, .. } if FILESYSTEMS.contains(&fstype.as_str()) => Ok(()),
        MountKind::Filesystem { fstype, .. } => {
            Err(PolicyError::Filesystem { field: Field::text(&format!("mounts[{}].type", mount.index), fstype) })
        }
    }
}

/// Refuses destinations that would replace the root or the container's view of the kernel.
pub(super) fn refuse_destination(mount: &Mount) -> Result<(), PolicyError> {
    let refuse = |rule| {
        let key = format!("mounts[{}].destination", mount.index);
        Err(PolicyError::Destination { field: Field::text(&key, &mount.destination.to_string_lossy()), rule })
    };
    let destination = &mount.destination;
    if destination == Path::new("/") {
        return refuse("a mount on / would replace the root file system that was judged");
    }
    let fstype = match &mount.kind {
        MountKind::Bind { .. } => "bind",
        MountKind::Filesystem { fstype, .. } => fstype.as_str(),
    };
    if OWN_PLACE.iter().any(|(own, place)| *own == fstype && destination != Path::new(place)) {
        return refuse("proc belongs on /proc and sysfs on /sys: elsewhere they would be without masks");
    }
    if destination == Path::new("/proc") && fstype != "proc" {
        return refuse("cannot be mounted because it is not of type proc");
    }
    if destination.starts_with("/proc") && destination != Path::new("/proc") && !is_harmless_in_proc(mount, destination)
    {
        return refuse("cannot be mounted because it is inside /proc");
    }
    Ok(())
}

/// A file of lxcfs and its like, or a mask: the empty device, or an empty read-only tmpfs.
fn is_harmless_in_proc(mount: &Mount, destination: &Path) -> bool {
    match &mount.kind {
        MountKind::Bind { source, .. } => {
            source == Path::new("/dev/null") || REPLACEABLE_IN_PROC.iter().any(|path| destination == Path::new(path))
        }
        MountKind::Filesystem { fstype, copy_up, .. } => {
            fstype == "tmpfs" && !copy_up && mount.attr_set & attr::RDONLY != 0
        }
    }
}

/// Refuses propagation from the container to the host.
pub(super) fn refuse_sharing(mount: &Mount) -> Result<(), PolicyError> {
    let option = match mount.propagation {
        Some((Propagation::Shared, true)) => "rshared",
        Some((Propagation::Shared, false)) => "shared",
        // What the host mounts there later would come in unjudged.
        Some((Propagation::Slave, true)) => "rslave",
        Some((Propagation::Slave, false)) => "slave",
        Some((Propagation::Private | Propagation::Unbindable, _)) | None => return Ok(()),
    };
    Err(PolicyError::Propagation { field: Field::text(&format!("mounts[{}].options", mount.index), option) })
}

/// The same for the root.
pub(super) fn refuse_shared_root(container: &Container) -> Result<(), PolicyError> {
    if container.rootfs_propagation == Some(Propagation::Shared) {
        return Err(PolicyError::Propagation { field: Field::text("linux.rootfsPropagation", "shared") });
    }
    Ok(())
}

/// Whether the container can write nothing of what the mount brings: `ro` alone leaves mounts below writable.
pub(super) fn is_read_only(mount: &Mount, recursive: bool) -> bool {
    let own = mount.attr_set & attr::RDONLY != 0 && mount.recursive_attr_clear & attr::RDONLY == 0;
    let tree = mount.recursive_attr_set & attr::RDONLY != 0 && mount.attr_clear & attr::RDONLY == 0;
    tree || (own && !recursive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing;
    use serde_json::{Value, json};

    fn mount(value: &Value) -> Mount {
        let bundle = testing::bundle(|config| config["mounts"] = json!([value]));
        crate::spec::check_without_machine(&bundle).unwrap().mounts.remove(0)
    }

    fn filesystem(fstype: &str, destination: &str) -> Mount {
        mount(&json!({"destination": destination, "type": fstype, "source": "x"}))
    }

    fn bind(destination: &str, options: &[&str]) -> Mount {
        mount(&json!({"destination": destination, "type": "bind", "source": "/srv/x", "options": options}))
    }

    #[test]
    fn file_systems_of_the_container_are_admitted_and_others_refused_by_name() {
        for fstype in FILESYSTEMS {
            assert!(refuse_kind(&filesystem(fstype, "/x")).is_ok());
        }
        for fstype in ["ext4", "xfs", "overlay", "nfs", "cifs", "debugfs", "tracefs", "bpf", "fuse", "9p", "devtmpfs"] {
            let error = refuse_kind(&filesystem(fstype, "/x")).unwrap_err();
            assert!(error.to_string().contains(&format!("mounts[0].type = \"{fstype}\"")), "{error}");
        }
    }

    #[test]
    fn the_root_and_the_inside_of_proc_are_no_destinations() {
        for destination in ["/", "/.", "/a/..", "/proc", "/proc/sys", "/x/../proc/self/attr", "//proc/1"] {
            assert!(refuse_destination(&bind(destination, &[])).is_err(), "{destination}");
        }
        for (fstype, destination) in
            [("tmpfs", "/proc"), ("tmpfs", "/proc/acpi"), ("proc", "/mnt/proc"), ("sysfs", "/s"), ("proc", "/proc/x")]
        {
            assert!(refuse_destination(&filesystem(fstype, destination)).is_err(), "{fstype} on {destination}");
        }
    }

    #[test]
    fn honest_destinations_are_admitted() {
        for destination in ["/x", "/etc/hosts", "/processes", "/sys/fs/cgroup", "/proc/../data"] {
            assert!(refuse_destination(&bind(destination, &[])).is_ok(), "{destination}");
        }
        for path in REPLACEABLE_IN_PROC {
            assert!(refuse_destination(&bind(path, &[])).is_ok(), "{path}");
        }
        assert!(refuse_destination(&filesystem("proc", "/proc/")).is_ok());
        let mask = mount(&json!({"destination": "/proc/acpi", "type": "tmpfs", "options": ["ro"]}));
        assert!(refuse_destination(&mask).is_ok());
        let mask = mount(&json!({"destination": "/proc/kcore", "type": "bind", "source": "/dev/null"}));
        assert!(refuse_destination(&mask).is_ok());
    }

    #[test]
    fn only_private_propagation_is_admitted() {
        for (option, admitted) in [
            ("shared", false),
            ("rshared", false),
            ("private", true),
            ("rslave", false),
            ("slave", false),
            ("unbindable", true),
        ] {
            assert_eq!(refuse_sharing(&bind("/x", &[option])).is_ok(), admitted, "{option}");
        }
    }

    #[test]
    fn a_recursive_mount_is_read_only_when_all_of_it_is() {
        for (options, recursive, expected) in [
            (&["ro"][..], false, true),
            (&["ro"], true, false),
            (&["rro"], true, true),
            (&["ro", "rrw"], false, false),
            (&["rw"], false, false),
            (&[], false, false),
        ] {
            assert_eq!(is_read_only(&bind("/x", options), recursive), expected, "{options:?}");
        }
    }
}
