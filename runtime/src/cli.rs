//! The command line's grammar. What the verbs do stands in the library.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lazaret::options::{self, Interceptor, Mode};

/// Runs OCI containers, and commands, that cannot get out.
#[derive(Debug, Parser)]
#[command(name = "lazaret", version, max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// State directory
    #[arg(long, global = true, default_value = options::DEFAULT_ROOT, value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// How a container is confined: native (the bundle as written) or sandbox
    #[arg(long, global = true, value_enum, default_value_t = ModeName::Sandbox)]
    pub(crate) mode: ModeName,
    /// How trapped system calls reach the sentry
    #[arg(long, global = true, value_enum, default_value_t = InterceptorName::Auto)]
    pub(crate) interceptor: InterceptorName,
    /// Write log lines to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Form of the log lines
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Log more
    #[arg(long, global = true)]
    pub(crate) debug: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    Native,
    Sandbox,
    Strict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InterceptorName {
    Auto,
    Notify,
    Ptrace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl ModeName {
    /// The mode, or why it cannot be had.
    pub(crate) fn mode(self) -> Result<Mode, &'static str> {
        match self {
            Self::Native => Ok(Mode::Native),
            Self::Sandbox => Ok(Mode::Sandbox),
            Self::Strict => Err("--mode strict is not built yet; sandbox is the strictest mode of this version"),
        }
    }
}

impl InterceptorName {
    /// The interceptor, or why it cannot be had.
    pub(crate) fn interceptor(self) -> Result<Interceptor, &'static str> {
        match self {
            Self::Auto => Ok(Interceptor::Auto),
            Self::Notify => Ok(Interceptor::Notify),
            Self::Ptrace => Err("--interceptor ptrace is not built yet; use notify or auto"),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a command over the host's root file system, in the sandbox; its writes are thrown away
    Do(Do),
    /// Create a container, start it, wait for its end and delete it
    Run(Create),
    /// Create a container, which then waits for start
    Create(Create),
    /// Start a created container
    Start(Id),
    /// Print a container's state as JSON
    State(Id),
    /// Send a signal to a container's first process
    Kill(Kill),
    /// Delete a stopped container
    Delete(Delete),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lazaret do -- sh -c 'id; hostname; mount -t tmpfs none /mnt'")]
pub(crate) struct Do {
    /// Set a variable of the command's environment, or pass the caller's on
    #[arg(long, short, value_name = "KEY[=VALUE]")]
    pub(crate) env: Vec<OsString>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The bundle's directory
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    pub(crate) bundle: PathBuf,
    /// Socket that receives the terminal's master
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Write the first process's id to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Pass this many descriptors, from 3 on, to the container
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) preserve_fds: u32,
    /// Accepted for runc's callers; lazaret always uses pivot_root
    #[arg(long, hide = true)]
    pub(crate) no_pivot: bool,
    /// Accepted for runc's callers; a container always gets a keyring of its own
    #[arg(long, hide = true)]
    pub(crate) no_new_keyring: bool,
    /// The container's id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The container's id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// Send it to every process of the container
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Name or number of the signal, as an option
    #[arg(long = "signal", short, value_name = "SIGNAL", conflicts_with = "signal")]
    pub(crate) signal_option: Option<String>,
    /// The container's id
    pub(crate) id: String,
    /// Name or number of the signal
    #[arg(default_value = "SIGTERM")]
    pub(crate) signal: String,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Kill it first if it runs; no error if it does not exist
    #[arg(long, short)]
    pub(crate) force: bool,
    /// The container's id
    pub(crate) id: String,
}
