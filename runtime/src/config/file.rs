//! Reading a file that nobody but root, or the user who calls, can have written: it decides how much every container may.
//!
//! Every directory and link on the way counts, since whoever can write one of them chooses the file. A directory in which
//! anybody may write but nobody may rename what is another's (`/tmp`) is no danger to a file of root's in it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use lazaret_profiles::schema::TEXT_MAX;

use super::ConfigError;
use crate::bounded_text::{self, TextError};
use crate::rootless;

/// Links followed at most, as the kernel does (path_resolution(7)).
const LINKS_MAX: usize = 40;
/// Write bits of group and others.
const WRITABLE: u32 = 0o022;
/// How an id without a name looks (`/proc/sys/kernel/overflowuid`).
const UNMAPPED: u32 = 65534;
/// The sticky bit of a directory.
const STICKY: u32 = 0o1000;

/// The text of the file at `path`.
///
/// # Errors
/// See [`ConfigError`].
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let file = open(path)?;
    let limit = u64::try_from(TEXT_MAX).unwrap_or(u64::MAX);
    bounded_text::read(file, 0, limit).map_err(|error| match error {
        TextError::Io(source) => ConfigError::Unreadable { path: path.to_owned(), source },
        TextError::TooLarge => {
            ConfigError::TooMuch { path: path.to_owned(), what: "more bytes than a text has", limit: TEXT_MAX }
        }
        TextError::NotText { offset } => ConfigError::NotText { path: path.to_owned(), offset },
    })
}

/// The files `*.toml` of a directory, in the order of their names; none where there is no such directory.
///
/// # Errors
/// See [`ConfigError`].
pub(super) fn drop_ins(directory: &Path, limit: usize) -> Result<Vec<PathBuf>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: directory.to_owned(), source };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    // A stranger who may write here could add a file of its own, as root's by a hard link.
    let walked = walk(directory)?;
    trust(directory, &walked.path, &walked.metadata)?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
        if found.len() > limit {
            return Err(ConfigError::TooMuch { path: directory.to_owned(), what: "more files than are meant", limit });
        }
    }
    found.sort();
    Ok(found)
}

/// Refuses a file that the configuration names and that others may write. One that is missing is left to its reader.
///
/// # Errors
/// [`ConfigError::Untrusted`], and that it cannot be looked at.
pub(super) fn refuse_untrusted(path: &Path) -> Result<(), ConfigError> {
    match open(path) {
        Ok(_) | Err(ConfigError::Missing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> Result<File, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let walked = walk(path)?;
    // A FIFO in place of the file must not hang the runtime; for a regular file O_NONBLOCK means nothing.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&walked.path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("it is no regular file")));
    }
    trust(path, &walked.path, &metadata)?;
    Ok(file)
}

/// Where a path leads, every step of which is trusted.
struct Walked {
    path: PathBuf,
    metadata: Metadata,
}

/// Follows `path` step by step.
fn walk(path: &Path) -> Result<Walked, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let absolute = std::path::absolute(path).map_err(unreadable)?;
    let mut left: VecDeque<OsString> = parts(&absolute);
    let (mut here, mut links) = (PathBuf::from("/"), 0);
    let mut metadata = std::fs::symlink_metadata(&here).map_err(unreadable)?;
    while let Some(part) = left.pop_front() {
        trust(path, &here, &metadata)?;
        if part == ".." {
            here.pop();
            metadata = std::fs::symlink_metadata(&here).map_err(unreadable)?;
            continue;
        }
        let next = here.join(&part);
        let found = std::fs::symlink_metadata(&next).map_err(|source| {
            let is_missing = source.kind() == ErrorKind::NotFound;
            if is_missing { ConfigError::Missing { path: path.to_owned() } } else { unreadable(source) }
        })?;
        if !found.is_symlink() {
            (here, metadata) = (next, found);
            continue;
        }
        trust(path, &next, &found)?;
        links += 1;
        if links > LINKS_MAX {
            return Err(unreadable(rustix::io::Errno::LOOP.into()));
        }
        let target = std::fs::read_link(&next).map_err(unreadable)?;
        if target.is_absolute() {
            here = PathBuf::from("/");
            metadata = std::fs::symlink_metadata(&here).map_err(unreadable)?;
        }
        for part in parts(&target).into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(Walked { path: here, metadata })
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Refuses what another than root and the caller owns, or may write.
fn trust(path: &Path, at: &Path, metadata: &Metadata) -> Result<(), ConfigError> {
    let refused = |why| Err(ConfigError::Untrusted { path: path.to_owned(), at: at.to_owned(), why });
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() && !is_hosts_root(owner) {
        return refused(format!("belongs to the user {owner}"));
    }
    let mode = metadata.mode();
    // The mode of a link says nothing, its owner does.
    let is_open = mode & WRITABLE != 0 && !metadata.is_symlink() && !(metadata.is_dir() && mode & STICKY != 0);
    if is_open { refused(format!("may be written by others (mode {:04o})", mode & 0o7777)) } else { Ok(()) }
}

/// Whether `owner` may be the host's root, seen from a user namespace that has no name for it (user_namespaces(7), "Unmapped
/// user and group IDs"). Others of the host look the same there; what they could gain is what this namespace may, and an
/// ordinary user's file was judged under its true owner before lazaret made the namespace.
fn is_hosts_root(owner: u32) -> bool {
    owner == UNMAPPED && rootless::is_active()
}

#[cfg(test)]
mod tests;
