//! One task: its first process, and those that `exec` has added to it.
//!
//! Used by `tasks`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::ShimError;
use crate::process::{Phase, Process};

/// A task.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its id.
    pub(crate) id: String,
    /// Absolute path of its bundle.
    pub(crate) bundle: PathBuf,
    /// Its first process.
    pub(crate) init: Arc<Process>,
    added: Mutex<HashMap<String, Arc<Added>>>,
}

/// A process that `exec` adds.
#[derive(Debug)]
pub(crate) struct Added {
    /// What it is to execute: an OCI `Process` as JSON.
    pub(crate) spec: String,
    /// The process.
    pub(crate) process: Arc<Process>,
}

impl Container {
    /// A created container.
    pub(crate) fn new(id: String, bundle: PathBuf, init: Arc<Process>) -> Self {
        Self { id, bundle, init, added: Mutex::default() }
    }

    fn added_ones(&self) -> MutexGuard<'_, HashMap<String, Arc<Added>>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a process to be started later.
    pub(crate) fn add(&self, exec: &str, added: Added) -> Result<(), ShimError> {
        let mut ones = self.added_ones();
        if ones.contains_key(exec) {
            return Err(ShimError::Exists(format!("{}/{exec}", self.id)));
        }
        ones.insert(exec.to_owned(), Arc::new(added));
        Ok(())
    }

    /// The added process of that id.
    pub(crate) fn added(&self, exec: &str) -> Result<Arc<Added>, ShimError> {
        let no_process = || ShimError::NoProcess { task: self.id.clone(), process: exec.to_owned() };
        self.added_ones().get(exec).cloned().ok_or_else(no_process)
    }

    /// Forgets an added process.
    pub(crate) fn forget(&self, exec: &str) {
        self.added_ones().remove(exec);
    }

    /// The process that a request means: the first one where `exec` is empty.
    pub(crate) fn process(&self, exec: &str) -> Result<Arc<Process>, ShimError> {
        if exec.is_empty() { Ok(Arc::clone(&self.init)) } else { self.added(exec).map(|one| Arc::clone(&one.process)) }
    }

    /// The added processes that have ended, though nobody may have been told yet.
    pub(crate) fn ended_ones(&self) -> Vec<Arc<Process>> {
        let ones = self.added_ones();
        let processes = ones.values().map(|one| &one.process);
        let has_ended = |process: &&Arc<Process>| {
            process.phase() == Phase::Running && process.alive().is_some_and(|alive| alive.reaped.borrow().is_some())
        };
        processes.filter(has_ended).cloned().collect()
    }

    /// The id of the added process that runs under this number.
    pub(crate) fn exec_of(&self, pid: u32) -> Option<String> {
        let ones = self.added_ones();
        let found = ones.iter().find(|(_, one)| one.process.pid() == pid && one.process.phase() == Phase::Running);
        found.map(|(exec, _)| exec.clone())
    }

    /// The error of a verb that does not fit.
    pub(crate) fn wrong_status(&self, verb: &'static str, process: &Process) -> ShimError {
        ShimError::WrongStatus { task: self.id.clone(), verb, status: process.phase().name() }
    }
}
