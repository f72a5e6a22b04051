//! docs/policy.md says of every check what the table says.

use lazaret::policy::pod_security::registry::CHECKS;

/// A row for each check.
fn table() -> String {
    let mut text = "| check | level | changes at | shown by an OCI configuration |\n|---|---|---|---|\n".to_owned();
    for check in CHECKS {
        let since: Vec<String> = check.revisions.iter().map(|revision| format!("1.{}", revision.since)).collect();
        let gap = check.exactness.gap().map(|gap| format!(": {gap}")).unwrap_or_default();
        let (id, level, since) = (check.id, check.level, since.join(", "));
        text.push_str(&format!("| `{id}` | {level} | {since} | {}{gap} |\n", check.exactness.name()));
    }
    text
}

#[test]
fn the_document_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md");
    let document = std::fs::read_to_string(path).unwrap();
    assert!(document.contains(&table()), "docs/policy.md needs this table:\n{}", table());
}
