//! The workload's environment as runc completes it: with a `HOME`.
//!
//! Called by `exec` inside the container's root. What it reads there belongs to the image: it is opened without leaving
//! the root, must be a regular file, and is read up to a bound.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::inside;
use crate::spec::environment::name;

/// Most of `/etc/passwd` that is looked at, in bytes.
const PASSWD: u64 = 1 << 20;
/// The home of a user whom the image does not know.
const NOWHERE: &[u8] = b"/";

/// `env` with a `HOME` for `uid` if it has none.
pub(super) fn complete(mut env: Vec<CString>, uid: u32) -> Vec<CString> {
    if !env.iter().any(|entry| name(entry) == b"HOME" && entry.as_bytes() != b"HOME=") {
        env.retain(|entry| name(entry) != b"HOME");
        // Without a readable /etc/passwd the user is one whom the image does not know.
        let passwd = passwd().unwrap_or_default();
        let home = [b"HOME=", home_of(&passwd, uid).unwrap_or(NOWHERE)].concat();
        env.extend(CString::new(home));
    }
    env
}

fn passwd() -> io::Result<Vec<u8>> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // A FIFO in its place must not make us wait.
    let file = inside::open(&root, Path::new("/etc/passwd"), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = Vec::new();
    File::from(file).take(PASSWD).read_to_end(&mut text)?;
    Ok(text)
}

/// The sixth field of the first line for `uid` (passwd(5)).
fn home_of(passwd: &[u8], uid: u32) -> Option<&[u8]> {
    let uid = uid.to_string();
    let lines = passwd.split(|byte| *byte == b'\n');
    lines.map(|line| line.split(|byte| *byte == b':').collect::<Vec<_>>()).find_map(|fields| match fields.as_slice() {
        [_, _, id, _, _, home, ..] if *id == uid.as_bytes() && !home.is_empty() => Some(*home),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_that_of_the_first_line_with_the_id() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken\nuser:x:1000:1:: /u:/bin/sh\nagain:x:1000:1::/v:\n";
        assert_eq!(home_of(passwd, 0), Some(&b"/root"[..]));
        assert_eq!(home_of(passwd, 1000), Some(&b" /u"[..]));
        assert_eq!(home_of(passwd, 1), None);
    }
}
