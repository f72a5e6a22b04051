//! What happens to tasks, as containerd is told of it.
//!
//! Made by `tasks`, sent by `events`.

use containerd_shim::protos::types::mount::Mount;

use crate::io::Stdio;
use crate::reaper::Exit;

/// Something that containerd is to be told.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A task was created.
    Created {
        /// Its id.
        id: String,
        /// Its bundle.
        bundle: String,
        /// Its root file system, as containerd gave it.
        mounts: Vec<Mount>,
        /// Its stdio.
        stdio: Stdio,
        /// Its first process.
        pid: u32,
    },
    /// It was started.
    Started {
        /// Its id.
        id: String,
        /// Its first process.
        pid: u32,
    },
    /// It ended.
    Exited {
        /// Its id.
        id: String,
        /// Its first process.
        pid: u32,
        /// How.
        exit: Exit,
    },
    /// It was deleted.
    Deleted {
        /// Its id.
        id: String,
        /// Its first process.
        pid: u32,
        /// How it had ended.
        exit: Exit,
    },
}
