//! `events`: the statistics of a container, once or again and again until it ends, and a word when memory ran out.
//!
//! The shape is runc's, which containerd's go-runc and monitoring agents read. It only reads.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::cgroup::Cgroup;
use crate::cgroup::stats::Stats;
use crate::error::Error;
use crate::lifecycle::fit::{self, Verb};
use crate::lifecycle::{LifecycleError, delete};
use crate::options::Options;
use crate::state::ProcessId;

/// Why events could not be told.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// `--interval`.
    #[error("--interval {0:?}: not a duration above zero, such as 5s, 500ms or 1m30s")]
    Interval(String),
    /// Who listens is gone.
    #[error("could not write an event")]
    Output(#[source] io::Error),
    /// Native mode, or a sentry that has not been started yet.
    #[error("container {id:?} has no records: there is no sentry in native mode, nor before a container is created")]
    NoRecords {
        /// The container.
        id: String,
    },
    /// The audit file is there and cannot be read.
    #[error("cannot read the records")]
    Records(#[source] io::Error),
}

impl EventsError {
    /// Stable number of this error, 1035-1037 and 1675.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Interval(_) => 1035,
            Self::Output(_) => 1036,
            Self::NoRecords { .. } => 1037,
            Self::Records(_) => 1675,
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// `stats` or `oom`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The container.
    pub id: String,
    /// Its statistics, of `stats`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<Stats>>,
}

/// The statistics of a container now.
///
/// # Errors
/// [`LifecycleError::NotRunning`] when it has stopped or is being created, `CgroupError::Read`.
pub fn stats(options: &Options, id: &str) -> Result<Event, Error> {
    let (cgroup, _init) = living(options, id)?;
    measured(&cgroup, id)
}

/// Tells `tell` the statistics at once and then every `interval`, until the container ends; and in between whether the
/// kernel has killed a process of it for want of memory.
///
/// # Errors
/// As [`stats`]; [`EventsError::Output`] when `tell` fails.
pub fn events(
    options: &Options,
    id: &str,
    interval: Duration,
    tell: &mut dyn FnMut(&Event) -> io::Result<()>,
) -> Result<(), Error> {
    let (cgroup, init) = living(options, id)?;
    let mut seen = oom_kills(&cgroup);
    loop {
        tell(&measured(&cgroup, id)?).map_err(EventsError::Output)?;
        let ended = delete::wait_for(init, interval)?;
        let now = oom_kills(&cgroup);
        if now > seen {
            tell(&Event { kind: "oom", id: id.to_owned(), data: None }).map_err(EventsError::Output)?;
        }
        if ended {
            return Ok(());
        }
        seen = now;
    }
}

/// The interval that `text` names, in Go's words: `5s`, `500ms`, `1m30s`.
///
/// # Errors
/// [`EventsError::Interval`].
pub fn parse_interval(text: &str) -> Result<Duration, EventsError> {
    duration(text).filter(|interval| !interval.is_zero()).ok_or_else(|| EventsError::Interval(text.to_owned()))
}

fn living(options: &Options, id: &str) -> Result<(Cgroup, ProcessId), Error> {
    let (state, status) = fit::look(options, id, Verb::Events)?;
    match (state.cgroup, state.init) {
        (Some(cgroup), Some(init)) => Ok((cgroup, init)),
        _ => Err(LifecycleError::NotRunning { id: id.to_owned(), status: status.name() }.into()),
    }
}

fn measured(cgroup: &Cgroup, id: &str) -> Result<Event, Error> {
    Ok(Event { kind: "stats", id: id.to_owned(), data: Some(Box::new(cgroup.stats()?)) })
}

/// 0 where nobody counts, and once the cgroup is gone.
fn oom_kills(cgroup: &Cgroup) -> u64 {
    match cgroup.oom_kills() {
        Ok(count) => count.unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "the processes killed for want of memory cannot be counted");
            0
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(number_end)?;
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum = sum.checked_add(Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_durations_of_go() {
        for (text, millis) in [("5s", 5000), ("500ms", 500), ("1m30s", 90_000), ("1.5s", 1500), ("1h", 3_600_000)] {
            assert_eq!(parse_interval(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "0s", "5", "s", "5 s", "-1s", "1d", "1.2.3s", "99999999999999999999h"] {
            assert!(parse_interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_event_has_the_keys_of_runc() {
        let stats = Event { kind: "stats", id: "c".to_owned(), data: Some(Box::default()) };
        let json = serde_json::to_value(stats).unwrap();
        assert_eq!((json["type"].as_str(), json["id"].as_str()), (Some("stats"), Some("c")));
        assert!(json["data"]["cpu"]["throttling"].is_object());
        let oom = serde_json::to_string(&Event { kind: "oom", id: "c".to_owned(), data: None }).unwrap();
        assert_eq!(oom, r#"{"type":"oom","id":"c"}"#);
    }
}
