//! Lines appended to files of records. The file of refusals is bounded: a full one takes the place of the one before it,
//! so that whoever is refused again and again fills no disk, and loses only the oldest.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::FlockOperation;

/// The file of refusals in a state directory.
pub(super) const NAME: &str = "refusals.jsonl";
/// The full one before it.
pub(super) const EARLIER: &str = "refusals.jsonl.1";
/// Bytes at which the file is full. With the one before it, some thousand refusals of usual length.
const FULL: u64 = 1024 * 1024;

/// Appends to the refusals of the state directory `root`.
///
/// # Errors
/// As writing; the directory may be missing and is made.
pub(super) fn append_bounded(root: &Path, line: &[u8]) -> io::Result<()> {
    append_until(root, line, FULL)
}

fn append_until(root: &Path, line: &[u8], full: u64) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let path = root.join(NAME);
    loop {
        let file = open(&path)?;
        // One writer at a time moves a full file away, and nobody appends to one that was moved.
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        let is_there = std::fs::metadata(&path).is_ok_and(|found| is_same(&found, &file));
        if !is_there {
            continue;
        }
        if file.metadata()?.len().saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX)) > full
            && file.metadata()?.len() > 0
        {
            std::fs::rename(&path, root.join(EARLIER))?;
            continue;
        }
        return (&file).write_all(line);
    }
}

fn is_same(found: &std::fs::Metadata, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|open| (open.dev(), open.ino()) == (found.dev(), found.ino()))
}

/// Appends to the file at `path`.
///
/// # Errors
/// As writing.
pub(super) fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    open(path)?.write_all(lines)
}

/// As the sentry's: for appending, and never through a link.
fn open(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("lazaret-refusals-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_full_file_takes_the_place_of_the_one_before_it() {
        let root = root("full");
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            append_until(&root, line.as_bytes(), 10).unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
        assert_eq!((read(EARLIER), read(NAME)), ("three\n".to_owned(), "four\nfive\n".to_owned()));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn many_writers_lose_no_line_and_break_none() {
        let root = root("many");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let root = &root;
                scope.spawn(move || {
                    for line in 0..50 {
                        append_until(root, format!("{writer} {line:03}\n").as_bytes(), 1000).unwrap();
                    }
                });
            }
        });
        let text = [EARLIER, NAME].map(|name| std::fs::read_to_string(root.join(name)).unwrap()).concat();
        assert_eq!(text.lines().count(), 200, "{text}");
        assert!(text.lines().all(|line| line.len() == 5), "{text}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn no_link_is_followed() {
        let root = root("link");
        std::fs::create_dir_all(&root).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.join(NAME)).unwrap();
        assert!(append_bounded(&root, b"x\n").is_err());
        std::fs::remove_dir_all(root).unwrap();
    }
}
