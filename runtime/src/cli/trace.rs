//! The arguments of `trace`. Called by `cli`; what they mean stands in the library.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// As `do`, with a stream.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lazaret trace -- ls /tmp\n  lazaret trace -c -o calls.txt -- make")]
pub(crate) struct Trace {
    /// Print a table at the end: calls, errors and time
    #[arg(long, short = 'c')]
    pub(crate) summary: bool,
    /// Write to this file instead of standard error
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Set a variable of the command's environment, or pass the caller's on
    #[arg(long, short, value_name = "KEY[=VALUE]")]
    pub(crate) env: Vec<OsString>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
