//! libcontainer, youki's library, as a command: `reference create|start|delete ROOT BUNDLE ID`.
//!
//! The differential test compares lazaret with it. It is a process of its own because libcontainer forks without exec and
//! so needs a process with one thread. Compiled with the feature `libcontainer` alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::error::LibcontainerError;
use libcontainer::syscall::syscall::SyscallType;
use libcontainer::workload::default::DefaultExecutor;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["create", root, bundle, id] => create(Path::new(root), Path::new(bundle), id),
        ["start", root, _, id] => load(root, id).and_then(|mut container| container.start()),
        ["delete", root, _, id] => load(root, id).and_then(|mut container| container.delete(true)),
        _ => {
            complain("usage: reference create|start|delete ROOT BUNDLE ID");
            return ExitCode::from(2);
        }
    };
    let Err(error) = done else { return ExitCode::SUCCESS };
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        complain(&error.to_string());
        cause = error.source();
    }
    ExitCode::FAILURE
}

/// Creates the container; its state and first pid are in `ROOT/ID/state.json`.
fn create(root: &Path, bundle: &Path, id: &str) -> Result<(), LibcontainerError> {
    ContainerBuilder::new(id.to_owned(), SyscallType::default())
        .with_executor(DefaultExecutor {})
        .with_root_path(root)?
        .as_init(PathBuf::from(bundle))
        .with_systemd(false)
        .with_detach(true)
        .build()
        .map(|_container| ())
}

fn load(root: &str, id: &str) -> Result<Container, LibcontainerError> {
    Container::load(Path::new(root).join(id))
}

#[expect(clippy::print_stderr, reason = "a command tells its caller why it failed")]
fn complain(message: &str) {
    eprintln!("{message}");
}
