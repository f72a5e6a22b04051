//! Deleting a task when the launcher is gone: by the program's own `delete` action, which needs nothing but the disk.
//!
//! Used by `tasks` after a call has failed with [`ShimError::Launcher`]. Without it a pod whose launcher was killed
//! could never be removed.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::error::ShimError;
use crate::reaper::{Reaper, exit_of_watch};

/// How long the action may take: it kills, and waits for what it killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `delete` for a container whose state is in `root`, a directory named like its namespace.
///
/// # Errors
/// [`ShimError::Launcher`] when it cannot be run, fails, or takes too long.
pub(crate) async fn delete(reaper: &Arc<Reaper>, root: &Path, id: &str, bundle: &Path) -> Result<(), ShimError> {
    let failed = |why| ShimError::Launcher(io::Error::other(why));
    let expecting = reaper.expect();
    let child = Command::new("/proc/self/exe")
        .arg("-namespace")
        .arg(root.file_name().unwrap_or_default())
        .args(["-id", id, "-bundle"])
        .arg(bundle)
        .arg("delete")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(ShimError::Launcher)?;
    let pid = i32::try_from(child.id()).map_err(|_too_big| failed("a process id out of range"))?;
    match tokio::time::timeout(PATIENCE, exit_of_watch(expecting.claim(pid))).await {
        Ok(exit) if exit.status == 0 => Ok(()),
        Ok(_) => Err(failed("the delete action failed")),
        Err(_elapsed) => Err(failed("the delete action does not end")),
    }
}
