//! `containerd-shim-lazaret-v1`: the containerd shim of lazaret, one process for each pod.
//!
//! containerd runs it with the action `start`, which leaves a daemon behind and prints its address, and with `delete`
//! when a daemon has died. The daemon (`daemon`) serves the Task service (`service` translates, `tasks` does) and has
//! one helper, the launcher, which alone calls the runtime library. Nobody imports this crate.

mod bootstrap;
mod container;
mod daemon;
mod delete;
mod error;
mod events;
mod group;
mod happening;
mod info;
mod io;
mod launcher;
mod log;
mod logger;
mod memory;
mod options;
mod place;
mod process;
mod reaper;
mod records;
mod rootfs;
mod service;
mod socket;
mod start;
mod stats;
mod tasks;
mod terminal;
mod typeurl;

use std::io::Write;
use std::process::ExitCode;

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error("cannot understand the command line")]
    Flags(#[source] containerd_shim::Error),
    #[error("unknown action {0:?}; containerd runs this program, with the action start or delete")]
    Action(String),
    #[error(transparent)]
    Start(#[from] start::StartError),
    #[error(transparent)]
    Delete(#[from] delete::DeleteError),
    #[error("cannot encode the runtime's description")]
    Encode(#[source] containerd_shim::protos::protobuf::Error),
    #[error("cannot write to standard output")]
    Write(#[source] std::io::Error),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // containerd shows this to whoever asked for the container.
            let text = format!("containerd-shim-lazaret-v1: {}\n", lazaret::causes::chain(&error));
            match std::io::stderr().write_all(text.as_bytes()) {
                Ok(()) | Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn run() -> Result<(), MainError> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let flags = containerd_shim::parse(&arguments).map_err(MainError::Flags)?;
    if flags.version {
        return print(info::version().as_bytes());
    }
    if flags.info {
        return print(&info::runtime_info().map_err(MainError::Encode)?);
    }
    match flags.action.as_str() {
        "start" => Ok(start::run(&flags)?),
        "delete" => Ok(delete::run(&flags)?),
        other => Err(MainError::Action(other.to_owned())),
    }
}

fn print(bytes: &[u8]) -> Result<(), MainError> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(MainError::Write)
}
