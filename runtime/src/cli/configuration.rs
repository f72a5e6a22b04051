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
    /// A profile
    Profile,
}

/// Verbs on profiles. Each takes names or files.
#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// Say whether a profile can be used, and what it loosens
    Check {
        /// Its name or file
        name: String,
    },
    /// Print everything that holds by a profile, or the names of the shipped ones
    Show {
        /// Its name or file
        name: Option<String>,
    },
    /// Print where the second differs from the first, and where it is looser
    Diff {
        /// The first
        left: String,
        /// The second
        right: String,
    },
}
