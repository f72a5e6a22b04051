//! `state`: the JSON of `runtime.md`, computed from disk and the process table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lazaret_sentry::record_policy::Policy;

use crate::error::Error;
use crate::options::Options;
use crate::policy::finding::{Action, Finding};
use crate::state::{self, Status, Stored};

/// What `dev.lazaret.ended` says of a container whose `create` was killed.
const ABANDONED: &str = "its creation was interrupted: the process that created it died";

/// The state of a container, as `state` prints it. Keys of the runtime spec, then runc's, then our own as annotations.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OciState {
    /// `ociVersion`.
    pub oci_version: String,
    /// The container's id.
    pub id: String,
    /// `creating`, `created`, `running`, `paused` or `stopped`.
    pub status: Status,
    /// The first process; 0 once it has ended.
    pub pid: i32,
    /// The bundle's directory.
    pub bundle: PathBuf,
    /// The root file system (runc's key).
    pub rootfs: PathBuf,
    /// When it was created (runc's key).
    pub created: String,
    /// Annotations of the bundle, and lazaret's own: `dev.lazaret.mode`, `dev.lazaret.interceptor`, `dev.lazaret.nested`,
    /// `dev.lazaret.missing`, `dev.lazaret.policy.warn` and `.audit`, `dev.lazaret.ended`, `dev.lazaret.sentry.pid`, `dev.lazaret.record-level`.
    pub annotations: BTreeMap<String, String>,
}

/// The state of the container `id`.
///
/// # Errors
/// `StateError::NotFound` and what reading it may meet.
pub fn state(options: &Options, id: &str) -> Result<OciState, Error> {
    Ok(OciState::from(state::peek(&options.root, id)?))
}

impl From<Stored> for OciState {
    fn from(stored: Stored) -> Self {
        let status = stored.status();
        let alive = status != Status::Stopped;
        let abandoned = stored.was_abandoned().then(|| ABANDONED.to_owned());
        let ended = stored.ended_by_lazaret.or(abandoned);
        let own = [
            ("dev.lazaret.mode", Some(stored.mode.name().to_owned())),
            ("dev.lazaret.interceptor", stored.interceptor.map(|interceptor| interceptor.name().to_owned())),
            ("dev.lazaret.profile", stored.profile.as_ref().map(|profile| profile.name.clone())),
            (
                "dev.lazaret.loosened",
                stored.profile.as_ref().map(|profile| profile.loosened.join("; ")).filter(|text| !text.is_empty()),
            ),
            ("dev.lazaret.nested", stored.nested.then(|| "true".to_owned())),
            ("dev.lazaret.missing", (!stored.missing.is_empty()).then(|| stored.missing.join("; "))),
            ("dev.lazaret.policy.warn", Finding::joined(&stored.findings, Action::Warn)),
            ("dev.lazaret.policy.audit", Finding::joined(&stored.findings, Action::Audit)),
            ("dev.lazaret.ended", ended),
            ("dev.lazaret.sentry.pid", stored.sentry.filter(|_sentry| alive).map(|sentry| sentry.pid.to_string())),
            ("dev.lazaret.record-level", stored.mode.is_confined().then(|| record_level(&stored.records))),
        ];
        let mut annotations = stored.annotations;
        annotations.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        Self {
            oci_version: stored.oci_version,
            id: stored.id,
            status,
            pid: stored.init.filter(|_init| alive).map_or(0, |init| init.pid),
            bundle: stored.bundle,
            rootfs: stored.rootfs,
            created: stored.created,
            annotations,
        }
    }
}

/// The level that holds for every decision, or how many rules choose it.
fn record_level(records: &Policy) -> String {
    records.single().map_or_else(|| format!("by {} rules", records.count()), |level| level.name().to_owned())
}
