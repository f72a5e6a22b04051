//! Reads YAML and JSON that anybody may have written: bounded in size, depth and what aliases make of it, keys that stand
//! twice refused. YAML 1.1's other words for true, false and octal numbers count, as they do for Kubernetes.

use serde_json::Value;
use serde_saphyr::UserMessageFormatter;

/// Most documents in one input.
const DOCUMENTS: usize = 1024;
/// Deepest nesting. Pods stay below 20. Each level takes 23 KiB of stack in an unoptimised build.
const DEPTH: usize = 64;
/// Most scalars, lists and maps together: some ten thousand pods as a cluster tells of them.
const NODES: usize = 4_000_000;
/// Most that aliases may repeat, in events of the parser.
const REPEATED: usize = 100_000;

/// The documents of `text`, empty ones left out.
///
/// # Errors
/// What is wrong, and where: one line.
pub(in crate::policy) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: DOCUMENTS,
            max_depth: DEPTH,
            max_nodes: NODES,
            max_events: NODES * 2,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: REPEATED },
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| error.render_with_formatter(&UserMessageFormatter).lines().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("a: yes\nb: off\nc: 'yes'", json!([{"a": true, "b": false, "c": "yes"}])),
            ("a: 010\nb: 0x10\nc: '1'\nd: ~\ne:", json!([{"a": 8, "b": 16, "c": "1", "d": null, "e": null}])),
            ("a: 1\n---\n---\n# nothing\n---\nb: 2\n", json!([{"a": 1}, {"b": 2}])),
            ("x: &x {p: 1}\ny: {<<: *x, q: 2}", json!([{"x": {"p": 1}, "y": {"p": 1, "q": 2}}])),
            ("{\n\t\"a\": [1,\n\t2]}", json!([{"a": [1, 2]}])),
            ("", json!([])),
        ];
        for (text, expected) in cases {
            assert_eq!(json!(documents(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_too_much_is_one_line() {
        let mut laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            laughs += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(","));
        }
        let cases = [
            "a: [".to_owned(),
            "a: 1\na: 2".to_owned(),
            "{\"a\": 1, \"a\": 2}".to_owned(),
            "a: *nobody".to_owned(),
            "a: &a [*a]".to_owned(),
            "? [a]\n: b".to_owned(),
            "a: .inf".to_owned(),
            "[".repeat(100_000),
            "a:\n".to_owned() + &(1..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(),
            "---\na\n".repeat(DOCUMENTS + 1),
            laughs,
        ];
        for text in cases {
            let error = documents(&text).unwrap_err();
            assert!(!error.contains('\n') && !error.is_empty(), "{error}");
        }
    }
}
