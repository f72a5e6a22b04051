//! An ordinary user of the host, made up for one test: an id that nobody has, a home and a runtime directory of its own,
//! and a copy of the program that the user can execute and not write.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bundle::Bundle;
use crate::outcome::{self, Outcome};
use crate::scratch::Scratch;
use crate::{leftover, programs};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Ids that the user may map beside its own, where it may.
pub const SUBORDINATE: (u32, u32) = (3_000_000, 65_536);

/// Shows the user's own account files in a mount namespace of its own, where newuidmap(1) reads them, and becomes the
/// user there.
const WITH_SUBORDINATE_IDS: &str =
    "for name in passwd subuid subgid; do mount --bind \"$1/$name\" /etc/$name || exit 9; done
home=$1; uid=$2; shift 2; exec setpriv --reuid $uid --regid $uid --clear-groups \"$@\"";

/// The user.
#[derive(Debug)]
pub struct User {
    scratch: Scratch,
    id: u32,
    has_subordinate_ids: bool,
}

impl User {
    /// With no id but its own.
    #[must_use]
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let id = 2_000_000 + std::process::id() % 100_000 + 100_000 * (COUNT.fetch_add(1, Ordering::Relaxed) % 9);
        let user = Self { scratch, id, has_subordinate_ids: false };
        std::fs::set_permissions(user.scratch.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::copy(programs::lazaret(), user.scratch.join("lazaret")).unwrap();
        for folder in ["home", "runtime"] {
            std::fs::create_dir(user.scratch.join(folder)).unwrap();
            std::os::unix::fs::chown(user.scratch.join(folder), Some(id), Some(id)).unwrap();
            std::fs::set_permissions(user.scratch.join(folder), PermissionsExt::from_mode(0o700)).unwrap();
        }
        user
    }

    /// With [`SUBORDINATE`] ids.
    #[must_use]
    pub fn with_subordinate_ids() -> Self {
        let mut user = Self::new();
        user.has_subordinate_ids = true;
        let account = format!("lazaret-user:x:{0}:{0}::/:/bin/sh\n", user.id);
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap() + &account;
        std::fs::write(user.scratch.join("passwd"), passwd).unwrap();
        for file in ["subuid", "subgid"] {
            let range = format!("lazaret-user:{}:{}\n", SUBORDINATE.0, SUBORDINATE.1);
            std::fs::write(user.scratch.join(file), range).unwrap();
        }
        user
    }

    /// Its user and group id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.scratch.join("home")
    }

    /// Where its containers have their state.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.scratch.join("runtime/lazaret")
    }

    /// Gives a bundle to the user.
    pub fn own(&self, bundle: &Bundle) {
        bundle.write();
        let owner = format!("{0}:{0}", self.id);
        outcome::run(Command::new("chown").args(["-R", &owner]).arg(bundle.path())).succeeds();
    }

    /// A program run by the user, in its home.
    #[must_use]
    pub fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = if self.has_subordinate_ids {
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", WITH_SUBORDINATE_IDS, "sh"]).arg(self.scratch.path());
            command.args([&self.id.to_string(), program]).args(arguments);
            command
        } else {
            let mut command = Command::new(program);
            command.args(arguments).uid(self.id).gid(self.id);
            command
        };
        command.env("HOME", self.home()).env("XDG_RUNTIME_DIR", self.scratch.join("runtime")).current_dir(self.home());
        command.env("LAZARET_TEST_ROOT", self.scratch.tag());
        command
    }

    /// `lazaret ...`, run by the user.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(&self.scratch.join("lazaret").display().to_string(), arguments)
    }

    /// Runs a verb to its end.
    #[track_caller]
    #[must_use]
    pub fn verb(&self, arguments: &[&str]) -> Outcome {
        outcome::run(&mut self.command(arguments))
    }

    /// `run` of a bundle that is given to the user.
    #[track_caller]
    #[must_use]
    pub fn run(&self, bundle: &Bundle) -> Outcome {
        self.own(bundle);
        let outcome = self.verb(&["run", "--bundle", &bundle.path().display().to_string(), bundle.id()]);
        self.nothing_left();
        outcome
    }

    /// Asserts that no state, process, mount or cgroup of the user is left.
    ///
    /// # Panics
    /// When something is.
    #[track_caller]
    pub fn nothing_left(&self) {
        let states: Vec<_> = std::fs::read_dir(self.root()).into_iter().flatten().flatten().collect();
        assert!(states.is_empty(), "still there: {states:?}");
        leftover::none(self.scratch.tag());
    }
}

impl Default for User {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(self.root()).into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            drop(outcome::clean_up(&mut self.command(&["delete", "--force", &id])));
        }
    }
}
