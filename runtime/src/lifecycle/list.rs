//! `list`: every container that has its state in the state directory.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use crate::error::Error;
use crate::lifecycle::OciState;
use crate::options::Options;
use crate::state::{self, StateError};
use crate::users;

/// One container of `list`: its state and who made it, with the keys of runc.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// What `state` prints.
    #[serde(flatten)]
    pub state: OciState,
    /// Name of the user who owns its state directory; `#UID` for one without a name.
    pub owner: String,
}

/// The containers in the order of their ids. One whose state cannot be read is left out with a warning: the others must
/// stay visible.
///
/// # Errors
/// [`StateError::Io`] when the state directory cannot be read.
pub fn list(options: &Options) -> Result<Vec<Listed>, Error> {
    let mut listed = Vec::new();
    for id in state::ids(&options.root)? {
        match of_container(options, &id) {
            Ok(container) => listed.push(container),
            // It ended meanwhile, or it is a folder of something else: engines keep one root below another.
            Err(StateError::NotFound { .. } | StateError::Unwritten { .. }) => {}
            Err(StateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(id, %error, "a container cannot be listed"),
        }
    }
    Ok(listed)
}

fn of_container(options: &Options, id: &str) -> Result<Listed, StateError> {
    let stored = state::peek(&options.root, id)?;
    let path = options.root.join(id);
    let owner = match std::fs::metadata(&path) {
        Ok(metadata) => users::name(metadata.uid()),
        Err(source) => return Err(StateError::Io { operation: "read", path, source }),
    };
    Ok(Listed { state: OciState::from(stored), owner })
}
