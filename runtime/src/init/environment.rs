//! The workload's environment as runc completes it: the last of several values of a variable, and a `HOME`.
//!
//! Called by `exec` inside the container's root. What it reads there belongs to the image: it is opened without leaving
//! the root, must be a regular file, and is read up to a bound.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::inside;

/// Most of `/etc/passwd` that is looked at, in bytes.
const PASSWD: u64 = 1 << 20;
/// The home of a user whom the image does not know.
const NOWHERE: &[u8] = b"/";

/// `env` with each variable once, and with a `HOME` for `uid` if it has none.
pub(super) fn complete(env: &[CString], uid: u32) -> Vec<CString> {
    let mut complete: Vec<CString> = Vec::with_capacity(env.len() + 1);
    for entry in env {
        match complete.iter_mut().find(|known| name(known) == name(entry)) {
            Some(known) => known.clone_from(entry),
            None => complete.push(entry.clone()),
        }
    }
    if !complete.iter().any(|entry| name(entry) == b"HOME" && entry.as_bytes() != b"HOME=") {
        complete.retain(|entry| name(entry) != b"HOME");
        // Without a readable /etc/passwd the user is one whom the image does not know.
        let passwd = passwd().unwrap_or_default();
        let home = [b"HOME=", home_of(&passwd, uid).unwrap_or(NOWHERE)].concat();
        complete.extend(CString::new(home));
    }
    complete
}

fn name(entry: &CString) -> &[u8] {
    entry.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
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

    fn list(entries: &[&str]) -> Vec<CString> {
        entries.iter().map(|entry| CString::new(*entry).unwrap()).collect()
    }

    #[test]
    fn the_last_value_of_a_variable_stands_where_the_first_was() {
        let env = complete(&list(&["A=1", "B=2", "A=3=4", "HOME=/h"]), 0);
        assert_eq!(env, list(&["A=3=4", "B=2", "HOME=/h"]));
    }

    #[test]
    fn a_home_is_that_of_the_first_line_with_the_id() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nbroken\nuser:x:1000:1:: /u:/bin/sh\nagain:x:1000:1::/v:\n";
        assert_eq!(home_of(passwd, 0), Some(&b"/root"[..]));
        assert_eq!(home_of(passwd, 1000), Some(&b" /u"[..]));
        assert_eq!(home_of(passwd, 1), None);
    }
}
