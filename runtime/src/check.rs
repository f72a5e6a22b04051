//! `check` and `verify`: what of this node holds, judged from outside of every container.
//!
//! `check` looks at the kernel, at files, at the engines' configuration, at every container and at the policy; `verify` at
//! one container. What a container's state claims counts for nothing: what counts is `/proc`. A check that cannot be
//! carried out is a warning with the reason and never a pass. Nothing is changed.

mod containers;
mod engines;
mod files;
mod host;
mod kernel;
mod policy;
mod report;
mod tasks;

use std::path::PathBuf;

use crate::error::Error;
use crate::options::Options;
use crate::state;

pub use report::{Control, Group, Item, Report, Status, Totals};

/// What `check` looks at.
#[derive(Debug, Clone)]
pub struct Request {
    /// The directory that the node's root file system is seen at: `/`, or where a pod has it mounted.
    pub host: PathBuf,
    /// The configuration to judge in place of the node's own.
    pub configuration: Option<PathBuf>,
}

/// Judges the node. The process must be single-threaded.
///
/// # Errors
/// [`Error::State`] when the state directory cannot be read.
pub fn node(options: &Options, request: &Request) -> Result<Report, Error> {
    let host = host::Host::open(&request.host)?;
    let (kernel, release) = kernel::control();
    let controls = vec![
        kernel,
        files::control(&host, options),
        engines::control(&host),
        containers::control(options)?,
        policy::control(&host, request),
    ];
    Ok(Report::of(controls, &release))
}

/// Judges one container.
///
/// # Errors
/// [`Error::State`] when there is none of that id.
pub fn container(options: &Options, id: &str) -> Result<Report, Error> {
    let stored = state::peek(&options.root, id)?;
    let group = containers::group("4.1", options, &stored);
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    Ok(Report::of(vec![Control::of("4", containers::TEXT, vec![group])], &release))
}
