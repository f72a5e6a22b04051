//! The audit queue: listeners' threads put records in, the main thread writes them out.
//!
//! Used by `court` (in) and `watch` (out). Bounded: what does not fit is counted, never waited for, so that a full
//! disk or a flood changes no verdict. One lock, held for no system call but the wake-up of the writer.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::io::Errno;

use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::record::{Dropped, Entry, Level, Line, Outcome, Record, Summary, VERSION};
use crate::request::Reason;
use crate::sink::Sink;
use crate::{clock, limits};

/// The queue and the counts.
#[derive(Debug)]
pub(crate) struct Audit {
    pending: Mutex<Pending>,
    wake: OwnedFd,
}

#[derive(Debug, Default)]
struct Pending {
    /// Whole lines.
    lines: Vec<u8>,
    /// Records that found no room since the last batch.
    dropped: u64,
    tally: BTreeMap<Kind, u64>,
}

/// What makes two decisions the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    /// The container's id.
    pub(crate) container: String,
    /// See `Request::what`; below [`Level::Request`] the name of the call alone.
    pub(crate) what: String,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// Why it was refused.
    pub(crate) reason: Option<Reason>,
}

impl Kind {
    /// The kind that all share which come after [`limits::DISTINCT`] distinct ones.
    fn other(&self) -> Self {
        Self {
            container: String::new(),
            what: "other".to_owned(),
            outcome: self.outcome,
            reason: self.reason.map(|_refused| Reason::MANY),
        }
    }

    fn entry(&self, count: u64) -> Entry<'_> {
        Entry {
            container: self.container.as_str().into(),
            what: self.what.as_str().into(),
            verdict: self.outcome,
            technique: self.reason.map(|reason| reason.technique.into()),
            count,
            why: self.reason.map(|reason| reason.why.into()),
            allow: self.reason.map(|reason| reason.allow.into()),
        }
    }
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Batch {
    lines: Vec<u8>,
    dropped: u64,
}

impl Audit {
    /// An empty queue; `wake` is the eventfd by which the writer learns that it is not empty.
    pub(crate) fn new(wake: OwnedFd) -> Self {
        Self { pending: Mutex::default(), wake }
    }

    /// The eventfd, to be polled.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Whether the next record of this kind would be written: a flood is counted, and costs no more than that.
    pub(crate) fn wants(&self, level: Level, kind: &Kind, (bucket, now): (&Bucket, Instant)) -> bool {
        if level == Level::None {
            return false;
        }
        let pending = self.lock();
        let counted = pending.tally.get(kind).or_else(|| {
            let is_full = pending.tally.len() >= limits::DISTINCT;
            if is_full { pending.tally.get(&kind.other()) } else { None }
        });
        let Some(count) = counted.copied() else { return true };
        count < limits::RECORDS_OF_ONE_KIND && !bucket.is_empty(now)
    }

    /// Counts a decision and queues its record, which is made only if it is wanted and `bucket` has a token for it; one at
    /// [`Level::None`] is not, and that is no drop. Never blocks on the writer.
    pub(crate) fn put(
        &self,
        level: Level,
        kind: Kind,
        (bucket, now): (&Bucket, Instant),
        record: impl FnOnce(Kind) -> Record<'static>,
    ) {
        let count = self.count(&kind);
        if level == Level::None {
            return;
        }
        // One token each, written or not, so that a flood of one kind counts as one. The first of its kind is written in any case.
        let has_token = bucket.take(now);
        let may_be_written = count <= limits::RECORDS_OF_ONE_KIND && (count == 1 || has_token);
        if !may_be_written {
            self.lock().dropped += 1;
            return;
        }
        let line = serde_json::to_vec(&Line::Decision(record(kind)));
        let mut pending = self.lock();
        let was_idle = pending.lines.is_empty() && pending.dropped == 0;
        match line {
            Ok(line) if pending.lines.len() + line.len() < limits::QUEUE => {
                pending.lines.extend_from_slice(&line);
                pending.lines.push(b'\n');
            }
            Ok(_) | Err(_) => pending.dropped += 1,
        }
        drop(pending);
        if was_idle {
            self.wake_writer();
        }
    }

    /// Counts a decision and returns how often it has been made.
    fn count(&self, kind: &Kind) -> u64 {
        let mut pending = self.lock();
        if let Some(count) = pending.tally.get_mut(kind) {
            *count = count.saturating_add(1);
            return *count;
        }
        let fresh = if pending.tally.len() < limits::DISTINCT { kind.clone() } else { kind.other() };
        let count = pending.tally.entry(fresh).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// Makes the main thread look, at the queue and at everything else.
    pub(crate) fn wake_writer(&self) {
        // EAGAIN: the counter is full, so the writer has been woken 2^64 - 2 times already. Nothing else can happen.
        match rustix::io::write(&self.wake, &1_u64.to_ne_bytes()) {
            Ok(_) | Err(_) => {}
        }
    }

    /// Takes what waits and leaves `spare` (emptied) in its place.
    fn take(&self, mut spare: Vec<u8>) -> Batch {
        spare.clear();
        let mut counter = [0; 8];
        // EAGAIN: nobody has woken us; the queue is looked at all the same.
        match rustix::io::read(&self.wake, &mut counter) {
            Ok(_) | Err(_) => {}
        }
        let mut pending = self.lock();
        Batch { lines: std::mem::replace(&mut pending.lines, spare), dropped: std::mem::take(&mut pending.dropped) }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The audit file; owned by the main thread.
#[derive(Debug)]
pub(crate) struct Ledger {
    file: OwnedFd,
    /// Bytes in the file, ours and those before.
    length: u64,
    /// The last write ended in the middle of a line.
    is_cut: bool,
    dropped: u64,
    spare: Vec<u8>,
    sinks: Vec<Sink>,
    counters: Counters,
}

impl Ledger {
    /// Appends to `file`, which has `length` bytes, and sends the same to `sinks`.
    pub(crate) fn new(file: OwnedFd, length: u64, (sinks, counters): (Vec<(OwnedFd, bool)>, Counters)) -> Self {
        let sinks = sinks.into_iter().map(Sink::new).collect();
        Self { file, length, is_cut: false, dropped: 0, spare: Vec::new(), sinks, counters }
    }

    /// Sinks to be polled for room.
    pub(crate) fn waiting_sinks(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sinks.iter().filter_map(Sink::waits)
    }

    /// Writes what waits. A file that takes no more costs records, which are counted, and nothing else.
    pub(crate) fn write_pending(&mut self, audit: &Audit) {
        let batch = audit.take(std::mem::take(&mut self.spare));
        self.send(&batch.lines);
        let lost = self.append(&batch.lines, limits::AUDIT_RECORDS);
        let dropped = batch.dropped.saturating_add(lost);
        self.spare = batch.lines;
        if dropped > 0 {
            self.dropped = self.dropped.saturating_add(dropped);
            self.counters.dropped(dropped);
            let line = Line::Dropped(Dropped { version: VERSION, time: clock::now().into(), count: dropped });
            self.append_line(&line, limits::AUDIT_RECORDS);
        }
    }

    /// Writes the counts of everything, the last line of a sentry.
    pub(crate) fn write_summary(&mut self, audit: &Audit) {
        let tally = std::mem::take(&mut audit.lock().tally);
        let unsent = self.unsent();
        let entries = tally.iter().map(|(kind, count)| kind.entry(*count)).collect();
        let line = Line::Summary(Summary {
            version: VERSION,
            time: clock::now().into(),
            dropped: self.dropped,
            unsent,
            entries,
        });
        self.append_line(&line, limits::AUDIT_RECORDS + limits::AUDIT_SUMMARY);
    }

    /// Gives lines to the readers beside the file.
    fn send(&mut self, lines: &[u8]) {
        let before = self.unsent();
        self.sinks.iter_mut().for_each(|sink| sink.send(lines));
        self.counters.unsent(self.unsent() - before);
    }

    fn unsent(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.unsent).sum()
    }

    fn append_line(&mut self, line: &Line<'_>, limit: u64) {
        // A line that cannot be encoded or written is missing in the file; the reader then counts records.
        if let Ok(mut bytes) = serde_json::to_vec(line) {
            bytes.push(b'\n');
            self.send(&bytes);
            self.append(&bytes, limit);
        }
    }

    /// Appends as many whole lines as `limit` bytes of file have room for, and returns how many were lost.
    fn append(&mut self, lines: &[u8], limit: u64) -> u64 {
        if self.is_cut && self.write(b"\n") == 0 {
            return count_lines(lines);
        }
        let room = usize::try_from(limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let fitting = lines.get(..room).unwrap_or(lines);
        let end = fitting.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let written = self.write(fitting.get(..end).unwrap_or_default());
        count_lines(lines).saturating_sub(count_lines(fitting.get(..written).unwrap_or_default()))
    }

    /// Writes what the file takes: a short write to a regular file means that there is no room for more.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let written = loop {
            match rustix::io::write(&self.file, bytes) {
                Ok(written) => break written,
                Err(Errno::INTR) => {}
                Err(_no_room) => break 0,
            }
        };
        self.length = self.length.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        if let Some(last) = bytes.get(..written).and_then(<[u8]>::last) {
            self.is_cut = *last != b'\n';
        }
        written
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    u64::try_from(lines.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
