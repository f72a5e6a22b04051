//! The data of mount(2): options with commas between them, and paths in which commas, colons and backslashes are escaped.
//!
//! As overlayfs reads them (`ovl_next_opt` and `ovl_parse_layer` in fs/overlayfs/params.c). The other file systems of the list
//! have no option whose value could hold an escape.

use lazaret_profiles::class::Errno;

use super::{Fault, Refusal, bytes};
use crate::limits;
use crate::request::Text;

/// The bytes of the data; none where there is none.
pub(super) fn of(data: &Text) -> Result<Vec<u8>, Fault> {
    match data {
        Text::Null => Ok(Vec::new()),
        Text::TooLong => Err(Fault::Wrong(Errno::EINVAL)),
        Text::Bytes(_) | Text::Unreadable => bytes(data).map(<[u8]>::to_vec),
    }
}

/// The options, unseparated.
pub(super) fn words(data: &[u8]) -> Vec<Vec<u8>> {
    split(data, b',').into_iter().filter(|word| !word.is_empty()).collect()
}

/// The options as names and values.
pub(super) fn settings(data: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let setting = |word: Vec<u8>| match word.iter().position(|byte| *byte == b'=') {
        Some(at) => (word.get(..at).unwrap_or_default().to_vec(), word.get(at + 1..).map(<[u8]>::to_vec)),
        None => (word, None),
    };
    words(data).into_iter().map(setting).collect()
}

/// The directories of `lowerdir`. Two colons, which begin layers of data alone, make an empty one.
pub(super) fn directories(value: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let directories: Vec<Vec<u8>> = split(value, b':').iter().map(|path| unescaped(path)).collect();
    if directories.iter().any(Vec::is_empty) {
        return Err(Refusal::Option.into());
    }
    if directories.len() > limits::LAYERS {
        return Err(Fault::Wrong(Errno::EINVAL));
    }
    Ok(directories)
}

/// Without the backslashes that escape something.
pub(super) fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut bytes = path.iter();
    let mut plain = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    plain
}

/// Splits where the separator is not escaped.
fn split(text: &[u8], separator: u8) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut escaped = false;
    for byte in text {
        if *byte == separator && !escaped {
            parts.push(Vec::new());
            continue;
        }
        escaped = *byte == b'\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(*byte);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_that_are_escaped_do_not_separate() {
        assert_eq!(words(br"a,b\,c,,d"), [&b"a"[..], br"b\,c", b"d"]);
        assert_eq!(words(br"a\\,b"), [&br"a\\"[..], b"b"]);
        assert_eq!(directories(br"/a:/b\:c:/d\\e").unwrap(), [&b"/a"[..], b"/b:c", br"/d\e"]);
        assert_eq!(unescaped(br"/x\,y\"), br"/x,y\");
        for odd in [&b"/a::/b"[..], b":/a", b"", b"/a:"] {
            assert_eq!(directories(odd), Err(Refusal::Option.into()));
        }
    }

    #[test]
    fn settings_are_split_at_the_first_equals_sign() {
        let found = settings(b"size=1k,ro,lowerdir=/a=b");
        let expected: [(&[u8], Option<&[u8]>); 3] =
            [(b"size", Some(b"1k")), (b"ro", None), (b"lowerdir", Some(b"/a=b"))];
        for ((name, value), expected) in found.iter().zip(expected) {
            assert_eq!((name.as_slice(), value.as_deref()), expected);
        }
        assert_eq!(found.len(), 3);
    }
}
