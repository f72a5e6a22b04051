//! What the mount table says about a place: whether something may be mounted there, or shown elsewhere.

use std::path::Path;

use lazaret_sentry::nested::Refusal;

use crate::policy::mountinfo::{Entry, MountTable};
use crate::policy::tables::kernel_filesystems::KERNEL_FILESYSTEMS;

/// File systems of the kernel's that have no masked paths: a container has them for itself.
const OWN: [&str; 2] = ["devpts", "mqueue"];

/// Whether it is one of the kernel's own interfaces.
fn is_kernels(entry: &Entry) -> bool {
    KERNEL_FILESYSTEMS.iter().any(|known| known.name == entry.fstype)
}

/// The mount and those that it is mounted on, up to the root. A parent that the table does not have ends it.
fn ancestors(table: &MountTable, id: u64) -> impl Iterator<Item = &Entry> {
    let first = table.entry(id);
    // Bounded: the table is the kernel's, and still no circle shall hang us.
    std::iter::successors(first, move |entry| table.entry(entry.parent).filter(|parent| parent.id != entry.id))
        .take(table.len())
}

/// Refuses a place for a mount: on the mount `id`, whose root it is or not.
///
/// # Errors
/// See [`Refusal`].
pub(super) fn judge_target(table: &MountTable, id: u64, is_root: bool) -> Result<(), Refusal> {
    let entry = table.entry(id).ok_or(Refusal::Outside)?;
    if is_root && entry.point == Path::new("/") {
        return Err(Refusal::Target);
    }
    // What masks a path of procfs is a mount of another kind on it.
    if ancestors(table, id).any(|entry| is_kernels(entry) && !OWN.contains(&entry.fstype.as_str())) {
        return Err(Refusal::Target);
    }
    if entry.is_shared() { Err(Refusal::Shared) } else { Ok(()) }
}

/// Refuses a directory as the layer of an overlay, which shows what mounts below it cover.
///
/// # Errors
/// See [`Refusal`].
pub(super) fn judge_layer(table: &MountTable, id: u64, path: &Path) -> Result<(), Refusal> {
    let entry = table.entry(id).ok_or(Refusal::Outside)?;
    if is_kernels(entry) || table.below(path).next().is_some() { Err(Refusal::Layer) } else { Ok(()) }
}

/// Refuses to show what is on the mount `id` elsewhere.
///
/// # Errors
/// See [`Refusal`].
pub(super) fn judge_source(table: &MountTable, id: u64) -> Result<(), Refusal> {
    if table.entry(id).is_none() {
        return Err(Refusal::Outside);
    }
    // A recursive bind leaves them out (`copy_tree` in fs/namespace.c).
    if table.has_unbindable() { Err(Refusal::Unbindable) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"1 0 0:30 / / rw - overlay overlay rw
2 1 0:31 / /proc rw - proc proc rw
3 2 0:31 /sys /proc/sys ro - proc proc rw
4 2 0:5 /null /proc/kcore rw - tmpfs dev rw
5 1 0:40 / /data rw shared:7 - ext4 a rw
6 1 0:41 / /dev rw - tmpfs tmpfs rw
7 6 0:42 / /dev/pts rw - devpts devpts rw
8 1 0:43 / /sys ro - sysfs sysfs ro
9 8 0:44 / /sys/fs/cgroup ro - cgroup2 cgroup ro
10 1 0:45 / /mnt rw - tmpfs tmpfs rw
";

    fn table() -> MountTable {
        MountTable::parse(TABLE).unwrap()
    }

    #[test]
    fn nothing_goes_onto_the_root_the_kernels_own_or_what_others_share() {
        let judge = |id, is_root| judge_target(&table(), id, is_root);
        assert_eq!(judge(1, true), Err(Refusal::Target));
        for id in [2, 3, 4, 8, 9] {
            assert_eq!(judge(id, true), Err(Refusal::Target), "{id}");
            assert_eq!(judge(id, false), Err(Refusal::Target), "{id}");
        }
        assert_eq!(judge(5, true), Err(Refusal::Shared));
        assert_eq!(judge(99, false), Err(Refusal::Outside));
        for (id, is_root) in [(1, false), (6, true), (7, true), (10, true), (10, false)] {
            assert_eq!(judge(id, is_root), Ok(()), "{id}");
        }
    }

    #[test]
    fn layers_have_no_mounts_below_them_and_are_the_containers_own() {
        let judge = |id, path: &str| judge_layer(&table(), id, Path::new(path));
        for (id, path) in [(1, "/"), (2, "/proc"), (3, "/proc/sys"), (7, "/dev/pts"), (6, "/dev"), (99, "/x")] {
            assert!(judge(id, path).is_err(), "{path}");
        }
        for (id, path) in [(1, "/usr"), (10, "/mnt"), (5, "/data/x"), (6, "/dev/shm")] {
            assert_eq!(judge(id, path), Ok(()), "{path}");
        }
    }

    #[test]
    fn an_unbindable_mount_anywhere_forbids_binds() {
        assert_eq!(judge_source(&table(), 2), Ok(()));
        let text = [TABLE, b"11 2 0:5 /null /proc/keys rw unbindable - tmpfs dev rw\n"].concat();
        assert_eq!(judge_source(&MountTable::parse(&text).unwrap(), 1), Err(Refusal::Unbindable));
    }
}
