//! The command line's grammar. What the verbs do stands in the library.

pub(crate) mod configuration;
mod events;
pub(crate) mod exec;
pub(crate) mod judge;
pub(crate) mod metrics;
mod names;
pub(crate) mod policy;
mod records;
pub(crate) mod trace;
mod update;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use lazaret::cgroup::Driver;
use lazaret::config::{self, Overrides};
use lazaret::error::Error;
use lazaret::options::{self, Options};
use lazaret::rootless::{self, RootlessError};
use names::{InterceptorName, ModeName};

pub(crate) use events::{Events, RecordForm};

/// What `--version` says after the name: two lines of runc's shape.
const VERSION: &str = concat!("version ", env!("CARGO_PKG_VERSION"), "\nspec: 1.3.0");

/// Runs OCI containers, and commands, that cannot get out.
#[derive(Debug, Parser)]
#[command(name = "lazaret", version = VERSION, disable_version_flag = true)]
#[command(max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// State directory [default: /run/lazaret, for an ordinary user $XDG_RUNTIME_DIR/lazaret]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// The node's configuration [default: /etc/lazaret/config.toml, which may be missing]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How a container is confined: native (the bundle as written), sandbox or strict (less of the kernel)
    /// [default: as configured, or sandbox]
    #[arg(long, global = true, value_enum)]
    mode: Option<ModeName>,
    /// What holds beside the mode: a profile by name, or its file
    #[arg(long, global = true, value_name = "PROFILE")]
    profile: Option<String>,
    /// How trapped system calls reach the sentry [default: as configured, or auto]
    #[arg(long, global = true, value_enum)]
    interceptor: Option<InterceptorName>,
    #[command(flatten)]
    records: records::Records,
    #[command(flatten)]
    standards: policy::Standards,
    /// Let root of the container mount inside: tmpfs, proc, devpts, overlay and binds, by the container's own rights
    #[arg(long, global = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    nested: Option<bool>,
    /// Write log lines to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Form of the log lines
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Log more
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Place containers through systemd
    #[arg(long)]
    pub(crate) systemd_cgroup: bool,
    /// Run containers without root; auto does so for every user but root
    #[arg(long, global = true, value_enum, default_value_t = Rootless::Auto)]
    pub(crate) rootless: Rootless,
    /// Print the version
    #[arg(long, short = 'v', short_alias = 'V', action = ArgAction::Version)]
    version: Option<bool>,
}

impl Global {
    /// Why the options cannot be obeyed, if they cannot.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        if self.systemd_cgroup && (rootless::is_needed() || rootless::is_active()) {
            return Some("--systemd-cgroup needs root: the systemd of an ordinary user is not asked yet");
        }
        // Looked at only where it is asked for: every start would read its own id map for the answer.
        match self.rootless {
            Rootless::True if !rootless::is_needed() && !rootless::is_active() => {
                Some("--rootless true is for an ordinary user, and this is root")
            }
            Rootless::False if rootless::is_needed() => Some("--rootless false needs root"),
            Rootless::False if rootless::is_active() => {
                Some("--rootless false needs the root of the host, not of a user namespace")
            }
            Rootless::Auto | Rootless::True | Rootless::False => None,
        }
    }

    /// Where the configuration is.
    pub(crate) fn sources(&self) -> config::Sources {
        config::Sources { file: self.config.clone(), body: None }
    }

    /// What holds. Of what makes no container, no file is asked: a wrong one must not stand in the way of kill and delete.
    ///
    /// # Errors
    /// When a file cannot be used, or the command line asks for more than it may.
    pub(crate) fn options(&self, verb: &Verb) -> Result<Options, Error> {
        let root = self.root()?;
        let mut overrides = Overrides {
            profile: self.profile.clone().filter(|_| verb.makes_container()),
            mode: self.mode.map(ModeName::mode),
            interceptor: self.interceptor.map(InterceptorName::interceptor),
            cgroup_driver: self.systemd_cgroup.then_some(Driver::Systemd),
            nested: self.nested,
            records: None,
            pod_security: self.standards.enforcement(),
            record_socket: self.records.socket(),
            policies: self.standards.policies.clone(),
        };
        let mut loaded = config::Loaded::default();
        if verb.makes_container() {
            overrides.records = self.records.policy()?;
            loaded = config::load(&self.sources())?;
        }
        Ok(overrides.over(loaded, root)?)
    }

    /// The state directory.
    ///
    /// # Errors
    /// When there is none that belongs to an ordinary user alone.
    fn root(&self) -> Result<PathBuf, RootlessError> {
        match &self.root {
            Some(root) => Ok(std::path::absolute(root).unwrap_or_else(|_gone| root.clone())),
            None if rootless::is_needed() || rootless::is_active() => rootless::default_root(),
            None => Ok(options::DEFAULT_ROOT.into()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rootless {
    Auto,
    True,
    False,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a command over the host's root file system, in the sandbox; its writes are thrown away
    Do(Do),
    /// Print the system calls of a command, run as do does, or of a container, with the kernel's answers and verdicts
    Trace(trace::Trace),
    /// Create a container, start it, wait for its end and delete it
    Run(Create),
    /// Create a container, which then waits for start
    Create(Create),
    /// Start a created container
    Start(Id),
    /// Print a container's state as JSON
    State(Id),
    /// Execute a process in a container
    Exec(Box<exec::Exec>),
    /// Send a signal to a container's first process
    Kill(Kill),
    /// Delete a stopped container
    Delete(Delete),
    /// List the containers
    List(List),
    /// List the processes of a container
    Ps(Ps),
    /// Stop every process of a container where it is
    Pause(Id),
    /// Let the processes of a paused container go on
    Resume(Id),
    /// Change the limits of a container
    Update(Box<update::Update>),
    /// Print what a container uses, again and again, and when memory runs out
    Events(Events),
    /// Print what containers cost and what was refused to them, as Prometheus reads it
    Metrics(metrics::Metrics),
    /// Write a first config.json
    Spec(Spec),
    /// Print what this build supports, as JSON
    Features,
    /// Look at the node's configuration
    #[command(subcommand)]
    Config(configuration::Config),
    /// Look at profiles
    #[command(subcommand)]
    Profile(configuration::Profile),
    /// Print the JSON schema of a file that lazaret reads
    Schema(configuration::Schema),
    /// Print what a mode does with each system call, and why
    Syscalls(Syscalls),
    /// Try each feature of the kernel that lazaret uses, and print what each gap costs
    Doctor(judge::Doctor),
    /// Judge what is to be launched, offline
    Policy(policy::Policy),
    /// Judge this node: kernel, files and modes, engines, every container, policy
    Check(judge::Check),
    /// Judge from outside what really holds of a container
    Verify(judge::Verify),
    /// Not supported
    #[command(hide = true)]
    Checkpoint(Ignored),
    /// Not supported
    #[command(hide = true)]
    Restore(Ignored),
}

impl Verb {
    /// Whether it makes a container.
    pub(crate) fn makes_container(&self) -> bool {
        self.passes_on().is_some() && !matches!(self, Self::Exec(_))
    }

    /// For a verb that launches a process into a container: how many descriptors from 3 on are the caller's for it.
    pub(crate) fn passes_on(&self) -> Option<u32> {
        match self {
            Self::Run(create) | Self::Create(create) => Some(create.preserve_fds),
            Self::Exec(exec) => Some(exec.preserve_fds),
            Self::Trace(trace) if trace.id.is_some() => None,
            Self::Do(_) | Self::Trace(_) => Some(0),
            Self::Start(_) | Self::State(_) | Self::Kill(_) | Self::Delete(_) | Self::List(_) | Self::Ps(_) => None,
            Self::Pause(_) | Self::Resume(_) | Self::Update(_) | Self::Events(_) | Self::Spec(_) => None,
            Self::Metrics(_) | Self::Features | Self::Syscalls(_) | Self::Checkpoint(_) | Self::Restore(_) => None,
            Self::Policy(_) | Self::Config(_) | Self::Profile(_) | Self::Schema(_) => None,
            Self::Doctor(_) | Self::Check(_) | Self::Verify(_) => None,
        }
    }
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
    /// Socket that receives the first process's pidfd
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

/// Forms of the list of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SyscallFormat {
    Table,
    Json,
    /// Markdown, both modes side by side
    Md,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lazaret syscalls --mode strict -o json --profile profile.json")]
pub(crate) struct Syscalls {
    /// Form of the list
    #[arg(long, short, value_enum, default_value_t = SyscallFormat::Table, value_name = "FORM")]
    pub(crate) output: SyscallFormat,
    /// A seccomp profile (the object linux.seccomp, or a whole config.json) to show beside the mode
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Form of the list
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Print the ids alone
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Form of the list; json has the process ids alone
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// The container's id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// The bundle's directory
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    pub(crate) bundle: PathBuf,
}

/// The arguments of a verb that is refused whatever they are.
#[derive(Debug, Args)]
pub(crate) struct Ignored {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn refused(arguments: &[&str]) -> Option<&'static str> {
        Cli::try_parse_from([&["lazaret"], arguments].concat()).expect("parse").global.refusal()
    }

    #[test]
    fn the_grammar_holds_and_names_the_version_of_the_specification() {
        Cli::command().debug_assert();
        assert!(VERSION.ends_with(lazaret::spec::NEWEST_VERSION), "{VERSION}");
        for flag in ["-v", "--version"] {
            let shown = Cli::try_parse_from(["lazaret", flag]).unwrap_err().to_string();
            assert_eq!(shown, format!("lazaret {VERSION}\n"));
        }
    }

    #[test]
    fn what_callers_of_runc_send_is_understood() {
        for line in [
            "--record-level metadata run ID",
            "create --record-policy /f ID",
            "--root /r --log /l --log-format json --rootless=auto list --format=json",
            "--rootless=false ps --format json ID",
            "ps -f json ID",
            "list -q",
            "exec --process /p --console-socket /s --pidfd-socket /f --detach --pid-file /i ID",
            "exec -d -t -e A=1 -u 1:2 -g 3 -c CAP_CHOWN --cwd / --no-new-privs --ignore-paused ID sh -c id",
            "exec ID ls -l",
            "pause ID",
            "resume ID",
            "update --resources=- ID",
            "update -r - ID",
            "update --cpu-burst 100 --cpu-idle 1 --cpu-rt-period 1000000 --cpu-rt-runtime 5000 --kernel-memory-tcp 1m ID",
            "update --memory 64M --memory-swap -1 --cpu-quota -1 --cpu-share 2 --pids-limit -1 ID",
            "events --stats ID",
            "events --interval=5s ID",
            "events --records -f ID",
            "events --records -o kubernetes ID",
            "events --refusals --json",
            "trace -c -o /f ID",
            "trace -e A=1 -- ls -l",
            "spec -b /b",
            "features",
            "doctor -o json",
            "check --json --host /node",
            "verify --json ID",
            "exec --pid-file /p --process /f --tty --console-socket /s --detach ID",
            "checkpoint --image-path /i --status-fd 3 ID",
            "restore --image-path /i ID",
        ] {
            let words = line.split(' ').collect::<Vec<_>>();
            assert_eq!(refused(&words), None, "{line}");
        }
        assert!(Cli::try_parse_from(["lazaret", "update", "--resources=-", "--memory", "1", "ID"]).is_err());
    }

    #[test]
    fn options_that_are_not_obeyed_are_refused_by_name() {
        assert!(refused(&["--rootless", "true", "list"]).unwrap().starts_with("--rootless true "));
    }
}
