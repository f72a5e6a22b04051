//! The arguments of `trace`. Called by `cli`; what they mean stands in the library.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

/// As `do`, with a stream; or of a container that runs.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  lazaret trace -- ls /tmp\n  lazaret trace -c -o calls.txt -- make\n  lazaret trace ID"
)]
pub(crate) struct Trace {
    /// Print a table at the end: calls, errors and time
    #[arg(long, short = 'c')]
    pub(crate) summary: bool,
    /// Write to this file instead of standard error
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Set a variable of the command's environment, or pass the caller's on
    #[arg(long, short, value_name = "KEY[=VALUE]", conflicts_with = "id")]
    pub(crate) env: Vec<OsString>,
    /// A container that runs, and goes on when tracing ends (Ctrl-C)
    #[arg(required_unless_present = "command", conflicts_with = "command")]
    pub(crate) id: Option<String>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}
