//! The arguments of `exec`, which are runc's with its short forms.

use std::path::PathBuf;

use clap::Args;
use lazaret::cgroup::newcomer::SubCgroup;
use lazaret::lifecycle::Command;

/// `exec`'s options.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  lazaret exec --tty ID sh")]
pub(crate) struct Exec {
    /// Socket that receives the terminal's master
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// Socket that receives the process's pidfd
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// Working directory inside
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Set a variable of its environment
    #[arg(long, short, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// With a terminal
    #[arg(long, short)]
    tty: bool,
    /// User and group inside
    #[arg(long, short, value_name = "UID[:GID]", value_parser = user)]
    user: Option<(u32, Option<u32>)>,
    /// Further groups
    #[arg(long, short = 'g', value_name = "GID")]
    additional_gids: Vec<u32>,
    /// File with the process as an OCI Process object in JSON; it says by itself whether there is a terminal
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["cwd", "env", "user", "additional_gids", "cap"])]
    process: Option<PathBuf>,
    /// Return once the process runs
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Write its process id to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// SELinux label of the process
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// AppArmor profile of the process
    #[arg(long, value_name = "PROFILE")]
    apparmor: Option<String>,
    /// Set no_new_privs
    #[arg(long)]
    no_new_privs: bool,
    /// Add a capability
    #[arg(long, short, value_name = "CAP_NAME")]
    cap: Vec<String>,
    /// Pass this many descriptors, from 3 on, to the process
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) preserve_fds: u32,
    /// Cgroup below the container's own to start in
    #[arg(long, value_name = "[CONTROLLERS:]PATH")]
    pub(crate) cgroup: Vec<SubCgroup>,
    /// Also in a paused container, where it waits for resume
    #[arg(long)]
    pub(crate) ignore_paused: bool,
    /// The container's id
    pub(crate) id: String,
    /// The command and its arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "process",
        conflicts_with = "process",
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

impl Exec {
    /// The file with the process, or the command.
    pub(crate) fn process(&mut self) -> Result<PathBuf, Box<Command>> {
        if let Some(path) = self.process.take() {
            return Ok(path);
        }
        Err(Box::new(Command {
            args: std::mem::take(&mut self.command),
            env: std::mem::take(&mut self.env),
            cwd: self.cwd.take(),
            user: self.user,
            additional_gids: std::mem::take(&mut self.additional_gids),
            capabilities: std::mem::take(&mut self.cap),
            apparmor: self.apparmor.take(),
            process_label: self.process_label.take(),
            no_new_privileges: self.no_new_privs,
            terminal: self.tty,
        }))
    }
}

/// `UID` or `UID:GID`.
fn user(text: &str) -> Result<(u32, Option<u32>), String> {
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_error| format!("{text:?} is not a number; names are not looked up in the container"))
    };
    match text.split_once(':') {
        Some((uid, gid)) => Ok((number(uid)?, Some(number(gid)?))),
        None => Ok((number(text)?, None)),
    }
}
