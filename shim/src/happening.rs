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
    /// A process was added to it, and does not run yet.
    ExecAdded {
        /// The task's id.
        id: String,
        /// The process's id.
        exec: String,
    },
    /// An added process was started.
    ExecStarted {
        /// The task's id.
        id: String,
        /// The process's id.
        exec: String,
        /// Its number.
        pid: u32,
    },
    /// A process ended.
    Exited {
        /// The task's id.
        id: String,
        /// The process's id; the task's own for its first process.
        process: String,
        /// Its number.
        pid: u32,
        /// How.
        exit: Exit,
    },
    /// The kernel has killed a process of it for want of memory.
    OutOfMemory {
        /// Its id.
        id: String,
    },
    /// Its processes stand still.
    Paused {
        /// Its id.
        id: String,
    },
    /// They run again.
    Resumed {
        /// Its id.
        id: String,
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
