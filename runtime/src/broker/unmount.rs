//! Taking away what an order mounted, and nothing else: what covers a path stays where it is.

use std::os::fd::OwnedFd;

use lazaret_sentry::nested::Refusal;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::Denied;
use super::caller::{self, Caller, mount_of};
use super::inside::Inside;
use super::ledger::Ledger;
use crate::policy::mountinfo::{Entry, MountTable};
use crate::sys;

/// Unmounts what is mounted at `target`. A bind comes and goes as a whole: what it brought along does not keep it.
pub(super) fn unmount(
    (target, follow): (&[u8], bool),
    detach: bool,
    inside: &Inside,
    caller: &Caller,
    table: &MountTable,
    ledger: &mut Ledger,
) -> Result<(), Denied> {
    let target = caller.as_caller(inside, || caller::open(target, follow))?;
    let (id, is_root) = mount_of(&target)?;
    // An open file of ours would keep it busy.
    drop(target);
    if !is_root {
        return Err(Denied::Errno(libc::EINVAL));
    }
    if !ledger.has(id) {
        return Err(Refusal::NotOurs.into());
    }
    let entry = table.entry(id).ok_or(Refusal::NotOurs)?;
    let parent = parent(entry, inside)?;
    rustix::process::fchdir(&parent)?;
    let name = entry.point.file_name().ok_or(Denied::Errno(libc::EINVAL))?;
    let flags = UnmountFlags::NOFOLLOW;
    let done = match rustix::mount::unmount(name, if detach { flags | UnmountFlags::DETACH } else { flags }) {
        Err(Errno::BUSY) if !detach && has_only_its_own(table, id, ledger) => {
            rustix::mount::unmount(name, flags | UnmountFlags::DETACH)
        }
        done => done,
    };
    inside.return_to_root()?;
    done?;
    ledger.remove(id)
}

/// The directory in which it is mounted. By now the directories above it may have other names; a name in use as a
/// mount point cannot be moved or removed, so what the directory shows under it stays what it is.
fn parent(entry: &Entry, inside: &Inside) -> Result<OwnedFd, Denied> {
    let moved = || Denied::Errno(libc::EBUSY);
    let (parent, name) = entry.point.parent().zip(entry.point.file_name()).ok_or_else(moved)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    let parent = rustix::fs::openat2(inside.root(), parent, flags, Mode::empty(), resolve)?;
    let found = sys::mount::mount_of(&parent, name)?;
    if found == (entry.id, true) { Ok(parent) } else { Err(moved()) }
}

/// Whether something is mounted on it, all of which came along with it.
fn has_only_its_own(table: &MountTable, id: u64, ledger: &Ledger) -> bool {
    let mut found = vec![id];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(table.on(parent).map(|entry| entry.id));
        next += 1;
    }
    found.len() > 1 && found.iter().skip(1).all(|id| !ledger.has(*id))
}
