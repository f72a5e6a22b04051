//! Hooks beside the runtime: `prestart` and `createRuntime` before the container changes its root, `poststart` and
//! `poststop` at the end of `start` and `delete`.
//!
//! The last two are run by later commands, when the bundle may be gone: `create` keeps them in the container's state
//! directory, if there are any. Hooks inside the container are orders to `init`, which must not know this room.

use std::io;
use std::path::{Path, PathBuf};

use crate::hook_process::{self, HookError, HookState};
use crate::spec::hooks::{Hook, Hooks};

/// File name of the kept hooks in a container's state directory.
const FILE: &str = "hooks.json";

/// Hooks that are run after `create`.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    poststart: Vec<Hook>,
    poststop: Vec<Hook>,
}

/// Kept hooks that could not be kept or found again.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {path}")]
pub struct KeptError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl KeptError {
    /// Stable number of this error.
    #[must_use]
    pub fn code(&self) -> u32 {
        1494
    }
}

/// Runs `prestart`, then `createRuntime`.
///
/// # Errors
/// [`HookError`] of the first that fails.
pub fn before_change_of_root(hooks: &Hooks, state: &HookState) -> Result<(), HookError> {
    hook_process::run_all("prestart", &hooks.prestart, state)?;
    hook_process::run_all("createRuntime", &hooks.create_runtime, state)
}

impl Kept {
    /// Those of `hooks` that later commands run.
    #[must_use]
    pub fn of(hooks: &Hooks) -> Self {
        Self { poststart: hooks.poststart.clone(), poststop: hooks.poststop.clone() }
    }

    /// Writes them into the state directory `directory`, if there are any.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn write(&self, directory: &Path) -> Result<(), KeptError> {
        if self.poststart.is_empty() && self.poststop.is_empty() {
            return Ok(());
        }
        let path = directory.join(FILE);
        let written = serde_json::to_vec(self).map_err(io::Error::from).and_then(|text| std::fs::write(&path, text));
        written.map_err(|source| KeptError { operation: "write", path, source })
    }

    /// Those that were written into `directory`.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn read(directory: &Path) -> Result<Self, KeptError> {
        let path = directory.join(FILE);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| KeptError {
                operation: "understand",
                path,
                source: error.into(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(KeptError { operation: "read", path, source }),
        }
    }

    /// Runs `poststart`; `state` is made only if there is something to run.
    ///
    /// # Errors
    /// [`HookError`] of the first that fails; the container is then to be stopped (runtime.md, "Lifecycle", since 1.2.1).
    pub fn poststart(&self, state: impl FnOnce() -> HookState) -> Result<(), HookError> {
        if self.poststart.is_empty() {
            return Ok(());
        }
        hook_process::run_all("poststart", &self.poststart, &state())
    }

    /// Runs `poststop`. A failure is logged: the container is gone all the same.
    pub fn poststop(&self, state: impl FnOnce() -> HookState) {
        if !self.poststop.is_empty() {
            hook_process::run_each("poststop", &self.poststop, &state());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_nothing_makes_no_file() {
        let directory = std::env::temp_dir().join(format!("lazaret-hooks-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let hook = Hook {
            path: "/a".into(),
            args: vec![c"\xff".to_owned()],
            env: vec![c"".to_owned()],
            timeout: Some(std::time::Duration::from_secs(3)),
        };
        Kept::of(&Hooks { prestart: vec![hook.clone()], ..Hooks::default() }).write(&directory).unwrap();
        assert!(!directory.join(FILE).exists());
        Kept::of(&Hooks { poststop: vec![hook.clone()], ..Hooks::default() }).write(&directory).unwrap();
        assert_eq!(Kept::read(&directory).unwrap().poststop, [hook]);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
