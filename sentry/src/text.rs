//! Guest text made fit to be kept and shown, and errors in one line.
//!
//! Called by `copyin`, `request`, `tracee`, `record`, `court` and `handoff`. Must not be skipped: whatever bytes a guest chose go through
//! here before they reach a record or a terminal.

/// `bytes` as text of at most `limit` characters; what is not UTF-8 becomes U+FFFD, and a cut ends in "…".
pub(crate) fn cut(bytes: &[u8], limit: usize) -> String {
    // Four bytes for each character at most, so nothing that is kept is lost by looking at these alone.
    let within = bytes.get(..limit.saturating_mul(4).saturating_add(4)).unwrap_or(bytes);
    let text = String::from_utf8_lossy(within);
    match text.char_indices().nth(limit) {
        None => text.into_owned(),
        Some((end, _first_beyond)) => {
            let mut kept = text.get(..end).unwrap_or_default().to_owned();
            kept.push('…');
            kept
        }
    }
}

/// `text` with each character that moves a terminal, hides or reorders others written as an escape.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that change how others appear: bidirectional controls (CVE-2021-42574), zero-width and line separators.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(cut(b"abc", 3), "abc");
        assert_eq!(cut(b"abcd", 3), "abc…");
        assert_eq!(cut("ääää".as_bytes(), 3), "äää…");
        assert_eq!(cut("𝄞𝄞𝄞𝄞𝄞".as_bytes(), 3), "𝄞𝄞𝄞…");
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        assert_eq!(cut(b"a\xff\xfeb", 10), "a\u{fffd}\u{fffd}b");
        assert_eq!(cut(&[0xff; 100], 2), "\u{fffd}\u{fffd}…");
    }

    #[test]
    fn causes_follow_the_error() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot wait")]
        struct Outer(#[source] rustix::io::Errno);
        let cause = rustix::io::Errno::PERM;
        assert_eq!(chain(&Outer(cause)), format!("cannot wait: {cause}"));
    }

    #[test]
    fn what_moves_a_terminal_is_escaped() {
        assert_eq!(printable("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(printable("\u{9b}\u{202e}x\u{200b}"), "\\u{9b}\\u{202e}x\\u{200b}");
        assert_eq!(printable("/mnt/ä…"), "/mnt/ä…");
    }
}
