//! Who runs the bundle: one command line each, from start to deleted container.
//!
//! Called by `bench-start`. The command lines are the ones that a user types; nobody gets a special switch.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The word by which `bench-start` knows that it is to be libcontainer's caller.
pub const REFERENCE_WORD: &str = "libcontainer-run";

/// What a contender is timed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A container from start to end.
    Run,
    /// A process in a container that runs.
    Exec,
}

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Setting {
    /// What is timed.
    pub work: Work,
    /// The bundle of `/bin/true`.
    pub bundle: PathBuf,
    /// The bundle of a command that does nothing for long.
    pub sleeper: PathBuf,
    /// Holds a state directory for each contender.
    pub states: PathBuf,
    /// lazaret's command.
    pub lazaret: PathBuf,
    /// This program.
    pub own: PathBuf,
}

impl Setting {
    fn state(&self, name: &str) -> PathBuf {
        self.states.join(name)
    }
}

/// One runtime in one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// Its name in the tables.
    pub name: &'static str,
    /// The file that has to be there; `None` for what the setting names.
    program: Option<&'static str>,
    /// Whole run of the container with this id.
    launch: fn(&Setting, &str) -> Command,
    /// Its command with options that come before the verb; `None` for who has no verbs.
    verbs: Option<fn(&Setting) -> Command>,
    /// Removes what a failed run left.
    tidy: fn(&Setting, &str) -> Command,
    /// Says its version.
    version: fn(&Setting) -> Command,
}

/// All of them. Ratios are to the first.
pub const ALL: &[Contender] = &[
    Contender {
        name: "crun",
        program: Some("crun"),
        launch: |setting, id| peer("crun", setting, &["run", "--bundle"], id),
        verbs: Some(|setting| command("crun", setting)),
        tidy: |setting, id| remove("crun", setting, id),
        version: |_| version("crun"),
    },
    Contender {
        name: "runc",
        program: Some("runc"),
        launch: |setting, id| peer("runc", setting, &["run", "--bundle"], id),
        verbs: Some(|setting| command("runc", setting)),
        tidy: |setting, id| remove("runc", setting, id),
        version: |_| version("runc"),
    },
    Contender {
        name: "libcontainer",
        program: None,
        launch: |setting, id| reference(setting, "run", id),
        verbs: None,
        tidy: |setting, id| reference(setting, "delete", id),
        version: |setting| reference(setting, "version", ""),
    },
    Contender {
        name: "lazaret native",
        program: None,
        launch: |setting, id| lazaret(setting, "native", id),
        verbs: Some(|setting| lazaret_command(setting, "native")),
        tidy: |setting, id| lazaret_delete(setting, id),
        version: |setting| version(&setting.lazaret),
    },
    Contender {
        name: "lazaret sandbox",
        program: None,
        launch: |setting, id| lazaret(setting, "sandbox", id),
        verbs: Some(|setting| lazaret_command(setting, "sandbox")),
        tidy: |setting, id| lazaret_delete(setting, id),
        version: |setting| version(&setting.lazaret),
    },
    Contender {
        name: "lazaret do",
        program: None,
        launch: |setting, _| lazaret_do(setting),
        verbs: None,
        tidy: |setting, id| lazaret_delete(setting, id),
        version: |setting| version(&setting.lazaret),
    },
];

impl Contender {
    /// The command to time: it runs the container `id` from start to end and leaves nothing, or runs `/bin/true` in the
    /// container [`Contender::host_id`].
    #[must_use]
    pub fn launch(&self, setting: &Setting, id: &str) -> Command {
        match (setting.work, self.verbs) {
            (Work::Exec, Some(verbs)) => {
                let mut command = verbs(setting);
                command.args(["exec", &self.host_id(), "/bin/true"]);
                command
            }
            (Work::Run, _) | (Work::Exec, None) => (self.launch)(setting, id),
        }
    }

    /// The container in which it executes processes.
    #[must_use]
    pub fn host_id(&self) -> String {
        format!("bench-host-{}-{}", std::process::id(), self.name.replace(' ', "-"))
    }

    /// The commands that make that container; `None` for who has no `exec`.
    #[must_use]
    pub fn host(&self, setting: &Setting) -> Option<[Command; 2]> {
        let (mut create, mut start) = (self.verbs?(setting), self.verbs?(setting));
        create.args(["create", "--bundle"]).arg(&setting.sleeper).arg(self.host_id());
        start.args(["start", &self.host_id()]);
        Some([create, start])
    }

    /// The command that removes what a failed run of `id` left.
    #[must_use]
    pub fn tidy(&self, setting: &Setting, id: &str) -> Command {
        (self.tidy)(setting, id)
    }

    /// The first line of what it says on `--version`.
    ///
    /// # Errors
    /// `NotFound` when it is not installed; else what starting it said.
    pub fn version(&self, setting: &Setting) -> io::Result<String> {
        if let Some(program) = self.program {
            installed(program)?;
        }
        let output = (self.version)(setting).output()?;
        let text = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
        let line = text.lines().next().unwrap_or_default().to_owned();
        if output.status.success() { Ok(line) } else { Err(io::Error::other(line)) }
    }
}

/// Looks a program up in PATH: the search is not to be part of what is measured.
fn installed(program: &str) -> io::Result<PathBuf> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&places).map(|place| place.join(program)).find(|path| is_executable(path));
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{program} is not installed")))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn path_of(program: &str) -> PathBuf {
    installed(program).unwrap_or_else(|_missing| program.into())
}

fn version(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.arg("--version");
    command
}

fn command(program: &str, setting: &Setting) -> Command {
    let mut command = Command::new(path_of(program));
    command.arg("--root").arg(setting.state(program));
    command
}

fn peer(program: &str, setting: &Setting, verb: &[&str], id: &str) -> Command {
    let mut whole = command(program, setting);
    whole.args(verb).arg(&setting.bundle).arg(id);
    whole
}

fn remove(program: &str, setting: &Setting, id: &str) -> Command {
    let mut command = Command::new(path_of(program));
    command.arg("--root").arg(setting.state(program)).args(["delete", "--force", id]);
    command
}

fn reference(setting: &Setting, verb: &str, id: &str) -> Command {
    let mut command = Command::new(&setting.own);
    command.args([REFERENCE_WORD, verb]).arg(setting.state("libcontainer")).arg(&setting.bundle).arg(id);
    command
}

fn lazaret_command(setting: &Setting, mode: &str) -> Command {
    let mut command = Command::new(&setting.lazaret);
    command.arg("--root").arg(setting.state("lazaret")).args(["--mode", mode]);
    command
}

fn lazaret(setting: &Setting, mode: &str, id: &str) -> Command {
    let mut command = lazaret_command(setting, mode);
    command.args(["run", "--bundle"]).arg(&setting.bundle).arg(id);
    command
}

/// The same applet of the same busybox, from the host's own root.
fn lazaret_do(setting: &Setting) -> Command {
    let mut command = Command::new(&setting.lazaret);
    command.arg("--root").arg(setting.state("lazaret")).args(["do", "--", "busybox", "true"]);
    command
}

fn lazaret_delete(setting: &Setting, id: &str) -> Command {
    let mut command = Command::new(&setting.lazaret);
    command.arg("--root").arg(setting.state("lazaret")).args(["delete", "--force", id]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = ALL.iter().map(|contender| contender.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn what_is_not_installed_is_named() {
        let error = installed("no-such-runtime").unwrap_err();
        assert_eq!(error.to_string(), "no-such-runtime is not installed");
    }
}
