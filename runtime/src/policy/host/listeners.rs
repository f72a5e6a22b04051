//! The unix sockets of `/proc/net/unix` that answer: stream sockets that listen, and datagram sockets that are bound.
//! The kernel lists the names as the binder wrote them; a name counts when it leads to a socket here too.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::Listener;
use crate::policy::PolicyError;
use crate::policy::mountinfo::{MountTable, Place};
use crate::policy::object::Object;

const TABLE: &str = "/proc/net/unix";
/// `__SO_ACCEPTCON` of `include/linux/net.h`, in the column "Flags".
const LISTENING: u64 = 1 << 16;
/// `SOCK_DGRAM`, in the column "Type".
const DATAGRAM: u64 = 2;

/// The listeners of this network namespace that have a name in this mount namespace.
pub(super) fn gather(mounts: &MountTable) -> Result<Vec<Listener>, PolicyError> {
    let text = std::fs::read(TABLE).map_err(|source| PolicyError::Facts { path: TABLE.into(), source })?;
    let mut directories: BTreeMap<PathBuf, Option<(PathBuf, Place)>> = BTreeMap::new();
    let mut listeners = Vec::new();
    for path in names(&text) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            continue;
        };
        let directory = directories.entry(parent.to_path_buf()).or_insert_with(|| place(mounts, parent));
        let Some((parent, place)) = directory else {
            continue;
        };
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
        if is_socket {
            let place = Place { device: place.device, path: place.path.join(name) };
            listeners.push(Listener { name: parent.join(name), place });
        }
    }
    Ok(listeners)
}

/// Name and place of a directory; `None` when it does not exist here.
fn place(mounts: &MountTable, directory: &Path) -> Option<(PathBuf, Place)> {
    let facts = Object::open(directory).ok()?.facts;
    let place = mounts.place(facts.mount, &facts.name)?;
    Some((facts.name, place))
}

/// The absolute names in the table of those that answer.
fn names(table: &[u8]) -> impl Iterator<Item = &Path> {
    table.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        // Num: RefCount Protocol Flags Type St Inode Path; the path may hold spaces.
        let mut rest = line;
        let mut columns = [0_u64; 7];
        for column in &mut columns {
            let word = rest.trim_ascii_start();
            let end = word.iter().position(|byte| *byte == b' ')?;
            let (field, tail) = word.split_at_checked(end)?;
            let digits = std::str::from_utf8(field).ok()?.trim_end_matches(':');
            *column = u64::from_str_radix(digits, 16).ok()?;
            rest = tail;
        }
        let [_, _, _, flags, kind, _, _] = columns;
        let name = rest.strip_prefix(b" ").filter(|name| name.starts_with(b"/"))?;
        (flags & LISTENING != 0 || kind == DATAGRAM).then(|| Path::new(std::ffi::OsStr::from_bytes(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"Num       RefCount Protocol Flags    Type St Inode Path
ffff8a8a: 00000002 00000000 00010000 0001 01 12345 /run/docker.sock
ffff8a8b: 00000003 00000000 00000000 0001 03 12346 /run/docker.sock
ffff8a8c: 00000002 00000000 00000000 0002 01 12347 /run/systemd/notify
ffff8a8d: 00000002 00000000 00010000 0005 01 12348 /a b/c
ffff8a8e: 00000002 00000000 00010000 0001 01 12349 @abstract
ffff8a8f: 00000002 00000000 00010000 0001 01 12350
";

    #[test]
    fn those_that_answer_under_an_absolute_name_are_listed() {
        let found: Vec<_> = names(TEXT).collect();
        assert_eq!(found, [Path::new("/run/docker.sock"), Path::new("/run/systemd/notify"), Path::new("/a b/c")]);
    }

    #[test]
    fn a_listener_of_this_machine_is_found_at_its_place() {
        let base = std::env::temp_dir().join(format!("lazaret-listeners-{}", std::process::id()));
        std::fs::create_dir_all(base.join("real")).unwrap();
        let base = base.canonicalize().unwrap();
        std::os::unix::fs::symlink("real", base.join("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(base.join("link/x.sock")).unwrap();
        let mounts = MountTable::parse(&std::fs::read("/proc/self/mountinfo").unwrap()).unwrap();
        let found = gather(&mounts).unwrap();
        assert!(found.iter().any(|listener| listener.name == base.join("real/x.sock")), "{found:?}");
        std::fs::remove_dir_all(base).unwrap();
    }
}
