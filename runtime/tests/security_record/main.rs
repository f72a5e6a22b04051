//! The security record: known vulnerabilities, the surface that each needs, and whether a mode reaches it.
//!
//! `data` says what is needed, `probe` decides by what is shipped, and the tests here compare that with the committed
//! record. See docs/security-record.md.
#![allow(
    clippy::tests_outside_test_module,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this whole crate is tests"
)]

mod data;
mod document;
mod entry;
mod paths;
mod probe;

use std::collections::{BTreeMap, BTreeSet};

use lazaret_profiles::bpf::{answer, emit};
use lazaret_profiles::check::{Check, INT, Span, Spans};
use lazaret_profiles::interpret::{SeccompData, run};
use lazaret_profiles::plan::{Action, Arm, Decision, Plan, Witness, of_column};
use lazaret_profiles::programs;
use lazaret_profiles::syscalls::{AUDIT_ARCH, Column, TABLE, by_name};
use serde_json::{Value, json};

use crate::paths::{Known, answers};

const HOW: &str = "write it anew: LAZARET_REGENERATE=1 cargo test -p lazaret --test security_record";

/// The verdicts of a record, by number and mode.
fn verdicts(record: &Value) -> BTreeMap<(String, &'static str), String> {
    let mut found = BTreeMap::new();
    for entry in record["entries"].as_array().unwrap() {
        for mode in ["sandbox", "strict"] {
            found.insert((entry["id"].as_str().unwrap().to_owned(), mode), entry[mode].as_str().unwrap().to_owned());
        }
    }
    found
}

/// What was out of reach and is no longer, or the other way round.
fn changes(recorded: &Value, now: &Value, from: &str) -> Vec<String> {
    let now = verdicts(now);
    let changed =
        verdicts(recorded).into_iter().filter(|(key, old)| old == from && now.get(key).is_some_and(|new| new != old));
    changed.map(|((id, mode), _)| format!("{id} in {mode} mode")).collect()
}

#[test]
fn the_committed_record_is_what_the_probe_finds() {
    assert!(probe::admits(|_config| {}, ""), "the unchanged bundle is admitted: the control of every refused one");
    let now = document::json();
    let recorded =
        std::fs::read_to_string(document::JSON).ok().map(|text| serde_json::from_str::<Value>(&text).unwrap());
    let markdown = document::markdown();
    probe::clean_up();
    if let Some(recorded) = &recorded {
        let opened = changes(recorded, &now, "unreachable");
        assert!(opened.is_empty(), "these were out of reach and can be reached now: {opened:?}");
    }
    if std::env::var_os("LAZARET_REGENERATE").is_some() {
        std::fs::write(document::JSON, format!("{now:#}\n")).unwrap();
        std::fs::write(document::MARKDOWN, markdown).unwrap();
        return;
    }
    let recorded = recorded.expect("docs/security-record.json");
    let closed = changes(&recorded, &now, "reachable");
    assert!(closed.is_empty(), "these were in reach and are not any more, so the record is stale: {closed:?}; {HOW}");
    assert!(recorded == now, "docs/security-record.json is stale; {HOW}");
    let committed = std::fs::read_to_string(document::MARKDOWN).unwrap();
    assert!(committed == markdown, "docs/security-record.md is stale; {HOW}");
}

/// The guards themselves: a filter without a hole and one with it, and a verdict that turned.
#[test]
fn planted_holes_are_caught() {
    let row = by_name("socket").unwrap();
    // AF_VSOCK and nothing else, in the lower half alone, as the kernel reads it.
    let vsock = Check { arg: 0, mask: INT, spans: Spans::One([Span { first: 40, last: 40 }]) };
    let refuse = Decision::always(Action::Errno(1));
    let hole = Decision {
        arms: vec![Arm { checks: vec![vsock].into(), then: Decision::always(Action::Allow) }],
        otherwise: Action::Errno(1),
    };
    let found = |decision: &Decision, family: u64| {
        let program = emit(&Plan::new(vec![(row.number, decision.clone())], Action::Errno(38))).unwrap();
        let known = Known::of_architecture(AUDIT_ARCH).numbered(row.number).with_argument(0, INT, family);
        answers(&program, known).contains(&answer(Action::Allow))
    };
    assert!(found(&hole, 40) && !found(&hole, 17) && !found(&refuse, 40));
    let record = |verdict: &str| json!({"entries": [{"id": "CVE-1-1", "sandbox": verdict, "strict": "unreachable"}]});
    let (open, shut) = (record("reachable"), record("unreachable"));
    assert_eq!(changes(&shut, &open, "unreachable"), ["CVE-1-1 in sandbox mode"]);
    assert_eq!(changes(&open, &shut, "reachable"), ["CVE-1-1 in sandbox mode"]);
    assert!(changes(&open, &open, "unreachable").is_empty() && changes(&shut, &shut, "reachable").is_empty());
}

#[test]
fn each_number_stands_once_and_needs_something() {
    let entries: Vec<_> = data::PARTS.iter().flat_map(|part| part.entries).collect();
    let distinct: BTreeSet<_> = entries.iter().map(|entry| entry.id).collect();
    assert_eq!(distinct.len(), entries.len());
    assert!(entries.len() >= 60);
    for entry in entries {
        let number = entry.id.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')).unwrap();
        assert!(number.0.parse::<u16>().is_ok() && number.1.parse::<u32>().is_ok(), "{}", entry.id);
        assert!(!entry.needs.is_empty() && !entry.what.contains('|'), "{}", entry.id);
    }
}

#[test]
fn no_other_architecture_is_a_second_door() {
    for column in Column::ALL {
        for witness in Witness::ALL {
            assert!(!probe::has_second_door(programs::of(*column, *witness)), "{column:?} {witness:?}");
        }
    }
}

/// The walk over all paths against the interpreter: what a call really gets is among what the walk has found, for calls
/// that are known whole, and for the same calls with everything but the number open.
#[test]
fn walk_finds_what_the_interpreter_finds() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for column in Column::ALL {
        let plan = of_column(*column, Witness::Notify);
        let program = programs::of(*column, Witness::Notify);
        for row in TABLE {
            let open = answers(program, Known::of_architecture(AUDIT_ARCH).numbered(row.number));
            let rounds =
                if plan.decision(row.number).is_some_and(|decision| !decision.arms.is_empty()) { 50 } else { 1 };
            for _ in 0..rounds {
                let args: [u64; 6] = std::array::from_fn(|_| if random() % 2 == 0 { random() } else { random() % 300 });
                let data = SeccompData { nr: row.number, arch: AUDIT_ARCH, instruction_pointer: 0, args };
                let real = run(program, &data).unwrap();
                let known = Known::of_architecture(AUDIT_ARCH).numbered(row.number);
                let known = (0..).zip(args).fold(known, |known, (at, value)| known.with_argument(at, u64::MAX, value));
                assert_eq!(answers(program, known), BTreeSet::from([real]), "{} {args:x?}", row.name);
                assert!(open.contains(&real), "{} {args:x?}", row.name);
            }
        }
    }
}
