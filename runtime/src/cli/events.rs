//! The arguments of `events`. Called by `cli`.

use clap::{Args, ValueEnum};

/// `events`.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Print the statistics once and end
    #[arg(long)]
    pub(crate) stats: bool,
    /// Time between two statistics, such as 5s or 500ms
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub(crate) interval: String,
    /// Print what the sentry has refused and answered instead, and what policy warned of when it was created
    #[arg(long, conflicts_with_all = ["stats", "interval"], group = "stream")]
    pub(crate) records: bool,
    /// Print which containers policy has refused to create, of every id
    #[arg(long, conflicts_with_all = ["stats", "interval", "id"], group = "stream")]
    pub(crate) refusals: bool,
    /// Go on until the container is gone
    #[arg(long, short, requires = "records")]
    pub(crate) follow: bool,
    /// Records as JSON lines: the same as -o json
    #[arg(long, requires = "stream", conflicts_with = "output")]
    pub(crate) json: bool,
    /// Form of the records
    #[arg(long, short, value_enum, requires = "stream", value_name = "FORM")]
    pub(crate) output: Option<RecordForm>,
    /// The container's id
    #[arg(required_unless_present = "refusals")]
    pub(crate) id: Option<String>,
}

/// Forms of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordForm {
    /// For people
    Text,
    /// JSON lines, as they stand
    Json,
    /// Events of Kubernetes' audit log (audit.k8s.io/v1), as JSON lines
    Kubernetes,
}
