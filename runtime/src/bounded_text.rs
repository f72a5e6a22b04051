//! Text from outside: no more of it than a bound, and UTF-8. Whose file it is and what may stand there is its reader's
//! business (`bundle`, `config`, `policy`).

use std::io::{self, Read};

/// Why there is no text.
#[derive(Debug)]
pub(crate) enum TextError {
    /// Reading failed.
    Io(io::Error),
    /// It is longer than the bound.
    TooLarge,
    /// It is not UTF-8; the first wrong byte stands here.
    NotText {
        /// Counted from 0.
        offset: usize,
    },
}

/// The text of `source`, of at most `limit` bytes. `expected` bytes are made room for at once; it may be wrong.
pub(crate) fn read(source: impl Read, expected: u64, limit: u64) -> Result<String, TextError> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected.min(limit)).unwrap_or(0));
    // The size may change while it is read: the limit holds for what is read, not for what was expected.
    let read = source.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(TextError::Io)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > limit {
        return Err(TextError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| TextError::NotText { offset: error.utf8_error().valid_up_to() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_the_last_length_that_is_read() {
        assert_eq!(read(&b"abc"[..], 0, 3).unwrap(), "abc");
        assert!(matches!(read(&b"abcd"[..], 100, 3), Err(TextError::TooLarge)));
        assert!(matches!(read(&b"ab\xff"[..], 3, 3), Err(TextError::NotText { offset: 2 })));
    }
}
