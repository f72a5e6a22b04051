//! The arguments of `config` and `schema`. Called by `cli`; what they mean stands in the library.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Verbs on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say whether a configuration can be used, or what is wrong with it
    Check {
        /// The file [default: that of --config]
        file: Option<PathBuf>,
    },
    /// Print every value that holds, as TOML
    Show {
        /// With each value, where it was set
        #[arg(long)]
        origin: bool,
    },
}

/// Which schema.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The file it is of
    #[arg(value_enum)]
    pub(crate) of: SchemaName,
}

/// The files that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// The node's configuration
    Config,
}
