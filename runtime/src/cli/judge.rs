//! The arguments of the verbs that judge: `doctor`, `check`, `verify`.

use std::path::PathBuf;

use clap::Args;

use super::Format;

#[derive(Debug, Args)]
#[command(
    after_help = "The exit status is 0 where sandbox mode can run, else 1.\n\nExample:\n  lazaret doctor -o json"
)]
pub(crate) struct Doctor {
    /// Form of the report
    #[arg(long, short, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
#[command(after_help = "The exit status is 1 where a check fails, else 0.\n\nExample:\n  lazaret check --json")]
pub(crate) struct Check {
    /// The report as JSON, in the names of kube-bench
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the node's root file system is seen, for a pod that checks its node
    #[arg(long, default_value = "/", value_name = "DIR")]
    pub(crate) host: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "The exit status is 1 where something does not hold, else 0.\n\nExample:\n  lazaret verify web")]
pub(crate) struct Verify {
    /// The report as JSON, in the names of kube-bench
    #[arg(long)]
    pub(crate) json: bool,
    /// The container's id
    pub(crate) id: String,
}
