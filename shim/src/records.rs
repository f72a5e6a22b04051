//! The sentry's records in the shim's log, and so in containerd's: each distinct refusal of a task once, and the counts at its end.
//! All of them stand in the task's audit file.
//!
//! Used by `tasks`, one reader a process that is made. A sentry never waits for it.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::UnixStream;

/// Distinct refusals of one sentry that are logged one by one.
const DISTINCT: usize = 64;
/// Longest line that is taken in: the summary of a sentry (docs/audit.md).
const LONGEST: u64 = 1024 * 1024;

/// Reads what the sentry of a process of task `id` records, until it ends, and returns the end that the sentry is to have.
///
/// # Errors
/// When no pair of sockets can be made.
pub(crate) fn read(id: String) -> io::Result<OwnedFd> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    tokio::spawn(log_all(ours, id));
    Ok(theirs.into())
}

async fn log_all(stream: UnixStream, id: String) {
    let mut lines = BufReader::new(stream);
    let mut known = HashSet::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        match said(&line, &mut known) {
            Some(Said::Refusal { what, technique, why }) => {
                tracing::warn!(container = id, what, technique, why, "the sandbox refused a system call");
            }
            Some(Said::End { refusals, distinct }) => {
                tracing::warn!(container = id, refusals, distinct, "system calls that the sandbox refused in all");
            }
            None => {}
        }
    }
}

/// What is worth a line of the log.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// The first of its kind.
    Refusal { what: String, technique: String, why: String },
    /// How many there were.
    End { refusals: u64, distinct: usize },
}

fn said(line: &[u8], known: &mut HashSet<(String, String)>) -> Option<Said> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("kind").as_str() {
        "decision" if text("verdict") == "refused" => {
            let (what, technique) = (text("what"), text("technique"));
            let is_new = known.len() < DISTINCT && known.insert((what.clone(), technique.clone()));
            is_new.then(|| Said::Refusal { what, technique, why: text("why") })
        }
        "summary" => {
            let entries = line.get("entries").and_then(Value::as_array)?;
            let refused: Vec<u64> = entries
                .iter()
                .filter(|entry| entry.get("verdict").and_then(Value::as_str) == Some("refused"))
                .map(|entry| entry.get("count").and_then(Value::as_u64).unwrap_or_default())
                .collect();
            (!refused.is_empty()).then(|| Said::End { refusals: refused.iter().sum(), distinct: refused.len() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_distinct_refusal_is_said_once_and_the_counts_at_the_end() {
        let mut known = HashSet::new();
        let refused = br#"{"kind":"decision","verdict":"refused","what":"setns","technique":"t","why":"w"}"#;
        let said_once = said(refused, &mut known);
        let expected = Said::Refusal { what: "setns".into(), technique: "t".into(), why: "w".into() };
        assert_eq!(said_once, Some(expected));
        assert_eq!(said(refused, &mut known), None);
        assert_eq!(said(br#"{"kind":"decision","verdict":"answered","what":"sysinfo"}"#, &mut known), None);
        let summary = br#"{"kind":"summary","entries":[{"verdict":"refused","count":3},{"verdict":"answered","count":9},{"verdict":"refused","count":2}]}"#;
        assert_eq!(said(summary, &mut known), Some(Said::End { refusals: 5, distinct: 2 }));
        for nothing in [&b""[..], b"{", b"[]", br#"{"kind":"summary","entries":[]}"#] {
            assert_eq!(said(nothing, &mut known), None);
        }
    }

    #[test]
    fn a_flood_of_distinct_refusals_does_not_fill_the_log() {
        let mut known = HashSet::new();
        let logged = (0..1000).filter(|number| {
            let line = format!(r#"{{"kind":"decision","verdict":"refused","what":"mount {number}","technique":"t"}}"#);
            said(line.as_bytes(), &mut known).is_some()
        });
        assert_eq!(logged.count(), DISTINCT);
    }
}
