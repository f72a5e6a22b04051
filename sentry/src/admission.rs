//! The record of a verdict at create: who asked for which container, what policy said, and about which key.
//!
//! Written by the runtime, beside the records of the sentry and in the same stream. Must not do anything but translate.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::level::Level;

/// The class of these records, which rules name ([`crate::record_policy`]).
pub const CLASS: &str = "admission";

/// One verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission<'a> {
    /// The version of the records.
    pub version: u32,
    /// When: RFC 3339, UTC, nanoseconds.
    pub time: Cow<'a, str>,
    /// How much of the verdict is in here.
    pub level: Level,
    /// The container's id.
    pub container: Cow<'a, str>,
    /// Who asked: the user id of lazaret's caller.
    pub user: u32,
    /// The Kubernetes namespace of the pod, where the engine names one.
    pub namespace: Option<Cow<'a, str>>,
    /// The pod.
    pub pod: Option<Cow<'a, str>>,
    /// What came of it.
    pub verdict: Verdict,
    /// The class: [`CLASS`].
    pub rule: Cow<'a, str>,
    /// The number of the error, for a refusal.
    pub code: Option<u32>,
    /// The key of `config.json`.
    pub field: Option<Cow<'a, str>>,
    /// What stands there; from [`Level::Request`] on.
    pub asked: Option<Cow<'a, str>>,
    /// Why; from [`Level::Request`] on, since it quotes what was asked.
    pub why: Option<Cow<'a, str>>,
    /// What would allow it; from [`Level::Request`] on.
    pub allow: Option<Cow<'a, str>>,
    /// What the caller was told, whole; from [`Level::RequestResponse`] on.
    pub answer: Option<Cow<'a, str>>,
}

/// What came of a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No container was made.
    Refused,
    /// It was made, weaker or other than asked, or against a rule that only warns. The caller was told.
    Warned,
    /// It was made, against a rule that only records.
    Audited,
}

impl Verdict {
    /// The word of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Warned => "warned",
            Self::Audited => "audited",
        }
    }
}

impl Admission<'_> {
    /// The same without what its level does not hold.
    #[must_use]
    pub fn cut_to_level(mut self) -> Self {
        if self.level < Level::Request {
            (self.asked, self.why, self.allow) = (None, None, None);
        }
        if self.level < Level::RequestResponse {
            self.answer = None;
        }
        self
    }
}
