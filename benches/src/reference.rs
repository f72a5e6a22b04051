//! libcontainer as a runtime: build, start, wait, delete, in a process that does nothing else.
//!
//! `bench-start` runs itself with [`crate::contender::REFERENCE_WORD`] for it, since libcontainer forks without exec and
//! so needs a process with one thread. Compiled with the feature `libcontainer` alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::error::LibcontainerError;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;
use rustix::process::{Pid, WaitOptions};
use thiserror::Error;

/// Why the run failed.
#[derive(Debug, Error)]
pub enum ReferenceError {
    /// Not the arguments that `contender` gives.
    #[error("expected a verb, a state directory, a bundle and an id")]
    Usage,
    /// libcontainer refused.
    #[error("libcontainer cannot {0}")]
    Refused(&'static str, #[source] Box<LibcontainerError>),
    /// There is no process to wait for.
    #[error("libcontainer tells no process id")]
    NoProcess,
    /// The process could not be waited for.
    #[error("cannot wait for the container")]
    Wait(#[source] rustix::io::Errno),
    /// The container's process failed.
    #[error("the container ended with status {0}")]
    Failed(i32),
    /// The state directory could not be made, or the version not printed.
    #[error("cannot write")]
    Write(#[source] std::io::Error),
}

/// The lock file knows which version was built.
const LOCK: &str = include_str!("../../Cargo.lock");

/// Does what `arguments` say: verb, state directory, bundle, id.
///
/// # Errors
/// [`ReferenceError`].
pub fn main(arguments: &[String]) -> Result<(), ReferenceError> {
    match arguments {
        [verb, root, bundle, id] if verb == "run" => run(Path::new(root), Path::new(bundle), id),
        [verb, root, _, id] if verb == "delete" => delete(&Path::new(root).join(id)),
        [verb, ..] if verb == "version" => {
            writeln!(std::io::stdout(), "libcontainer crate {}", version()).map_err(ReferenceError::Write)
        }
        _ => Err(ReferenceError::Usage),
    }
}

fn run(root: &Path, bundle: &Path, id: &str) -> Result<(), ReferenceError> {
    std::fs::create_dir_all(root).map_err(ReferenceError::Write)?;
    let refused = |what| move |error| ReferenceError::Refused(what, Box::new(error));
    let mut container = ContainerBuilder::new(id.to_owned(), SyscallType::default())
        .with_executor(DefaultExecutor {})
        .with_root_path(root)
        .map_err(refused("use the state directory"))?
        .as_init(PathBuf::from(bundle))
        .with_systemd(false)
        .with_detach(false)
        .build()
        .map_err(refused("create the container"))?;
    let pid = container.pid().and_then(|pid| Pid::from_raw(pid.as_raw())).ok_or(ReferenceError::NoProcess)?;
    container.start().map_err(refused("start the container"))?;
    let ended = rustix::process::waitpid(Some(pid), WaitOptions::empty()).map_err(ReferenceError::Wait)?;
    container.delete(true).map_err(refused("delete the container"))?;
    match ended.and_then(|(_, status)| status.exit_status()) {
        Some(0) => Ok(()),
        status => Err(ReferenceError::Failed(status.unwrap_or(-1))),
    }
}

fn delete(state: &Path) -> Result<(), ReferenceError> {
    let refused = |error| ReferenceError::Refused("delete the container", Box::new(error));
    Container::load(state.to_owned()).map_err(refused)?.delete(true).map_err(refused)
}

fn version() -> &'static str {
    let mut lines = LOCK.lines().skip_while(|line| *line != "name = \"libcontainer\"");
    let line = lines.nth(1).unwrap_or_default();
    line.strip_prefix("version = \"").and_then(|rest| rest.strip_suffix('"')).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_in_the_lock_file() {
        assert!(version().starts_with("0."), "{}", version());
    }
}
