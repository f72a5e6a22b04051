//! Containers that do nothing, one for each contender, for the timing of processes that join.
//!
//! Called by `bench-start`, before it becomes the reaper of what it times. Dropping them deletes them.

use std::process::{Command, Stdio};

use crate::contender::{Contender, Setting};
use crate::{cgroups, report};

/// Containers that run.
#[derive(Debug)]
pub struct Hosts<'a> {
    setting: &'a Setting,
    running: Vec<Contender>,
}

impl<'a> Hosts<'a> {
    /// Starts one for each contender that can execute processes in one.
    #[must_use]
    pub fn start(contenders: &[Contender], setting: &'a Setting) -> Self {
        let mut this = Self { setting, running: Vec::new() };
        for contender in contenders {
            let Some(commands) = contender.host(setting) else { continue };
            this.running.push(*contender);
            for command in commands {
                run(command, contender.name);
            }
        }
        this
    }

    /// Those for whom there is one.
    #[must_use]
    pub fn contenders(&self) -> &[Contender] {
        &self.running
    }
}

impl Drop for Hosts<'_> {
    fn drop(&mut self) {
        for contender in &self.running {
            let id = contender.host_id();
            run(contender.tidy(self.setting, &id), contender.name);
            cgroups::remove_left(&id);
        }
    }
}

/// A failure shows in the table too: then there is nothing to join.
fn run(mut command: Command, name: &str) {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => report::warn(&format!("{name}: a container to join: {status}")),
        Err(error) => report::warn(&format!("{name}: a container to join: {error}")),
    }
}
