//! What a node's containers cost and what was refused to them, as Prometheus reads it (text exposition format 0.0.4). Called by the
//! command line; reads states, counts and cgroups, and changes nothing.
//!
//! Labels are those that runsc's metric server has: `sandbox`, and for pods `pod_name` and `namespace_name`.

mod exposition;
mod server;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use lazaret_sentry::counters::Counts;
use lazaret_sentry::kubernetes::Pod;

use crate::cgroup::Cgroup;
use crate::options::{Intercepted, Options};
use crate::state::{self, StateError, Status, Stored};
use exposition::{Family, Kind, Labels};

pub use server::{Place, serve};

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// `--listen` names no socket.
    #[error("--listen {0:?} is not of the form unix:PATH")]
    Place(String),
    /// The socket cannot be had.
    #[error("could not listen on {path}")]
    Listen {
        /// Its path.
        path: PathBuf,
        /// Why: `EADDRINUSE` where somebody listens already.
        #[source]
        source: std::io::Error,
    },
}

impl MetricsError {
    /// Stable number of this error, 1720-1721.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Place(_) => 1720,
            Self::Listen { .. } => 1721,
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Place(_) => {
                "such as unix:/run/lazaret-metrics.sock; there is no TCP, put a proxy before it".to_owned()
            }
            Self::Listen { .. } => "one process serves a node; its directory has to exist".to_owned(),
        })
    }
}

/// The metrics of one container, or of all below the state directory.
///
/// # Errors
/// [`StateError`] for a container that does not exist, or a state directory that cannot be read.
pub fn collect(options: &Options, id: Option<&str>) -> Result<String, StateError> {
    let mut sandboxes = Vec::new();
    match id {
        Some(id) => sandboxes.push(Sandbox::of(&options.root, id)?),
        // One that cannot be read keeps nobody else from being seen.
        None => {
            sandboxes.extend(state::ids(&options.root)?.iter().filter_map(|id| Sandbox::of(&options.root, id).ok()))
        }
    }
    Ok(families(&sandboxes).iter().map(ToString::to_string).collect())
}

/// One container.
struct Sandbox {
    labels: Labels,
    state: Stored,
    counts: Option<Counts>,
    overhead: Option<u64>,
}

impl Sandbox {
    fn of(root: &Path, id: &str) -> Result<Self, StateError> {
        let state = state::peek(root, id)?;
        let counts = Counts::read(&root.join(id).join(state::COUNTERS_FILE));
        let overhead = state.sentry_cgroup.as_ref().and_then(memory_in_use);
        let pod = Pod::of(|name| state.annotations.get(name).map(String::as_str));
        let pod = [("pod_name", pod.name), ("namespace_name", pod.namespace)];
        let pod = pod.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let labels = Labels::new(std::iter::once(("sandbox", id.to_owned())).chain(pod));
        Ok(Self { labels, state, counts, overhead })
    }
}

fn memory_in_use(cgroup: &Cgroup) -> Option<u64> {
    let mut text = String::new();
    std::fs::File::from(cgroup.memory_files().1?).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn families(sandboxes: &[Sandbox]) -> Vec<Family> {
    let running = sandboxes.iter().filter(|one| one.state.status() == Status::Running).count();
    let mut total = Family::new("lazaret_sandboxes", Kind::Gauge, "Containers that exist.");
    total.sample(&Labels::default(), sandboxes.len());
    let mut alive = Family::new("lazaret_sandboxes_running", Kind::Gauge, "Containers that run.");
    alive.sample(&Labels::default(), running);
    let mut metadata = Family::new("lazaret_sandbox_metadata", Kind::Gauge, "How a container is confined; always 1.");
    let mut overhead = Family::new(
        "lazaret_sandbox_overhead_bytes",
        Kind::Gauge,
        "Memory that the sentries of a container use, kernel memory included.",
    );
    let mut calls = Family::new(
        "lazaret_syscalls_total",
        Kind::Counter,
        "System calls that the sandbox refused, or answered in the kernel's place.",
    );
    let mut dropped = Family::new(
        "lazaret_events_dropped_total",
        Kind::Counter,
        "Decisions without a record in the audit file, and lines that a collector did not take.",
    );
    let mut latency = Family::new(
        "lazaret_notify_latency_seconds",
        Kind::Histogram,
        "From when a sentry takes a call to its answer.",
    );
    for one in sandboxes {
        let labels = &one.labels;
        metadata.sample(&metadata_labels(one), 1);
        if let Some(bytes) = one.overhead {
            overhead.sample(labels, bytes);
        }
        let Some(counts) = &one.counts else { continue };
        for (syscall, refused, answered) in &counts.calls {
            for (verdict, count) in [("refused", refused), ("answered", answered)] {
                if *count > 0 {
                    calls.sample(&labels.and("syscall", syscall).and("verdict", verdict), count);
                }
            }
        }
        dropped.sample(&labels.and("sink", "file"), counts.dropped);
        dropped.sample(&labels.and("sink", "collector"), counts.unsent);
        latency.histogram(labels, &counts.buckets, counts.waited);
    }
    vec![total, alive, metadata, overhead, calls, dropped, latency]
}

fn metadata_labels(one: &Sandbox) -> Labels {
    let interceptor = match one.state.interceptor {
        Some(Intercepted::Notify) => "notify",
        Some(Intercepted::Ptrace) => "ptrace",
        Some(Intercepted::None) | None => "none",
    };
    let labels = one.labels.and("mode", one.state.mode.name()).and("interceptor", interceptor);
    labels.and("status", one.state.status().name())
}
