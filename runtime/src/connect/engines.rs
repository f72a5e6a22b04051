//! Whether a socket is a container engine's, whatever name it has: by the file itself.
//!
//! Two things are known of a file. Whether it is what stands at an engine's place on this host now; and whether a process in our
//! network namespace listens on it, and by which name it was bound: the kernel keeps that, also when the file is
//! renamed or linked (sock_diag(7), `UDIAG_SHOW_VFS`). A socket of a container's own daemon is neither, and has a
//! network namespace of its own.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use crate::netlink::{self, NLM_F_DUMP, Request, Socket};
use crate::policy::tables::engines;

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// `TCP_LISTEN` as a bit of the states that are wanted.
const LISTENING: u32 = 1 << 10;
/// `UDIAG_SHOW_NAME | UDIAG_SHOW_VFS` of linux/unix_diag.h.
const SHOW: u32 = 0x1 | 0x2;
/// `sizeof(struct unix_diag_msg)`.
const MESSAGE: usize = 16;
/// `UNIX_DIAG_NAME` and `UNIX_DIAG_VFS`.
const NAME: u16 = 0;
const VFS: u16 = 1;

/// Whether `file`, opened with `O_PATH`, is an engine's socket.
///
/// # Errors
/// When that cannot be told: then nobody may connect to it.
pub(super) fn is_engine(file: &OwnedFd) -> io::Result<bool> {
    let stat = rustix::fs::fstat(file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        // The kernel refuses it.
        return Ok(false);
    }
    if stands_at_a_place(&stat) {
        return Ok(true);
    }
    let Some(bound) = name_when_bound(&stat)? else { return Ok(false) };
    let now = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok([&bound, &now].into_iter().any(|name| engines::by_name(name).is_some()))
}

/// Whether it is the file at one of the places where engines have their sockets.
fn stands_at_a_place(stat: &Stat) -> bool {
    let places = engines::ENGINES.iter().flat_map(|engine| engine.places);
    let is_it = |path: &PathBuf| {
        // Following links, as who connects there does.
        std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (stat.st_dev, stat.st_ino))
    };
    places.flat_map(|place| expanded(place)).any(|path| is_it(&path))
}

/// The paths of a place: its one `*`, if it has one, stands for any directory.
fn expanded(place: &str) -> Vec<PathBuf> {
    let Some((before, after)) = place.split_once("/*/") else { return vec![PathBuf::from(place)] };
    let entries = std::fs::read_dir(before).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join(after)).collect()
}

/// The name by which a listener of our network namespace bound the file; `None` when none listens on it.
fn name_when_bound(stat: &Stat) -> io::Result<Option<PathBuf>> {
    let mut fixed = vec![u8::try_from(libc::AF_UNIX).unwrap_or_default(), 0, 0, 0];
    for word in [LISTENING, 0, SHOW, u32::MAX, u32::MAX] {
        fixed.extend(word.to_ne_bytes());
    }
    let answers = Socket::to_sock_diag()?.ask(&Request::new(BY_FAMILY, NLM_F_DUMP, &fixed))?;
    let found = answers.iter().filter(|answer| answer.kind == BY_FAMILY).find_map(|answer| {
        let attributes = netlink::attributes(&answer.body, MESSAGE);
        let value = |kind| attributes.iter().find(|(found, _)| *found == kind).map(|(_, value)| *value);
        let file = value(VFS)?;
        let file = (netlink::number(file, 0)?, netlink::number(file, 4)?);
        (file == identity(stat)).then(|| value(NAME).map(path).unwrap_or_default())
    });
    Ok(found)
}

/// The file as the kernel tells it in `struct unix_diag_vfs`: the low half of the inode's number, and the device as the
/// kernel itself encodes it (`MKDEV` of linux/kdev_t.h).
fn identity(stat: &Stat) -> (u32, u32) {
    let low = u32::try_from(stat.st_ino & 0xffff_ffff).unwrap_or_default();
    let (major, minor) = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
    (low, major << 20 | minor)
}

fn path(name: &[u8]) -> PathBuf {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Path::new(OsStr::from_bytes(name.get(..end).unwrap_or_default())).to_path_buf()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::fs::{Mode, OFlags};

    use super::*;

    fn opened(path: &Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn a_listener_is_known_by_the_name_that_it_was_bound_by() {
        let base = std::env::temp_dir().join(format!("lazaret-engines-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let (engine, honest) = (base.join("docker.sock"), base.join("honest.sock"));
        let _listeners = [UnixListener::bind(&engine).unwrap(), UnixListener::bind(&honest).unwrap()];
        let renamed = base.join("renamed");
        std::fs::rename(&engine, &renamed).unwrap();
        std::fs::hard_link(&renamed, base.join("linked")).unwrap();
        assert!(is_engine(&opened(&renamed)).unwrap());
        assert!(is_engine(&opened(&base.join("linked"))).unwrap());
        assert!(!is_engine(&opened(&honest)).unwrap());
        assert!(!is_engine(&opened(&base)).unwrap());
        std::fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_name_that_nobody_listens_on_is_no_engine() {
        let base = std::env::temp_dir().join(format!("lazaret-no-engine-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        drop(UnixListener::bind(base.join("docker.sock")).unwrap());
        assert!(!is_engine(&opened(&base.join("docker.sock"))).unwrap());
        std::fs::remove_dir_all(base).unwrap();
    }
}
