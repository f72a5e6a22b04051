//! The mount table of `proc_pid_mountinfo(5)`, and what it says about an object: its place inside its file system, and
//! every name by which this mount namespace shows that place. Pure; `host` reads the file.
//!
//! A path alone says little: `/mnt/x` may be a bind mount of `/etc`. The pair of device and path inside the file system
//! is the same through whatever mount it is reached, so names are made from it in both directions.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A device number as (major, minor).
pub type Device = (u32, u32);

/// Where an object stands: the file system's device and the path inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Device of the file system, as the mount table has it (btrfs: of the whole file system, not of a subvolume).
    pub device: Device,
    /// Absolute path inside the file system.
    pub path: PathBuf,
}

impl Place {
    /// Whether `other` is this place or lies below it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.device == other.device && other.path.starts_with(&self.path)
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Mount id, as `statx(2)` gives it.
    pub id: u64,
    /// The mount that it is mounted on; one that the table does not have for what is mounted on nothing that it shows.
    pub parent: u64,
    /// Device of the file system.
    pub device: Device,
    /// What of the file system is mounted.
    pub root: PathBuf,
    /// Where.
    pub point: PathBuf,
    /// File system type, without a subtype (`fuse.sshfs` is `fuse`).
    pub fstype: String,
    /// Flags of the mount, such as `rw,nosuid`.
    flags: Vec<u8>,
    /// Its propagation, such as `shared:7`, with spaces between.
    propagation: Vec<u8>,
    /// Options of the file system, such as `rw,size=4k`.
    options: Vec<u8>,
}

impl Entry {
    /// Whether the mount has this flag.
    #[must_use]
    pub fn has_flag(&self, word: &str) -> bool {
        self.flags.split(|byte| *byte == b',').any(|flag| flag == word.as_bytes())
    }

    /// Whether the file system has this option, to the letter.
    #[must_use]
    pub fn has_option(&self, option: &[u8]) -> bool {
        self.options.split(|byte| *byte == b',').any(|known| known == option)
    }

    /// Whether what is mounted on it appears in other places.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.propagation.split(|byte| *byte == b' ').any(|tag| tag.starts_with(b"shared:"))
    }
}

/// A line that is not what the kernel writes.
#[derive(Debug, Error)]
#[error("line {line} of the mount table is malformed")]
pub struct MountinfoError {
    /// Number of the line, from 1.
    pub line: usize,
}

/// The mounts of one mount namespace.
#[derive(Debug, Clone, Default)]
pub struct MountTable {
    entries: Vec<Entry>,
}

impl MountTable {
    /// Parses the text of `/proc/PID/mountinfo`.
    ///
    /// # Errors
    /// The number of the first malformed line.
    pub fn parse(text: &[u8]) -> Result<Self, MountinfoError> {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate();
        let entries = lines.map(|(index, line)| parse_line(line).ok_or(MountinfoError { line: index + 1 }));
        Ok(Self { entries: entries.collect::<Result<_, _>>()? })
    }

    /// The mount with `id`; `None` when it belongs to another mount namespace.
    #[must_use]
    pub fn entry(&self, id: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is one that a recursive bind leaves out.
    #[must_use]
    pub fn has_unbindable(&self) -> bool {
        self.entries.iter().any(|entry| entry.propagation.split(|byte| *byte == b' ').any(|tag| tag == b"unbindable"))
    }

    /// What is mounted on the mount `id`.
    pub fn on(&self, id: u64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.parent == id && entry.id != id)
    }

    /// The place of the object that the mount `id` shows as `name`.
    #[must_use]
    pub fn place(&self, id: u64, name: &Path) -> Option<Place> {
        let entry = self.entry(id)?;
        let below = name.strip_prefix(&entry.point).ok()?;
        Some(Place { device: entry.device, path: join(&entry.root, below) })
    }

    /// Every name by which the mounts show `place`, or part of what lies below it. A mount that hides under another one
    /// counts: a name too many refuses too much, one too few lets something through.
    pub fn names<'t>(&'t self, place: &'t Place) -> impl Iterator<Item = PathBuf> + 't {
        self.entries.iter().filter(|entry| entry.device == place.device).filter_map(|entry| {
            if let Ok(below) = place.path.strip_prefix(&entry.root) {
                return Some(join(&entry.point, below));
            }
            entry.root.starts_with(&place.path).then(|| entry.point.clone())
        })
    }

    /// The mounts below `name`: what a recursive bind mount of it brings along.
    pub fn below<'t>(&'t self, name: &'t Path) -> impl Iterator<Item = &'t Entry> + 't {
        self.entries.iter().filter(move |entry| entry.point != name && entry.point.starts_with(name))
    }
}

/// `base` and what is below it, without the trailing slash that joining nothing would leave.
fn join(base: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { base.to_path_buf() } else { base.join(below) }
}

/// `36 35 98:0 /root /point options optional... - fstype source superoptions`
fn parse_line(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let parent = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let (major, minor) = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let device = (major.parse().ok()?, minor.parse().ok()?);
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let flags = fields.next()?.to_vec();
    let propagation = fields.by_ref().take_while(|field| *field != b"-").collect::<Vec<_>>().join(&b' ');
    let fstype = String::from_utf8_lossy(fields.next()?.split(|byte| *byte == b'.').next()?).into_owned();
    let options = fields.nth(1).map(unescaped_bytes).unwrap_or_default();
    Some(Entry { id, parent, device, root, point, fstype, flags, propagation, options })
}

fn unescape(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescaped_bytes(field)))
}

/// Undoes the octal escapes (`\040` for a space) that the kernel writes.
fn unescaped_bytes(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| *byte == b'\\').and_then(octal);
        match octal {
            Some(value) => {
                bytes.push(value);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    bytes
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 254:0 /etc /mnt/alias rw - ext4 /dev/vda rw
41 27 254:16 /sub\\040dir /data rw master:1 propagate_from:2 - fuse.sshfs x rw
42 41 254:0 / /data/whole rw - ext4 /dev/vda rw
";

    fn table() -> MountTable {
        MountTable::parse(TABLE).unwrap()
    }

    fn names(table: &MountTable, device: Device, path: &str) -> Vec<String> {
        let place = Place { device, path: path.into() };
        table.names(&place).map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn lines_are_parsed_with_escapes_and_optional_fields() {
        let table = table();
        let entry = table.entry(41).unwrap();
        assert_eq!((entry.device, entry.root.to_str(), entry.fstype.as_str()), ((254, 16), Some("/sub dir"), "fuse"));
        assert_eq!((entry.parent, entry.has_flag("rw"), entry.has_flag("r")), (27, true, false));
        assert!(table.entry(27).unwrap().is_shared() && !entry.is_shared() && entry.has_option(b"rw"));
        assert_eq!(table.on(27).map(|entry| entry.id).collect::<Vec<_>>(), [22, 40, 41]);
        assert_eq!(MountTable::parse(b"22 27 0:21 / /proc rw\n").unwrap_err().line, 1);
        assert_eq!(MountTable::parse(b"1 0 0:1 / / rw - a b c\nx\n").unwrap_err().line, 2);
    }

    #[test]
    fn an_alias_has_the_place_and_the_names_of_what_it_shows() {
        let table = table();
        let place = table.place(40, Path::new("/mnt/alias/shadow")).unwrap();
        assert_eq!(place, Place { device: (254, 0), path: "/etc/shadow".into() });
        assert_eq!(
            names(&table, (254, 0), "/etc/shadow"),
            ["/etc/shadow", "/mnt/alias/shadow", "/data/whole/etc/shadow"]
        );
        assert_eq!(table.place(40, Path::new("/elsewhere")), None);
        assert_eq!(table.place(99, Path::new("/")), None);
    }

    #[test]
    fn what_contains_the_root_of_a_mount_has_its_mount_point_as_a_name() {
        assert_eq!(names(&table(), (254, 16), "/"), ["/data"]);
        assert_eq!(names(&table(), (254, 0), "/"), ["/", "/mnt/alias", "/data/whole"]);
    }

    #[test]
    fn mounts_below_are_those_that_a_recursive_bind_brings_along() {
        let table = table();
        let below: Vec<u64> = table.below(Path::new("/data")).map(|entry| entry.id).collect();
        assert_eq!(below, [42]);
    }
}
