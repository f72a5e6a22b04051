//! Changes to one mount that take something away: rights by a remount, peers by its propagation.

use lazaret_sentry::mount_flag as flag;
use lazaret_sentry::nested::Refusal;

use super::Denied;
use super::attach::restrictions;
use super::caller::{self, Caller, mount_of};
use super::inside::Inside;
use crate::policy::mountinfo::{Entry, MountTable};
use crate::sys::mount::{MountAttr, mount_setattr};

/// Adds the restrictions of `flags` (`MS_*`) to the mount at `target`. What a remount leaves out it gives back, to the
/// kernel; here that is refused, but for nosuid and nodev, which no mount goes without.
pub(super) fn restrict(
    target: &[u8],
    flags: u64,
    unchanged: &[Vec<u8>],
    (inside, caller, table): (&Inside, &Caller, &MountTable),
) -> Result<(), Denied> {
    let target = caller.as_caller(inside, || caller::open(target, true))?;
    let (id, is_root) = mount_of(&target)?;
    if !is_root {
        return Err(Denied::Errno(libc::EINVAL));
    }
    let entry = table.entry(id).ok_or(Refusal::Outside)?;
    if loosens(entry, flags) || !unchanged.iter().all(|option| entry.has_option(option)) {
        return Err(Refusal::Loosening.into());
    }
    let attributes = MountAttr { set: restrictions(flags), ..MountAttr::default() };
    Ok(mount_setattr(&target, &attributes, false)?)
}

fn loosens(entry: &Entry, flags: u64) -> bool {
    [("ro", flag::RDONLY), ("noexec", flag::NOEXEC), ("nosymfollow", flag::NOSYMFOLLOW)]
        .iter()
        .any(|(word, flag)| entry.has_flag(word) && flags & flag == 0)
}

/// Takes the mount at `target`, or all below it, out of its peer group.
pub(super) fn separate(
    target: &[u8],
    slave: bool,
    recursive: bool,
    (inside, caller): (&Inside, &Caller),
) -> Result<(), Denied> {
    let target = caller.as_caller(inside, || caller::open(target, true))?;
    if !mount_of(&target)?.1 {
        return Err(Denied::Errno(libc::EINVAL));
    }
    let propagation = if slave { libc::MS_SLAVE } else { libc::MS_PRIVATE };
    Ok(mount_setattr(&target, &MountAttr { propagation, ..MountAttr::default() }, recursive)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_takes_something_away_is_no_loosening() {
        let table = MountTable::parse(b"1 0 0:30 / /a ro,nosuid,nodev,noexec,relatime - tmpfs x rw,size=4k\n").unwrap();
        let entry = table.entry(1).unwrap();
        let all = flag::RDONLY | flag::NOEXEC;
        assert!(!loosens(entry, all) && !loosens(entry, all | flag::NOSUID));
        for less in [0, flag::RDONLY, flag::NOEXEC, flag::NOSUID | flag::NODEV] {
            assert!(loosens(entry, less), "{less:#x}");
        }
        assert!(entry.has_option(b"size=4k") && !entry.has_option(b"size=4") && !entry.has_option(b"size"));
    }
}
