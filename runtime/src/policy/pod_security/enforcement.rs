//! What a node asks of the containers that are created on it: a standard for each of Kubernetes' three modes.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

use super::facts::Facts;
use super::{Level, PodSecurityError, Standard, Version};
use crate::policy::finding::{Action, Finding};

/// The standards that hold for one namespace (`pod-security.kubernetes.io/enforce` and its neighbours). `None` asks for
/// nothing, as `privileged` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enforcement {
    /// What violates it is not created.
    pub enforce: Option<Standard>,
    /// What violates it is created with a warning.
    pub warn: Option<Standard>,
    /// What violates it is created, and recorded.
    pub audit: Option<Standard>,
}

/// The standards of a node, by the pod's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enforcements {
    /// For namespaces that are not listed, and for containers of no pod.
    pub general: Enforcement,
    /// For those that are: instead of the general one.
    pub namespaces: BTreeMap<String, Enforcement>,
}

impl Enforcements {
    /// What holds for `namespace`.
    #[must_use]
    pub fn of(&self, namespace: Option<&str>) -> Enforcement {
        namespace.and_then(|name| self.namespaces.get(name)).copied().unwrap_or(self.general)
    }

    /// Whether nothing is asked of anybody.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.general.is_idle() && self.namespaces.values().all(Enforcement::is_idle)
    }
}

impl Enforcement {
    /// Whether it asks for anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let asks = |standard: Option<Standard>| standard.is_some_and(|standard| standard.level != Level::Privileged);
        !asks(self.enforce) && !asks(self.warn) && !asks(self.audit)
    }

    /// Raises `enforce` to at least `level`; never lowers it. A version that was asked for stays.
    #[must_use]
    pub fn at_least(self, level: Level) -> Self {
        let now = self.enforce.unwrap_or(Standard { level: Level::Privileged, version: Version::Latest });
        Self { enforce: Some(Standard { level: now.level.max(level), ..now }), ..self }
    }

    /// Judges the container of `facts`: what it may have all the same, and is told of.
    ///
    /// # Errors
    /// [`PodSecurityError::Violated`] when it violates what is enforced.
    pub fn judge(&self, facts: &Facts) -> Result<Vec<Finding>, PodSecurityError> {
        let message = |standard: Option<Standard>, verb: &str| {
            let verdict = super::of_facts(standard?, facts);
            (!verdict.is_allowed()).then(|| verdict.message(verb))
        };
        if let Some(message) = message(self.enforce, "violates") {
            return Err(PodSecurityError::Violated { container: facts.name.clone(), message });
        }
        let finding = |action, standard| Some(Finding { action, message: message(standard, "would violate")? });
        let findings = [finding(Action::Warn, self.warn), finding(Action::Audit, self.audit)];
        Ok(findings.into_iter().flatten().collect())
    }
}

/// One of the three modes with its standard, as the command line has it: `enforce=restricted:v1.30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The mode.
    pub mode: Mode,
    /// The standard.
    pub standard: Standard,
}

/// The three modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Refuse.
    Enforce,
    /// Warn.
    Warn,
    /// Record.
    Audit,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Warn, Self::Audit];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }
}

impl FromStr for Demand {
    type Err = PodSecurityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || PodSecurityError::Demand { value: text.to_owned() };
        let (mode, standard) = text.split_once('=').ok_or_else(wrong)?;
        let mode = Mode::ALL.into_iter().find(|known| known.name() == mode).ok_or_else(wrong)?;
        Ok(Self { mode, standard: standard.parse()? })
    }
}

impl Display for Demand {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}={}", self.mode.name(), self.standard)
    }
}

impl FromIterator<Demand> for Enforcement {
    /// The last of a mode counts.
    fn from_iter<Demands: IntoIterator<Item = Demand>>(demands: Demands) -> Self {
        let mut enforcement = Self::default();
        for Demand { mode, standard } in demands {
            let place = match mode {
                Mode::Enforce => &mut enforcement.enforce,
                Mode::Warn => &mut enforcement.warn,
                Mode::Audit => &mut enforcement.audit,
            };
            *place = Some(standard);
        }
        enforcement
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn demands(text: &[&str]) -> Enforcement {
        text.iter().map(|one| one.parse::<Demand>().unwrap()).collect()
    }

    #[test]
    fn a_mode_refuses_warns_or_records() {
        let root = json!({"hostname": "web", "process": {"noNewPrivileges": true, "user": {"uid": 0}},
            "linux": {"seccomp": {}, "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
                "namespaces": [{"type": "network"}, {"type": "pid"}, {"type": "ipc"}]}});
        let facts = Facts::of(&root, None, &|_, _| false).unwrap();
        let said = "PodSecurity \"restricted:v1.20\": runAsNonRoot != true (pod or container \"web\" must set \
                    securityContext.runAsNonRoot=true: process.user.uid is 0)";
        let error = demands(&["enforce=restricted:v1.20"]).judge(&facts).unwrap_err();
        assert_eq!(error.to_string(), format!("container \"web\" violates {said}"));
        let would = |action| Finding { action, message: format!("would violate {said}") };
        let findings = demands(&["enforce=baseline", "warn=restricted:v1.20"]).judge(&facts).unwrap();
        assert_eq!(findings, [would(Action::Warn)]);
        let findings = demands(&["audit=restricted:v1.20"]).judge(&facts).unwrap();
        assert_eq!(findings, [would(Action::Audit)]);
        assert_eq!(demands(&["enforce=privileged"]).judge(&facts).unwrap(), []);
    }

    #[test]
    fn a_namespace_of_its_own_replaces_the_general_one() {
        let (general, own) = (demands(&["enforce=restricted"]), demands(&["warn=baseline"]));
        let all = Enforcements { general, namespaces: BTreeMap::from([("kube-system".to_owned(), own)]) };
        assert_eq!((all.of(Some("kube-system")), all.of(Some("shop")), all.of(None)), (own, general, general));
        assert!(!all.is_idle() && Enforcements::default().is_idle());
    }

    #[test]
    fn a_level_is_raised_and_never_lowered() {
        let raised = demands(&["enforce=baseline:v1.20", "warn=hardened"]).at_least(Level::Restricted);
        assert_eq!(raised, demands(&["enforce=restricted:v1.20", "warn=hardened"]));
        assert_eq!(raised.at_least(Level::Baseline), raised);
        assert!(Enforcement::default().is_idle() && demands(&["warn=privileged"]).is_idle());
        assert_eq!(Enforcement::default().at_least(Level::Baseline), demands(&["enforce=baseline:latest"]));
    }

    #[test]
    fn what_is_no_demand_is_refused() {
        for text in ["restricted", "enforce", "Enforce=baseline", "enforce=", "deny=baseline", "warn=baseline:1.2"] {
            assert!(text.parse::<Demand>().is_err(), "{text}");
        }
    }
}
