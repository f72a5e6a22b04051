//! Unit tests of `audit`.

use std::io::BufReader;

use rustix::event::EventfdFlags;
use rustix::fs::{MemfdFlags, SeekFrom};

use super::*;
use crate::record::{Arguments, Distinct, summarise};

fn audit() -> Audit {
    Audit::new(rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap())
}

fn ledger(length: u64) -> (Ledger, OwnedFd) {
    let file = rustix::fs::memfd_create("audit", MemfdFlags::CLOEXEC).unwrap();
    let kept = rustix::io::dup(&file).unwrap();
    (Ledger::new(file, length, (Vec::new(), Counters::private())), kept)
}

fn kind(what: &str, outcome: Outcome) -> Kind {
    let reason = (outcome == Outcome::Refused).then_some(Reason::UNEXPECTED);
    Kind { container: "c1".to_owned(), what: what.to_owned(), outcome, reason }
}

fn record(kind: Kind) -> Record<'static> {
    Record {
        version: VERSION,
        time: clock::now().into(),
        level: Level::Request,
        container: kind.container.into(),
        pid: 7,
        exe: "/bin/sh".into(),
        syscall: "mount".into(),
        args: Arguments::default(),
        what: kind.what.into(),
        verdict: kind.outcome,
        errno: Some("EPERM".into()),
        value: None,
        rule: "emulated".into(),
        technique: kind.reason.map(|reason| reason.technique.into()),
        why: kind.reason.map(|reason| reason.why.into()),
        allow: kind.reason.map(|reason| reason.allow.into()),
        error: None,
    }
}

fn full() -> Bucket {
    Bucket::full(Instant::now())
}

fn put(audit: &Audit, what: &str, times: u64) {
    for _ in 0..times {
        audit.put(Level::Request, kind(what, Outcome::Refused), (&full(), Instant::now()), record);
    }
}

fn text(file: &OwnedFd) -> String {
    rustix::fs::seek(file, SeekFrom::Start(0)).unwrap();
    std::io::read_to_string(std::fs::File::from(rustix::io::dup(file).unwrap())).unwrap()
}

fn summary(file: &OwnedFd) -> Vec<Distinct> {
    summarise(BufReader::new(text(file).as_bytes())).unwrap()
}

#[test]
fn records_reach_the_file_and_the_summary_has_the_exact_counts() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    put(&audit, "a", 3);
    audit.put(Level::Request, kind("b", Outcome::Answered), (&full(), Instant::now()), record);
    ledger.write_pending(&audit);
    put(&audit, "a", 1);
    ledger.write_pending(&audit);
    assert_eq!(text(&file).lines().count(), 5);
    ledger.write_summary(&audit);
    assert_eq!(text(&file).lines().count(), 6);
    let distinct = summary(&file);
    assert_eq!(distinct.len(), 1);
    assert_eq!((distinct[0].what.as_str(), distinct[0].count), ("a", 4));
}

#[test]
fn full_queue_counts_what_it_drops_and_the_summary_stays_exact() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    for number in 0..limits::RECORDS_OF_ONE_KIND {
        put(&audit, &format!("{}", number % 3), 1);
    }
    ledger.write_pending(&audit);
    ledger.write_summary(&audit);
    let text = text(&file);
    let written = text.lines().filter(|line| line.contains(r#""kind":"decision""#)).count();
    let dropped = usize::try_from(limits::RECORDS_OF_ONE_KIND).unwrap() - written;
    assert!(dropped > 0, "the queue took everything");
    assert!(text.contains(&format!(r#""count":{dropped}}}"#)), "no dropped line");
    assert!(text.contains(&format!(r#""dropped":{dropped},"#)), "no dropped in the summary");
    assert_eq!(summary(&file).iter().map(|distinct| distinct.count).sum::<u64>(), limits::RECORDS_OF_ONE_KIND);
}

#[test]
fn flood_of_one_kind_stops_being_written_and_goes_on_being_counted() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    for _ in 0..limits::RECORDS_OF_ONE_KIND + 50 {
        put(&audit, "flood", 1);
        ledger.write_pending(&audit);
    }
    assert!(!audit.wants(Level::Request, &kind("flood", Outcome::Refused), (&full(), Instant::now())));
    assert!(audit.wants(Level::Request, &kind("quiet", Outcome::Refused), (&full(), Instant::now())));
    put(&audit, "quiet", 1);
    ledger.write_pending(&audit);
    ledger.write_summary(&audit);
    let written = text(&file).lines().filter(|line| line.contains(r#""kind":"decision""#)).count();
    assert_eq!(u64::try_from(written).unwrap(), limits::RECORDS_OF_ONE_KIND + 1);
    let counts: Vec<u64> = summary(&file).iter().map(|distinct| distinct.count).collect();
    assert_eq!(counts, [limits::RECORDS_OF_ONE_KIND + 50, 1]);
}

#[test]
fn too_many_distinct_ones_share_an_entry() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    for number in 0..limits::DISTINCT + 7 {
        put(&audit, &format!("{number:04}"), 1);
        ledger.write_pending(&audit);
    }
    ledger.write_summary(&audit);
    let distinct = summary(&file);
    assert_eq!(distinct.len(), limits::DISTINCT + 1);
    assert_eq!(distinct.iter().find(|entry| entry.what == "other").unwrap().count, 7);
}

#[test]
fn full_file_takes_whole_lines_alone_and_the_summary_still_fits() {
    let (audit, (mut ledger, file)) = (audit(), ledger(limits::AUDIT_RECORDS - 500));
    put(&audit, "a", 5);
    ledger.write_pending(&audit);
    ledger.write_summary(&audit);
    let text = text(&file);
    assert!(text.lines().all(|line| serde_json::from_str::<Line<'_>>(line).is_ok()), "{text}");
    assert!(text.lines().count() < 4);
    assert_eq!(summary(&file)[0].count, 5);
}

#[test]
fn line_that_was_cut_is_ended_before_the_next() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    ledger.write(b"{\"cut");
    put(&audit, "a", 1);
    ledger.write_pending(&audit);
    let text = text(&file);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("{\"cut"));
    assert!(serde_json::from_str::<Line<'_>>(lines.next().unwrap()).is_ok());
}

#[test]
fn writer_is_woken_once_for_a_burst() {
    let audit = audit();
    put(&audit, "a", 3);
    let mut counter = [0; 8];
    rustix::io::read(audit.wake(), &mut counter).unwrap();
    assert_eq!(u64::from_ne_bytes(counter), 1);
}

#[test]
fn file_that_cannot_be_written_costs_records_and_nothing_else() {
    let audit = audit();
    let read_only = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    let mut ledger = Ledger::new(read_only, 0, (Vec::new(), Counters::private()));
    put(&audit, "a", 2);
    ledger.write_pending(&audit);
    assert_eq!(ledger.dropped, 2);
}

#[test]
fn decision_that_is_not_to_be_recorded_is_counted_and_no_drop() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    let quiet = || kind("mount", Outcome::Refused);
    assert!(!audit.wants(Level::None, &quiet(), (&full(), Instant::now())));
    audit.put(Level::None, quiet(), (&full(), Instant::now()), |_| panic!("no record is to be made"));
    ledger.write_pending(&audit);
    assert_eq!(text(&file), "");
    ledger.write_summary(&audit);
    assert!(text(&file).contains(r#""dropped":0,"#), "{}", text(&file));
    assert_eq!(summary(&file)[0].count, 1);
}

#[test]
fn an_empty_bucket_leaves_the_first_of_each_kind_and_the_counts() {
    let (audit, (mut ledger, file)) = (audit(), ledger(0));
    let bucket = full();
    while bucket.take(Instant::now()) {}
    for what in ["a", "b", "a", "a"] {
        audit.put(Level::Request, kind(what, Outcome::Refused), (&bucket, Instant::now()), record);
    }
    assert!(!audit.wants(Level::Request, &kind("a", Outcome::Refused), (&bucket, Instant::now())));
    assert!(audit.wants(Level::Request, &kind("c", Outcome::Refused), (&bucket, Instant::now())));
    ledger.write_pending(&audit);
    ledger.write_summary(&audit);
    let written = text(&file).lines().filter(|line| line.contains(r#""kind":"decision""#)).count();
    assert!((2..=3).contains(&written), "{written}: a token may have come meanwhile");
    assert_eq!(summary(&file).iter().map(|distinct| distinct.count).collect::<Vec<_>>(), [3, 1]);
}
