//! Lists of numbers as the kernel writes them (`0-3,7`): processors and memory nodes.

/// The numbers of `text`, each once and in order; `None` when it is not a list, is empty, or has a number from `limit` on.
pub(super) fn parse(text: &str, limit: u32) -> Option<Vec<u32>> {
    let mut numbers = std::collections::BTreeSet::new();
    for part in text.split(',') {
        let part = part.trim();
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last >= limit {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers.into_iter().collect())
}

/// Digits alone: `parse` would take a sign.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_other_text_is_not() {
        assert_eq!(parse("0-2,7, 1", 8), Some(vec![0, 1, 2, 7]));
        for text in ["", ",", "1,", "a", "-1", "+1", "3-1", "0-8", "4294967296", "1-2-3"] {
            assert_eq!(parse(text, 8), None, "{text:?}");
        }
    }
}
