//! The nearest of some words to one that was mistyped.

/// The word of `known` that takes the fewest changes of a letter to become `word`, if it takes few enough to be meant:
/// a third of its letters, at least two. A word that `word` begins with, or begins, is near as well.
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // What is far longer than any word is no slip of a finger, and would only cost time.
    if word.chars().count() > 64 {
        return None;
    }
    let near = |known: &&str| {
        let distance = distance(word, known);
        let related = word.len() > 2 && (known.starts_with(word) || word.starts_with(known));
        (related || distance <= (known.chars().count() / 3).max(2).min(known.chars().count().saturating_sub(1)))
            .then_some(distance)
    };
    known
        .iter()
        .filter_map(|known| Some((near(known)?, *known)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters are to be added, taken away or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().map(|letter| letter.to_ascii_lowercase()).enumerate() {
        let mut before = index;
        let mut next = vec![index + 1];
        for (at, known) in other.iter().enumerate() {
            let (above, left) = (row.get(at + 1).copied().unwrap_or(0), next.last().copied().unwrap_or(0));
            next.push((above + 1).min(left + 1).min(before + usize::from(letter != *known)));
            before = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["mode", "interceptor", "privileged", "nested", "host_paths"];
        for (word, expected) in [
            ("moed", Some("mode")),
            ("Mode", Some("mode")),
            ("priviledged", Some("privileged")),
            ("host-paths", Some("host_paths")),
            ("intercept", Some("interceptor")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest(&"m".repeat(100_000), &known), None);
    }
}
