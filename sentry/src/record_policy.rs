//! How much of a decision is recorded: levels, and the rules that choose one, as in Kubernetes' audit policy
//! (`audit.k8s.io/v1`): the first rule whose conditions hold decides, and what no rule names is not recorded.
//!
//! Read from a file by the runtime, carried in the handoff, asked by `court`. It decides what is written down and
//! never what a call gets. Both ends check it: [`Policy::check`].

use lazaret_profiles::class::{Class, Event};
use lazaret_profiles::syscalls::{self, Column};
use serde::{Deserialize, Serialize};

use crate::admission;
use crate::limits;
use crate::record::{Level, Outcome};
use crate::request::Reason;

/// The rules, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// One rule: a level, and the conditions that all have to hold. A condition that is empty always does; one that has
/// several words holds when one of them fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is written down.
    pub level: Level,
    /// Names of system calls, as in the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub syscalls: Vec<String>,
    /// What came of the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Outcome>,
    /// Classes of the table's row: a record's field `rule`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Techniques that are refused; with `*` at its end, all that begin so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub techniques: Vec<String>,
}

/// What a rule can look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) syscall: &'a str,
    pub(crate) class: &'a str,
    pub(crate) outcome: Outcome,
    pub(crate) technique: Option<&'a str>,
}

/// Why rules cannot be used. Rules count from 1.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Nothing would ever be recorded, without a word that says so.
    #[error("there is no rule")]
    Empty,
    /// More than [`limits::RECORD_RULES`].
    #[error("{0} rules; at most {max} are allowed", max = limits::RECORD_RULES)]
    TooMany(usize),
    /// More bytes than [`limits::RECORD_POLICY`].
    #[error("the rules take {0} bytes; at most {max} are allowed", max = limits::RECORD_POLICY)]
    TooLong(usize),
    /// A word that fits nothing.
    #[error("rule {rule}: {word:?} in {condition} is {why}")]
    Unknown {
        /// Which rule.
        rule: usize,
        /// Which of its conditions.
        condition: &'static str,
        /// The word.
        word: String,
        /// What it is not.
        why: &'static str,
    },
    /// The rules cannot be written as JSON.
    #[error("cannot encode the rules")]
    Encode(#[source] serde_json::Error),
}

impl Default for Policy {
    /// One level for all: [`Level::default`].
    fn default() -> Self {
        Self::of(Level::default())
    }
}

impl Policy {
    /// One level for every decision.
    #[must_use]
    pub fn of(level: Level) -> Self {
        Self { rules: vec![Rule::all(level)] }
    }

    /// These rules, which are still to be checked.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The one level that holds for every decision, if there is one.
    #[must_use]
    pub fn single(&self) -> Option<Level> {
        self.rules.first().filter(|rule| rule.is_without_conditions()).map(|rule| rule.level)
    }

    /// Whether these write down everything that `other` do. Of rules that is not asked: only the same ones do.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let rank = |level: Level| Level::ALL.iter().position(|known| *known == level);
        match (self.single(), other.single()) {
            (Some(own), Some(other)) => rank(own) >= rank(other),
            (Some(Level::RequestResponse), None) => true,
            (Some(_) | None, _) => self == other,
        }
    }

    /// The choice in a few words, as TOML.
    #[must_use]
    pub fn said(&self) -> String {
        self.single().map_or_else(|| "(rules of a file)".to_owned(), |level| format!("{:?}", level.name()))
    }

    /// How many rules there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rules.len()
    }

    /// Refuses rules beyond the bounds, and words that fit nothing: a rule with a mistyped name would hold for nothing.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        if self.rules.len() > limits::RECORD_RULES {
            return Err(PolicyError::TooMany(self.rules.len()));
        }
        let bytes = serde_json::to_vec(self).map_err(PolicyError::Encode)?.len();
        if bytes > limits::RECORD_POLICY {
            return Err(PolicyError::TooLong(bytes));
        }
        self.rules.iter().zip(1..).try_for_each(|(rule, number)| rule.check(number))
    }

    /// The level of what policy says of a create: of a refusal as of a refused call, of anything else as of an answered one.
    /// Rules that name system calls or techniques do not fit it; those that name classes fit with [`admission::CLASS`].
    #[must_use]
    pub fn level_of_admission(&self, verdict: admission::Verdict) -> Level {
        let outcome = match verdict {
            admission::Verdict::Refused => Outcome::Refused,
            admission::Verdict::Warned | admission::Verdict::Audited => Outcome::Answered,
        };
        self.level(Facts { syscall: "", class: admission::CLASS, outcome, technique: None })
    }

    /// The level of a decision.
    pub(crate) fn level(&self, facts: Facts<'_>) -> Level {
        self.rules.iter().find(|rule| rule.holds(facts)).map_or(Level::None, |rule| rule.level)
    }
}

impl Rule {
    /// For every decision.
    #[must_use]
    pub fn all(level: Level) -> Self {
        Self { level, syscalls: Vec::new(), verdicts: Vec::new(), classes: Vec::new(), techniques: Vec::new() }
    }

    fn is_without_conditions(&self) -> bool {
        *self == Self::all(self.level)
    }

    fn holds(&self, facts: Facts<'_>) -> bool {
        let technique = || self.techniques.iter().any(|wanted| facts.technique.is_some_and(|has| fits(wanted, has)));
        (self.syscalls.is_empty() || self.syscalls.iter().any(|name| name == facts.syscall))
            && (self.verdicts.is_empty() || self.verdicts.contains(&facts.outcome))
            && (self.classes.is_empty() || self.classes.iter().any(|class| class == facts.class))
            && (self.techniques.is_empty() || technique())
    }

    fn check(&self, rule: usize) -> Result<(), PolicyError> {
        let unknown = |condition, word: &String, why| PolicyError::Unknown { rule, condition, word: word.clone(), why };
        if let Some(word) = self.syscalls.iter().find(|name| syscalls::by_name(name).is_none()) {
            return Err(unknown("syscalls", word, "no system call of the table; see lazaret syscalls"));
        }
        if let Some(word) = self.classes.iter().find(|class| !is_class(class)) {
            return Err(unknown("classes", word, "no class of the table; see lazaret syscalls"));
        }
        if let Some(word) = self.techniques.iter().find(|wanted| !techniques().any(|known| fits(wanted, known))) {
            return Err(unknown("techniques", word, "no technique; docs/compatibility.md names them in brackets"));
        }
        Ok(())
    }
}

/// Whether a technique is the one that is wanted, or begins as one that ends in `*`.
fn fits(wanted: &str, technique: &str) -> bool {
    wanted.strip_suffix('*').map_or_else(|| wanted == technique, |beginning| technique.starts_with(beginning))
}

/// Every technique that a record can name.
pub(crate) fn techniques() -> impl Iterator<Item = &'static str> {
    let own = [Reason::UNEXPECTED, Reason::FAILED, Reason::MANY].map(|reason| reason.technique);
    Event::ALL.iter().map(|event| event.technique()).chain(own)
}

/// Whether a row that is trapped has this class in one of the modes, or a verdict at create has it.
fn is_class(name: &str) -> bool {
    let is_trapped = |class: &Class| !matches!(class, Class::Native | Class::Deny(_));
    let classes = |row: &'static syscalls::Row| Column::ALL.iter().map(|column| row.choice(*column).class);
    name == admission::CLASS
        || syscalls::TABLE.iter().flat_map(classes).any(|class| is_trapped(&class) && class.label() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: &str) -> Policy {
        serde_json::from_str(json).unwrap()
    }

    fn refused<'a>(syscall: &'a str, technique: &'a str) -> Facts<'a> {
        Facts { syscall, class: "refused and recorded", outcome: Outcome::Refused, technique: Some(technique) }
    }

    #[test]
    fn verdicts_at_create_have_the_level_of_their_class_or_of_all() {
        use admission::Verdict::{Refused, Warned};
        let rules = policy(
            r#"[{"level":"None","syscalls":["mount"]},{"level":"RequestResponse","classes":["admission"],"verdicts":["refused"]},
                {"level":"Metadata"}]"#,
        );
        rules.check().unwrap();
        assert_eq!(rules.level_of_admission(Refused), Level::RequestResponse);
        assert_eq!(rules.level_of_admission(Warned), Level::Metadata);
        assert_eq!(Policy::of(Level::None).level_of_admission(Refused), Level::None);
    }

    #[test]
    fn first_rule_that_holds_decides_and_none_is_not_recorded() {
        let policy = policy(
            r#"[{"level":"None","verdicts":["answered"]},{"level":"RequestResponse","techniques":["escape.*"],"syscalls":["mount"]},
                {"level":"Metadata","classes":["refused and recorded"]}]"#,
        );
        policy.check().unwrap();
        assert_eq!(policy.level(refused("mount", "escape.mount")), Level::RequestResponse);
        assert_eq!(policy.level(refused("bpf", "escape.bpf")), Level::Metadata);
        let answered = Facts { syscall: "mount", class: "emulated", outcome: Outcome::Answered, technique: None };
        assert_eq!(policy.level(answered), Level::None);
        assert_eq!(policy.level(Facts { class: "emulated", ..refused("setns", "x") }), Level::None, "no rule holds");
    }

    #[test]
    fn a_technique_is_met_whole_or_by_its_beginning() {
        assert!(fits("escape.*", "escape.mount") && fits("*", "x") && fits("a.b", "a.b"));
        assert!(!fits("escape", "escape.mount") && !fits("escape.m", "escape.mount"));
    }

    #[test]
    fn words_that_fit_nothing_are_refused_by_name() {
        for (rules, word) in [
            (r#"[{"level":"None"},{"level":"None","syscalls":["mount","moutn"]}]"#, "moutn"),
            (r#"[{"level":"None"},{"level":"None","classes":["native"]}]"#, "native"),
            (r#"[{"level":"None"},{"level":"None","techniques":["escpe.*"]}]"#, "escpe.*"),
        ] {
            let error = policy(rules).check().unwrap_err().to_string();
            assert!(error.contains("rule 2") && error.contains(word), "{error}");
        }
        for rules in [r#"[{"level":"Everything"}]"#, r#"[{"level":"None","verbs":["get"]}]"#, r#"[{}]"#] {
            assert!(serde_json::from_str::<Policy>(rules).is_err(), "{rules}");
        }
    }

    #[test]
    fn rules_are_bounded() {
        assert!(matches!(Policy::new(Vec::new()).check(), Err(PolicyError::Empty)));
        let many = Policy::new(vec![Rule::all(Level::None); limits::RECORD_RULES + 1]);
        assert!(matches!(many.check(), Err(PolicyError::TooMany(_))));
        let long = Rule { syscalls: vec!["mount".to_owned(); limits::RECORD_POLICY / 8], ..Rule::all(Level::None) };
        assert!(matches!(Policy::new(vec![long]).check(), Err(PolicyError::TooLong(_))));
        Policy::default().check().unwrap();
    }

    #[test]
    fn a_single_level_is_told_from_rules() {
        assert_eq!(Policy::default().single(), Some(Level::Request));
        assert_eq!(policy(r#"[{"level":"None","syscalls":["mount"]},{"level":"Request"}]"#).single(), None);
    }
}
