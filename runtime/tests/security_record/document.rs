//! The record written down: `docs/security-record.json` for programs, `docs/security-record.md` for readers.
//!
//! Both are made of the data and the probe's verdicts alone. Nobody edits them.

use std::fmt::Write as _;

use lazaret_profiles::syscalls::Column;
use serde_json::{Value, json};

use crate::data::PARTS;
use crate::entry::{Entry, Need};
use crate::probe::is_met;

/// The record that programs read.
pub(crate) const JSON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security-record.json");
/// The record that people read.
pub(crate) const MARKDOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security-record.md");

/// Whether a mode reaches a vulnerability: whether everything that it needs can be had.
pub(crate) fn reaches(entry: &Entry, mode: Column) -> bool {
    // All of them are looked at, so that a proof that has gone is found wherever it stands.
    let met: Vec<bool> = entry.needs.iter().map(|need| is_met(need, mode)).collect();
    met.into_iter().all(|met| met)
}

fn verdict(reached: bool) -> &'static str {
    if reached { "reachable" } else { "unreachable" }
}

/// The number of entries, and of those that a mode reaches.
pub(crate) fn counts() -> (usize, usize, usize) {
    let entries = || PARTS.iter().flat_map(|part| part.entries);
    let reached = |mode| entries().filter(|entry| reaches(entry, mode)).count();
    (entries().count(), reached(Column::Sandbox), reached(Column::Strict))
}

/// The record as JSON.
pub(crate) fn json() -> Value {
    let (entries, sandbox, strict) = counts();
    let listed = PARTS.iter().flat_map(|part| part.entries.iter().map(|entry| json_entry(part.title, entry)));
    json!({
        "version": 1,
        "entries": listed.collect::<Vec<_>>(),
        "counts": { "entries": entries, "reachable": { "sandbox": sandbox, "strict": strict } },
    })
}

fn json_entry(part: &str, entry: &Entry) -> Value {
    let need = |need: &Need| {
        json!({
            "need": need.text(),
            "proofs": need.proofs(),
            "sandbox": is_met(need, Column::Sandbox),
            "strict": is_met(need, Column::Strict),
        })
    };
    json!({
        "id": entry.id,
        "part": part,
        "what": entry.what,
        "needs": entry.needs.iter().map(need).collect::<Vec<_>>(),
        "sandbox": verdict(reaches(entry, Column::Sandbox)),
        "strict": verdict(reaches(entry, Column::Strict)),
    })
}

/// The record as Markdown.
pub(crate) fn markdown() -> String {
    let (entries, sandbox, strict) = counts();
    let mut text = format!(
        "# Security record\n\n\
        <!-- Written by the test `security_record` of runtime/tests; edit the data there. -->\n\n\
        Known vulnerabilities of container runtimes and of the Linux kernel, and whether code inside a lazaret container\n\
        could get at them on a machine that still has them. **{entries} entries; sandbox mode\n\
        reaches {sandbox}, strict mode {strict}.** For programs: [security-record.json](security-record.json).\n\n\
        *Reachable* does not say that an exploit works: nothing that it needs is shut, and a patched kernel is the defence.\n\
        *Unreachable* says that at least one thing that every way known to us needs is shut. It says nothing about faults\n\
        that nobody knows yet ([security-model.md](security-model.md)). Where a fault can be reached over the network too,\n\
        the entry is about the way from inside.\n\n\
        No verdict is written by hand. A test walks every path of the shipped filter programs for each system call (with all\n\
        values of the bits that an attacker may choose, upper halves and x32 numbers among them), and asks the capability\n\
        ceiling, the device table, the masked and read-only paths, and the policy on bundles. Where only a running container\n\
        can show it, the verdict names the tests of the host lane that do. The test fails when a verdict changes in either\n\
        direction: `cargo test -p lazaret --test security_record`. After a change of the data, `LAZARET_REGENERATE=1` before\n\
        that writes both files anew; a vulnerability that has become reachable is not written before its old line is deleted\n\
        from the JSON file by somebody who means it.\n\n\
        In the tables **what is shut stands in bold** (in italics: in strict mode alone).\n",
    );
    for part in PARTS {
        write!(
            text,
            "\n## {}\n\n| CVE | what it is | what it needs | sandbox | strict |\n|---|---|---|---|---|\n",
            part.title
        )
        .unwrap();
        for entry in part.entries {
            let needs: Vec<String> = entry.needs.iter().map(need).collect();
            writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                entry.id,
                entry.what,
                needs.join("; "),
                verdict(reaches(entry, Column::Sandbox)),
                verdict(reaches(entry, Column::Strict)),
            )
            .unwrap();
        }
    }
    text.push_str(&proofs());
    text
}

fn need(need: &Need) -> String {
    let text = need.text();
    match (is_met(need, Column::Sandbox), is_met(need, Column::Strict)) {
        (true, true) => text,
        (true, false) => format!("*{text}*"),
        (false, _) => format!("**{text}**"),
    }
}

/// The tests behind what the programs and tables cannot say.
fn proofs() -> String {
    let mut weaknesses: Vec<&Need> = PARTS.iter().flat_map(|part| part.entries).flat_map(|entry| entry.needs).collect();
    weaknesses.retain(|need| !need.proofs().is_empty());
    weaknesses.sort_by_key(|need| need.text());
    weaknesses.dedup_by_key(|need| need.text());
    let mut text = "\n## Proofs of the host lane\n\n| weakness | tests in `tests/tests/host` |\n|---|---|\n".to_owned();
    for need in weaknesses {
        let proofs: Vec<String> = need.proofs().iter().map(|proof| format!("`{proof}`")).collect();
        writeln!(text, "| {} | {} |", need.text(), proofs.join(", ")).unwrap();
    }
    text
}
