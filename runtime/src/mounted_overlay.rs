//! The layers of an overlay that somebody has mounted already, so that it can be mounted again from id-mapped ones.
//!
//! Docker and podman hand over a root file system that is a mounted overlay, which the kernel cannot id-map. Its layers
//! stand in the mount's own options (proc_pid_mountinfo(5)), with which a second overlay is made for the container. The
//! first is not used while the container runs; an overlay over the same upper layer is what the kernel allows (`index=off`)
//! as long as nobody changes files through both.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, StatxFlags};

/// `OVERLAYFS_SUPER_MAGIC` of `linux/magic.h`.
const OVERLAYFS_SUPER_MAGIC: i64 = 0x794c_7630;

/// Options that say how layers are read, and must be the same for the second overlay.
const KEPT: [&str; 5] = ["redirect_dir", "metacopy", "userxattr", "volatile", "xino"];

/// The layers of an overlay, and the options that say how they are read.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Lower layers, the topmost first.
    pub(crate) lower: Vec<PathBuf>,
    /// The writable layer.
    pub(crate) upper: Option<PathBuf>,
    /// Its work directory.
    pub(crate) work: Option<PathBuf>,
    /// Options.
    pub(crate) options: Vec<String>,
}

/// The layers of the overlay whose root `directory` is; `None` when it is something else.
///
/// # Errors
/// When it is an overlay whose layers cannot be told: a relative path, or a kind of layer that is not known.
pub(crate) fn layers(directory: &OwnedFd) -> io::Result<Option<Layers>> {
    if rustix::fs::fstatfs(directory)?.f_type != OVERLAYFS_SUPER_MAGIC {
        return Ok(None);
    }
    let stat = rustix::fs::statx(directory, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let table = std::fs::read("/proc/self/mountinfo")?;
    let id = stat.stx_mnt_id.to_string();
    let lines = table.split(|byte| *byte == b'\n');
    let line = lines.into_iter().find(|line| line.split(|byte| *byte == b' ').next() == Some(id.as_bytes()));
    let options = line.and_then(super_options).ok_or_else(|| io::Error::other("its mount is not in mountinfo"))?;
    parse(&options).map(Some)
}

/// The last field of a line: options of the file system itself.
fn super_options(line: &[u8]) -> Option<Vec<u8>> {
    let root = line.split(|byte| *byte == b' ').nth(3)?;
    let options = line.rsplit(|byte| *byte == b' ').next()?;
    (root == b"/").then(|| unescape_octal(options))
}

/// `\040` and the like, by which mountinfo keeps its fields apart.
pub(crate) fn unescape_octal(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_digits| *byte == b'\\');
        let value = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match value {
            Some(value) => {
                plain.push(value);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    plain
}

fn parse(options: &[u8]) -> io::Result<Layers> {
    let (mut lower, mut upper, mut work, mut kept) = (Vec::new(), None, None, Vec::new());
    for option in split(options, b',') {
        let at = option.iter().position(|byte| *byte == b'=').unwrap_or(option.len());
        let (key, value) = option.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        match key {
            b"lowerdir" => {
                for layer in split(value, b':') {
                    lower.push(absolute(layer)?);
                }
            }
            b"lowerdir+" => lower.push(absolute(value)?),
            b"datadir+" => return Err(io::Error::other("it has data-only layers, which are not supported")),
            b"upperdir" => upper = Some(absolute(value)?),
            b"workdir" => work = Some(absolute(value)?),
            key if KEPT.iter().any(|kept| kept.as_bytes() == key) => {
                kept.push(String::from_utf8_lossy(option).into_owned());
            }
            _ => {}
        }
    }
    kept.push("index=off".to_owned());
    Ok(Layers { lower, upper, work, options: kept })
}

/// The parts between separators that no backslash stands before.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let (mut begin, mut escaped) = (0, false);
    for (at, byte) in text.iter().enumerate() {
        if *byte == separator && !escaped {
            parts.extend(text.get(begin..at));
            begin = at + 1;
        }
        escaped = *byte == b'\\' && !escaped;
    }
    parts.extend(text.get(begin..));
    parts.retain(|part| !part.is_empty());
    parts
}

fn absolute(layer: &[u8]) -> io::Result<PathBuf> {
    let mut plain = Vec::with_capacity(layer.len());
    let mut bytes = layer.iter();
    while let Some(byte) = bytes.next() {
        plain.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    let path = PathBuf::from(OsString::from_vec(plain));
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(io::Error::other(format!("its layer {} is given by a relative path", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(options: &str) -> (Vec<PathBuf>, Option<PathBuf>, Option<PathBuf>, Vec<String>) {
        let Layers { lower, upper, work, options } = parse(&unescape_octal(options.as_bytes())).unwrap();
        (lower, upper, work, options)
    }

    #[test]
    fn layers_are_read_in_their_order_and_form() {
        let (lower, upper, work, options) =
            parsed("rw,lowerdir=/l/a\\040b:/l/b\\134:c,upperdir=/u,workdir=/w,redirect_dir=on,uuid=on");
        assert_eq!(lower, [PathBuf::from("/l/a b"), PathBuf::from("/l/b:c")]);
        assert_eq!((upper, work), (Some("/u".into()), Some("/w".into())));
        assert_eq!(options, ["redirect_dir=on", "index=off"]);
        let (lower, upper, ..) = parsed("ro,lowerdir+=/a,lowerdir+=/b");
        assert_eq!((lower, upper), (vec!["/a".into(), "/b".into()], None));
    }

    #[test]
    fn layers_that_cannot_be_found_again_are_an_error() {
        assert!(parse(b"rw,lowerdir=l/ABC:l/DEF,upperdir=/u,workdir=/w").is_err());
        assert!(parse(b"rw,lowerdir+=/a,datadir+=/b").is_err());
    }
}
