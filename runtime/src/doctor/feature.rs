//! A row of the table of features, and what was found of it.

use super::answer::{Answer, Status, Want};
use super::probe;

/// What needs a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Sandbox mode, and so strict mode too: without it no container of either is made.
    Sandbox,
    /// Strict mode.
    Strict,
    /// Nothing is refused whole: a protection is weaker, an option is refused, or something takes longer.
    Option,
}

/// One feature.
pub(super) struct Feature {
    /// Stable name in the JSON form.
    pub(super) id: &'static str,
    /// What it belongs to.
    pub(super) group: &'static str,
    /// In words.
    pub(super) name: &'static str,
    /// What needs it of root's containers.
    pub(super) root: Need,
    /// What needs it of an ordinary user's; `None` when nothing does, and it is not tried.
    pub(super) user: Option<Need>,
    /// What lazaret does without it.
    pub(super) consequence: &'static str,
    /// Uses it once. The argument: whether for root of the host.
    pub(super) probe: fn(bool) -> Answer,
}

/// What was found of a feature.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Its stable name.
    pub id: &'static str,
    /// What it belongs to.
    pub group: &'static str,
    /// In words.
    pub name: &'static str,
    /// What needs it.
    pub need: Need,
    /// Whether it is there.
    pub status: Status,
    /// What exactly is there, or what failed with which errno.
    pub detail: String,
    /// What lazaret does without it.
    pub consequence: &'static str,
}

impl Feature {
    /// Tries it, in a child.
    pub(super) fn examine(&self, is_root: bool) -> Finding {
        let need = if is_root { Some(self.root) } else { self.user };
        let answer = match need {
            Some(_) => probe::ask(|| (self.probe)(is_root)),
            None => Err(Want::Unknown("not used without root".to_owned())),
        };
        let (status, detail) = match answer {
            Ok(detail) => (Status::Present, detail),
            Err(Want::Gap(why)) => (Status::Absent, why),
            Err(Want::Unknown(why)) => (Status::Unknown, why),
        };
        Finding {
            id: self.id,
            group: self.group,
            name: self.name,
            need: need.unwrap_or(Need::Option),
            status,
            detail,
            consequence: self.consequence,
        }
    }
}
