//! Ranges of host ids that belong to one container each, on the whole machine.
//!
//! A lease is a symbolic link in `LEASES`, named for the range and pointing to the owner's state directory. Making a
//! link is atomic and exclusive, whatever `--root` the parties use. A link whose target is gone and in whose range no
//! process lives was left by a crash, and is taken over.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{IdmapError, parse_map};
use crate::spec::container::{IdMappings, IdRange};

/// Where the leases stand; one place for the machine.
pub const LEASES: &str = "/run/lazaret-ids";
/// First id of the first range. Above what distributions, systemd and subuid files hand out, below 2^31, where some
/// programs still take ids for signed (systemd's UIDS-GIDS document).
const FIRST_ID: u32 = 0x7000_0000;
/// Ids of one range.
pub const RANGE_LENGTH: u32 = 65_536;
/// Ranges between [`FIRST_ID`] and 2^31, less the last three, which systemd reserves for foreign ids.
pub(super) const RANGES: u32 = 4_093;

/// Every host id that [`Lease::acquire`] may give away.
#[must_use]
pub fn leased_ids() -> std::ops::Range<u64> {
    u64::from(FIRST_ID)..u64::from(FIRST_ID) + u64::from(RANGES) * u64::from(RANGE_LENGTH)
}

/// A range of host ids that belongs to one container until it is released.
#[derive(Debug)]
pub struct Lease {
    link: PathBuf,
    first: u32,
    kept: bool,
}

impl Lease {
    /// Leases a free range for the container whose state directory is `owner` (which must exist already: a lease whose
    /// owner is missing counts as left behind).
    ///
    /// # Errors
    /// [`IdmapError::Lease`] and [`IdmapError::Exhausted`].
    pub fn acquire(owner: &Path) -> Result<Self, IdmapError> {
        let start = spread(owner);
        for step in 0..RANGES {
            let index = (start + step) % RANGES;
            let link = PathBuf::from(LEASES).join(index.to_string());
            if claim(&link, owner)? {
                return Ok(Self { link, first: range_start(index), kept: false });
            }
        }
        Err(IdmapError::Exhausted)
    }

    /// The mapping: all of the range, from 0 inside.
    #[must_use]
    pub fn mappings(&self) -> IdMappings {
        let range = vec![IdRange { container: 0, host: self.first, length: RANGE_LENGTH }];
        IdMappings { uids: range.clone(), gids: range }
    }

    /// Leaves the lease in place; [`release`] ends it by its path.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// The path by which [`release`] ends the lease.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.link
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = remove(&self.link)
        {
            tracing::warn!(%error, "a range of ids stays leased");
        }
    }
}

/// Ends the lease at `link` of the container whose state directory is `owner`, or was before it was moved. One that is
/// gone already, or that is another's by now, is no error.
///
/// # Errors
/// [`IdmapError::Lease`].
pub fn release(link: &Path, owner: &Path) -> Result<(), IdmapError> {
    let is_owned = std::fs::read_link(link).is_ok_and(|target| target == owner);
    if is_owned || is_left_behind(link) { remove(link) } else { Ok(()) }
}

fn remove(link: &Path) -> Result<(), IdmapError> {
    match std::fs::remove_file(link) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(IdmapError::Lease { path: link.to_owned(), source });
        }
        _ => {}
    }
    match std::fs::remove_dir(LEASES) {
        Err(source) if !matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(IdmapError::Lease { path: LEASES.into(), source })
        }
        _ => Ok(()),
    }
}

/// Ends whatever lease belongs to `owner`, for a container that died before its state named one.
///
/// # Errors
/// [`IdmapError::Lease`].
pub fn release_of(owner: &Path) -> Result<(), IdmapError> {
    for entry in std::fs::read_dir(LEASES).into_iter().flatten().flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|target| target == owner) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Whether `link` could be made, after removing one that a crash left.
fn claim(link: &Path, owner: &Path) -> Result<bool, IdmapError> {
    for _attempt in 0..8 {
        match symlink(owner, link) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match std::fs::create_dir(LEASES) {
                Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(IdmapError::Lease { path: LEASES.into(), source });
                }
                _ => {}
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !take_over(link)? {
                    return Ok(false);
                }
            }
            Err(source) => return Err(IdmapError::Lease { path: link.to_owned(), source }),
        }
    }
    Ok(false)
}

/// Removes a lease whose owner no longer exists. The rename is what makes it ours alone: of two that see the same stale
/// link only one can move it away, and what was moved is looked at again, in case it was replaced in between.
fn take_over(link: &Path) -> Result<bool, IdmapError> {
    if !is_left_behind(link) {
        return Ok(false);
    }
    let aside = link.with_extension(std::process::id().to_string());
    if std::fs::rename(link, &aside).is_err() {
        return Ok(false);
    }
    let live = !is_left_behind(&aside);
    let back = if live { std::fs::rename(&aside, link) } else { std::fs::remove_file(&aside) };
    back.map_err(|source| IdmapError::Lease { path: aside, source })?;
    Ok(!live)
}

/// Whether a lease has no owner any more: its state directory is gone, and no process lives in the range. The directory
/// alone proves nothing, it may have been moved while its container runs.
fn is_left_behind(link: &Path) -> bool {
    let Some(index) = index_of(link) else { return false };
    std::fs::read_link(link).is_ok() && std::fs::metadata(link).is_err() && !is_inhabited(range_start(index))
}

/// Whether a process that we can see is in a user namespace that maps ids of the range from `first` on.
fn is_inhabited(first: u32) -> bool {
    inhabitants_of(first).next().is_some()
}

/// The processes that we can see in the ranges that `owner` has leased.
#[must_use]
pub fn inhabitants(owner: &Path) -> Vec<i32> {
    let leases = std::fs::read_dir(LEASES).into_iter().flatten().flatten().map(|entry| entry.path());
    let owned = leases.filter(|link| std::fs::read_link(link).is_ok_and(|target| target == owner));
    owned.filter_map(|link| index_of(&link)).flat_map(|index| inhabitants_of(range_start(index))).collect()
}

fn inhabitants_of(first: u32) -> impl Iterator<Item = i32> {
    let range = u64::from(first)..u64::from(first) + u64::from(RANGE_LENGTH);
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(move |pid| {
        let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap_or_default();
        parse_map(&map).unwrap_or_default().iter().any(|mapped| {
            let (start, end) = (u64::from(mapped.host), u64::from(mapped.host) + u64::from(mapped.length));
            // All ids at once are a namespace of the machine's own, not one that was leased.
            mapped.length <= RANGE_LENGTH && start < range.end && range.start < end
        })
    })
}

/// The number of the range that a lease is named for.
fn index_of(link: &Path) -> Option<u32> {
    let number = link.file_stem().and_then(|name| name.to_str()?.parse::<u32>().ok());
    number.filter(|index| *index < RANGES)
}

const fn range_start(index: u32) -> u32 {
    FIRST_ID + index * RANGE_LENGTH
}

/// Where the search for a free range begins: spread by the owner's name, so that it ends at the first try.
fn spread(owner: &Path) -> u32 {
    let hash = owner
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash % RANGES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_ends_below_the_signed_limit() {
        assert!(leased_ids().end <= 0x7ffd_0000);
    }
}
