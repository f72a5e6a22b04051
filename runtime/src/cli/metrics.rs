//! The arguments of `metrics`. Called by `cli`.

use clap::Args;

/// `metrics`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lazaret metrics --listen unix:/run/lazaret-metrics.sock &\n  curl --unix-socket /run/lazaret-metrics.sock http://localhost/metrics"
)]
pub(crate) struct Metrics {
    /// The container [default: all]
    pub(crate) id: Option<String>,
    /// Serve the metrics of all containers by HTTP on this unix socket until ended, for its owner alone
    #[arg(long, value_name = "unix:PATH", conflicts_with = "id")]
    pub(crate) listen: Option<String>,
}
