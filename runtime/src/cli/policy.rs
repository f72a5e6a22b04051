//! The grammar of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lazaret::policy::pod_security::enforcement::Demand;
use lazaret::policy::pod_security::{Enforcement, Level, Standard, Version};

use super::Format;

/// For the verbs that make a container.
#[derive(Debug, Args)]
pub(crate) struct Standards {
    /// Refuse (enforce), warn of or record (audit) what violates a Pod Security Standard; once for each mode
    #[arg(long, global = true, value_name = "MODE=LEVEL[:VERSION]")]
    pod_security: Vec<Demand>,
    /// Refuse what a ValidatingAdmissionPolicy in this file denies; as often as there are files
    #[arg(long = "policy", global = true, value_name = "FILE")]
    pub(crate) policies: Vec<PathBuf>,
}

impl Standards {
    /// The standards, for every namespace.
    pub(crate) fn enforcement(&self) -> Enforcement {
        self.pod_security.iter().copied().collect()
    }
}

/// `policy`.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Check Kubernetes objects, or a config.json, against the Pod Security Standards
    Check(Check),
}

#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 when all is allowed, 1 when something is not, 125 when it cannot be told.\n\n\
    Examples:\n  lazaret policy check pod.yaml --level restricted\n  \
    lazaret policy check --cel policies.yaml config.json\n  \
    kubectl get pods -A -o json | lazaret policy check - --level baseline --version v1.30 -o json")]
pub(crate) struct Check {
    /// YAML or JSON: Pods and what makes pods, or an OCI config.json; - is standard input
    pub(crate) file: PathBuf,
    /// privileged, baseline, restricted or hardened
    #[arg(long, value_name = "LEVEL", required_unless_present = "cel")]
    pub(crate) level: Option<Level>,
    /// Whose standards: those of this version of Kubernetes (v1.0 and later)
    #[arg(long, value_name = "VERSION", default_value_t = Version::Latest, requires = "level")]
    pub(crate) version: Version,
    /// Judge a config.json by the ValidatingAdmissionPolicies in this file instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["level", "version"])]
    pub(crate) cel: Option<PathBuf>,
    /// Form of the verdict
    #[arg(long, short, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    pub(crate) output: Format,
}

impl Check {
    /// What to check for; `None` when policies are asked.
    pub(crate) fn standard(&self) -> Option<Standard> {
        Some(Standard { level: self.level?, version: self.version })
    }
}
